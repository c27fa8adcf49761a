-- partitions and inheritance: what is put below a registered table, and what is taken away
CREATE SCHEMA part;
SET search_path = part, public;
SELECT setval('softdelete.deletion_id_seq', 440000);

CREATE TABLE p (k int NOT NULL, id int NOT NULL, v text, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 (v text, id int NOT NULL, gone int, k int NOT NULL) PARTITION BY RANGE (id);
ALTER TABLE p2 DROP COLUMN gone;
CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (0) TO (10);
CREATE TABLE p22 PARTITION OF p2 DEFAULT;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
INSERT INTO p VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c'), (2, 2, 'd'), (2, 11, 'e');
SELECT relation FROM softdelete_register('p');

-- later ones, of every kind
CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3);
CREATE TABLE p_rest PARTITION OF p DEFAULT PARTITION BY HASH (id);
CREATE TABLE p_rest0 PARTITION OF p_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p_rest1 PARTITION OF p_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p VALUES (3, 1, 'f'), (9, 1, 'g'), (9, 2, 'h');
DELETE FROM p WHERE id = 1 RETURNING tableoid::regclass, k, id;
SELECT tableoid::regclass, k, id, v FROM p ORDER BY k, id;
SELECT k, id, v FROM p2 ORDER BY k, id;
SELECT k, id, v FROM p_rest ORDER BY k, id;
SELECT statement, relations FROM softdelete.deletions WHERE id = 440001;
-- undelete, by the key of the root, through the root and through a partition
SELECT softdelete_undelete('p', ROW(2, 1));
SELECT softdelete_undelete('p_rest0', ROW(9, 1));
SELECT softdelete_undelete('p3', ROW(3, 1));
SELECT softdelete_undelete('p2', ROW(1, 1));
SELECT softdelete_undelete('p1', '{"k": 1, "id": 1}');
DELETE FROM ONLY p;
DELETE FROM p22;
SELECT tableoid::regclass, k, id FROM p ORDER BY k, id;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;

-- rows move between partitions; deleted rows stay where they are
DELETE FROM p WHERE k = 1 AND id = 2;
UPDATE p SET k = 3, id = 5 WHERE k = 1;
UPDATE p SET k = k + 10 WHERE id = 2;
SELECT tableoid::regclass, k, id, v FROM p ORDER BY k, id;
SET softdelete.show_deleted = 'only';
SELECT tableoid::regclass, k, id, v FROM p ORDER BY k, id;
RESET softdelete.show_deleted;
SELECT softdelete_undelete('p', ROW(1, 2));

-- a table is attached: not registered, with and without the columns
CREATE TABLE att (id int NOT NULL, k int NOT NULL, v text);
INSERT INTO att VALUES (1, 20, 'i'), (2, 20, 'j');
ALTER TABLE p ATTACH PARTITION att FOR VALUES IN (20);
ALTER TABLE att ADD active boolean NOT NULL DEFAULT true, ADD deletion_id bigint;
ALTER TABLE p ATTACH PARTITION att FOR VALUES IN (20);
DELETE FROM p WHERE k = 20 AND id = 1;
SELECT id, v FROM att;
-- rows that would vanish
CREATE TABLE att2 (id int NOT NULL, k int NOT NULL, v text, active boolean NOT NULL, deletion_id bigint);
INSERT INTO att2 VALUES (1, 21, 'k', true), (2, 21, 'l', false);
ALTER TABLE p ATTACH PARTITION att2 FOR VALUES IN (21);
UPDATE att2 SET active = true;
ALTER TABLE p ATTACH PARTITION att2 FOR VALUES IN (21);
-- registered on its own, with deleted rows and partitions of its own
CREATE TABLE att3 (id int NOT NULL, k int NOT NULL, v text) PARTITION BY LIST (id);
CREATE TABLE att31 PARTITION OF att3 FOR VALUES IN (1);
CREATE TABLE att32 PARTITION OF att3 DEFAULT;
INSERT INTO att3 VALUES (1, 22, 'm'), (2, 22, 'n');
SELECT relation FROM softdelete_register('att3');
DELETE FROM att3 WHERE id = 1;
ALTER TABLE p ATTACH PARTITION att3 FOR VALUES IN (22);
SELECT k, id, v FROM p WHERE k = 22;
SELECT softdelete_undelete('p', ROW(22, 1));
DELETE FROM p WHERE k = 22 AND id = 1;
SELECT k, id, v FROM p WHERE k = 22;
-- and under other columns
CREATE TABLE att4 (id int NOT NULL, k int NOT NULL, v text, active boolean NOT NULL DEFAULT true);
SELECT * FROM softdelete_register('att4');
ALTER TABLE p ATTACH PARTITION att4 FOR VALUES IN (23);
DELETE FROM att4;
-- refused by PostgreSQL, it stays registered
CREATE TABLE att5 (id int NOT NULL, k int NOT NULL, v text);
SELECT relation FROM softdelete_register('att5');
INSERT INTO att5 VALUES (1, 25, 'o');
ALTER TABLE p ATTACH PARTITION att5 FOR VALUES IN (24);
DELETE FROM att5;
SELECT count(*) FROM att5;
CREATE ROLE regress_part;
GRANT USAGE ON SCHEMA part TO regress_part;
SET ROLE regress_part;
ALTER TABLE p ATTACH PARTITION att5 FOR VALUES IN (24);
ALTER TABLE p DETACH PARTITION att;
ALTER TABLE p DETACH PARTITION att CONCURRENTLY;
RESET ROLE;

