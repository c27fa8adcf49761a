-- unique keys of registered tables are partial over live rows
CREATE SCHEMA partial;
SET search_path = partial, public;

CREATE TABLE t (
    id int PRIMARY KEY, mail text CONSTRAINT mail_key UNIQUE, "A b" int, low text, x int, y int, z int, ref int UNIQUE, d int UNIQUE DEFERRABLE,
    UNIQUE NULLS NOT DISTINCT ("A b") INCLUDE (low) WITH (fillfactor = 70),
    CONSTRAINT "ex c" EXCLUDE USING btree (x WITH =) WHERE (y > 0));
CREATE UNIQUE INDEX t_low ON t (lower(low) DESC) WHERE y > 0 OR z > 0;
CREATE UNIQUE INDEX t_ident ON t (z);
CREATE UNIQUE INDEX t_cluster ON t (id, x);
CREATE TABLE refers (r int REFERENCES t (ref));
ALTER TABLE t ALTER z SET NOT NULL, REPLICA IDENTITY USING INDEX t_ident, CLUSTER ON t_cluster;
COMMENT ON CONSTRAINT mail_key ON t IS 'one mail, one user';
COMMENT ON INDEX t_low IS 'an index';
CREATE TEMP TABLE keys_before AS SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS def, c.contype, i.indisclustered,
    COALESCE(obj_description(c.oid, 'pg_constraint'), obj_description(i.indexrelid, 'pg_class')) AS comment
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid WHERE i.indrelid = 't'::regclass;
SELECT * FROM softdelete_register('t');
\d t
SELECT indexrelid::regclass, indisclustered, obj_description(indexrelid, 'pg_class') FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
COMMENT ON INDEX mail_key IS 'one mail only';
COMMENT ON INDEX "t_A b_low_key" IS NULL;
SELECT obj_description('mail_key'::regclass, 'pg_class'), obj_description('"t_A b_low_key"'::regclass, 'pg_class');
COMMENT ON INDEX mail_key IS 'one mail, one user';
-- they count live rows only
INSERT INTO t VALUES (1, 'a@x', 1, 'L', 1, 1, 1, 1, 1);
INSERT INTO t VALUES (2, 'a@x', 2, 'M', 2, 2, 2, 2, 2);
DELETE FROM t;
INSERT INTO t VALUES (2, 'a@x', 1, 'l', 1, 1, 2, 2, 2);
INSERT INTO t VALUES (3, 'a@x', 2, 'M', 2, 2, 3, 3, 3);
INSERT INTO t VALUES (3, 'b@x', 1, 'M', 2, 2, 3, 3, 3);
INSERT INTO t VALUES (3, 'b@x', 2, 'L', 2, 2, 3, 3, 3);
INSERT INTO t VALUES (3, 'b@x', 2, 'M', 1, 2, 3, 3, 3);
-- undelete meets the key
SELECT softdelete_undelete('t', 1);
-- ON CONFLICT finds them
INSERT INTO t VALUES (4, 'a@x', 4, 'N', 4, 4, 4, 4, 4) ON CONFLICT (mail) DO UPDATE SET low = 'upserted';
INSERT INTO t VALUES (4, 'a@x', 4, 'N', 4, 4, 4, 4, 4) ON CONFLICT (mail) DO NOTHING;
INSERT INTO t VALUES (4, 'q@x', 4, 'upserted', 4, 4, 4, 4, 4) ON CONFLICT (lower(low)) WHERE y > 0 OR z > 0 DO UPDATE SET low = 'twice';
INSERT INTO t VALUES (4, 'a@x', 4, 'N', 4, 4, 4, 4, 4) ON CONFLICT (mail) WHERE active DO NOTHING;
DELETE FROM t;
INSERT INTO t VALUES (4, 'a@x', 4, 'N', 4, 4, 4, 4, 4) ON CONFLICT (mail) DO UPDATE SET low = 'bad';
SELECT id, mail, low FROM t;
PREPARE upsert AS INSERT INTO t VALUES (5, 'a@x', 5, 'O', 5, 5, 5, 5, 5) ON CONFLICT (mail) DO UPDATE SET low = t.low || '!';
EXECUTE upsert; EXECUTE upsert;
SELECT id, mail, low FROM t;

