-- What the rights are for: each function by one who has none, and by one who has all but
-- one; and what errors and notices tell.
\set VERBOSITY default
CREATE ROLE regress_rights_owner;
CREATE ROLE regress_rights_clerk;
CREATE ROLE regress_rights_nobody;
CREATE SCHEMA rights;
GRANT ALL ON SCHEMA rights TO PUBLIC;
SET search_path = rights, public;
SET ROLE regress_rights_owner;
CREATE TABLE p (id int PRIMARY KEY, secret text);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE, secret text);
CREATE TABLE others (id int PRIMARY KEY);
SET client_min_messages = warning;
SELECT relation FROM softdelete_register('p') ORDER BY 1;
RESET client_min_messages;
INSERT INTO p VALUES (1, 'one'), (4711, 'two');
INSERT INTO c VALUES (1, 1, 'one'), (2, 4711, 'two');
DELETE FROM p WHERE id = 4711;
RESET ROLE;

-- nothing granted
SET ROLE regress_rights_nobody;
SELECT * FROM softdelete_register('others');
SELECT * FROM softdelete_register('p');
SELECT softdelete_unregister('p');
SELECT softdelete_unregister('p', 'undelete');
DELETE FROM p;
TRUNCATE p CASCADE;
SET softdelete.show_deleted = on;
SELECT * FROM p;
RESET softdelete.show_deleted;
SELECT * FROM softdelete_deleted(NULL::p);
SELECT softdelete_undelete('p', 4711);
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SELECT softdelete_purge('0', 'p');
SELECT softdelete_purge('0');
CALL softdelete_purge_batches('0', 'p');
CALL softdelete_purge_batches('0');
SELECT softdelete_erase('p', 4711);
SELECT softdelete_erase('p', 1, cascade := true);
-- softdelete's own
SELECT * FROM softdelete.deletion;
SELECT * FROM softdelete.link;
SELECT * FROM softdelete.image;
SELECT * FROM softdelete.secret;
SELECT softdelete.key_hash('{1}');
INSERT INTO softdelete.event SELECT;
DELETE FROM softdelete.deletions;
SELECT nextval('softdelete.deletion_id_seq');
CREATE TABLE softdelete.mine (id int);
SET softdelete.enabled = off;
SET softdelete.undeleting = on;
-- a guard by others: on their table, and on another's with the privilege for triggers
CREATE TABLE mine (id int PRIMARY KEY, active boolean NOT NULL DEFAULT true, deletion_id bigint);
CREATE TRIGGER softdelete_guard BEFORE DELETE ON mine FOR EACH ROW
    WHEN (OLD.active IS NOT NULL OR OLD.deletion_id IS NULL OR true) EXECUTE FUNCTION softdelete.softdelete_guard();
SELECT relation FROM softdelete.tables WHERE relation = 'mine'::regclass;
RESET ROLE;
GRANT TRIGGER, SELECT, INSERT, DELETE ON others TO regress_rights_nobody;
ALTER TABLE others ADD active boolean NOT NULL DEFAULT true, ADD deletion_id bigint;
SET ROLE regress_rights_nobody;
CREATE TRIGGER softdelete_guard BEFORE DELETE ON others FOR EACH ROW
    WHEN (OLD.active IS NOT NULL OR OLD.deletion_id IS NULL OR true) EXECUTE FUNCTION softdelete.softdelete_guard();
-- nor is the mark of a table whose rows may really go
RESET ROLE;
SET client_min_messages = warning;
CREATE TABLE under (id int PRIMARY KEY REFERENCES p ON DELETE CASCADE);
RESET client_min_messages;
GRANT TRIGGER ON under TO regress_rights_nobody;
SET ROLE regress_rights_nobody;
CREATE TRIGGER softdelete_excluded AFTER INSERT ON under WHEN (false) EXECUTE FUNCTION softdelete.softdelete_guard();
-- also where an event trigger runs a command of its own, as somebody else
RESET ROLE;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
    'BEGIN CREATE TEMP TABLE IF NOT EXISTS watched (id int); END';
