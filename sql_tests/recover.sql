-- softdelete_recover(): lost rows and references from a restored backup.
SET client_min_messages = warning;
CREATE SCHEMA recover;
SET search_path = recover, public;

CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE, best int, loud text GENERATED ALWAYS AS (upper(email)) STORED);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers ON DELETE CASCADE, total numeric);
CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, line int, PRIMARY KEY (order_id, line));
-- the set of relationships that nobody thought of
CREATE TABLE tickets (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE SET NULL, up int REFERENCES tickets, note text);
ALTER TABLE customers ADD FOREIGN KEY (best) REFERENCES orders ON DELETE SET NULL;
CREATE TABLE keyless (a int);
INSERT INTO customers (email) VALUES ('ada@x'), ('bob@x'), ('cyn@x');
INSERT INTO orders VALUES (10, 1, 5), (11, 1, 7), (20, 2, 9), (30, 3, 1);
UPDATE customers SET best = id * 10;
INSERT INTO lines VALUES (10, 1), (10, 2), (20, 1), (30, 1);
INSERT INTO tickets VALUES (1, 10, NULL, 'a'), (2, 20, 1, 'b'), (3, 20, 2, 'c'), (4, NULL, 3, 'd');
SELECT relation FROM softdelete_register('customers') ORDER BY 1;

-- the backup, in a schema beside
CREATE SCHEMA backup;
CREATE TABLE backup.customers AS TABLE customers;
CREATE TABLE backup.orders AS TABLE orders;
CREATE TABLE backup.lines AS TABLE lines;
CREATE TABLE backup.tickets AS TABLE tickets;
CREATE TABLE backup.keyless AS TABLE keyless;
CREATE TABLE backup.gone AS SELECT 1 AS id;

-- all is here
SELECT * FROM softdelete_recover('backup') ORDER BY relation::text;

-- really lost: rows at every level, references, a tree
CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'a trigger noticed'; RETURN NEW; END$$;
CREATE TRIGGER notice BEFORE INSERT OR UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION notice();
CREATE TRIGGER notice_too AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION notice();
SET softdelete.enabled = off;
UPDATE customers SET best = NULL WHERE id = 3;
DELETE FROM tickets WHERE id > 1;
DELETE FROM customers WHERE id IN (1, 2);
RESET softdelete.enabled;
SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM orders) AS orders,
       (SELECT count(*) FROM lines) AS lines, (SELECT count(*) FROM tickets) AS tickets;
SELECT * FROM softdelete_recover('backup') ORDER BY relation::text;
SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM tickets) AS tickets;
SELECT * FROM softdelete_recover('backup', 'lines');
SELECT * FROM softdelete_recover('backup', dry_run := false) ORDER BY relation::text;
SELECT * FROM softdelete_recover('backup', dry_run := false) ORDER BY relation::text;
TABLE customers EXCEPT TABLE backup.customers;
TABLE backup.customers EXCEPT TABLE customers;
TABLE backup.orders EXCEPT TABLE orders;
TABLE backup.lines EXCEPT TABLE lines;
TABLE backup.tickets EXCEPT TABLE tickets;
SELECT relation, row_count FROM softdelete.events WHERE event = 'recover' ORDER BY relation::text;
INSERT INTO customers (email) VALUES ('dan@x') RETURNING id;

-- deleted rows are here: they are not missing
DELETE FROM orders WHERE id = 10;
SELECT * FROM softdelete_recover('backup', 'orders');
SELECT softdelete_undelete('orders', 10, cascade := true);

-- a key is taken, a parent is missing or deleted: left out, and counted
SET softdelete.enabled = off;
DELETE FROM tickets WHERE id = 4;
UPDATE tickets SET order_id = NULL;
DELETE FROM customers WHERE id IN (1, 2);
RESET softdelete.enabled;
INSERT INTO customers (email) VALUES ('ada@x');
SELECT * FROM softdelete_recover('backup', 'orders', dry_run := false);
SELECT * FROM softdelete_recover('backup', dry_run := false) ORDER BY relation::text;
SELECT id, email FROM customers ORDER BY id;
SELECT id, order_id FROM tickets ORDER BY id;
DELETE FROM customers WHERE email = 'ada@x';
SELECT * FROM softdelete_recover('backup', dry_run := false) ORDER BY relation::text;
DELETE FROM orders WHERE id = 20;
SET softdelete.enabled = off;
SET softdelete.show_deleted = on;
DELETE FROM lines WHERE order_id = 20;
RESET softdelete.show_deleted;
RESET softdelete.enabled;
SELECT * FROM softdelete_recover('backup', 'lines', dry_run := false);
SELECT softdelete_undelete('orders', 20, cascade := true);

