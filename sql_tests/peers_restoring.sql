-- what users of other soft deletes suffer from when they restore rows, and that it does not happen here
CREATE SCHEMA pr;
SET search_path = pr, public;
SELECT setval('softdelete.deletion_id_seq', 560000);
-- ids of live and of deleted rows
CREATE FUNCTION ids(t regclass, OUT live text, OUT deleted text) LANGUAGE plpgsql SET softdelete.show_deleted = on AS
$$ BEGIN EXECUTE format('SELECT string_agg(id::text, '','' ORDER BY id) FILTER (WHERE active), string_agg(id::text, '','' ORDER BY id) FILTER (WHERE NOT active) FROM %s', t) INTO live, deleted; END $$;

CREATE VIEW mine AS SELECT * FROM softdelete.deletions WHERE id BETWEEN 560000 AND 560999;

CREATE TABLE customer (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE);
CREATE TABLE line (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE);
CREATE TABLE pick (id int PRIMARY KEY, line_id int REFERENCES line ON DELETE CASCADE);
INSERT INTO customer SELECT i, 'customer ' || i FROM generate_series(1, 4) i;
INSERT INTO orders SELECT i, (i + 1) / 2 FROM generate_series(1, 8) i;
INSERT INTO line SELECT i, (i + 1) / 2 FROM generate_series(1, 16) i;
INSERT INTO pick SELECT i, i FROM generate_series(1, 16) i;
SELECT count(*) FROM softdelete_register('customer');

-- 1. the parent comes back, children deleted earlier do not
DELETE FROM line WHERE id = 1;
DELETE FROM orders WHERE id = 2;
DELETE FROM customer WHERE id = 1;
SELECT softdelete_undelete('customer', 1, cascade := true);
SELECT 'orders' AS t, * FROM ids('orders') UNION ALL SELECT 'line', * FROM ids('line') UNION ALL SELECT 'pick', * FROM ids('pick');
-- nor those deleted later, after the parent had come back once
DELETE FROM line WHERE id = 2;
SELECT softdelete_undelete('customer', 1, cascade := true);
SELECT * FROM ids('line');
SELECT softdelete_undelete('line', ARRAY[1, 2], cascade := true), softdelete_undelete('orders', 2, cascade := true);
SELECT count(*) FROM pick;

-- 2. what went with it is known by the deletion: not by the time, not by a flag, at any depth
DELETE FROM pick WHERE id = 5;
DELETE FROM customer WHERE id = 2;
UPDATE softdelete.deletion SET deleted_at = '2020-01-01' WHERE id IN (SELECT id FROM mine ORDER BY id DESC LIMIT 2);
SELECT softdelete_undelete('customer', 2, cascade := true);
SELECT 'line' AS t, * FROM ids('line') UNION ALL SELECT 'pick', * FROM ids('pick');
SELECT softdelete_undelete('pick', 5);
-- a transaction that takes its time is still one deletion
BEGIN;
DELETE FROM pick WHERE id = 5;
SELECT pg_sleep(0.01);
DELETE FROM customer WHERE id = 2;
COMMIT;
SELECT softdelete_undelete('customer', 2, cascade := true);
SELECT * FROM ids('pick');

-- 3. a link that SET NULL took comes back, and one that the application took itself
CREATE TABLE author (id int PRIMARY KEY);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author ON DELETE SET NULL, editor_id int REFERENCES author);
INSERT INTO author VALUES (1), (2);
INSERT INTO book VALUES (1, 1, 1), (2, 1, 2), (3, 1, NULL), (4, 2, 2);
SELECT count(*) FROM softdelete_register('author');
BEGIN;
UPDATE book SET editor_id = NULL WHERE editor_id = 1;
DELETE FROM author WHERE id = 1;
COMMIT;
SELECT * FROM book ORDER BY id;
-- unless it has been set to something else since
UPDATE book SET author_id = 2 WHERE id = 3;
SELECT softdelete_undelete('author', 1, cascade := true);
SELECT * FROM book ORDER BY id;

