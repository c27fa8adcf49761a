-- AFTER INSERT triggers fire when rows come back: what a DELETE trigger took away an INSERT trigger puts back
CREATE SCHEMA ut;
SET search_path = ut, public;
SELECT setval('softdelete.deletion_id_seq', 720000);

CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE outbox (id int GENERATED ALWAYS AS IDENTITY, line text);
CREATE FUNCTION count_children() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE parent SET n = n + 1 WHERE id = NEW.parent_id;
    ELSE
        UPDATE parent SET n = n - 1 WHERE id = OLD.parent_id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (line)
    VALUES (format('%s %s %s: %s %s%s depth %s', TG_NAME, TG_WHEN, TG_OP, TG_TABLE_NAME,
                   CASE TG_LEVEL WHEN 'ROW' THEN COALESCE(NEW.id, OLD.id)::text ELSE 'statement' END,
                   CASE WHEN current_setting('softdelete.undeleting', true) = 'on' THEN ', undeleting,' END,
                   pg_trigger_depth()));
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION last_deletion() RETURNS bigint LANGUAGE sql AS 'SELECT id FROM softdelete.deletions ORDER BY deleted_at DESC LIMIT 1';
CREATE TRIGGER counter AFTER INSERT OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION count_children();
CREATE TRIGGER tell_b AFTER INSERT OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_a AFTER INSERT OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_a AFTER INSERT OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_s AFTER INSERT OR DELETE ON parent FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER tell_s AFTER INSERT OR DELETE ON child FOR EACH STATEMENT EXECUTE FUNCTION tell();
-- these do not
CREATE TRIGGER tell_before BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_before_s BEFORE INSERT ON child FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER tell_update AFTER UPDATE ON child FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_when AFTER INSERT ON child FOR EACH ROW WHEN (NEW.id > 100) EXECUTE FUNCTION tell();
CREATE TRIGGER tell_disabled AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION tell();
ALTER TABLE child DISABLE TRIGGER tell_disabled;
CREATE TRIGGER tell_replica AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION tell();
ALTER TABLE child ENABLE REPLICA TRIGGER tell_replica;
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1, 1), (2, 1);
SELECT relation FROM softdelete_register('parent');

-- the counter: the child alone
DELETE FROM child WHERE id = 1;
SELECT n FROM parent;
TRUNCATE outbox;
SELECT softdelete_undelete('child', 1);
SELECT line FROM outbox ORDER BY id;
SELECT n FROM parent;
SELECT current_setting('softdelete.undeleting');

-- with its parent, by cascade: the DELETE trigger found the parent gone
TRUNCATE outbox;
DELETE FROM parent;
SELECT line FROM outbox ORDER BY id;
TRUNCATE outbox;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT line FROM outbox ORDER BY id;
SELECT n FROM parent;

-- in two steps
DELETE FROM parent;
SELECT softdelete_undelete('parent', 1);
SELECT n FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;

-- the children first: the DELETE trigger found the parent
BEGIN;
DELETE FROM child;
DELETE FROM parent;
COMMIT;
SELECT deletion_id, relation, row_count, statement_no FROM softdelete.deleted_relation WHERE deletion_id = last_deletion() ORDER BY 4;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;
BEGIN;
DELETE FROM child;
DELETE FROM parent;
COMMIT;
SELECT softdelete_undelete_deletion(last_deletion());
SELECT n FROM parent;

-- a child in a deletion of its own, and its parent later
DELETE FROM child WHERE id = 1;
DELETE FROM parent;
SELECT softdelete_undelete('child', 1, with_parents := true);
SELECT n FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;

-- children of several deletions at once
DELETE FROM child WHERE id = 1;
DELETE FROM parent;
SELECT softdelete_undelete('child', ARRAY[1, 2], with_parents := true);
SELECT n FROM parent;

-- rows of one table that count each other
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, n int NOT NULL DEFAULT 0);
CREATE FUNCTION count_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE tree SET n = n + 1 WHERE id = NEW.up;
    ELSE
        UPDATE tree SET n = n - 1 WHERE id = OLD.up;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER counter AFTER INSERT OR DELETE ON tree FOR EACH ROW EXECUTE FUNCTION count_tree();
