-- what goes wrong leaves nothing half done, and the next statement works
CREATE SCHEMA cal;
SET search_path = cal, public;
SELECT setval('softdelete.deletion_id_seq', 140000);

CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
CREATE TABLE g (id int PRIMARY KEY, c_id int REFERENCES c ON DELETE CASCADE);
INSERT INTO p VALUES (1), (2);
INSERT INTO c SELECT i, 1 + i % 2 FROM generate_series(1, 100) i;
INSERT INTO g SELECT i, i FROM generate_series(1, 100) i;
SELECT relation FROM softdelete_register('p');

-- an error in the middle of a cascade
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 99 THEN RAISE ''no %'', OLD.id; END IF; RETURN OLD; END';
CREATE TRIGGER fail BEFORE DELETE ON g FOR EACH ROW EXECUTE FUNCTION fail();
DELETE FROM p;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM g);
DO $$ BEGIN DELETE FROM p; EXCEPTION WHEN raise_exception THEN RAISE NOTICE 'caught'; END $$;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM g);
DROP TRIGGER fail ON g;
-- a statement that is cancelled in it
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(10); RETURN OLD; END';
CREATE TRIGGER slow BEFORE DELETE ON g FOR EACH ROW EXECUTE FUNCTION slow();
SET statement_timeout = '300ms';
DELETE FROM p;
RESET statement_timeout;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM g);
DROP TRIGGER slow ON g;
DELETE FROM p WHERE id = 1;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM g);

-- deletion_id is not for UPDATE; writing what is there is no change
BEGIN;
UPDATE c SET active = false WHERE id = 1;
ROLLBACK;
UPDATE c SET deletion_id = 7 WHERE id = 1;
UPDATE c SET active = true, deletion_id = deletion_id, p_id = 2 WHERE id = 1;
SET softdelete.show_deleted = on;
BEGIN;
UPDATE p SET active = true WHERE id = 1;
ROLLBACK;
RESET softdelete.show_deleted;
INSERT INTO p VALUES (2) ON CONFLICT (id) DO UPDATE SET active = false;
CREATE TABLE above (id int PRIMARY KEY);
ALTER TABLE g ADD above int REFERENCES above;
TRUNCATE above CASCADE;
TRUNCATE above, g;

-- renames are followed, in plans that are kept too
DELETE FROM p WHERE id = 2;
SELECT softdelete_undelete('p', 2, cascade := true);
ALTER TABLE c RENAME COLUMN p_id TO "Parent";
ALTER TABLE c RENAME COLUMN active TO is_live;
ALTER TABLE c RENAME TO children;
ALTER TABLE g RENAME COLUMN deletion_id TO gone_by;
ALTER TABLE p RENAME COLUMN id TO key;
DELETE FROM p WHERE key = 2;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM children), (SELECT count(*) FROM g);
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM children), (SELECT count(*) FROM g);
ALTER TABLE p DROP COLUMN active;
ALTER TABLE p ALTER COLUMN deletion_id TYPE int;

-- search_path does not matter, nor what stands in it
CREATE SCHEMA trap;
CREATE TABLE trap.p (x int);
CREATE FUNCTION trap.eq(int, int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.eq);
CREATE FUNCTION trap.eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.eq);
CREATE FUNCTION trap.eq(tid, tid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
CREATE OPERATOR trap.= (LEFTARG = tid, RIGHTARG = tid, FUNCTION = trap.eq);
CREATE FUNCTION trap.eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap.eq);
CREATE TABLE trap.softdelete_rows (x int);
SET search_path = trap, pg_catalog;
DELETE FROM cal.p WHERE key > 1 AND key < 3;
SELECT cal.p.key FROM cal.p;
SELECT public.softdelete_undelete('cal.p', 2);
SELECT public.softdelete_undelete('cal.p', 2, cascade := true);
DELETE FROM cal.g WHERE id > 98 AND id < 100;
SELECT public.softdelete_undelete('cal.g', 99, with_parents := true);
SELECT max(gone_by) AS last FROM cal.g WHERE id > 98 AND id < 100 \gset
SELECT public.softdelete_undelete_deletion(:last);
SET search_path = cal, public;
SELECT count(*) FROM g;

-- a rule in the way of the cascade
CREATE RULE no_delete AS ON DELETE TO children DO INSTEAD NOTHING;
DELETE FROM p WHERE key = 2;
SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM children), (SELECT count(*) FROM g);
DROP RULE no_delete ON children;
DELETE FROM p WHERE key = 2;
CREATE RULE no_update AS ON UPDATE TO children DO INSTEAD NOTHING;
SELECT softdelete_undelete('p', 2, cascade := true);
DROP RULE no_update ON children;
SELECT softdelete_undelete('p', 2, cascade := true);

-- the extension dropped and made again under cached plans
PREPARE q AS SELECT count(*) FROM p;
EXECUTE q;
PREPARE d AS DELETE FROM g WHERE id = 3;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP EXTENSION softdelete CASCADE;
RESET softdelete.enabled;
EXECUTE q;
BEGIN;
EXECUTE d;
SELECT count(*) FROM g WHERE id = 3;
ROLLBACK;
CREATE EXTENSION softdelete SCHEMA public;
-- columns that it left are taken up again
SELECT relation, flag_column FROM softdelete_register('p') ORDER BY 1;
EXECUTE q;
EXECUTE d;
-- ids given before are not given again
SELECT max(id) > 140000 AS advanced FROM softdelete.deletion;
SET softdelete.show_deleted = 'only';
SELECT id FROM g WHERE id = 3;
RESET softdelete.show_deleted;

SET softdelete.enabled = off;
DROP SCHEMA cal, trap CASCADE;
