-- undelete brings back exactly what the deletion took
CREATE SCHEMA un;
SET search_path = un, public;
SELECT setval('softdelete.deletion_id_seq', 680000);

CREATE TABLE a (id int PRIMARY KEY, v text);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a ON DELETE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, b_id int REFERENCES b ON DELETE CASCADE);
CREATE TABLE unrelated (id int PRIMARY KEY);
INSERT INTO a VALUES (1), (2), (3);
INSERT INTO b SELECT i, (i - 1) / 3 + 1 FROM generate_series(1, 9) i;
INSERT INTO c SELECT i, (i - 1) / 2 + 1 FROM generate_series(1, 18) i;
INSERT INTO unrelated VALUES (1), (2);
SELECT relation FROM softdelete_register('a');
SELECT relation FROM softdelete_register('unrelated');
CREATE VIEW state AS SELECT (SELECT array_agg(id ORDER BY id) FROM a) AS a, (SELECT array_agg(id ORDER BY id) FROM b) AS b, (SELECT array_agg(id ORDER BY id) FROM c) AS c;

-- rows that went on their own, before, stay gone
DELETE FROM c WHERE id = 1;
DELETE FROM b WHERE id = 2;
DELETE FROM a WHERE id = 1;
SELECT * FROM state;
SELECT softdelete_undelete('a', 1, cascade := true);
SELECT * FROM state;
SELECT softdelete_undelete('b', 2, cascade := true);
SELECT softdelete_undelete('c', 1);
SELECT * FROM state;

-- and after
DELETE FROM a WHERE id = 1;
SELECT softdelete_undelete('a', 1);
SELECT softdelete_undelete('b', 1);
SELECT * FROM state;
DELETE FROM b WHERE id = 1;
SELECT softdelete_undelete('a', 1, cascade := true);
SELECT * FROM state;
SELECT softdelete_undelete('b', 1, cascade := true);
-- a forgotten cascade, also further down
SELECT softdelete_undelete('a', 1, cascade := true);
SELECT * FROM state;

-- one transaction is one deletion
BEGIN;
DELETE FROM c WHERE id = 3;
DELETE FROM b WHERE id = 2;
DELETE FROM a WHERE id = 1;
DELETE FROM unrelated WHERE id = 1;
COMMIT;
SELECT softdelete_undelete('a', 1, cascade := true);
SELECT * FROM state;
SELECT id AS last FROM softdelete.deletions ORDER BY id DESC LIMIT 1 \gset
SELECT softdelete_undelete_deletion(:last);
SELECT softdelete_undelete_deletion(:last);
SELECT * FROM unrelated ORDER BY 1;

-- parents: a child alone under a deleted parent
DELETE FROM a WHERE id = 2;
SELECT softdelete_undelete('c', 7);
SELECT softdelete_undelete('c', 7, with_parents := true);
SELECT * FROM state;
SELECT softdelete_undelete('a', 2, cascade := true);
SELECT * FROM state;

-- a row with two deleted parents
CREATE TABLE l (id int PRIMARY KEY);
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE lr (l int REFERENCES l ON DELETE CASCADE, r int REFERENCES r ON DELETE CASCADE, PRIMARY KEY (l, r));
CREATE TABLE lrx (id int PRIMARY KEY, l int, r int, FOREIGN KEY (l, r) REFERENCES lr ON DELETE CASCADE);
INSERT INTO l VALUES (1), (2);
INSERT INTO r VALUES (1), (2);
INSERT INTO lr VALUES (1, 1), (1, 2), (2, 1), (2, 2);
INSERT INTO lrx VALUES (1, 1, 1), (2, 1, 2);
SELECT relation FROM softdelete_register('l');
SELECT relation FROM softdelete_register('r');
-- of the same deletion: it comes back with the last of them
BEGIN;
DELETE FROM l WHERE id = 1;
DELETE FROM r WHERE id = 1;
COMMIT;
SELECT softdelete_undelete('l', 1, cascade := true);
SELECT * FROM lr ORDER BY 1, 2;
SELECT id FROM lrx;
SELECT softdelete_undelete('r', 1, cascade := true);
SELECT * FROM lr ORDER BY 1, 2;
SELECT id FROM lrx ORDER BY 1;
-- of another deletion: an error, unless the parents may come too
DELETE FROM l WHERE id = 1;
DELETE FROM r WHERE id = 2;
SELECT softdelete_undelete('l', 1, cascade := true);
SELECT * FROM lr ORDER BY 1, 2;
SELECT softdelete_undelete('l', 1, cascade := true, with_parents := true);
SELECT * FROM lr ORDER BY 1, 2;
SELECT id FROM r ORDER BY 1;
SELECT softdelete_undelete('r', 2, cascade := true);
SELECT * FROM lr ORDER BY 1, 2;

-- taken back, and brought back after all as the parent of another row: no word of it
CREATE TABLE lx (id int PRIMARY KEY);
CREATE TABLE rx (id int PRIMARY KEY);
CREATE TABLE both_x (id int PRIMARY KEY, l int REFERENCES lx ON DELETE CASCADE, r int REFERENCES rx ON DELETE CASCADE);
ALTER TABLE lx ADD needs int REFERENCES both_x;
INSERT INTO lx VALUES (1);
INSERT INTO rx VALUES (1);
INSERT INTO both_x VALUES (1, 1, 1);
INSERT INTO lx VALUES (2, 1);
SELECT relation FROM softdelete_register('lx');
SELECT relation FROM softdelete_register('rx');
BEGIN;
DELETE FROM lx WHERE id = 2;
DELETE FROM lx;
DELETE FROM rx;
COMMIT;
SELECT softdelete_undelete('lx', ARRAY[1, 2], cascade := true, with_parents := true);
SELECT id FROM both_x;