-- 4. no relation is forgotten: join tables, nulled keys, relations without a foreign key
CREATE TABLE tag (id int PRIMARY KEY);
CREATE TABLE book_tag (book_id int REFERENCES book ON DELETE CASCADE, tag_id int REFERENCES tag ON DELETE CASCADE, PRIMARY KEY (book_id, tag_id));
CREATE TABLE shelf (id int PRIMARY KEY, book_id int REFERENCES book ON DELETE SET NULL);
CREATE TABLE comment (id int PRIMARY KEY, object_type text, object_id int);
INSERT INTO tag VALUES (1), (2);
INSERT INTO book_tag VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO shelf VALUES (1, 1);
INSERT INTO comment VALUES (1, 'book', 1), (2, 'book', 2);
SELECT count(*) FROM softdelete_register('book');
SELECT count(*) FROM softdelete_register('comment');
BEGIN;
DELETE FROM comment WHERE object_type = 'book' AND object_id = 1;
DELETE FROM book WHERE id = 1;
COMMIT;
SELECT (SELECT count(*) FROM book_tag) AS tags, (SELECT book_id FROM shelf) AS on_shelf, (SELECT count(*) FROM comment) AS comments;
SELECT softdelete_undelete('book', 1, cascade := true);
SELECT (SELECT count(*) FROM book_tag) AS tags, (SELECT book_id FROM shelf) AS on_shelf, (SELECT count(*) FROM comment) AS comments;
SELECT softdelete_undelete_deletion(max(id)) FROM mine;
SELECT count(*) FROM comment;

-- 5. a key that was taken meanwhile: peers_keys

-- 6. a child does not come back under a deleted parent: the parent and its deletion are named
DELETE FROM customer WHERE id = 3;
SELECT softdelete_undelete('orders', 5);
SELECT * FROM ids('orders');
SELECT softdelete_undelete('pick', 9, with_parents := true);
SELECT 'customer' AS t, * FROM ids('customer') UNION ALL SELECT 'orders', * FROM ids('orders') UNION ALL SELECT 'line', * FROM ids('line') UNION ALL SELECT 'pick', * FROM ids('pick');
SELECT softdelete_undelete('customer', 3, cascade := true);
SELECT count(*) FROM pick;

-- 7. a child deleted alone, then the parent: the child can come back
DELETE FROM orders WHERE id = 7;
DELETE FROM customer WHERE id = 4;
SELECT softdelete_undelete('orders', 7, cascade := true);
SELECT softdelete_undelete('orders', 7, cascade := true, with_parents := true);
SELECT 'customer' AS t, * FROM ids('customer') UNION ALL SELECT 'orders', * FROM ids('orders') UNION ALL SELECT 'line', * FROM ids('line');
SELECT softdelete_undelete('customer', 4, cascade := true);
SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM line) AS line, (SELECT count(*) FROM pick) AS pick;

-- 8. the same key deleted twice: peers_keys

-- 9. the schema changed between delete and restore
DELETE FROM customer WHERE id = 1;
ALTER TABLE customer ADD vip boolean NOT NULL DEFAULT false, ALTER name TYPE varchar(40);
ALTER TABLE orders RENAME TO purchase;
ALTER TABLE purchase RENAME customer_id TO buyer;
ALTER TABLE purchase ADD note text DEFAULT 'none';
ALTER TABLE line ADD gone int;
ALTER TABLE line DROP gone;
ALTER TABLE pick ADD amount numeric GENERATED ALWAYS AS (id * 1.5) STORED;
ALTER TABLE pick SET SCHEMA public;
SELECT softdelete_undelete('customer', 1, cascade := true);
SELECT * FROM customer WHERE id = 1;
SELECT * FROM purchase WHERE buyer = 1 ORDER BY id;
SELECT id, line_id, amount FROM public.pick WHERE id <= 4 ORDER BY id;
ALTER TABLE public.pick SET SCHEMA pr;
ALTER TABLE purchase RENAME TO orders;
ALTER TABLE orders RENAME buyer TO customer_id;
-- a new foreign key holds for rows that come back too
DELETE FROM customer WHERE id = 1;
CREATE TABLE country (code text PRIMARY KEY);
INSERT INTO country VALUES ('xx');
SELECT count(*) FROM softdelete_register('country');
ALTER TABLE customer ADD country text NOT NULL DEFAULT 'xx' REFERENCES country;
DELETE FROM country;
UPDATE customer SET country = 'xx';
INSERT INTO country VALUES ('yy');
UPDATE customer SET country = 'yy';
DELETE FROM country WHERE code = 'xx';
SELECT softdelete_undelete('customer', 1, cascade := true);
SELECT softdelete_undelete('customer', 1, cascade := true, with_parents := true);
SELECT code FROM country ORDER BY code;