-- erased rows stay away, rows that may have been purged do until asked for
SELECT softdelete_erase('customers', 2, cascade := true);
SELECT * FROM softdelete_recover('backup') ORDER BY relation::text;
SELECT * FROM softdelete_recover('backup', 'customers', include_purged := true);
DELETE FROM lines WHERE order_id = 10;
SELECT softdelete_purge('0', 'lines');
SELECT * FROM softdelete_recover('backup', 'lines');
SELECT * FROM softdelete_recover('backup', 'lines', dry_run := false, include_purged := true);
-- and rows that are deleted ones in the backup come as such
CREATE SCHEMA backup2;
DELETE FROM lines WHERE order_id = 30;
SET softdelete.show_deleted = on;
CREATE TABLE backup2.lines AS TABLE lines;
RESET softdelete.show_deleted;
SELECT softdelete_purge('0', 'lines');
SELECT * FROM softdelete_recover('backup2', 'lines', dry_run := false, include_purged := true);
SELECT softdelete_undelete('lines', ROW(30, 1));

-- rows in a circle, columns that differ, quoted names, partitions
CREATE TABLE "A" (id int PRIMARY KEY, "B" int, extra text DEFAULT 'new');
CREATE TABLE "B" (id int PRIMARY KEY, "A" int NOT NULL REFERENCES "A");
ALTER TABLE "A" ADD FOREIGN KEY ("B") REFERENCES "B";
CREATE TABLE parts (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE SCHEMA backup3;
CREATE TABLE backup3."A" (old text, "B" smallint, id bigint);
CREATE TABLE backup3."B" (id int, "A" int);
CREATE TABLE backup3.parts (k int, id int);
CREATE TABLE backup3.lonely (id int);
INSERT INTO backup3."A" VALUES ('x', 1, 1), ('x', 2, 2), ('x', NULL, 3), ('x', 9, 4);
INSERT INTO backup3."B" VALUES (1, 1), (2, 2), (9, 8);
INSERT INTO backup3.parts VALUES (1, 1), (2, 1);
SELECT * FROM softdelete_recover('backup3', dry_run := false) ORDER BY relation::text;
SELECT * FROM "A" ORDER BY id;
SELECT * FROM "B" ORDER BY id;
SELECT tableoid::regclass, * FROM parts ORDER BY k;

-- rights, and what cannot be
CREATE ROLE regress_recoverer;
GRANT ALL ON SCHEMA recover, backup TO regress_recoverer;
GRANT ALL ON ALL TABLES IN SCHEMA recover, backup TO regress_recoverer;
SET ROLE regress_recoverer;
SELECT * FROM softdelete_recover('backup', 'orders');
RESET ROLE;
SELECT * FROM softdelete_recover('nowhere');
SELECT * FROM softdelete_recover(NULL);
SELECT * FROM softdelete_recover('backup', 'parts');
CREATE TABLE backup.parts (k int);
SELECT * FROM softdelete_recover('backup', 'parts');
DROP TABLE backup.parts;
CREATE VIEW backup.parts AS SELECT 1 AS k;
SELECT * FROM softdelete_recover('backup', 'parts');
DROP VIEW backup.parts;
BEGIN READ ONLY;
SELECT * FROM softdelete_recover('backup');
ROLLBACK;
CREATE SCHEMA other CREATE TABLE orders (id int PRIMARY KEY);
SELECT * FROM softdelete_recover('backup');

SET softdelete.enabled = off;
DROP SCHEMA recover, backup, backup2, backup3, other CASCADE;
DROP ROLE regress_recoverer;
