-- bringing back by user, by time, by table: the queries of the manual
CREATE SCHEMA rs;
SET search_path = rs, public;
SELECT setval('softdelete.deletion_id_seq', 610000);
CREATE TABLE customers (id int PRIMARY KEY, name text, country text);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE order_lines (order_id int REFERENCES orders ON DELETE CASCADE, line int, PRIMARY KEY (order_id, line));
INSERT INTO customers SELECT i, CASE WHEN i = 3 THEN 'Miller & Sons' ELSE 'c' || i END, CASE WHEN i % 2 = 0 THEN 'FR' ELSE 'DE' END FROM generate_series(1, 8) i;
INSERT INTO orders SELECT i, i FROM generate_series(1, 8) i;
INSERT INTO order_lines SELECT i, 1 FROM generate_series(1, 8) i;
SELECT relation FROM softdelete_register('customers');
SELECT coalesce(max(id), 0) AS before FROM softdelete.deletions \gset
CREATE VIEW state AS SELECT (SELECT array_agg(id ORDER BY id) FROM customers) AS customers, (SELECT array_agg(id ORDER BY id) FROM orders) AS orders, (SELECT array_agg(order_id ORDER BY order_id) FROM order_lines) AS lines;
SET softdelete.actor = 'ada@example.org';
DELETE FROM orders WHERE id = 1;
DELETE FROM customers WHERE id IN (1, 2);
SET softdelete.actor = 'bob@example.org';
DELETE FROM customers WHERE id IN (3);
DELETE FROM customers WHERE id IN (4, 5, 6);
RESET softdelete.actor;
SELECT * FROM state;

-- from customer Miller to the command
SELECT c.id, c.name, d.actor, d.statement, d.undelete
FROM softdelete_deleted(NULL::customers) c JOIN softdelete.deletions d ON d.id = c.deletion_id
WHERE c.name ILIKE '%miller%';
BEGIN;
SELECT d.undelete FROM softdelete_deleted(NULL::customers) c JOIN softdelete.deletions d ON d.id = c.deletion_id WHERE c.name ILIKE '%miller%' \gexec
SELECT * FROM state;
ROLLBACK;

-- what one person did in a span of time, newest first
BEGIN;
SELECT d.root, d.undone FROM (
    SELECT d.id, d.deleted_at, d.root, softdelete_undelete_deletion(d.id) AS undone
    FROM (SELECT * FROM softdelete.deletions
          WHERE (actor = 'ada@example.org' OR deleted_by = 'ada')
            AND deleted_at BETWEEN now() - interval '1 hour' AND clock_timestamp() AND id > :before
          ORDER BY id DESC) d) d;
SELECT * FROM state;
ROLLBACK;
-- rows of one table
BEGIN;
SELECT softdelete_undelete('customers', ARRAY(
    SELECT id FROM softdelete_deleted(NULL::customers) WHERE country = 'FR'), cascade := true);
SELECT * FROM state;
ROLLBACK;
BEGIN;
SELECT softdelete_undelete('orders', ARRAY(
    SELECT o.id FROM softdelete_deleted(NULL::orders) o JOIN softdelete.deletions d ON d.id = o.deletion_id
    WHERE d.deleted_at > now() - interval '1 hour'), with_parents := true);
SELECT * FROM state;
SELECT softdelete_undelete('order_lines', ARRAY(SELECT ROW(order_id, line) FROM softdelete_deleted(NULL::order_lines) WHERE order_id < 4));
SELECT * FROM state;
ROLLBACK;
SELECT softdelete_undelete('orders', ARRAY(SELECT id FROM softdelete_deleted(NULL::orders) WHERE false));
-- oldest first: the child needs its parent: all or nothing
SELECT d.id, softdelete_undelete_deletion(d.id) FROM (SELECT id FROM softdelete.deletions WHERE actor IS NOT NULL AND id > :before ORDER BY id) d;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA rs CASCADE;