-- 10. the parent's key changed meanwhile: deleted children follow
CREATE TABLE region (code text PRIMARY KEY);
CREATE TABLE town (region text REFERENCES region ON UPDATE CASCADE ON DELETE CASCADE, name text, PRIMARY KEY (region, name));
CREATE TABLE house (id int PRIMARY KEY, region text, town text, FOREIGN KEY (region, town) REFERENCES town ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO region VALUES ('n'), ('s');
INSERT INTO town VALUES ('n', 'a'), ('n', 'b'), ('s', 'a');
INSERT INTO house VALUES (1, 'n', 'a'), (2, 'n', 'a'), (3, 'n', 'b'), (4, 's', 'a');
SELECT count(*) FROM softdelete_register('region');
DELETE FROM house WHERE id = 1;
DELETE FROM town WHERE name = 'a' AND region = 'n';
UPDATE region SET code = 'north' WHERE code = 'n';
SELECT softdelete_undelete('town', '{"region": "north", "name": "a"}', cascade := true);
SELECT softdelete_undelete('house', 1);
SELECT id, region, town FROM house ORDER BY id;

-- 11. not one by one: thousands at once, by time, by user, by table
CREATE TABLE many (id int PRIMARY KEY);
INSERT INTO many SELECT generate_series(1, 5000);
SELECT count(*) FROM softdelete_register('many');
CREATE ROLE regress_pr_intern;
GRANT USAGE ON SCHEMA pr TO regress_pr_intern;
GRANT SELECT, DELETE ON many, orders TO regress_pr_intern;
DELETE FROM many WHERE id <= 1000;
SET ROLE regress_pr_intern;
DELETE FROM many WHERE id BETWEEN 1001 AND 3000;
DELETE FROM many WHERE id BETWEEN 3001 AND 4000;
DELETE FROM orders WHERE id = 1;
RESET ROLE;
SELECT count(*) FROM many;
SELECT count(*) AS deletions, sum(n) AS restored FROM (SELECT softdelete_undelete_deletion(id) AS n FROM mine WHERE deleted_by = 'regress_pr_intern' AND deleted_at > now() - interval '1 hour' AND relations ? 'many' ORDER BY id DESC) x;
SELECT (SELECT count(*) FROM many) AS many, (SELECT count(*) FROM orders) AS orders;
SELECT softdelete_undelete('many', (SELECT array_agg(i) FROM generate_series(1, 1000) i));
SELECT count(*) FROM many;
SELECT sum(softdelete_undelete_deletion(id)) AS restored FROM mine WHERE deleted_by = 'regress_pr_intern' AND relations ? 'orders';
SELECT count(*) FROM orders;

-- 12. what triggers had counted: peers_counters

-- 13. a restore can be undone: in its transaction, and later by deleting the root again, which takes the same rows
DELETE FROM customer WHERE id = 2;
SELECT row_count FROM mine ORDER BY id DESC LIMIT 1;
BEGIN;
SELECT softdelete_undelete('customer', 2, cascade := true);
SELECT count(*) FROM orders;
ROLLBACK;
SELECT count(*) FROM orders;
SELECT softdelete_undelete('customer', 2, cascade := true);
DELETE FROM customer WHERE id = 2;
SELECT row_count FROM mine ORDER BY id DESC LIMIT 1;
SELECT softdelete_undelete('customer', 2, cascade := true);

-- in the end nothing is lost
SELECT 'customer' AS t, * FROM ids('customer') UNION ALL SELECT 'orders', * FROM ids('orders') UNION ALL SELECT 'line', * FROM ids('line') UNION ALL SELECT 'pick', * FROM ids('pick');

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA pr CASCADE;
DROP ROLE regress_pr_intern;
