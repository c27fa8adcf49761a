-- references that an application gives up itself, in the transaction that deletes the parent, come back with it
CREATE SCHEMA unl;
SET search_path = unl, public;

CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE genre (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, editor_id int DEFAULT 1 REFERENCES author ON DELETE CASCADE, a int, b text, FOREIGN KEY (a, b) REFERENCES genre ON DELETE CASCADE);
CREATE TABLE likes (author_id int REFERENCES author ON DELETE SET NULL, note text);
INSERT INTO author VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO genre VALUES (1, 'x'), (2, 'y');
INSERT INTO book VALUES (1, 2, 2, 1, 'x'), (2, 2, 3, 2, 'y'), (3, 3, 1, NULL, NULL), (4, NULL, NULL, 1, 'x');
INSERT INTO likes VALUES (2, 'a'), (2, 'a'), (NULL, 'a'), (3, 'b');
SELECT relation FROM softdelete_register('author');
SELECT relation FROM softdelete_register('genre');
CREATE VIEW books AS SELECT id, author_id, editor_id, a, b FROM book;

-- as Django does it: SET NULL by UPDATE, then the parent; by one statement, by several, prepared
BEGIN;
UPDATE book SET author_id = NULL WHERE author_id IN (2);
UPDATE likes SET author_id = NULL WHERE author_id = 2;
UPDATE book SET editor_id = DEFAULT WHERE editor_id = 2;
DELETE FROM author WHERE id = 2;
COMMIT;
SELECT * FROM books ORDER BY id;
SELECT softdelete_undelete('author', 2, cascade := true);
SELECT * FROM books ORDER BY id;
SELECT * FROM likes ORDER BY author_id, note;

-- only what belongs to a parent that goes, in the same transaction
BEGIN;
UPDATE book SET author_id = NULL WHERE id = 3;
COMMIT;
BEGIN;
UPDATE book SET author_id = NULL WHERE id = 1;
UPDATE book SET author_id = 1 WHERE id = 2;
DELETE FROM author WHERE id = 3;
COMMIT;
SELECT softdelete_undelete('author', 3, cascade := true);
SELECT id, author_id, editor_id FROM books ORDER BY id;

-- what was set to another parent is no link given up
BEGIN;
UPDATE book SET author_id = 3 WHERE id = 4;
UPDATE book SET author_id = 1 WHERE id = 4;
DELETE FROM author WHERE id = 3;
COMMIT;
SELECT softdelete_undelete('author', 3, cascade := true);
SELECT id, author_id FROM books WHERE id = 4;

-- savepoints, composite keys, views, CTEs, MERGE
UPDATE book SET author_id = 2;
BEGIN;
SAVEPOINT s;
UPDATE book SET author_id = NULL WHERE id = 1;
ROLLBACK TO s;
UPDATE books SET author_id = NULL WHERE id = 2;
SAVEPOINT t;
WITH u AS (UPDATE book SET author_id = NULL WHERE id = 3 RETURNING id) SELECT * FROM u;
RELEASE t;
MERGE INTO book USING (VALUES (4)) v(i) ON id = i WHEN MATCHED THEN UPDATE SET author_id = NULL;
UPDATE book SET b = NULL WHERE id = 2;
UPDATE book SET author_id = NULL WHERE id = 1;
DELETE FROM author WHERE id = 2;
DELETE FROM genre WHERE a = 2;
SELECT count(*) FROM softdelete.link WHERE deletion_id = (SELECT max(id) FROM softdelete.deletion);
COMMIT;
SELECT * FROM books ORDER BY id;
SELECT softdelete_undelete('author', 2, cascade := true);
SELECT softdelete_undelete('genre', ROW(2, 'y'), cascade := true);
SELECT * FROM books ORDER BY id;

-- a savepoint released into one that is rolled back; a default with effects
INSERT INTO author VALUES (7, 'seven');
INSERT INTO book VALUES (7, 7, NULL, NULL, NULL);
BEGIN;
SAVEPOINT outer_one;
SAVEPOINT inner_one;
UPDATE book SET author_id = NULL WHERE id = 7;
RELEASE inner_one;
ROLLBACK TO outer_one;
DELETE FROM book WHERE id = 7;
DELETE FROM author WHERE id = 7;
SELECT count(*) FROM softdelete.link WHERE deletion_id = (SELECT max(id) FROM softdelete.deletion);
COMMIT;
CREATE SEQUENCE next_author;
ALTER TABLE likes ALTER author_id SET DEFAULT nextval('next_author');
INSERT INTO likes VALUES (2, 'z');
UPDATE likes SET author_id = 1 WHERE note = 'z' RETURNING author_id;
SELECT is_called FROM next_author;

-- join rows first, children first, parent last
CREATE TABLE tag (id int PRIMARY KEY);
CREATE TABLE author_tag (author_id int REFERENCES author, tag_id int REFERENCES tag, PRIMARY KEY (author_id, tag_id));
INSERT INTO tag VALUES (1), (2);
INSERT INTO author_tag VALUES (3, 1), (3, 2), (1, 1);
SELECT relation FROM softdelete_register('tag');
SELECT relation FROM softdelete_register('author_tag');
UPDATE book SET author_id = NULL;
BEGIN;
DELETE FROM author_tag WHERE author_id = 3;
DELETE FROM author WHERE id = 3;
COMMIT;
SELECT softdelete_undelete('author', 3, cascade := true);
SELECT author_id, tag_id FROM author_tag ORDER BY 1, 2;

-- the table is altered in between: what was given up before is not found again
CREATE TABLE topic (id int PRIMARY KEY);
CREATE TABLE altered (id text PRIMARY KEY, topic_id int REFERENCES topic ON DELETE SET NULL, note text);
INSERT INTO topic VALUES (1);
SELECT relation FROM softdelete_register('topic');
INSERT INTO altered VALUES ('1', 1, 'a'), ('2', 1, 'b'), ('3', 1, 'c');
BEGIN;
UPDATE altered SET topic_id = NULL WHERE id = '1';
ALTER TABLE altered ALTER id TYPE int USING id::int;
UPDATE altered SET topic_id = NULL WHERE id = 2;
ALTER TABLE altered DROP CONSTRAINT altered_pkey;
UPDATE altered SET topic_id = NULL WHERE id = 3;
ALTER TABLE altered ADD PRIMARY KEY (id);
DELETE FROM topic;
COMMIT;
SELECT softdelete_undelete('topic', 1, cascade := true);
SELECT * FROM altered ORDER BY id;
-- ON CONFLICT DO UPDATE gives up references too, in a registered table and in one that is not
CREATE TABLE boss (id int PRIMARY KEY);
CREATE TABLE staff (id int PRIMARY KEY, boss_id int REFERENCES boss);
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree);
INSERT INTO boss VALUES (1); INSERT INTO staff VALUES (1, 1), (2, 1); INSERT INTO tree VALUES (1, NULL), (2, 1);
SELECT relation FROM softdelete_register('boss');
SELECT relation FROM softdelete_register('tree');
BEGIN;
INSERT INTO staff VALUES (1), (2) ON CONFLICT (id) DO UPDATE SET boss_id = NULL;
DELETE FROM boss;
COMMIT;
BEGIN;
INSERT INTO tree VALUES (2) ON CONFLICT (id) DO UPDATE SET up = NULL;
DELETE FROM tree WHERE id = 1;
COMMIT;
SELECT softdelete_undelete('boss', 1, cascade := true), softdelete_undelete('tree', 1, cascade := true);
SELECT id, boss_id FROM staff ORDER BY id;
SELECT id, up FROM tree ORDER BY id;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA unl CASCADE;
