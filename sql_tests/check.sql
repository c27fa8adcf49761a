-- softdelete_check(): what should be looked after, and the commands that mend it.
SET client_min_messages = error;
CREATE SCHEMA "Check";
SET search_path = "Check", public;
CREATE VIEW findings AS
SELECT severity, replace(object, current_database(), 'DATABASE') AS object, replace(problem, current_database(), 'DATABASE') AS problem, remedy
FROM softdelete_check() WHERE object ~ 'Check' OR object ~ current_database() OR object ~ 'setting|role';
\pset format unaligned
\pset tuples_only on
SELECT softdelete.record_backup_check('/backups/night.dump', true, 'all of it');

-- nothing is registered, nothing is wrong
SELECT * FROM findings;

-- a well-kept schema is quiet
CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE);
CREATE INDEX ON orders (customer_id);
INSERT INTO customers VALUES (1, 'ada@x'), (2, 'bob@x');
INSERT INTO orders VALUES (10, 1), (20, 2);
SELECT count(*) FROM softdelete_register('customers', retention := '1 year');
SELECT * FROM findings;

-- one thing after the other
CREATE TABLE "Odd ones" (id int PRIMARY KEY, "Customer" int, order_id int, customer_id int, deletion_id text);
ALTER TABLE "Odd ones" ADD CONSTRAINT "Of" FOREIGN KEY ("Customer") REFERENCES customers ON DELETE CASCADE;
SELECT * FROM findings;
ALTER TABLE "Odd ones" DROP deletion_id;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;
SELECT remedy FROM findings WHERE problem ~ 'reference' \gexec
SELECT * FROM findings;
SELECT remedy FROM findings WHERE severity <> 'error' \gexec
SELECT * FROM findings;

-- an index that has become one over live rows
CREATE TABLE cards (id int PRIMARY KEY, customer_id int UNIQUE REFERENCES customers ON DELETE CASCADE);
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;
SELECT count(*) FROM softdelete_register('cards', retention := '1 year');

-- keys that are full and need not be
CREATE TABLE full_keys (id int PRIMARY KEY, a text UNIQUE, b int);
CREATE UNIQUE INDEX "Some" ON full_keys (b) WHERE b > 0;
SELECT count(*) FROM softdelete_register('full_keys', retention := '1 day', partial_unique := false);
SELECT * FROM findings;
SELECT unnest(string_to_array(remedy, '; ')) FROM findings \gexec
SELECT * FROM findings;

-- the guard does not fire
ALTER TABLE orders DISABLE TRIGGER ALL;
SELECT severity, object, problem FROM findings;
SELECT remedy FROM findings WHERE problem ~ 'guard' \gexec
SELECT severity, object, problem FROM findings;
ALTER TABLE orders ENABLE TRIGGER ALL;
SELECT * FROM findings;

-- nor do triggers of a foreign key
ALTER TABLE customers DISABLE TRIGGER ALL;
ALTER TABLE customers ENABLE TRIGGER softdelete_guard;
SELECT severity, object, problem, regexp_replace(remedy, '[0-9]+', 'N', 'g') FROM findings;
\set ECHO none
SELECT remedy FROM findings \gexec
\set ECHO all
SELECT * FROM findings;

-- guards that are lost come back, and deleted rows stay deleted
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE derived (PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE deeper (PRIMARY KEY (id)) INHERITS (derived);
CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (100);
SELECT count(*) FROM softdelete_register('base', retention := '1 year');
SELECT count(*) FROM softdelete_register('whole', retention := '1 year');
INSERT INTO derived VALUES (1), (2);
INSERT INTO deeper VALUES (3), (4);
INSERT INTO whole VALUES (1), (2);
DELETE FROM base WHERE id IN (1, 3);
DELETE FROM whole WHERE id = 1;
SET softdelete.enabled = off;
DROP TRIGGER softdelete_guard ON derived;
DROP TRIGGER softdelete_guard ON deeper;
RESET softdelete.enabled;
SET allow_system_table_mods = on;
DELETE FROM pg_depend WHERE objid = (SELECT oid FROM pg_trigger WHERE tgrelid = 'part'::regclass AND tgname = 'softdelete_guard');
DELETE FROM pg_trigger WHERE tgrelid = 'part'::regclass AND tgname = 'softdelete_guard';
RESET allow_system_table_mods;
\c -
SET client_min_messages = error;
SET search_path = "Check", public;
\pset format unaligned
\pset tuples_only on
SELECT * FROM findings;
SELECT DISTINCT remedy FROM findings ORDER BY 1 \gexec
SELECT * FROM findings;
SELECT (SELECT array_agg(id ORDER BY id) FROM base) AS base, (SELECT array_agg(id ORDER BY id) FROM whole) AS whole;
DELETE FROM base WHERE id = 4;
SELECT count(softdelete_undelete('base', ids.id)) FROM unnest('{1,3,4}'::int[]) ids (id);
SELECT count(softdelete_undelete('whole', 1));
SELECT (SELECT array_agg(id ORDER BY id) FROM base) AS base, (SELECT array_agg(id ORDER BY id) FROM whole) AS whole;

-- a live row under a deleted one: rows that came with row_security = off
SET row_security = off;
DELETE FROM customers WHERE id = 2;
INSERT INTO orders VALUES (21, 2);
RESET row_security;
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT count(softdelete_undelete('customers', 2, cascade := true));
SELECT * FROM findings;

-- columns without registration, registration without retention
SELECT softdelete_unregister('orders');
SELECT * FROM findings;
SELECT remedy FROM findings WHERE severity = 'error' \gexec
SELECT * FROM findings;
SELECT remedy FROM findings \gexec

-- mostly deleted rows
CREATE TABLE log (id int PRIMARY KEY, level int, "At" int) WITH (autovacuum_enabled = off);
CREATE INDEX "Log At" ON log ("At", level);
INSERT INTO log SELECT i, i % 5, i FROM generate_series(1, 12000) i;
SELECT count(*) FROM softdelete_register('log', retention := '1 year');
DELETE FROM log WHERE id > 100;
ANALYZE log;
SELECT severity, object, regexp_replace(problem, '[0-9]+', 'N', 'g'), remedy FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- settings, backups
SET softdelete.enabled = off;
SELECT * FROM findings;
RESET softdelete.enabled;
CREATE ROLE regress_tester;
ALTER ROLE regress_tester SET softdelete.enabled = 'off';
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT softdelete.record_backup_check('/backups/night.dump', false, 'cut off');
SELECT * FROM findings;
SELECT softdelete.record_backup_check('/backups/night.dump', true, 'all of it');
SELECT * FROM findings;
SELECT dump, ok, detail FROM softdelete.backup_check ORDER BY id;

-- others may ask, and learn what they may read; they cannot record
SET ROLE regress_tester;
SELECT count(*) FROM softdelete_check() WHERE object ~ 'Check';
SELECT softdelete.record_backup_check('/x', true, NULL);
TABLE softdelete.backup_check;
SELECT softdelete.has_orphans(oid) FROM pg_constraint WHERE conname = 'orders_customer_id_fkey' AND connamespace = '"Check"'::regnamespace;
RESET ROLE;
SELECT softdelete.has_orphans(0), softdelete.live_sql(0), softdelete.live_sql('customers', 'c');

SET softdelete.enabled = off;
DROP SCHEMA "Check" CASCADE;
DROP ROLE regress_tester;
DELETE FROM softdelete.backup_check;