-- keys that are added later
ALTER TABLE t ADD UNIQUE (x, y) INCLUDE (d) WITH (fillfactor = 60), ADD CONSTRAINT "Other" UNIQUE NULLS NOT DISTINCT (y), ADD COLUMN later int UNIQUE, ADD CONSTRAINT ex2 EXCLUDE USING btree (y WITH =) WHERE (x > 1);
CREATE UNIQUE INDEX t_xz ON t (x, z);
CREATE UNIQUE INDEX t_xz_part ON t (x, z) WHERE y > 1;
CREATE UNIQUE INDEX t_mine ON t (x, z, y) WHERE z > 1 AND active;
CREATE UNIQUE INDEX CONCURRENTLY t_conc ON t (low, z);
ALTER TABLE t ADD CONSTRAINT using_index UNIQUE USING INDEX t_conc;
ALTER TABLE t ADD COLUMN also int, ADD UNIQUE (also);
ALTER TABLE t ADD CONSTRAINT def UNIQUE (x, d) DEFERRABLE, ADD CONSTRAINT chk CHECK (x > 0);
SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid), obj_description(indexrelid, 'pg_class') FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
-- known by the names of constraints
ALTER TABLE t RENAME CONSTRAINT "Other" TO another;
ALTER TABLE t DROP CONSTRAINT another, ADD COLUMN more int, DROP CONSTRAINT t_x_y_d_key CASCADE;
ALTER TABLE t DROP CONSTRAINT another;
ALTER TABLE t DROP CONSTRAINT IF EXISTS another;
ALTER TABLE IF EXISTS t DROP CONSTRAINT using_index;
ALTER TABLE t RENAME CONSTRAINT another TO x;
ALTER TABLE t DROP CONSTRAINT t_low;
INSERT INTO t VALUES (6, 'z@x', 6, 'P', 6, 6, 6, 6, 6) ON CONFLICT ON CONSTRAINT mail_key DO NOTHING;
-- a dump is restored as it is
SET row_security = off;
ALTER TABLE t ADD CONSTRAINT restored UNIQUE (id, y, z);
CREATE UNIQUE INDEX t_restored ON t (z, y, id);
RESET row_security;
SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = 't'::regclass AND indexrelid::regclass::text LIKE '%restored' ORDER BY indexrelid::regclass::text COLLATE "C";
DROP INDEX t_restored; ALTER TABLE t DROP CONSTRAINT restored, DROP CONSTRAINT def, DROP COLUMN more, DROP COLUMN later, DROP CONSTRAINT ex2; DROP INDEX t_xz, t_xz_part, t_mine;
-- a foreign key can still be made to what has become partial, unless deleted rows are in the way
CREATE TABLE target (id int PRIMARY KEY, a int UNIQUE, b int, UNIQUE (b, a), c int CONSTRAINT c_key UNIQUE);
COMMENT ON CONSTRAINT c_key ON target IS 'referable';
INSERT INTO target VALUES (1, 1, 1, 1), (2, 2, 2, 2);
SELECT note FROM softdelete_register('target');
CREATE TABLE fk1 (m int REFERENCES target (a), b int, a int, FOREIGN KEY (a, b) REFERENCES target (a, b));
CREATE TABLE fk2 (c int);
ALTER TABLE fk2 ADD FOREIGN KEY (c) REFERENCES target (c);
ALTER TABLE fk2 ADD COLUMN a int REFERENCES target (nope);
SELECT indexrelid::regclass, indpred IS NULL AS is_full, obj_description(c.oid, 'pg_constraint') FROM pg_index LEFT JOIN pg_constraint c ON conindid = indexrelid AND contype = 'u' WHERE indrelid = 'target'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
CREATE TABLE fk3 (m text REFERENCES t (mail));
SET softdelete.enabled = off;
DROP TABLE target, fk1, fk2;
RESET softdelete.enabled;
-- renamed, and back as they were
ALTER TABLE t RENAME COLUMN active TO is_live;
SELECT softdelete_unregister('t');
SELECT softdelete_unregister('t', 'nothing');
DELETE FROM t;
SELECT softdelete_unregister('t', 'undelete');
SET softdelete.show_deleted = on;
UPDATE t SET mail = mail || id, "A b" = id, x = id, low = id WHERE NOT is_live;
RESET softdelete.show_deleted;
SELECT softdelete_unregister('t', 'undelete');
\d t
(SELECT name, def, contype, indisclustered, comment FROM keys_before
 EXCEPT SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.contype, i.indisclustered,
    COALESCE(obj_description(c.oid, 'pg_constraint'), obj_description(i.indexrelid, 'pg_class'))
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid WHERE i.indrelid = 't'::regclass);
SELECT event, relation FROM softdelete.events WHERE relation = 't'::regclass ORDER BY id;
DELETE FROM t WHERE id = 4;
SELECT count(*) FROM t;
-- and again
SELECT note FROM softdelete_register('t', partial_unique := false);
ALTER TABLE t ADD CONSTRAINT full_key UNIQUE (x, y);
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 't'::regclass AND indpred IS NULL ORDER BY indexrelid::regclass::text COLLATE "C";

