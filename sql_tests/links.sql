-- A reference that a deletion took away goes back to the row that lost it, and to no
-- other row that has its key by then.
\set VERBOSITY terse
CREATE SCHEMA links;
SET search_path = links, public;
SET client_min_messages = warning;
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE SET NULL, note text);
CREATE TABLE plain (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE SET NULL, note text);
SELECT relation, flag_column FROM softdelete_register('p') ORDER BY 1;
SELECT relation, flag_column FROM softdelete_register('c') ORDER BY 1;
RESET client_min_messages;
CREATE PROCEDURE again() LANGUAGE sql AS $$
TRUNCATE links.plain;
INSERT INTO links.p VALUES (1), (2);
INSERT INTO links.c VALUES (1, 1, 'old'), (2, 1, 'old'), (3, 1, 'old');
INSERT INTO links.plain VALUES (1, 1, 'old'), (2, 1, 'old'), (3, 1, 'old');
DELETE FROM links.p WHERE id = 1;
$$;
CREATE PROCEDURE away() LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL softdelete.enabled = off;
    SET LOCAL softdelete.show_deleted = on;
    DELETE FROM links.c;
    DELETE FROM links.plain;
    DELETE FROM links.p;
END$$;

-- purged: the reference goes with the row
CALL again();
DELETE FROM c WHERE id = 1;
SELECT softdelete_purge('0', 'c');
SELECT row_key, gone FROM softdelete.link WHERE child = 'c'::regclass ORDER BY 1;
INSERT INTO c VALUES (1, NULL, 'new');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
CALL away();

-- erased
CALL again();
SELECT softdelete_erase('c', 1);
INSERT INTO c VALUES (1, NULL, 'new');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
CALL away();

-- really deleted: a registered row, live or deleted, and one of a table that is not
CALL again();
DELETE FROM c WHERE id = 1;
BEGIN;
SET LOCAL softdelete.enabled = off;
SET LOCAL softdelete.show_deleted = on;
DELETE FROM c WHERE id IN (1, 2);
COMMIT;
DELETE FROM plain WHERE id = 1;
MERGE INTO plain USING (VALUES (2)) v (id) ON plain.id = v.id WHEN MATCHED THEN DELETE;
INSERT INTO c VALUES (1, NULL, 'new'), (2, NULL, 'new');
INSERT INTO plain VALUES (1, NULL, 'new'), (2, NULL, 'new');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
SELECT id, p_id, note FROM plain ORDER BY 1;
CALL away();

-- another key: the reference follows, and so in a chain within one statement
CALL again();
UPDATE c SET id = 10 WHERE id = 1;
UPDATE plain SET id = 5 - id WHERE id = 1;
UPDATE plain SET id = id + 10;
INSERT INTO c VALUES (1, NULL, 'new');
INSERT INTO plain VALUES (1, NULL, 'new'), (2, NULL, 'new'), (3, NULL, 'new');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
SELECT id, p_id, note FROM plain ORDER BY 1;
CALL away();

-- by INSERT ... ON CONFLICT, of partitions too
CALL again();
INSERT INTO c VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 10;
INSERT INTO plain VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 10;
SET client_min_messages = warning;
CREATE TABLE split (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE SET NULL, note text) PARTITION BY RANGE (id);
CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);
RESET client_min_messages;
INSERT INTO split VALUES (1, 2, 'old'), (2, 2, 'old');
DELETE FROM p WHERE id = 2;
INSERT INTO split VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 10;
INSERT INTO c VALUES (1, NULL, 'new');
INSERT INTO plain VALUES (1, NULL, 'new');
INSERT INTO split VALUES (1, NULL, 'new');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
SELECT id, p_id, note FROM plain ORDER BY 1;
SELECT id, p_id, note FROM split ORDER BY 1;
DROP TABLE split;
CALL away();

-- rolled back: nothing has happened
CALL again();
BEGIN;
SAVEPOINT s;
DELETE FROM plain WHERE id = 1;
UPDATE plain SET id = 20 WHERE id = 2;
ROLLBACK TO s;
COMMIT;
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM plain ORDER BY 1;
CALL away();

