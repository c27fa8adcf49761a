-- softdelete_deleted(NULL::t): the deleted rows of a table as a set
CREATE SCHEMA dr;
SET search_path = dr, public;
CREATE TABLE t (id int PRIMARY KEY, gone int, name text, "Odd" numeric(7,2));
ALTER TABLE t DROP COLUMN gone;
INSERT INTO t SELECT i, 'n' || i, i FROM generate_series(1, 1000) i;
CREATE INDEX ON t (name);
SELECT relation FROM softdelete_register('t');
CREATE TABLE later (id int PRIMARY KEY, t_id int REFERENCES t);
SELECT relation FROM softdelete_register('later');
DELETE FROM t WHERE id % 100 = 0;
ANALYZE t;

SELECT id, name, "Odd", active FROM softdelete_deleted(NULL::t) WHERE id < 400 ORDER BY id;
SELECT d::text ~ '^\(100,n100,100.00,f,\d+\)$' AS whole FROM softdelete_deleted(NULL::t) d ORDER BY id LIMIT 1;
-- the same where the call cannot be replaced
SELECT (softdelete_deleted(NULL::t)).id ORDER BY 1 LIMIT 2;
SELECT id, ordinality FROM softdelete_deleted(NULL::t) WITH ORDINALITY ORDER BY id LIMIT 2;
CREATE FUNCTION dead(int) RETURNS SETOF t LANGUAGE sql STABLE AS 'SELECT * FROM softdelete_deleted(NULL::t) x WHERE x.id >= $1';
SELECT id FROM dead(900) ORDER BY 1;
-- conditions use indexes, live rows are seen beside it, whatever is shown
EXPLAIN (COSTS OFF) SELECT * FROM softdelete_deleted(NULL::t) WHERE id = 100;
SELECT (SELECT count(*) FROM softdelete_deleted(NULL::t)) AS deleted, (SELECT count(*) FROM t) AS live;
SELECT d.id, t.id FROM softdelete_deleted(NULL::t) d LEFT JOIN t ON t.id = d.id + 1 ORDER BY 1 LIMIT 2;
SET softdelete.show_deleted = on;
SELECT (SELECT count(*) FROM softdelete_deleted(NULL::t)) AS deleted, (SELECT count(*) FROM t) AS both;
SET softdelete.show_deleted = 'only';
SELECT count(*) FROM softdelete_deleted(NULL::t);
RESET softdelete.show_deleted;
SET row_security = off;
SELECT (SELECT count(*) FROM softdelete_deleted(NULL::t)) AS deleted, (SELECT count(*) FROM t) AS all;
RESET row_security;
WITH x AS (SELECT id FROM softdelete_deleted(NULL::t) UNION ALL SELECT id FROM softdelete_deleted(NULL::t) UNION ALL SELECT id FROM t) SELECT count(*) FROM x;
SELECT count(*) FROM t WHERE EXISTS (SELECT FROM softdelete_deleted(NULL::t) d WHERE d.id = t.id + 1);
CREATE VIEW bin AS SELECT * FROM softdelete_deleted(NULL::t) WHERE id > 700;
SELECT id FROM bin ORDER BY id;
INSERT INTO later SELECT id + 1, id + 1 FROM softdelete_deleted(NULL::t) WHERE id < 300;
UPDATE later SET t_id = d.id + 2 FROM softdelete_deleted(NULL::t) d WHERE d.id + 1 = later.id;
SELECT * FROM later ORDER BY id;
DROP VIEW bin;
DROP FUNCTION dead;

-- plans that are kept
PREPARE p AS SELECT id, name FROM softdelete_deleted(NULL::t) WHERE id = $1;
EXECUTE p(100);
ALTER TABLE t ADD COLUMN late int DEFAULT 7;
EXECUTE p(200);
SELECT id, late FROM softdelete_deleted(NULL::t) WHERE id = 100;
PREPARE q AS SELECT id, name FROM softdelete_deleted(NULL::t) WHERE id = $1;
ALTER TABLE t ALTER name TYPE varchar(20);
EXECUTE q(100);
DEALLOCATE ALL;

-- one row by a part of its name, and the command that brings it back
SELECT d.name, regexp_replace(l.undelete, '\(\d+', '(N') FROM softdelete_deleted(NULL::t) d JOIN softdelete.deletions l ON l.id = d.deletion_id WHERE d.name LIKE 'n50%';
SELECT softdelete_undelete('t', ARRAY(SELECT id FROM softdelete_deleted(NULL::t) WHERE id > 700));
SELECT count(*) FROM softdelete_deleted(NULL::t);
SELECT softdelete_undelete('t', ARRAY(SELECT id FROM softdelete_deleted(NULL::t) WHERE id > 700));

-- partitions, inheritance
CREATE TABLE m (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE m0 PARTITION OF m FOR VALUES IN (0);
CREATE TABLE m1 (k int NOT NULL, x int, id int NOT NULL);
ALTER TABLE m1 DROP x;
ALTER TABLE m ATTACH PARTITION m1 FOR VALUES IN (1);
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE heir (extra text) INHERITS (base);
INSERT INTO m SELECT i, i % 2 FROM generate_series(1, 6) i;
INSERT INTO base VALUES (1);
INSERT INTO heir VALUES (2, 'x'), (3, 'y');
SELECT relation FROM softdelete_register('m');
SELECT relation FROM softdelete_register('base');
DELETE FROM m WHERE id > 3;
DELETE FROM base WHERE id < 3;
SELECT id, k FROM softdelete_deleted(NULL::m) ORDER BY id;
SELECT id, k FROM softdelete_deleted(NULL::m1) ORDER BY id;
SELECT id FROM softdelete_deleted(NULL::base) ORDER BY id;
SELECT id, extra FROM softdelete_deleted(NULL::heir) ORDER BY id;

-- rights: those of the caller, row security too, also with plans that are kept
CREATE ROLE regress_dr;
CREATE ROLE regress_dr2;
GRANT USAGE ON SCHEMA dr TO regress_dr, regress_dr2;
GRANT SELECT ON t TO regress_dr2;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t FOR SELECT USING (id > 400);
PREPARE p AS SELECT id FROM softdelete_deleted(NULL::t) ORDER BY id;
SET plan_cache_mode = force_generic_plan;
EXECUTE p;
SET ROLE regress_dr2;
EXECUTE p;
SELECT (softdelete_deleted(NULL::t)).id ORDER BY 1;
EXPLAIN (COSTS OFF) EXECUTE p;
SET row_security = off;
EXECUTE p;
RESET row_security;
RESET ROLE;
EXECUTE p;
SET ROLE regress_dr;
EXECUTE p;
SELECT (softdelete_deleted(NULL::t)).id ORDER BY 1;
RESET ROLE;
-- not the row type of a registered table
CREATE TABLE plain (id int);
SELECT * FROM softdelete_deleted(NULL::plain);
SELECT * FROM softdelete_deleted(1);
SELECT * FROM softdelete_deleted(NULL::text);

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA dr CASCADE;
DROP ROLE regress_dr, regress_dr2;
