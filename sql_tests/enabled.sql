-- softdelete.enabled = off: DELETE, MERGE and TRUNCATE are real; hiding stays
CREATE SCHEMA enabled;
SET search_path = enabled, public;
SELECT COALESCE(max(id), 0) AS before FROM softdelete.events \gset

-- registered: parent, child (CASCADE), hold (NO ACTION), loose (SET NULL); plain and plain_child are not
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE hold (id int PRIMARY KEY, parent_id int REFERENCES parent);
CREATE TABLE loose (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE SET NULL);
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TABLE plain_child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE,
    plain_id int REFERENCES plain ON DELETE CASCADE);
SELECT relation FROM softdelete_register('parent', cascade := false);
SELECT relation FROM softdelete_register('child');
SELECT relation FROM softdelete_register('hold');
SELECT relation FROM softdelete_register('loose');
INSERT INTO parent SELECT i, 'v' || i FROM generate_series(1, 60) i;

-- prepared before the change: the plan follows, there and back; so does PL/pgSQL
PREPARE del(int) AS DELETE FROM parent WHERE id = $1 RETURNING id, active;
CREATE FUNCTION del(int) RETURNS int LANGUAGE plpgsql AS
$$ DECLARE n int; BEGIN DELETE FROM parent WHERE id = $1; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
CREATE FUNCTION physical() RETURNS int[] LANGUAGE sql SET softdelete.show_deleted = on AS
'SELECT array_agg(id ORDER BY id) FROM enabled.parent WHERE id <= 20';
EXECUTE del(1);
SELECT del(2);
SET softdelete.enabled = off;
EXECUTE del(3);
EXECUTE del(1);
SELECT del(4);
DELETE FROM parent WHERE id = 5 RETURNING *;
WITH d AS (DELETE FROM parent WHERE id = 6 RETURNING id) SELECT id FROM d;
SET softdelete.enabled = on;
EXECUTE del(7);
SELECT del(8);
SELECT physical();
-- within a transaction, and taken back with it
BEGIN;
SET LOCAL softdelete.enabled = off;
SAVEPOINT s;
SET LOCAL softdelete.enabled = on;
ROLLBACK TO s;
DELETE FROM parent WHERE id = 9;
COMMIT;
DELETE FROM parent WHERE id = 10;
CREATE FUNCTION really(int) RETURNS void LANGUAGE sql SET softdelete.enabled = off AS
'DELETE FROM enabled.parent WHERE id = $1';
SELECT really(11);
DELETE FROM parent WHERE id = 12;
SELECT physical();

-- hiding stays: the real DELETE reaches what the session sees
SET softdelete.enabled = off;
SELECT count(*) FROM parent WHERE id <= 20;
DELETE FROM parent WHERE id IN (1, 13);
SELECT physical();
SET softdelete.show_deleted = on;
DELETE FROM parent WHERE id IN (1, 14);
SET softdelete.show_deleted = 'only';
DELETE FROM parent WHERE id IN (2, 15);
RESET softdelete.show_deleted;
SELECT physical();

-- MERGE
MERGE INTO parent p USING (VALUES (7), (15), (16), (17)) w(id) ON p.id = w.id
    WHEN MATCHED AND p.id = 17 THEN UPDATE SET v = 'merged'
    WHEN MATCHED THEN DELETE;
SELECT physical();
SELECT id, v, active FROM parent WHERE id = 17;
SET softdelete.show_deleted = on;
MERGE INTO parent p USING (VALUES (7)) w(id) ON p.id = w.id WHEN MATCHED THEN DELETE;
RESET softdelete.show_deleted;
SELECT physical();
SET softdelete.enabled = on;
MERGE INTO parent p USING (VALUES (18)) w(id) ON p.id = w.id WHEN MATCHED THEN DELETE;
SELECT physical();