CREATE TRIGGER tell_s AFTER INSERT OR DELETE ON tree FOR EACH STATEMENT EXECUTE FUNCTION tell();
INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1), (4, 2);
SELECT relation FROM softdelete_register('tree');
DELETE FROM tree WHERE id = 1;
SELECT softdelete_undelete('tree', 1, cascade := true);
DELETE FROM tree WHERE id = 4;
DELETE FROM tree WHERE id = 2;
DELETE FROM tree WHERE id = 1;
TRUNCATE outbox;
SELECT softdelete_undelete('tree', 4, with_parents := true);
SELECT line FROM outbox ORDER BY id;
SELECT id, n FROM tree ORDER BY id;
SELECT softdelete_undelete('tree', 1, cascade := true);
SELECT id, n FROM tree ORDER BY id;

-- in one statement, and in the transaction that deleted
WITH gone AS (DELETE FROM child RETURNING id) DELETE FROM parent WHERE id IN (SELECT 1 FROM gone);
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;
BEGIN;
DELETE FROM child;
DELETE FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;
ROLLBACK;

-- again and again in one transaction, with savepoints
BEGIN;
DELETE FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
DELETE FROM child WHERE id = 1;
SELECT n FROM parent;
SELECT softdelete_undelete('child', 1);
SELECT n FROM parent;
DELETE FROM parent;
SELECT softdelete_undelete('parent', 1);
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;
DELETE FROM child;
DELETE FROM parent;
SAVEPOINT before;
SELECT softdelete_undelete('parent', 1);
ROLLBACK TO before;
SELECT softdelete_undelete('parent', 1);
SELECT n FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;
COMMIT;

-- ON CONFLICT and MERGE are UPDATEs too
CREATE OR REPLACE FUNCTION count_children() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.id = 1 THEN
            INSERT INTO parent VALUES (NEW.parent_id, 1) ON CONFLICT (id) DO UPDATE SET n = parent.n + 1;
        ELSE
            MERGE INTO parent USING (SELECT NEW.parent_id) x (id) ON parent.id = x.id
            WHEN MATCHED AND n > 1000 THEN DELETE
            WHEN MATCHED THEN UPDATE SET n = n + 1;
        END IF;
    ELSE
        UPDATE parent SET n = n - 1 WHERE id = OLD.parent_id;
    END IF;
    RETURN NULL;
END $$;
DELETE FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT n FROM parent;
DELETE FROM child;
SELECT n FROM parent;
SELECT softdelete_undelete('child', ARRAY[1, 2]);
SELECT n FROM parent;

-- without triggers, for owners
DELETE FROM parent;
TRUNCATE outbox;
SELECT softdelete_undelete('parent', 1, cascade := true, fire_triggers := false);
SELECT line FROM outbox ORDER BY id;
DELETE FROM parent;
TRUNCATE outbox;
SELECT softdelete_undelete_deletion(last_deletion(), fire_triggers := false);
SELECT line FROM outbox ORDER BY id;
DELETE FROM parent;
CREATE ROLE regress_ut;
GRANT USAGE ON SCHEMA ut TO regress_ut;
GRANT SELECT, INSERT ON parent TO regress_ut;
SET ROLE regress_ut;
SELECT softdelete_undelete('parent', 1, fire_triggers := false);
SET softdelete.undeleting = on;
RESET ROLE;
SET session_replication_role = replica;
TRUNCATE outbox;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT line FROM outbox ORDER BY id;
RESET session_replication_role;
SELECT n FROM parent;

-- a trigger that raises: nothing comes back
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not child %', NEW.id; END $$;
CREATE TRIGGER refuse AFTER INSERT ON child FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION refuse();
DELETE FROM parent;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT count(*) FROM parent;
SELECT current_setting('softdelete.undeleting');
DROP TRIGGER refuse ON child;
SELECT softdelete_undelete('parent', 1, cascade := true);

-- a trigger that deletes, and one that undeletes
CREATE TABLE note (id int PRIMARY KEY, child_id int);
SELECT relation FROM softdelete_register('note');
INSERT INTO note VALUES (1, 1), (2, 2);
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 1 THEN
        PERFORM softdelete_undelete('note', id) FROM softdelete_deleted_notes() WHERE child_id = 1;
    ELSE
        DELETE FROM child WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION softdelete_deleted_notes() RETURNS SETOF note LANGUAGE sql
    SET softdelete.show_deleted = 'only' AS 'SELECT * FROM note';
