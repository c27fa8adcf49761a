-- An UPDATE that sets the flag is a deletion for what hangs below, one that clears it an undelete of that row.
SET client_min_messages = warning;
CREATE SCHEMA flag_update;
SET search_path = flag_update, public;

CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, deleted_at timestamptz, changes int NOT NULL DEFAULT 0);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE);
CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE SET NULL);
CREATE TABLE invoices (id int PRIMARY KEY, user_id int REFERENCES users);
CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END$$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE WARNING '% % on %', TG_WHEN, TG_OP, TG_TABLE_NAME; RETURN NULL; END$$;
CREATE TRIGGER count_changes BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION count_changes();
CREATE TRIGGER tell AFTER UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_email AFTER UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO users VALUES (1, 'ada@x'), (2, 'bob@x'), (3, 'cyn@x');
INSERT INTO orders VALUES (10, 1), (11, 1), (12, 2);
INSERT INTO lines VALUES (100, 10), (101, 11), (102, 12);
INSERT INTO notes VALUES (7, 1), (8, 2);
INSERT INTO invoices VALUES (70, 3);
SELECT relation, flag_column FROM softdelete_register('users', 'deleted_at') ORDER BY 1;

-- its author sees an UPDATE: tag, triggers, the value written
UPDATE users SET deleted_at = '2026-01-01 00:00+00' WHERE id = 1 RETURNING id, deleted_at = '2026-01-01 00:00+00' AS written, changes, deletion_id IS NOT NULL AS deleted;
SELECT id FROM users ORDER BY id;
SELECT id FROM orders ORDER BY id;
SELECT id FROM lines ORDER BY id;
SELECT * FROM notes ORDER BY id;
SELECT root, row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
-- refused as the DELETE would be
UPDATE users SET deleted_at = now() WHERE id = 3;
-- other columns in the same statement
UPDATE users SET deleted_at = NULL, email = 'bob@y' WHERE id = 2;
-- writing the flag as it is changes nothing (frameworks write all columns)
UPDATE users SET id = id, email = email, deleted_at = deleted_at, deletion_id = deletion_id WHERE id = 2;
SELECT id, changes, deletion_id FROM users WHERE id = 2;
UPDATE users SET deletion_id = 1 WHERE id = 2;

-- undelete takes it back
SELECT softdelete_undelete('users', 1, cascade := true);
SELECT id, deleted_at FROM users ORDER BY id;
SELECT id FROM lines ORDER BY id;
SELECT * FROM notes ORDER BY id;

-- clearing the flag brings that row back, and no other
UPDATE users SET deleted_at = now() WHERE id = 1;
SET softdelete.show_deleted = on;
UPDATE orders SET active = true WHERE id = 10;
UPDATE users SET deleted_at = NULL WHERE id = 1;
UPDATE orders SET active = true WHERE id = 10;
RESET softdelete.show_deleted;
SELECT id FROM orders ORDER BY id;
SELECT e.event, e.relation, e.row_count, e.deletion_id = d.id AS of_it
FROM softdelete.events e, (SELECT max(id) AS id FROM softdelete.deletions) d WHERE e.event = 'undelete' ORDER BY e.id DESC LIMIT 2;
SELECT softdelete_undelete('users', 1, cascade := true);
-- a child and its parent in one statement; a key that is taken
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, name text UNIQUE, is_deleted boolean NOT NULL DEFAULT false);
INSERT INTO tree VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 2, 'c');
SELECT relation, flag_column FROM softdelete_register('tree', 'is_deleted', false);
UPDATE tree SET is_deleted = true WHERE id = 1;
SELECT * FROM tree;
SET softdelete.show_deleted = on;
UPDATE tree SET is_deleted = false WHERE id = 3;
UPDATE tree SET is_deleted = false;
SELECT id, up, name, is_deleted FROM tree ORDER BY id;
RESET softdelete.show_deleted;
DELETE FROM tree WHERE id = 3;
INSERT INTO tree VALUES (4, 2, 'c');
SET softdelete.show_deleted = on;
UPDATE tree SET is_deleted = false WHERE id = 3;
RESET softdelete.show_deleted;
-- all in one statement: parent and child are named
UPDATE tree SET is_deleted = true;
SELECT count(*) FROM tree;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SELECT id FROM tree ORDER BY id;

-- savepoints, rights, a role without DELETE; CTE and plan cache
BEGIN;
SAVEPOINT s;
UPDATE tree SET is_deleted = true WHERE id = 2;
SELECT id FROM tree ORDER BY id;
ROLLBACK TO s;
SELECT id FROM tree ORDER BY id;
COMMIT;
CREATE ROLE regress_flagger;
GRANT USAGE ON SCHEMA flag_update TO regress_flagger;
GRANT SELECT, UPDATE (is_deleted) ON tree TO regress_flagger;
SET ROLE regress_flagger;
DELETE FROM tree WHERE id = 4;
PREPARE p(int) AS UPDATE tree SET is_deleted = true WHERE id = $1;
EXECUTE p(2);
UPDATE tree SET name = 'x' WHERE id = 1;
RESET ROLE;
SELECT id FROM tree ORDER BY id;
WITH u AS (UPDATE tree SET is_deleted = true WHERE id = 1 RETURNING id) SELECT * FROM u;
SELECT count(*) FROM tree;

-- a trigger behind the statement's back, MERGE and ON CONFLICT may not
CREATE FUNCTION flag_it() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN NEW.deleted_at := now(); RETURN NEW; END$$;
CREATE TRIGGER zz BEFORE UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION flag_it();
UPDATE users SET email = 'z@x' WHERE id = 2;
-- where the statement names the flag a trigger may have the last word
UPDATE users SET email = 'z@x', deleted_at = NULL WHERE id = 2 RETURNING id, deleted_at IS NOT NULL AS deleted;
SELECT id FROM orders ORDER BY id;
DROP TRIGGER zz ON users;
INSERT INTO users VALUES (1, 'ada@x') ON CONFLICT (id) DO UPDATE SET deleted_at = now();
MERGE INTO users u USING (VALUES (1)) s(id) ON u.id = s.id WHEN MATCHED THEN UPDATE SET deleted_at = now();

-- under enabled = off it is a deletion all the same; partitions
SET softdelete.enabled = off;
UPDATE users SET deleted_at = now() WHERE id = 1;
RESET softdelete.enabled;
SELECT id FROM orders ORDER BY id;
CREATE TABLE parts (id int PRIMARY KEY, active boolean NOT NULL DEFAULT true) PARTITION BY RANGE (id);
CREATE TABLE parts_1 (active boolean NOT NULL DEFAULT true, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE TABLE below (id int PRIMARY KEY, part int REFERENCES parts ON DELETE CASCADE);
INSERT INTO parts VALUES (1), (11);
INSERT INTO below VALUES (1, 1), (2, 11);
SELECT relation, flag_column FROM softdelete_register('parts', 'active') ORDER BY 1;
UPDATE parts SET active = false WHERE id = 1;
SELECT * FROM below;
-- and moved at once
UPDATE parts SET active = false, id = 5 WHERE id = 11;

SET softdelete.enabled = off;
DROP SCHEMA flag_update CASCADE;
DROP ROLE regress_flagger;
