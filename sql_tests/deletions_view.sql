-- softdelete.deletions: with which rows a deletion began, what is left of it, and the command that undoes it
CREATE SCHEMA dv;
SET search_path = dv, public;
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, "No." text, PRIMARY KEY ("No.", order_id));
CREATE TABLE "odd ones" (at timestamptz PRIMARY KEY);
CREATE TABLE keyless (v int);
INSERT INTO customers SELECT i, 'c' || i FROM generate_series(1, 40) i;
INSERT INTO orders SELECT i, i FROM generate_series(1, 40) i;
INSERT INTO lines SELECT i, 'a"' || i FROM generate_series(1, 40) i;
INSERT INTO "odd ones" VALUES ('2026-11-27 14:00:00+00');
INSERT INTO keyless VALUES (1), (2);
SELECT count(*) FROM unnest(ARRAY['customers', '"odd ones"', 'keyless']) t, softdelete_register(t::regclass);
SELECT coalesce(max(id), 0) AS before FROM softdelete.deletions \gset
CREATE VIEW mine AS SELECT root, row_count, rows_left, relations,
    regexp_replace(undelete, '(undelete_deletion.)\d+', '\1N') AS undelete FROM softdelete.deletions WHERE id > :before ORDER BY id;

-- one row; a leaf and a table with something below; a composite key; text that does not depend on the session
DELETE FROM customers WHERE id = 1;
DELETE FROM orders WHERE id = 2;
DELETE FROM lines WHERE order_id = 3;
SET datestyle = German;
SET timezone = 'Europe/Berlin';
DELETE FROM "odd ones";
RESET datestyle;
RESET timezone;
DELETE FROM keyless WHERE v = 1;
SELECT * FROM mine;
-- ten keys of many rows
DELETE FROM lines WHERE order_id BETWEEN 20 AND 35;
DELETE FROM customers WHERE id BETWEEN 30 AND 40;
SELECT array_length(keys, 1), row_count, alone FROM softdelete.root WHERE deletion_id > :before ORDER BY deletion_id DESC LIMIT 2;
-- several statements: the first counts; savepoints that are gone do not
BEGIN;
SAVEPOINT s;
DELETE FROM orders WHERE id = 4;
ROLLBACK TO s;
DELETE FROM lines WHERE order_id = 5;
DELETE FROM customers WHERE id IN (5, 6);
COMMIT;
WITH x AS (DELETE FROM lines WHERE order_id = 7 RETURNING order_id) DELETE FROM customers WHERE id = 8;
MERGE INTO customers c USING (VALUES (9)) v (id) ON c.id = v.id WHEN MATCHED THEN DELETE;
SELECT * FROM mine OFFSET 7;
-- a statement within another: the outer one is the root, though it is logged later
CREATE FUNCTION first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM lines WHERE order_id = OLD.id; RETURN OLD; END $$;
CREATE TRIGGER first BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION first();
DELETE FROM customers WHERE id = 10;
DROP TRIGGER first ON customers;
CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN OLD.id % 2 = 0 THEN OLD END; END $$;
CREATE TRIGGER veto BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION veto();
DELETE FROM customers WHERE id BETWEEN 11 AND 14;
DROP TRIGGER veto ON customers;
TRUNCATE keyless;
SELECT * FROM mine OFFSET 10;

-- the command is one to run
SELECT undelete FROM softdelete.deletions WHERE id > :before ORDER BY id LIMIT 4 \gexec
SELECT * FROM mine LIMIT 5;
-- a part; several deletions in one call; and again
SELECT softdelete_undelete('customers', 9);
SELECT softdelete_undelete('customers', ARRAY[5, 10, 12, 30], cascade := true);
SELECT root, row_count, rows_left FROM mine OFFSET 5;
BEGIN;
DELETE FROM orders WHERE id = 1;
SELECT softdelete_undelete('orders', 1);
DELETE FROM orders WHERE id = 1;
COMMIT;
SELECT rows_left FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
-- is it what is there?
SET softdelete.show_deleted = 'only';
SELECT d.id - :before AS id, d.rows_left FROM softdelete.deletions d
WHERE d.id > :before AND d.rows_left IS DISTINCT FROM (SELECT count(*) FROM customers WHERE deletion_id = d.id) + (SELECT count(*) FROM orders WHERE deletion_id = d.id)
    + (SELECT count(*) FROM lines WHERE deletion_id = d.id) + (SELECT count(*) FROM "odd ones" WHERE deletion_id = d.id) + (SELECT count(*) FROM keyless WHERE deletion_id = d.id);
RESET softdelete.show_deleted;
-- purged and erased since: counted in the tables
SELECT softdelete_purge('0 s', 'lines') > 0;
-- is it what is there?
SET softdelete.show_deleted = 'only';
SELECT d.id - :before AS id, d.rows_left FROM softdelete.deletions d
WHERE d.id > :before AND d.rows_left IS DISTINCT FROM (SELECT count(*) FROM customers WHERE deletion_id = d.id) + (SELECT count(*) FROM orders WHERE deletion_id = d.id)
    + (SELECT count(*) FROM lines WHERE deletion_id = d.id) + (SELECT count(*) FROM "odd ones" WHERE deletion_id = d.id) + (SELECT count(*) FROM keyless WHERE deletion_id = d.id);
RESET softdelete.show_deleted;
SELECT row_count, rows_left FROM mine;

-- who may read what: keys like the statement, and where all rows of the table may be read
CREATE ROLE regress_dv;
GRANT USAGE ON SCHEMA dv TO regress_dv;
GRANT SELECT ON mine TO regress_dv;
SET ROLE regress_dv;
SELECT root, row_count, rows_left, regexp_replace(undelete, '\d+', 'N') AS undelete FROM softdelete.deletions WHERE id > :before AND root LIKE '%customers%' ORDER BY id LIMIT 2;
SELECT softdelete.rows_left(:before + 1);
RESET ROLE;
GRANT SELECT ON customers TO regress_dv;
SET ROLE regress_dv;
SELECT root, row_count, rows_left FROM softdelete.deletions WHERE id > :before AND root LIKE '%customers%' ORDER BY id LIMIT 2;
RESET ROLE;
GRANT SELECT ON orders, lines TO regress_dv;
SET ROLE regress_dv;
SELECT root, row_count, rows_left FROM softdelete.deletions WHERE id > :before AND root LIKE '%customers%' ORDER BY id LIMIT 2;
RESET ROLE;
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
SET ROLE regress_dv;
SELECT root, row_count, rows_left FROM softdelete.deletions WHERE id > :before AND root LIKE '%customers%' ORDER BY id LIMIT 2;
SELECT * FROM softdelete.root;
RESET ROLE;
-- the table has gone
SET softdelete.enabled = off;
DROP TABLE "odd ones";
RESET softdelete.enabled;
SELECT root ~ '^\d+' AS oid, row_count, rows_left FROM mine OFFSET 3 LIMIT 1;
SELECT softdelete.rows_left(0);

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA dv CASCADE;
DROP ROLE regress_dv;
