-- softdelete_drill: a deletion can be undone, and is not
CREATE SCHEMA drill;
SET search_path = drill, public;
SELECT setval('softdelete.deletion_id_seq', 240000);
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE, code int UNIQUE);
CREATE TABLE n (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE SET NULL, w text);
CREATE TABLE img (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part0 PARTITION OF part FOR VALUES IN (0);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE heir () INHERITS (base);
INSERT INTO p VALUES (1), (2), (3);
INSERT INTO c SELECT i, i % 3 + 1, i FROM generate_series(1, 9) i;
INSERT INTO n VALUES (1, 1);
INSERT INTO img VALUES (1, 1), (2, 1);
INSERT INTO part SELECT i, i % 2 FROM generate_series(1, 5) i;
INSERT INTO base VALUES (1);
INSERT INTO heir VALUES (2);
SELECT count(*) FROM unnest('{p,n,part,base}'::regclass[]) t, softdelete_register(t);
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'trigger'; RETURN NULL; END $$;
CREATE TRIGGER say AFTER INSERT ON c EXECUTE FUNCTION say();
DELETE FROM p WHERE id = 1;
DELETE FROM part;
DELETE FROM base;
DELETE FROM p WHERE id = 2;
INSERT INTO img VALUES (2, 3);
DELETE FROM img WHERE id = 2;
CREATE VIEW checked AS SELECT d.id, x.relation, x.expected, x.restored, x.ok, x.elapsed BETWEEN '0' AND '1 min' AS timed
FROM softdelete.deletions d, softdelete_drill(d.id) x WHERE d.id > 240000 ORDER BY d.id, x.relation::text;
SELECT * FROM checked;
-- nothing has changed
SELECT count(*) FROM softdelete.events WHERE deletion_id > 240000;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT p_id FROM n);
-- one that cannot be undone
INSERT INTO c VALUES (100, 3, 4);
SELECT relation, expected, restored, ok FROM softdelete_drill(240004) ORDER BY relation::text;
DELETE FROM c WHERE id = 100;
INSERT INTO img VALUES (1, 3);
SELECT relation, expected, restored, ok FROM softdelete_drill(240001) ORDER BY relation::text;
DELETE FROM img WHERE id = 1;
-- a part has come back; a part is gone
SELECT softdelete_undelete('p', 2);
SELECT relation, expected, restored, ok FROM softdelete_drill(240004) ORDER BY relation::text;
SELECT softdelete_erase('c', 1);
SELECT relation, expected, restored, ok FROM softdelete_drill(240004) ORDER BY relation::text;
-- rows that have gone behind the log's back are missed
SET session_replication_role = replica;
SET softdelete.enabled = off;
SET softdelete.show_deleted = on;
DELETE FROM part WHERE id = 3;
RESET softdelete.show_deleted;
RESET softdelete.enabled;
RESET session_replication_role;
SELECT relation, expected, restored, ok FROM softdelete_drill(240002);
-- tables that inherit, each named
INSERT INTO base VALUES (11);
INSERT INTO heir VALUES (12), (13);
BEGIN;
DELETE FROM heir WHERE id = 13;
DELETE FROM base WHERE id > 10;
COMMIT;
SELECT relation, expected, restored, ok FROM softdelete_drill((SELECT max(id) FROM softdelete.deletions));
SELECT softdelete_erase('base', 12);
SELECT relation, expected, restored, ok FROM softdelete_drill((SELECT max(id) FROM softdelete.deletions));
SELECT row_count, rows_left FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
-- in a transaction that goes on
BEGIN;
DELETE FROM p WHERE id = 3;
SELECT max(id) AS now FROM softdelete.deletions \gset
SELECT relation, expected, restored, ok FROM softdelete_drill(:now) ORDER BY relation::text;
SELECT softdelete_undelete_deletion(:now) > 0;
ROLLBACK;
-- rights
CREATE ROLE regress_drill;
GRANT USAGE ON SCHEMA drill TO regress_drill;
SET ROLE regress_drill;
SELECT * FROM softdelete_drill(240001);
RESET ROLE;
GRANT SELECT, INSERT ON p TO regress_drill;
SET ROLE regress_drill;
SELECT relation, expected, restored, ok FROM softdelete_drill(240001) ORDER BY relation::text;
SELECT * FROM softdelete_drill(0);
SELECT * FROM softdelete_drill(NULL);
RESET ROLE;
BEGIN READ ONLY;
SELECT * FROM softdelete_drill(240001);
ROLLBACK;
SHOW client_min_messages;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA drill CASCADE;
DROP ROLE regress_drill;