-- a very large table: the commands, and what they do
CREATE TABLE large (id int PRIMARY KEY, mail text UNIQUE, r int, w int, EXCLUDE USING btree (r WITH =));
CREATE UNIQUE INDEX "large W" ON large (w) WHERE w > 0;
UPDATE pg_class SET reltuples = 1e7 WHERE oid = 'large'::regclass;
SELECT softdelete_register('large');
SELECT flag_column FROM softdelete_register('partial.large', partial_unique := false);
CREATE UNIQUE INDEX CONCURRENTLY large_mail_key_live ON partial.large USING btree (mail) WHERE active;
CREATE UNIQUE INDEX CONCURRENTLY "large W_live" ON partial.large USING btree (w) WHERE ((w > 0) AND active);
SELECT * FROM softdelete_register('partial.large');
\d large
ALTER TABLE large ADD UNIQUE (w);

-- partitioned tables and children
CREATE TABLE part (k int, mail text, PRIMARY KEY (k), CONSTRAINT part_key UNIQUE (mail, k)) PARTITION BY RANGE (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
ALTER TABLE part1 ADD CONSTRAINT own UNIQUE (mail);
CREATE TABLE part2 PARTITION OF part DEFAULT;
SELECT * FROM softdelete_register('part');
INSERT INTO part VALUES (1, 'a'), (11, 'a');
DELETE FROM part;
INSERT INTO part VALUES (2, 'a'), (12, 'a');
CREATE TABLE part3 PARTITION OF part FOR VALUES FROM (20) TO (30);
SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = ANY ('{part,part1,part2,part3}'::regclass[]) ORDER BY indexrelid::regclass::text COLLATE "C";
INSERT INTO part VALUES (2, 'a') ON CONFLICT (mail, k) DO UPDATE SET mail = 'upserted';
SELECT k, mail FROM part ORDER BY k;
ALTER TABLE part DROP CONSTRAINT part_key;
CREATE TABLE kid (code text UNIQUE) INHERITS (t);
CREATE TABLE base (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE derived (PRIMARY KEY (id), UNIQUE (code)) INHERITS (base);
SELECT * FROM softdelete_register('base');
SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = ANY ('{derived,base}'::regclass[]) ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT softdelete_unregister('derived');
SELECT softdelete_unregister('part1');
SELECT softdelete_unregister('base');
SELECT softdelete_unregister('base');
SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = ANY ('{derived,base}'::regclass[]) ORDER BY indexrelid::regclass::text COLLATE "C";

-- only the owner
CREATE ROLE partial_nobody;
GRANT USAGE ON SCHEMA partial TO partial_nobody; GRANT ALL ON part TO partial_nobody;
SET ROLE partial_nobody;
SELECT softdelete_unregister('part');
ALTER TABLE large DROP CONSTRAINT large_mail_key;
ALTER TABLE large RENAME CONSTRAINT large_mail_key TO mine;
RESET ROLE;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA partial CASCADE;
DROP ROLE partial_nobody;