CREATE EVENT TRIGGER regress_rights_watch ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION watch();
SET ROLE regress_rights_nobody;
CREATE TRIGGER softdelete_excluded AFTER INSERT ON under WHEN (false) EXECUTE FUNCTION softdelete.softdelete_guard();
RESET ROLE;
DROP EVENT TRIGGER regress_rights_watch;
SET ROLE regress_rights_nobody;
ALTER TABLE p DISABLE TRIGGER softdelete_guard;
DROP TRIGGER softdelete_guard ON p;
ALTER TABLE p DROP COLUMN active;

-- DELETE alone: the cascade is the foreign key's, but nothing is shown
RESET ROLE;
GRANT DELETE, SELECT (id) ON p TO regress_rights_clerk;
SET ROLE regress_rights_clerk;
DELETE FROM p WHERE id = 1;
SELECT softdelete_undelete('p', 1);
SELECT softdelete_undelete('p', 1, cascade := true);
-- the right to bring back, without the right to read what is above
RESET ROLE;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN regexp_replace(said, 'deletion [0-9]+', 'deletion N');
END$$;
GRANT SELECT, INSERT ON c TO regress_rights_clerk;
REVOKE ALL ON p FROM regress_rights_clerk;
SET ROLE regress_rights_clerk;
SELECT attempt($$SELECT softdelete_undelete('c', 2)$$);
SELECT softdelete_undelete('c', 2, with_parents := true);
RESET ROLE;
GRANT SELECT, INSERT ON p TO regress_rights_clerk;
ALTER TABLE p ENABLE ROW LEVEL SECURITY;
SET ROLE regress_rights_clerk;
SELECT attempt($$SELECT softdelete_undelete('c', 2)$$);
RESET ROLE;
ALTER TABLE p DISABLE ROW LEVEL SECURITY;
SET ROLE regress_rights_clerk;
SELECT attempt($$SELECT softdelete_undelete('c', 2)$$);
SELECT softdelete_undelete('c', 2, with_parents := true);

-- a deletion whose tables do not say any more who may: undelete and redo of the rest
RESET ROLE;
\set VERBOSITY terse
SELECT setval('softdelete.deletion_id_seq', 770000);
SET client_min_messages = error;
CREATE TABLE up (id int PRIMARY KEY);
CREATE TABLE down (id int PRIMARY KEY, up_id int CONSTRAINT down_up REFERENCES up ON DELETE CASCADE);
SELECT relation FROM softdelete_register('up') ORDER BY 1;
INSERT INTO up VALUES (1), (2);
INSERT INTO down VALUES (1, 1), (2, 1);
GRANT ALL ON up TO regress_rights_clerk;
DELETE FROM up WHERE id = 1;
SELECT max(id) AS d FROM softdelete.deletions \gset
SELECT softdelete_undelete_deletion(:d);
-- what hangs elsewhere now is not taken by one who could not delete it
UPDATE down SET up_id = 2 WHERE id = 2;
SET ROLE regress_rights_clerk;
SELECT softdelete_redo_deletion(:d);
RESET ROLE;
SELECT * FROM up ORDER BY id;
GRANT DELETE, SELECT ON down TO regress_rights_clerk;
SET ROLE regress_rights_clerk;
SELECT softdelete_redo_deletion(:d);
RESET ROLE;
REVOKE ALL ON down FROM regress_rights_clerk;
ALTER TABLE down DROP CONSTRAINT down_up;
SET softdelete.enabled = off;
DROP TABLE up;
RESET softdelete.enabled;
SET ROLE regress_rights_nobody;
SELECT softdelete_undelete_deletion(:d);
SELECT softdelete_redo_deletion(:d);
RESET ROLE;
SELECT softdelete_undelete_deletion(:d);
SET ROLE regress_rights_nobody;
SELECT softdelete_redo_deletion(:d);
RESET ROLE;
SELECT id, up_id, active FROM down ORDER BY id;

RESET ROLE;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA rights CASCADE;
DROP ROLE regress_rights_owner, regress_rights_clerk, regress_rights_nobody;