-- a partition is detached: not with deleted rows
ALTER TABLE p DETACH PARTITION att;
ALTER TABLE p DETACH PARTITION att3;
ALTER TABLE att3 DETACH PARTITION att31;
ALTER TABLE p2 DETACH PARTITION p22;
SELECT * FROM p22;
DELETE FROM p22;
SELECT softdelete_undelete('p', ROW(20, 1));
ALTER TABLE p DETACH PARTITION att;
SELECT * FROM att ORDER BY id;
-- it can be registered, and attached again
SELECT * FROM softdelete_register('att');
DELETE FROM att WHERE id = 2;
ALTER TABLE p ATTACH PARTITION att FOR VALUES IN (20);
SELECT k, id, v FROM p WHERE k = 20;
ALTER TABLE p DETACH PARTITION att;
-- CONCURRENTLY
SET softdelete.enabled = off;
DROP TABLE p_rest;
RESET softdelete.enabled;
ALTER TABLE p DETACH PARTITION att CONCURRENTLY;
SELECT softdelete_undelete('p', ROW(20, 2));
ALTER TABLE p DETACH PARTITION att CONCURRENTLY;
SELECT * FROM att ORDER BY id;
SELECT relation FROM softdelete.tables WHERE relation::text ~ '^att' ORDER BY relation::text;