-- PostgreSQL's own foreign keys act on deleted rows too: nothing is left dangling
INSERT INTO child VALUES (1, 21), (2, 21), (3, 22);
INSERT INTO hold VALUES (1, 23), (2, 24), (3, 24);
INSERT INTO loose VALUES (1, 25), (2, 25);
DELETE FROM child WHERE id = 1;
DELETE FROM hold WHERE id IN (1, 2);
DELETE FROM loose WHERE id = 1;
SET softdelete.enabled = off;
DELETE FROM parent WHERE id = 21;
DELETE FROM parent WHERE id = 23;
DELETE FROM parent WHERE id = 24;
DELETE FROM parent WHERE id = 25;
SET softdelete.show_deleted = on;
SELECT 'child' AS of, id, parent_id, active FROM child UNION ALL
SELECT 'hold', id, parent_id, active FROM hold UNION ALL
SELECT 'loose', id, parent_id, active FROM loose ORDER BY 1, 2;
DELETE FROM hold WHERE id IN (1, 2, 3);
DELETE FROM parent WHERE id IN (23, 24);
RESET softdelete.show_deleted;
-- over a deleted row in the middle
INSERT INTO parent VALUES (101, 'x');
ALTER TABLE child ADD COLUMN child_id int REFERENCES child ON DELETE CASCADE;
INSERT INTO child VALUES (101, 101), (102, NULL);
UPDATE child SET child_id = 101 WHERE id = 102;
SET softdelete.enabled = on;
DELETE FROM child WHERE id = 101;
SET softdelete.enabled = off;
DELETE FROM parent WHERE id = 101;
SET softdelete.show_deleted = on;
SELECT * FROM child WHERE id IN (101, 102);
RESET softdelete.show_deleted;
-- to a table that is not registered, and from one
INSERT INTO plain VALUES (1);
INSERT INTO plain_child VALUES (1, 26, NULL), (2, NULL, 1);
SET softdelete.enabled = on;
DELETE FROM parent WHERE id = 26;
SET softdelete.enabled = off;
DELETE FROM parent WHERE id = 26;
SELECT * FROM plain_child;
SET softdelete.enabled = on;
SELECT relation FROM softdelete_register('plain_child');
DELETE FROM plain WHERE id = 1;
SET softdelete.enabled = off;
DELETE FROM plain WHERE id = 1;
SET softdelete.show_deleted = on;
SELECT * FROM plain_child;
RESET softdelete.show_deleted;
-- a reference to a deleted row is refused as ever
SET softdelete.enabled = on;
DELETE FROM parent WHERE id = 27;
SET softdelete.enabled = off;
INSERT INTO child VALUES (27, 27);

-- undelete of what is partly gone brings back the rest; a link to what is gone is not made
RESET softdelete.enabled;
SELECT setval('softdelete.deletion_id_seq', 260000);
INSERT INTO loose VALUES (30, 31);
INSERT INTO child VALUES (30, 30), (31, 31);
DELETE FROM parent WHERE id IN (30, 31);
BEGIN;
SET LOCAL softdelete.enabled = off;
SET LOCAL softdelete.show_deleted = on;
DELETE FROM parent WHERE id = 31;
COMMIT;
SELECT softdelete_undelete_deletion(260001);
SELECT id, parent_id FROM child;
SELECT id, parent_id FROM loose WHERE id = 30;

-- the table's own triggers
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE '% % % %', TG_WHEN, TG_LEVEL, TG_OP, OLD.id; IF TG_WHEN = 'BEFORE' AND OLD.id = 33 THEN RETURN NULL; END IF; RETURN OLD; END $$;
CREATE TRIGGER a_before BEFORE DELETE OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER z_before BEFORE DELETE OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER z_after AFTER DELETE OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION tell();
SET softdelete.enabled = off;
DELETE FROM parent WHERE id IN (32, 33);
DROP TRIGGER a_before ON parent;
DROP TRIGGER z_before ON parent;
DROP TRIGGER z_after ON parent;

-- what began as a soft delete ends as one, whatever a trigger sets
RESET softdelete.enabled;
INSERT INTO child VALUES (40, 40), (41, 40);
CREATE FUNCTION switch() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN SET LOCAL softdelete.enabled = off; RETURN OLD; END $$;
CREATE TRIGGER switch BEFORE DELETE ON parent FOR EACH ROW EXECUTE FUNCTION switch();
DELETE FROM parent WHERE id = 40;
DROP TRIGGER switch ON parent;
SET softdelete.show_deleted = on;
SELECT id, active FROM child WHERE id IN (40, 41) ORDER BY id;
RESET softdelete.show_deleted;

-- partitions
CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2);
SELECT relation FROM softdelete_register('part');
INSERT INTO part SELECT i, 1 + i % 2 FROM generate_series(1, 8) i;
DELETE FROM part WHERE id IN (1, 2);
SET softdelete.enabled = off;
DELETE FROM part WHERE id IN (1, 2, 3, 4);
DELETE FROM part1 WHERE id = 6;
MERGE INTO part p USING (VALUES (1), (5), (8)) w(id) ON p.id = w.id WHEN MATCHED THEN DELETE;
SELECT id FROM part;
SET softdelete.show_deleted = on;
SELECT id FROM part ORDER BY 1;
RESET softdelete.show_deleted;

