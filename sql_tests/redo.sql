-- softdelete_redo_deletion: takes an undelete back, as a DELETE and in the same deletion
CREATE SCHEMA redo;
SET search_path = redo, public;
SELECT setval('softdelete.deletion_id_seq', 590000);
CREATE TABLE customers (id int PRIMARY KEY, orders int DEFAULT 0);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE);
CREATE TABLE agents (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE SET NULL);
CREATE TABLE contracts (id int PRIMARY KEY, customer int REFERENCES customers);
CREATE TABLE alone (id int PRIMARY KEY);
INSERT INTO customers VALUES (1), (2), (3);
INSERT INTO orders SELECT i, (i + 1) / 2 FROM generate_series(1, 6) i;
INSERT INTO lines SELECT i, (i + 1) / 2 FROM generate_series(1, 12) i;
INSERT INTO agents VALUES (1, 1), (2, 1);
INSERT INTO alone VALUES (1), (2);
SELECT relation FROM softdelete_register('customers');
SELECT count(*) FROM unnest('{agents,contracts,alone}'::regclass[]) t, softdelete_register(t);
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % %', TG_WHEN, TG_OP, coalesce(OLD.id, NEW.id); RETURN NULL; END $$;
CREATE TRIGGER say AFTER INSERT OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION say();
CREATE VIEW state AS SELECT (SELECT array_agg(id ORDER BY id) FROM customers) AS customers, (SELECT array_agg(id ORDER BY id) FROM orders) AS orders,
    (SELECT array_agg(id ORDER BY id) FROM lines) AS lines, (SELECT array_agg(customer ORDER BY id) FROM agents) AS agents, (SELECT array_agg(id ORDER BY id) FROM alone) AS alone;
CREATE VIEW log AS SELECT id, root, row_count, rows_left, relations, undelete FROM softdelete.deletions WHERE id > 590000 ORDER BY id;

DELETE FROM customers WHERE id = 1;
SELECT softdelete_redo_deletion(590001);
SELECT softdelete_undelete_deletion(590001, fire_triggers := false);
SELECT * FROM state;
SELECT softdelete_redo_deletion(590001);
SELECT * FROM state;
SELECT * FROM log;
SELECT event, deletion_id, relation, row_count FROM softdelete.events WHERE deletion_id > 590000 ORDER BY id;
SELECT softdelete_redo_deletion(590001);
-- a part was brought back, and something new hangs below
SELECT softdelete_undelete('customers', 1);
INSERT INTO orders VALUES (20, 1);
INSERT INTO agents VALUES (3, 1);
SELECT softdelete_redo_deletion(590001);
SELECT * FROM state;
SELECT * FROM log;
SELECT softdelete_undelete_deletion(590001);
SELECT * FROM state;
SELECT * FROM log;
-- a row that has moved to another parent meanwhile goes too; one that was deleted by itself is not touched
UPDATE orders SET customer = 2 WHERE id = 1;
DELETE FROM lines WHERE id = 4;
SELECT softdelete_redo_deletion(590001);
SELECT * FROM state;
SELECT id, rows_left FROM log;
SELECT softdelete_undelete_deletion(590001);
UPDATE orders SET customer = 1 WHERE id = 1;
SELECT softdelete_undelete('lines', 4);

-- all or nothing: what refuses a DELETE refuses this
INSERT INTO contracts VALUES (1, 1);
SELECT softdelete_redo_deletion(590001);
SELECT rows_left FROM log LIMIT 1;
DELETE FROM contracts;

-- beside a deletion of the same transaction, which stays another one; savepoints
BEGIN;
DELETE FROM alone WHERE id = 1;
SAVEPOINT s;
SELECT softdelete_redo_deletion(590001);
ROLLBACK TO s;
SELECT softdelete_redo_deletion(590001) > 0;
DELETE FROM alone WHERE id = 2;
COMMIT;
SELECT id, root, row_count, rows_left FROM log ORDER BY id DESC LIMIT 1;
SELECT rows_left FROM log LIMIT 1;
BEGIN;
SELECT softdelete_undelete_deletion(590001);
SELECT softdelete_redo_deletion(590001) > 0;
SELECT softdelete_undelete_deletion(590001);
COMMIT;
SELECT rows_left FROM log LIMIT 1;
-- of the running transaction
BEGIN;
DELETE FROM customers WHERE id = 3;
SELECT max(id) AS now FROM softdelete.deletions \gset
SELECT softdelete_undelete('customers', 3, cascade := true);
SELECT softdelete_redo_deletion(:now);
DELETE FROM lines WHERE id = 8;
COMMIT;
SELECT row_count, rows_left FROM softdelete.deletions WHERE id = :now;
SELECT softdelete_undelete_deletion(:now);

-- several statements, children first, keys without an action
BEGIN;
INSERT INTO contracts VALUES (2, 2);
COMMIT;
BEGIN;
DELETE FROM contracts WHERE id = 2;
DELETE FROM customers WHERE id = 2;
COMMIT;
SELECT max(id) AS last FROM softdelete.deletions \gset
SELECT softdelete_undelete_deletion(:last);
SELECT softdelete_redo_deletion(:last);
SELECT rows_left FROM softdelete.deletions WHERE id = :last;
SELECT softdelete_undelete_deletion(:last);

-- rights: those of the DELETEs
CREATE ROLE regress_redo;
GRANT USAGE ON SCHEMA redo TO regress_redo;
SET ROLE regress_redo;
SELECT softdelete_redo_deletion(:last);
RESET ROLE;
GRANT SELECT, DELETE ON customers TO regress_redo;
SET ROLE regress_redo;
SELECT softdelete_redo_deletion(:last);
RESET ROLE;
GRANT SELECT, DELETE ON contracts TO regress_redo;
SET ROLE regress_redo;
SELECT softdelete_redo_deletion(:last);
SELECT softdelete_redo_deletion(0);
SELECT softdelete_redo_deletion(NULL);
RESET ROLE;
-- soft, whatever softdelete.enabled says; not where nothing may be written, nor within a DELETE
SELECT softdelete_undelete_deletion(:last);
SET softdelete.enabled = off;
SELECT softdelete_redo_deletion(:last);
RESET softdelete.enabled;
SELECT softdelete_undelete_deletion(:last);
BEGIN READ ONLY;
SELECT softdelete_redo_deletion(:last);
ROLLBACK;
INSERT INTO alone VALUES (3);
DELETE FROM alone WHERE softdelete_redo_deletion(590001) > 0;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA redo CASCADE;
DROP ROLE regress_redo;