-- foreign keys to partitioned tables and from them, to and from one partition, in all forms
CREATE TABLE fp (k int, id int, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE fp1 (id int NOT NULL, k int NOT NULL, u int UNIQUE);
ALTER TABLE fp ADD u int;
ALTER TABLE fp ATTACH PARTITION fp1 FOR VALUES IN (1);
CREATE TABLE fp2 PARTITION OF fp DEFAULT;
CREATE TABLE f_cascade (id int, k int, pid int, FOREIGN KEY (k, pid) REFERENCES fp ON DELETE CASCADE) PARTITION BY LIST (id);
CREATE TABLE f_cascade1 (pid int, k int, id int);
ALTER TABLE f_cascade ATTACH PARTITION f_cascade1 FOR VALUES IN (1);
CREATE TABLE f_cascade2 PARTITION OF f_cascade DEFAULT;
CREATE TABLE f_null (id int, k int, pid int, FOREIGN KEY (k, pid) REFERENCES fp ON DELETE SET NULL (pid)) PARTITION BY LIST (id);
CREATE TABLE f_null1 PARTITION OF f_null DEFAULT;
CREATE TABLE f_default (id int, k int DEFAULT 0, pid int DEFAULT 0, FOREIGN KEY (k, pid) REFERENCES fp ON DELETE SET DEFAULT) PARTITION BY LIST (k);
CREATE TABLE f_default1 PARTITION OF f_default FOR VALUES IN (0);
CREATE TABLE f_default2 PARTITION OF f_default DEFAULT;
CREATE TABLE f_one (id int, u int REFERENCES fp1 (u) ON DELETE CASCADE);
CREATE TABLE f_from (id int, k int, pid int) PARTITION BY LIST (id);
CREATE TABLE f_from1 PARTITION OF f_from FOR VALUES IN (1);
CREATE TABLE f_from2 PARTITION OF f_from DEFAULT;
ALTER TABLE f_from1 ADD CONSTRAINT from_one FOREIGN KEY (k, pid) REFERENCES fp ON DELETE CASCADE;
CREATE TABLE f_stop (k int, pid int, CONSTRAINT stop FOREIGN KEY (k, pid) REFERENCES fp);
INSERT INTO fp VALUES (0, 0, 0), (1, 1, 1), (1, 2, 2), (2, 1, 3), (2, 2, 4);
INSERT INTO f_cascade VALUES (1, 1, 1), (2, 1, 1), (1, 2, 1), (2, 2, 2);
INSERT INTO f_null VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2);
INSERT INTO f_default VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2);
INSERT INTO f_one VALUES (1, 1), (2, 2);
INSERT INTO f_from VALUES (1, 1, 1), (2, 1, 1), (1, 2, 2);
INSERT INTO f_stop VALUES (1, 2);
SELECT relation FROM softdelete_register('fp');
SELECT relation FROM softdelete_register('f_stop');
DELETE FROM fp WHERE id = 1;
SELECT 'cascade', tableoid::regclass, id, k, pid FROM f_cascade
UNION ALL SELECT 'null', tableoid::regclass, id, k, pid FROM f_null
UNION ALL SELECT 'default', tableoid::regclass, id, k, pid FROM f_default
UNION ALL SELECT 'one', tableoid::regclass, id, NULL, u FROM f_one
UNION ALL SELECT 'from', tableoid::regclass, id, k, pid FROM f_from ORDER BY 1, 3, 4;
DO $$ BEGIN DELETE FROM fp1 WHERE id = 2; EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END $$;
INSERT INTO f_stop VALUES (2, 1);
INSERT INTO f_one VALUES (3, 1);
UPDATE f_from SET pid = 1 WHERE k = 2 AND id = 1;
SELECT softdelete_undelete('fp', ARRAY[ROW(1, 1), ROW(2, 1)], cascade := true);
SELECT 'cascade', tableoid::regclass, id, k, pid FROM f_cascade
UNION ALL SELECT 'null', tableoid::regclass, id, k, pid FROM f_null
UNION ALL SELECT 'default', tableoid::regclass, id, k, pid FROM f_default
UNION ALL SELECT 'one', tableoid::regclass, id, NULL, u FROM f_one
UNION ALL SELECT 'from', tableoid::regclass, id, k, pid FROM f_from ORDER BY 1, 3, 4;
DELETE FROM fp2 WHERE id = 1;
SELECT count(*) FROM f_cascade;
-- a row moves to another partition with deleted rows below it: its key would go
DELETE FROM f_null;
DELETE FROM f_default;
SELECT (SELECT count(*) FROM f_from WHERE (k, pid) = (2, 2)) AS from, (SELECT count(*) FROM f_cascade WHERE (k, pid) = (2, 2)) AS cascade;
DO $$ BEGIN UPDATE fp SET k = 1, id = 7 WHERE k = 2 AND id = 2; EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END $$;
DELETE FROM f_cascade WHERE k = 2;
DELETE FROM f_from WHERE k = 2;
DO $$ BEGIN UPDATE fp SET k = 1, id = 7 WHERE k = 2 AND id = 2; EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END $$;
DO $$ BEGIN UPDATE fp SET k = 1, id = 8 WHERE k = 0 AND id = 0; END $$;
SELECT tableoid::regclass, k, id FROM fp ORDER BY k, id;