-- TRUNCATE: PostgreSQL's rules, deleted rows and all
TRUNCATE parent;
TRUNCATE part1;
BEGIN READ ONLY;
TRUNCATE part;
ROLLBACK;
TRUNCATE part, child RESTART IDENTITY;
TRUNCATE parent CASCADE;
SET softdelete.show_deleted = on;
SELECT (SELECT count(*) FROM part) AS part, (SELECT count(*) FROM parent) AS parent,
    (SELECT count(*) FROM child) AS child, (SELECT count(*) FROM loose) AS loose,
    (SELECT count(*) FROM plain_child) AS plain_child;
RESET softdelete.show_deleted;
RESET softdelete.enabled;

-- on record once for each transaction, whatever savepoints are rolled back
SELECT event, relation, row_count, deletion_id, done_by = session_user AS me, count(*)
FROM softdelete.events WHERE id > :before AND event = 'bypass' GROUP BY 1, 2, 3, 4, 5 ORDER BY relation::text;
SELECT max(id) AS before FROM softdelete.events \gset
INSERT INTO parent SELECT i, 'v' || i FROM generate_series(1, 20) i;
INSERT INTO child VALUES (1, 1), (2, 1), (3, 3);
SET softdelete.enabled = off;
DELETE FROM parent WHERE id = 0;
BEGIN;
DELETE FROM parent WHERE id = 1;
DELETE FROM parent WHERE id = 2;
TRUNCATE child;
COMMIT;
BEGIN;
SAVEPOINT s;
DELETE FROM child;
DELETE FROM parent WHERE id = 3;
ROLLBACK TO s;
TRUNCATE child;
SAVEPOINT s;
DELETE FROM parent WHERE id = 4;
RELEASE s;
SAVEPOINT s;
DELETE FROM parent WHERE id = 5;
ROLLBACK TO s;
COMMIT;
BEGIN;
DELETE FROM parent WHERE id = 5;
ROLLBACK;
BEGIN;
SAVEPOINT s;
DELETE FROM parent WHERE id = 6;
ROLLBACK TO s;
SAVEPOINT s;
SAVEPOINT t;
DELETE FROM parent WHERE id = 7;
RELEASE t;
ROLLBACK TO s;
DELETE FROM parent WHERE id = 8;
COMMIT;
RESET softdelete.enabled;
DELETE FROM parent WHERE id = 9;
SELECT event, relation, count(*) OVER (PARTITION BY transaction_id) AS in_transaction
FROM softdelete.events WHERE id > :before ORDER BY id;
SELECT array_agg(id ORDER BY id) FROM parent;

-- who may
CREATE ROLE regress_enabled_nobody;
CREATE ROLE regress_enabled_loader;
GRANT USAGE ON SCHEMA enabled TO regress_enabled_nobody, regress_enabled_loader;
GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA enabled TO regress_enabled_nobody, regress_enabled_loader;
SET ROLE regress_enabled_nobody;
SET softdelete.enabled = off;
SELECT set_config('softdelete.enabled', 'off', false);
ALTER ROLE regress_enabled_nobody SET softdelete.enabled = off;
SHOW softdelete.enabled;
RESET ROLE;
GRANT SET ON PARAMETER softdelete.enabled TO regress_enabled_loader;
SET ROLE regress_enabled_loader;
BEGIN;
SET LOCAL softdelete.enabled = off;
DELETE FROM parent WHERE id = 10;
SELECT event, relation, done_by, session_user_name = session_user AS session FROM softdelete.events ORDER BY id DESC LIMIT 1;
COMMIT;
ALTER ROLE regress_enabled_loader SET softdelete.enabled = off;
SHOW softdelete.enabled;
RESET ROLE;
REVOKE SET ON PARAMETER softdelete.enabled FROM regress_enabled_loader;
DROP OWNED BY regress_enabled_nobody, regress_enabled_loader;
DROP ROLE regress_enabled_loader;

-- for a role or a database, by who has the right
ALTER ROLE regress_enabled_nobody LOGIN;
ALTER ROLE regress_enabled_nobody SET softdelete.enabled = off;
SELECT current_user AS me \gset
\c - regress_enabled_nobody
SHOW softdelete.enabled;
\c - :me
ALTER ROLE regress_enabled_nobody RESET softdelete.enabled;
\c - regress_enabled_nobody
SHOW softdelete.enabled;
\c - :me
DROP ROLE regress_enabled_nobody;
SELECT format('ALTER DATABASE %I SET softdelete.enabled = off', current_database()) \gexec
\c
SHOW softdelete.enabled;
SELECT format('ALTER DATABASE %I RESET softdelete.enabled', current_database()) \gexec
\c
SHOW softdelete.enabled;