-- its key taken by a new row, both with a reference of their own
CALL again();
DELETE FROM c WHERE id IN (1, 2);
INSERT INTO c VALUES (1, 2, 'new'), (2, NULL, 'new');
DELETE FROM p WHERE id = 2;
SELECT row_key, old_values, gone FROM softdelete.link WHERE child = 'c'::regclass ORDER BY 1, 2;
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
CALL away();
-- back again, it is found again
CALL again();
DELETE FROM c WHERE id = 1;
INSERT INTO c VALUES (1, NULL, 'new');
DELETE FROM c WHERE id = 1;
BEGIN;
SET LOCAL softdelete.enabled = off;
SET LOCAL softdelete.show_deleted = on;
DELETE FROM c WHERE id = 1;
COMMIT;
SELECT softdelete_undelete('c', 1);
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
CALL away();
-- its image purged
CALL again();
DELETE FROM c WHERE id = 1;
INSERT INTO c VALUES (1, NULL, 'new');
SELECT softdelete_purge('0', 'c');
SELECT row_key, gone FROM softdelete.link WHERE child = 'c'::regclass ORDER BY 1;
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM c ORDER BY 1;
CALL away();

-- truncated
CALL again();
TRUNCATE plain;
INSERT INTO plain VALUES (1, NULL, 'new');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT id, p_id, note FROM plain ORDER BY 1;
CALL away();

-- given up by the application, which then lets the row go, or gives it another key
CALL again();
INSERT INTO plain VALUES (11, 2, 'old'), (12, 2, 'old'), (13, 2, 'old'), (14, 2, 'old');
BEGIN;
UPDATE plain SET p_id = NULL WHERE id > 10;
DELETE FROM plain WHERE id = 11;
UPDATE plain SET id = 22 WHERE id = 12;
INSERT INTO plain VALUES (11, NULL, 'new'), (12, NULL, 'new');
SAVEPOINT s;
DELETE FROM plain WHERE id = 13;
ROLLBACK TO s;
DELETE FROM p WHERE id = 2;
COMMIT;
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT id, p_id, note FROM plain WHERE id > 10 ORDER BY 1;
CALL away();

-- and so when it is erased, its key is taken, or it is truncated; what it gave up before
-- something else is not put back
CALL again();
INSERT INTO p VALUES (8);
INSERT INTO c VALUES (11, 2, 'old'), (12, 2, 'old'), (13, 2, 'old'), (14, 2, 'old');
INSERT INTO plain VALUES (11, 2, 'old');
BEGIN;
UPDATE c SET p_id = NULL WHERE id > 10;
UPDATE plain SET p_id = NULL WHERE id = 11;
SELECT softdelete_erase('c', 11);
DELETE FROM c WHERE id = 12;
INSERT INTO c VALUES (11, NULL, 'new'), (12, NULL, 'new');
UPDATE c SET p_id = 8 WHERE id = 13;
UPDATE c SET p_id = NULL WHERE id = 13;
TRUNCATE plain;
INSERT INTO plain VALUES (11, NULL, 'new');
DELETE FROM p WHERE id = 2;
COMMIT;
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT id, p_id, note FROM c WHERE id > 10 ORDER BY 1;
SELECT id, p_id, note FROM plain ORDER BY 1;
CALL away();

-- partitions that go
SET client_min_messages = warning;
CREATE TABLE parted (id int, p_id int REFERENCES p ON DELETE SET NULL, note text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 (note text, gap int, p_id int, id int NOT NULL);
ALTER TABLE parted_2 DROP COLUMN gap;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30);
RESET client_min_messages;
INSERT INTO p VALUES (3);
INSERT INTO parted VALUES (1, 3, 'old'), (2, 3, 'old'), (11, 3, 'old'), (12, 3, 'old'), (13, 3, 'old'), (21, 3, 'old');
DELETE FROM p WHERE id = 3;
DELETE FROM parted WHERE id = 11;
MERGE INTO parted USING (VALUES (12)) v (id) ON parted.id = v.id WHEN MATCHED THEN DELETE;
UPDATE parted SET id = 22 WHERE id = 13;
DROP TABLE parted_1;
ALTER TABLE parted DETACH PARTITION parted_3;
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_4 PARTITION OF parted FOR VALUES FROM (20) TO (30);
INSERT INTO parted VALUES (1, NULL, 'new'), (2, NULL, 'new'), (11, NULL, 'new'), (12, NULL, 'new'), (21, NULL, 'new');
SELECT softdelete_undelete('p', 3, cascade := true);
SELECT id, p_id, note FROM parted ORDER BY 1;
SELECT id, p_id, note FROM parted_3 ORDER BY 1;
DROP TABLE parted, parted_3;
-- with a table its entries go
SELECT count(*) FROM softdelete.link l WHERE NOT EXISTS (SELECT FROM pg_class k WHERE k.oid = l.child);