-- a foreign table has no place below a registered table
CREATE FOREIGN DATA WRAPPER part_wrapper;
CREATE SERVER part_server FOREIGN DATA WRAPPER part_wrapper;
CREATE TABLE far (k int, v text) PARTITION BY LIST (k);
SELECT relation FROM softdelete_register('far');
CREATE FOREIGN TABLE far1 PARTITION OF far FOR VALUES IN (1) SERVER part_server;
CREATE FOREIGN TABLE far2 (k int, v text, active boolean NOT NULL, deletion_id bigint) SERVER part_server;
ALTER TABLE far ATTACH PARTITION far2 FOR VALUES IN (2);
CREATE TABLE far3 (k int, v text, active boolean NOT NULL, deletion_id bigint) PARTITION BY LIST (v);
ALTER TABLE far3 ATTACH PARTITION far2 DEFAULT;
ALTER TABLE far ATTACH PARTITION far3 FOR VALUES IN (3);
CREATE TABLE near (k int);
CREATE FOREIGN TABLE near1 () INHERITS (near) SERVER part_server;
SELECT relation FROM softdelete_register('near');
ALTER FOREIGN TABLE near1 NO INHERIT near;
SELECT relation FROM softdelete_register('near');
CREATE FOREIGN TABLE near2 () INHERITS (near) SERVER part_server;
CREATE FOREIGN TABLE near3 (k int, active boolean NOT NULL, deletion_id bigint) SERVER part_server;
ALTER FOREIGN TABLE near3 INHERIT near;
CREATE FOREIGN TABLE IF NOT EXISTS far2 PARTITION OF far FOR VALUES IN (4) SERVER part_server;
CREATE TABLE IF NOT EXISTS near1 () INHERITS (near);
CREATE TABLE far4 PARTITION OF far FOR VALUES IN (5);
CREATE INDEX far_v ON ONLY far (v);
CREATE INDEX far4_v ON far4 (v);
ALTER INDEX far_v ATTACH PARTITION far4_v;
SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent IN ('far'::regclass, 'near'::regclass);

-- inheritance: a child that leaves stays registered
CREATE TABLE top (id int PRIMARY KEY, v text);
CREATE TABLE low () INHERITS (top);
INSERT INTO low VALUES (1, 'a'), (2, 'b');
SELECT relation FROM softdelete_register('top');
DELETE FROM top WHERE id = 1;
ALTER TABLE low NO INHERIT top;
SELECT id FROM low;
SELECT id FROM top;
DELETE FROM low WHERE id = 2;
ALTER TABLE low INHERIT top;
SELECT id FROM top;
SELECT softdelete_undelete('top', 2);
CREATE TABLE low2 (id int NOT NULL, v text, active boolean NOT NULL, deletion_id bigint);
INSERT INTO low2 VALUES (3, 'c', false);
ALTER TABLE low2 INHERIT top;
UPDATE low2 SET active = true;
ALTER TABLE low2 INHERIT top;
DELETE FROM top WHERE id = 3;
SELECT id FROM low2;
-- several parents must agree
CREATE TABLE top2 (id int PRIMARY KEY, active boolean NOT NULL DEFAULT false);
CREATE TABLE top3 (id int PRIMARY KEY);
CREATE TABLE top4 (id int PRIMARY KEY);
SELECT relation, flag_column FROM softdelete_register('top2');
SELECT relation FROM softdelete_register('top3');
CREATE TABLE low3 () INHERITS (top, top3);
INSERT INTO low3 VALUES (4, 'd');
DELETE FROM top3;
SELECT count(*) FROM low3;
SELECT softdelete_undelete('top', 4);
CREATE TABLE low4 (x int) INHERITS (top3, top4);
CREATE TABLE low5 (LIKE top);
ALTER TABLE low5 ADD softdelete_active boolean NOT NULL DEFAULT true;
ALTER TABLE low5 INHERIT top, INHERIT top2;
CREATE TABLE top6 (id int, softdelete_active boolean);
CREATE TABLE top7 (id int);
CREATE TABLE low6 () INHERITS (top6, top7);
SELECT relation FROM softdelete_register('top7');
ALTER TABLE low6 NO INHERIT top6;
SELECT relation FROM softdelete_register('top7');

SET client_min_messages = warning;
DROP SERVER part_server CASCADE;
DROP FOREIGN DATA WRAPPER part_wrapper;
SET softdelete.enabled = off;
DROP SCHEMA part CASCADE;
DROP ROLE regress_part;