-- foreign keys of one partition, and of tables that inherit
CREATE TABLE m (id int, k int, l_id int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE m0 PARTITION OF m FOR VALUES IN (0);
CREATE TABLE m1 (l_id int, k int NOT NULL, id int NOT NULL);
ALTER TABLE m ATTACH PARTITION m1 FOR VALUES IN (1);
ALTER TABLE m1 ADD FOREIGN KEY (l_id) REFERENCES l ON DELETE CASCADE;
SELECT relation FROM softdelete_register('m');
INSERT INTO m VALUES (5, 1, 2), (6, 0, 77);
DELETE FROM m;
DELETE FROM l WHERE id = 2;
SELECT softdelete_undelete('m', ROW(5, 1));
SELECT softdelete_undelete('m', ROW(6, 0));
SELECT softdelete_undelete('m', ROW(5, 1), with_parents := true);
SELECT id, k FROM m ORDER BY id;
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE heir (l_id int REFERENCES l ON DELETE CASCADE, PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE below (id int PRIMARY KEY, heir_id int REFERENCES heir ON DELETE CASCADE);
SELECT relation FROM softdelete_register('base');
SELECT relation FROM softdelete_register('heir');
INSERT INTO heir VALUES (7, 2);
INSERT INTO below VALUES (70, 7);
DELETE FROM base WHERE id = 7;
DELETE FROM l WHERE id = 2;
SELECT softdelete_undelete('base', 7, cascade := true);
SELECT softdelete_undelete('base', 7, cascade := true, with_parents := true);
SELECT id FROM base;
SELECT id FROM below;

-- a forgotten cascade, in a table that inherits
DELETE FROM base WHERE id = 7;
SELECT softdelete_undelete('base', 7);
SELECT softdelete_undelete('base', 7, cascade := true);
INSERT INTO heir VALUES (8, 2);
INSERT INTO below VALUES (80, 8);
CREATE TABLE lowest (id int PRIMARY KEY, below_id int REFERENCES below ON DELETE CASCADE);
SELECT relation FROM softdelete_register('base');
SELECT relation FROM softdelete_register('below');
INSERT INTO lowest VALUES (800, 80);
DELETE FROM base WHERE id = 8;
SELECT softdelete_undelete('base', 8);
SELECT softdelete_undelete('below', 80);
SELECT softdelete_undelete('base', 8, cascade := true);
SELECT id FROM lowest;

-- not in the middle of a DELETE
DELETE FROM l WHERE id = 2 RETURNING softdelete_undelete('l', id, cascade := true);
SELECT id FROM l ORDER BY id;

-- over a foreign key of another action: rows that went together come back together
CREATE TABLE doc (id int PRIMARY KEY);
CREATE TABLE page (id int PRIMARY KEY, doc_id int REFERENCES doc);
INSERT INTO doc VALUES (1);
INSERT INTO page VALUES (1, 1), (2, 1);
SELECT relation FROM softdelete_register('doc');
SELECT relation FROM softdelete_register('page');
BEGIN;
DELETE FROM page;
DELETE FROM doc;
COMMIT;
SELECT softdelete_undelete('doc', 1, cascade := true);
SELECT id FROM page ORDER BY 1;

-- columns stay as they were: no UPDATE trigger, no updated_at, no generated column changes
CREATE TABLE stamped (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, changes int DEFAULT 0, CHECK (n > 0) NOT VALID);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changes := NEW.changes + 1; RETURN NEW; END';
CREATE TRIGGER bump BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION bump();
ALTER TABLE stamped DROP CONSTRAINT stamped_n_check;
INSERT INTO stamped (id, n) VALUES (1, 5), (2, -5);
ALTER TABLE stamped ADD CHECK (n > 0) NOT VALID;
SELECT relation FROM softdelete_register('stamped');
UPDATE stamped SET n = 6 WHERE id = 1;
DELETE FROM stamped;
SELECT softdelete_undelete('stamped', ARRAY[1, 2]);
SELECT id, n, twice, changes FROM stamped ORDER BY id;

-- a transaction that rolls back undeletes nothing
DELETE FROM stamped WHERE id = 1;
BEGIN;
SELECT softdelete_undelete('stamped', 1);
ROLLBACK;
SELECT id FROM stamped;

-- rights: SELECT and INSERT, not UPDATE
CREATE ROLE regress_un;
GRANT USAGE ON SCHEMA un TO regress_un;
GRANT SELECT, UPDATE, DELETE ON a, stamped TO regress_un;
DELETE FROM a WHERE id = 3;
SET ROLE regress_un;
SELECT softdelete_undelete('stamped', 1);
RESET ROLE;
REVOKE ALL ON a FROM regress_un;
GRANT SELECT, INSERT ON a TO regress_un;
SET ROLE regress_un;
SELECT softdelete_undelete('a', 3, cascade := true);
SELECT softdelete_undelete_deletion(:last);
RESET ROLE;
SELECT * FROM state;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA un CASCADE;
DROP ROLE regress_un;