-- a key of which the reference is a part, and rows without a primary key
CREATE TABLE parts (p_id int DEFAULT 0 REFERENCES p ON DELETE SET DEFAULT, n int, note text, PRIMARY KEY (p_id, n));
CREATE TABLE loose (p_id int REFERENCES p ON DELETE SET NULL, n numeric, note text);
INSERT INTO p VALUES (0), (4), (5);
INSERT INTO parts VALUES (4, 1, 'old'), (4, 2, 'old'), (5, 1, 'other');
INSERT INTO loose VALUES (4, 1.0, 'old'), (4, 2.0, 'old'), (4, 3, 'old');
DELETE FROM p WHERE id = 4;
DELETE FROM parts WHERE (p_id, n) = (5, 1);
DELETE FROM parts WHERE (p_id, n) = (0, 2);
INSERT INTO parts VALUES (0, 2, 'new');
DELETE FROM loose WHERE n = 1;
INSERT INTO loose VALUES (NULL, 1.0, 'old');
UPDATE loose SET note = 'changed' WHERE n = 2;
INSERT INTO loose VALUES (NULL, 2.0, 'old');
SELECT softdelete_undelete('p', 4, cascade := true);
SELECT * FROM parts ORDER BY 2, 1;
SELECT * FROM loose ORDER BY 2, 3;
-- set to something else and back: it is another row's key in between
DELETE FROM p WHERE id = 4;
UPDATE parts SET p_id = 5 WHERE (p_id, n) = (0, 1);
INSERT INTO parts VALUES (0, 1, 'new');
SELECT softdelete_undelete('p', 4, cascade := true);
SELECT * FROM parts ORDER BY 2, 1;

-- a parent that is no longer registered: its rows come back with what they had, and
-- nothing of it is left for the rows of later
CREATE TABLE q (id int PRIMARY KEY);
CREATE TABLE qc (id int PRIMARY KEY, q_id int REFERENCES q ON DELETE SET NULL);
INSERT INTO q VALUES (1), (2);
INSERT INTO qc VALUES (1, 1), (2, 2);
SELECT relation FROM softdelete_register('q');
DELETE FROM q;
SELECT softdelete_undelete('q', 2);
SELECT softdelete_unregister('q', 'undelete');
SELECT * FROM qc ORDER BY 1;
DELETE FROM qc;
INSERT INTO qc VALUES (1, NULL), (2, NULL);
SELECT relation FROM softdelete_register('q');
SELECT softdelete_undelete('q', 2, cascade := true);
SELECT * FROM qc ORDER BY 1;

-- a key column renamed, and another primary key
CREATE TABLE keyed (a int PRIMARY KEY, b int UNIQUE, p_id int REFERENCES p ON DELETE SET NULL);
INSERT INTO p VALUES (6), (7);
INSERT INTO keyed VALUES (1, 2, 6), (2, 1, 6), (3, 4, 7), (4, 3, NULL);
DELETE FROM p WHERE id = 6;
ALTER TABLE keyed RENAME COLUMN a TO "A";
SELECT softdelete_undelete('p', 6, cascade := true);
SELECT * FROM keyed ORDER BY 1;
DELETE FROM p WHERE id = 7;
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey, ADD PRIMARY KEY (b);
SELECT softdelete_undelete('p', 7, cascade := true);
SELECT * FROM keyed ORDER BY 1;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA links CASCADE;
