-- constraints that a row violates, or would violate as a deleted one, do not stop a DELETE; keys of every kind
CREATE SCHEMA con;
SET search_path = con, public;
SELECT setval('softdelete.deletion_id_seq', 200000);

-- a check that is not valid, and one that holds for live rows alone, by each kind of statement
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE, v int, g int GENERATED ALWAYS AS (10 / v) STORED);
CREATE TABLE part (k int, v int) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
INSERT INTO p VALUES (1), (2);
INSERT INTO t (id, p_id, v) SELECT i, i, -i FROM generate_series(1, 2) i;
INSERT INTO t (id, v) SELECT i, -i FROM generate_series(3, 6) i;
INSERT INTO part VALUES (1, -1), (1, -2);
SELECT relation FROM softdelete_register('p');
SELECT relation FROM softdelete_register('part');
ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT alive CHECK (active);
ALTER TABLE t ADD CONSTRAINT never_deleted CHECK (deletion_id IS NULL);
ALTER TABLE part ADD CONSTRAINT positive CHECK (v > 0 AND active) NOT VALID;
DELETE FROM t WHERE id = 3;
DELETE FROM p WHERE id = 1;
WITH d AS (DELETE FROM t WHERE id = 4 RETURNING id) SELECT * FROM d;
MERGE INTO t USING (VALUES (5, true), (6, false)) s (i, d) ON id = i WHEN MATCHED AND d THEN DELETE WHEN MATCHED THEN UPDATE SET v = 6;
MERGE INTO t USING (VALUES (6)) s (i) ON id = i WHEN MATCHED THEN DELETE;
DELETE FROM part WHERE v = -1;
DELETE FROM part1 WHERE v = -2;
SELECT id FROM t ORDER BY id;
SELECT count(*) FROM part;
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT softdelete_undelete('t', ARRAY[3, 4, 5]);
SELECT id, p_id, v, g FROM t ORDER BY id;
SELECT count(*) FROM t WHERE deletion_id IS NULL;
-- what users write is checked as ever
UPDATE t SET v = -9 WHERE id = 1;
INSERT INTO t (id, v) VALUES (9, -9);
INSERT INTO t (id, v, active) VALUES (9, 9, false);
-- a domain, which is checked where a value is made
CREATE DOMAIN even AS int;
CREATE TABLE dom (id int PRIMARY KEY, e even NOT NULL);
INSERT INTO dom VALUES (1, 1), (2, 2);
SELECT relation FROM softdelete_register('dom');
ALTER DOMAIN even ADD CHECK (VALUE % 2 = 0) NOT VALID;
DELETE FROM dom;
SELECT softdelete_undelete('dom', ARRAY[1, 2]);
SELECT id FROM dom ORDER BY id;

-- MATCH FULL
CREATE TABLE f (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE f_null (id int PRIMARY KEY, a int, b text, FOREIGN KEY (a, b) REFERENCES f MATCH FULL ON DELETE SET NULL);
CREATE TABLE f_cascade (id int PRIMARY KEY, a int, b text, FOREIGN KEY (a, b) REFERENCES f MATCH FULL ON DELETE CASCADE);
CREATE TABLE f_stop (id int PRIMARY KEY, a int, b text, FOREIGN KEY (a, b) REFERENCES f MATCH FULL);
CREATE TABLE f_one (id int PRIMARY KEY, a int, b text, CONSTRAINT one FOREIGN KEY (a, b) REFERENCES f MATCH FULL ON DELETE SET NULL (b));
INSERT INTO f VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'x');
INSERT INTO f_null VALUES (1, 1, 'x'), (2, NULL, NULL);
INSERT INTO f_cascade VALUES (1, 1, 'x'), (2, NULL, NULL);
INSERT INTO f_stop VALUES (1, 2, 'x'), (2, NULL, NULL);
INSERT INTO f_one VALUES (1, 3, 'x');
SELECT relation FROM softdelete_register('f');
DELETE FROM f WHERE a = 1;
SELECT * FROM f_null ORDER BY id;
SELECT id, a, b FROM f_cascade ORDER BY id;
DELETE FROM f WHERE a = 2;
-- one column alone cannot be null
DELETE FROM f WHERE a = 3;
INSERT INTO f_null VALUES (3, 1, 'x');
INSERT INTO f_null VALUES (3, 4, NULL);
SELECT softdelete_undelete('f', ROW(1, 'x'), cascade := true);
SELECT * FROM f_null ORDER BY id;
SELECT id, a, b FROM f_cascade ORDER BY id;

-- MATCH SIMPLE with columns that are null; SET NULL and SET DEFAULT of some columns
CREATE TABLE s (t int, id int, PRIMARY KEY (t, id));
CREATE TABLE s_null (n int PRIMARY KEY, t int NOT NULL, id int, FOREIGN KEY (t, id) REFERENCES s ON DELETE SET NULL (id));
CREATE TABLE s_default (n int PRIMARY KEY, t int DEFAULT 7, id int DEFAULT 0, CONSTRAINT s_default_s FOREIGN KEY (t, id) REFERENCES s ON DELETE SET DEFAULT (id));
INSERT INTO s VALUES (1, 0), (1, 1), (1, 2), (2, 1);
INSERT INTO s_null VALUES (1, 1, 1), (2, 1, NULL), (3, 1, 2);
INSERT INTO s_default VALUES (1, 1, 1), (2, NULL, 1), (3, 2, 1);
SELECT relation FROM softdelete_register('s');
DELETE FROM s WHERE t = 1 AND id > 0;
SELECT * FROM s_null ORDER BY n;
SELECT * FROM s_default ORDER BY n;
-- the default must exist: not deleted, not missing
DELETE FROM s WHERE t = 1 AND id = 0;
DELETE FROM s WHERE t = 2;
SELECT softdelete_undelete('s', ARRAY[ROW(1, 1), ROW(1, 2)], cascade := true);
DELETE FROM s WHERE t = 1 AND id = 0;
DELETE FROM s WHERE t = 1 AND id = 1;
SELECT * FROM s_null ORDER BY n;
SELECT * FROM s_default ORDER BY n;
SELECT t, id FROM s ORDER BY t, id;
-- SET NULL where null is not allowed
CREATE TABLE nn_p (id int PRIMARY KEY);
CREATE TABLE nn_c (id int NOT NULL REFERENCES nn_p ON DELETE SET NULL);
INSERT INTO nn_p VALUES (1);
INSERT INTO nn_c VALUES (1);
SELECT relation FROM softdelete_register('nn_p');
DELETE FROM nn_p;
SELECT id FROM nn_p;
-- a foreign key that is not valid acts for rows that it has
CREATE TABLE nv_p (id int PRIMARY KEY);
CREATE TABLE nv_c (id int, p_id int);
INSERT INTO nv_p VALUES (1);
INSERT INTO nv_c VALUES (1, 1), (2, 2);
ALTER TABLE nv_c ADD FOREIGN KEY (p_id) REFERENCES nv_p ON DELETE CASCADE NOT VALID;
SELECT relation FROM softdelete_register('nv_p');
DELETE FROM nv_p;
SELECT id, p_id FROM nv_c;
DELETE FROM nv_c;
SELECT softdelete_undelete('nv_p', 1, cascade := true);
SELECT id, p_id FROM nv_c;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA con CASCADE;