CREATE TRIGGER tell AFTER INSERT ON note FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER meddle AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION meddle();
DELETE FROM note;
DELETE FROM parent;
TRUNCATE outbox;
SELECT softdelete_undelete('parent', 1, cascade := true);
SELECT line FROM outbox ORDER BY id;
SELECT id FROM child;
SELECT id FROM note;
SELECT n FROM parent;
DROP TRIGGER meddle ON child;

-- transition tables, and rows as they came back whatever other triggers do
CREATE TABLE item (id int PRIMARY KEY, v text, boss int REFERENCES item ON DELETE SET NULL);
CREATE FUNCTION tell_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (line) SELECT format('%s %s', id, COALESCE(boss::text, '-')) FROM fresh ORDER BY id;
    RETURN NULL;
END $$;
CREATE TRIGGER tell_items AFTER INSERT ON item REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tell_items();
INSERT INTO item VALUES (1, 'one', NULL), (2, 'two', 1), (3, 'three', 2);
SELECT relation FROM softdelete_register('item');
TRUNCATE outbox;
BEGIN;
DELETE FROM item WHERE id = 1;
DELETE FROM item WHERE id = 2;
COMMIT;
SELECT softdelete_undelete_deletion(last_deletion());
SELECT line FROM outbox ORDER BY id;
SELECT id, boss FROM item ORDER BY id;

-- partitions and their root, with columns in another order
CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part0 PARTITION OF part FOR VALUES IN (0);
CREATE TABLE part1 (k int NOT NULL, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part1 FOR VALUES IN (1);
CREATE FUNCTION tell_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (line) SELECT format('%s %s: %s', TG_TABLE_NAME, TG_NAME, string_agg(format('%s/%s', id, k), ' ' ORDER BY id)) FROM fresh;
    RETURN NULL;
END $$;
CREATE TRIGGER each AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER only1 AFTER INSERT ON part1 FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER fresh AFTER INSERT ON part REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tell_part();
CREATE TRIGGER fresh1 AFTER INSERT ON part1 REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tell_part();
INSERT INTO part VALUES (5, 0), (6, 1);
SELECT relation FROM softdelete_register('part');
DELETE FROM part;
TRUNCATE outbox;
SELECT softdelete_undelete_deletion(last_deletion());
SELECT line FROM outbox ORDER BY id;
DROP TRIGGER each ON part;
DROP TRIGGER fresh ON part;
DELETE FROM part;
TRUNCATE outbox;
SELECT softdelete_undelete('part', ARRAY[ROW(5, 0), ROW(6, 1)]);
SELECT line FROM outbox ORDER BY id;

-- constraint triggers, at once and deferred
CREATE TABLE late (id int PRIMARY KEY);
CREATE CONSTRAINT TRIGGER at_once AFTER INSERT ON late FOR EACH ROW EXECUTE FUNCTION tell();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO late VALUES (1);
SELECT relation FROM softdelete_register('late');
DELETE FROM late;
TRUNCATE outbox;
BEGIN;
SELECT softdelete_undelete('late', 1);
SELECT line FROM outbox ORDER BY id;
COMMIT;
SELECT line FROM outbox ORDER BY id;

-- rows that stay deleted after all fire none
CREATE TABLE l (id int PRIMARY KEY);
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE lr (id int PRIMARY KEY, l int REFERENCES l ON DELETE CASCADE, r int REFERENCES r ON DELETE CASCADE);
CREATE TRIGGER tell AFTER INSERT ON lr FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO l VALUES (1), (2);
INSERT INTO r VALUES (1);
INSERT INTO lr VALUES (1, 1, 1), (2, 1, NULL);
SELECT relation FROM softdelete_register('l');
SELECT relation FROM softdelete_register('r');
BEGIN;
DELETE FROM l WHERE id = 1;
DELETE FROM r;
COMMIT;
TRUNCATE outbox;
SELECT softdelete_undelete('l', 1, cascade := true);
SELECT line FROM outbox ORDER BY id;
SELECT id FROM lr;
SELECT softdelete_undelete('r', 1, cascade := true);
SELECT line FROM outbox ORDER BY id;
SELECT id FROM lr ORDER BY id;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA ut CASCADE;
DROP ROLE regress_ut;
