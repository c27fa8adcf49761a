-- DDL that would take deleted rows away, or bring them to light, is refused; other DDL keeps them
CREATE SCHEMA drops;
SET search_path = drops, public;
SELECT setval('softdelete.deletion_id_seq', 250000);

-- DROP TABLE: refused while there is a row, live or deleted
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT relation FROM softdelete_register('t');
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE TABLE other (id int);
DROP TABLE t;
DELETE FROM t WHERE id = 1;
DELETE FROM t;
DROP TABLE t;
DROP TABLE other, t CASCADE;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DROP TABLE IF EXISTS t;
ROLLBACK;
DO $$ BEGIN EXECUTE 'DROP TABLE drops.t'; END $$;
CREATE FUNCTION drop_it() RETURNS void LANGUAGE sql AS 'DROP TABLE drops.t';
SELECT drop_it();
SELECT softdelete_undelete('t', 2);
SELECT * FROM t;
SELECT * FROM other;
-- an empty one may go; rolled back rows do not count, those of the same transaction do
CREATE TABLE empty (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('empty');
BEGIN;
INSERT INTO empty VALUES (1);
SAVEPOINT s;
DROP TABLE empty;
ROLLBACK TO s;
DELETE FROM empty;
DROP TABLE empty;
ROLLBACK;
DROP TABLE empty;
-- one whose deleted rows have left it
CREATE TABLE moved (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('moved');
INSERT INTO moved VALUES (1);
DELETE FROM moved;
INSERT INTO moved VALUES (1);
BEGIN;
SET LOCAL softdelete.enabled = off;
DELETE FROM moved;
COMMIT;
SET softdelete.show_deleted = on;
SELECT count(*) FROM moved;
RESET softdelete.show_deleted;
DROP TABLE moved;
-- the way out for the owner, and for the superuser: it is on record, and images go too
SELECT count(*) FROM softdelete.image WHERE relation = 'moved'::regclass;
SELECT 'moved'::regclass::oid AS moved \gset
SELECT max(id) AS before FROM softdelete.event \gset
SET softdelete.enabled = off;
DROP TABLE moved;
RESET softdelete.enabled;
SELECT count(*) FROM softdelete.image WHERE relation = :moved;
SELECT event, relation = :moved AS moved FROM softdelete.event WHERE id > :before;
CREATE TABLE given_up (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('given_up');
INSERT INTO given_up VALUES (1);
SELECT softdelete_unregister('given_up');
DROP TABLE given_up;

-- schema, owner, type
DROP SCHEMA drops CASCADE;
CREATE ROLE regress_drops_owner;
GRANT CREATE, USAGE ON SCHEMA drops TO regress_drops_owner;
SET ROLE regress_drops_owner;
CREATE TABLE owned (id int PRIMARY KEY, g int);
SELECT relation FROM softdelete_register('owned');
INSERT INTO owned VALUES (1), (2);
DELETE FROM owned WHERE id = 1;
DROP TABLE owned;
ALTER TABLE owned DISABLE TRIGGER softdelete_guard;
ALTER TABLE owned ENABLE REPLICA TRIGGER softdelete_guard;
DROP TRIGGER softdelete_guard ON owned;
RESET ROLE;
DROP OWNED BY regress_drops_owner;
CREATE TYPE mood AS ENUM ('sad');
ALTER TABLE owned ADD m mood DEFAULT 'sad';
DROP TYPE mood CASCADE;
SET softdelete.show_deleted = on;
SELECT * FROM owned ORDER BY id;
RESET softdelete.show_deleted;

-- the guard and the two columns, of empty tables too
CREATE TABLE e (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('e');
DROP TRIGGER softdelete_guard ON t;
DROP TRIGGER softdelete_guard ON e CASCADE;
ALTER TRIGGER softdelete_guard ON e RENAME TO something;
CREATE OR REPLACE TRIGGER softdelete_guard BEFORE DELETE ON e FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE OR REPLACE TRIGGER softdelete_guard BEFORE DELETE ON owned FOR EACH ROW EXECUTE FUNCTION softdelete.softdelete_guard();
BEGIN;
ALTER TABLE owned ADD other_flag boolean NOT NULL DEFAULT true, ADD other_id bigint;
CREATE OR REPLACE TRIGGER softdelete_guard BEFORE DELETE ON owned FOR EACH ROW
    WHEN (OLD.other_flag IS NOT NULL OR OLD.other_id IS NULL OR true) EXECUTE FUNCTION softdelete.softdelete_guard();
ROLLBACK;
DROP FUNCTION softdelete.softdelete_guard CASCADE;
ALTER TABLE owned ALTER COLUMN active DROP NOT NULL;
ALTER TABLE e ALTER COLUMN active SET NOT NULL, ALTER COLUMN deletion_id DROP NOT NULL;
ALTER TABLE e DROP COLUMN active;
ALTER TABLE e DROP COLUMN active CASCADE;
ALTER TABLE t ADD x int;
ALTER TABLE t DROP x, DROP deletion_id CASCADE;
ALTER TABLE t DROP COLUMN x;
ALTER TABLE e ALTER COLUMN active TYPE text;
ALTER TABLE e ALTER COLUMN deletion_id TYPE numeric;
DROP SCHEMA softdelete CASCADE;
ALTER TABLE e ENABLE ALWAYS TRIGGER softdelete_guard;
-- DISABLE TRIGGER ALL and USER, which restores use, do not make a DELETE real
INSERT INTO e VALUES (1), (2);
ALTER TABLE e DISABLE TRIGGER ALL;
DELETE FROM e WHERE id = 1;
ALTER TABLE e DISABLE TRIGGER USER;
DELETE FROM e WHERE id = 2;
ALTER TABLE e ENABLE TRIGGER ALL;
SELECT count(*) FROM e;
SELECT softdelete_undelete('e', ARRAY[1, 2]);

-- ids written into a table of one's own do not use up those of all
BEGIN;
CREATE TABLE far (id int, active boolean NOT NULL DEFAULT true, deletion_id bigint);
INSERT INTO far VALUES (1, true, 9223372036854775807);
CREATE TRIGGER softdelete_guard BEFORE DELETE ON far FOR EACH ROW
    WHEN (OLD.active IS NOT NULL OR OLD.deletion_id IS NULL OR true) EXECUTE FUNCTION softdelete.softdelete_guard();
DELETE FROM far;
SELECT count(*) FROM far;
ROLLBACK;

-- the TRIGGER privilege is not enough to register a table
CREATE TABLE theirs (id int, hidden boolean NOT NULL DEFAULT false, n bigint);
GRANT TRIGGER ON theirs TO regress_drops_owner;
SET ROLE regress_drops_owner;
CREATE TRIGGER softdelete_guard BEFORE DELETE ON theirs FOR EACH ROW
    WHEN (OLD.hidden IS NOT NULL OR OLD.n IS NULL OR true) EXECUTE FUNCTION softdelete.softdelete_guard();
RESET ROLE;
DROP TABLE theirs;

-- partitions
CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2);
SELECT relation FROM softdelete_register('part');
INSERT INTO part VALUES (1, 2), (2, 2);
DELETE FROM part;
DROP TABLE part;
DROP TABLE part2;
DROP TABLE part1;
DROP TRIGGER softdelete_guard ON part2;
DROP TRIGGER softdelete_guard ON part;
ALTER TABLE part DROP COLUMN active CASCADE;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
DROP TABLE part2;
SELECT count(*) FROM part;
CREATE TABLE base (id int);
CREATE TABLE heir () INHERITS (base);
SELECT relation FROM softdelete_register('base');
INSERT INTO heir VALUES (1);
DELETE FROM base;
DROP TABLE base CASCADE;
DROP TABLE heir;
ALTER TABLE heir ALTER COLUMN active DROP NOT NULL;
SELECT softdelete_unregister('base', 'undelete');
DROP TABLE base CASCADE;

-- the extension: not while there are deleted rows, whatever is named with it
DROP EXTENSION softdelete;
DROP EXTENSION softdelete CASCADE;
DROP EXTENSION IF EXISTS plpgsql_check_not_there, softdelete CASCADE;
SELECT softdelete_undelete('owned', 1);
SELECT softdelete_undelete('t', 1);
BEGIN;
DROP EXTENSION softdelete CASCADE;
SELECT id, v FROM t ORDER BY id;
SELECT count(*) FROM pg_trigger WHERE tgname = 'softdelete_guard';
-- without it, tables of those names are anybody's
CREATE SCHEMA softdelete CREATE TABLE image (id int) CREATE TABLE link (id int);
INSERT INTO softdelete.image VALUES (1);
ALTER TABLE other RENAME COLUMN id TO number;
DROP TABLE softdelete.image, softdelete.link;
ROLLBACK;
-- rows that have left their tables
DELETE FROM e WHERE id = 1;
INSERT INTO e VALUES (1);
DROP EXTENSION softdelete CASCADE;

-- what does not touch them: renames, another schema, other types, rewriting
INSERT INTO t VALUES (3, '3'), (4, '4');
CREATE TABLE child (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE, n int, n2 text);
CREATE TABLE loose (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE SET NULL);
CREATE TABLE plain (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE SET NULL);
CREATE UNIQUE INDEX ON child (n2);
SELECT relation FROM softdelete_register('child');
SELECT relation FROM softdelete_register('loose');
INSERT INTO child VALUES (1, 3, 7, 'a'), (2, 3, 8, 'b'), (3, 4, 9, 'c');
INSERT INTO loose VALUES (1, 3), (2, 4);
INSERT INTO t VALUES (5, '5');
INSERT INTO plain VALUES (1, 3);
CREATE TEMP TABLE before AS SELECT 'child' AS x, id, t_id, n::text, n2 FROM child UNION ALL SELECT 'loose', id, t_id, NULL, NULL FROM loose;
SELECT setval('softdelete.deletion_id_seq', 250100);
DELETE FROM t WHERE id = 3;
DELETE FROM e WHERE id = 1;
INSERT INTO e VALUES (1);
CREATE SCHEMA "Drops 2";
ALTER TABLE t RENAME TO "T 2";
ALTER TABLE "T 2" RENAME COLUMN active TO "Active";
ALTER TABLE "T 2" RENAME COLUMN id TO "Id";
ALTER TABLE "T 2" RENAME COLUMN deletion_id TO "Gone with";
ALTER TABLE "T 2" SET SCHEMA "Drops 2";
ALTER TABLE child RENAME COLUMN t_id TO parent_id;
ALTER TABLE loose RENAME COLUMN t_id TO parent_id;
ALTER TABLE plain RENAME COLUMN t_id TO parent_id;
ALTER TABLE plain RENAME CONSTRAINT plain_t_id_fkey TO plain_parent_fkey;
ALTER TABLE child RENAME CONSTRAINT child_t_id_fkey TO child_parent_fkey;
ALTER TABLE loose RENAME CONSTRAINT loose_t_id_fkey TO loose_parent_fkey;
ALTER SCHEMA drops RENAME TO dropped;
SET search_path = dropped, "Drops 2", public;
ALTER TABLE child ALTER COLUMN n TYPE bigint, ALTER COLUMN n2 TYPE varchar(20), ADD COLUMN more text DEFAULT clock_timestamp()::text;
CLUSTER child USING child_pkey;
VACUUM FULL "T 2";
VACUUM FULL loose;
ALTER TABLE e RENAME COLUMN id TO number;
ALTER TABLE e ALTER COLUMN number TYPE bigint;
ALTER TABLE e SET UNLOGGED;
ALTER TABLE "T 2" SET (fillfactor = 50);
ALTER TABLE loose RENAME TO looser;
SELECT "Id" FROM "T 2" ORDER BY 1;
SELECT id, n FROM child;
SELECT * FROM looser ORDER BY id;
SELECT * FROM plain;
SELECT softdelete_undelete('"T 2"', 3, cascade := true);
SELECT * FROM (SELECT 'child' AS x, id, parent_id, n::text, n2 FROM child UNION ALL SELECT 'loose', id, parent_id, NULL, NULL FROM looser) a
EXCEPT SELECT * FROM before;
SELECT * FROM plain;
SELECT (SELECT count(*) FROM "T 2") AS t, (SELECT count(*) FROM child) AS child, (SELECT array_agg(l ORDER BY id) FROM looser l) AS loose;
DELETE FROM e WHERE number = 1;
SELECT columns, deletion_id FROM softdelete.image WHERE relation = 'e'::regclass;
SELECT row_count, relations FROM softdelete.deletions WHERE id > 250100 ORDER BY id;

-- under enabled = off all of it passes; it is on record
SELECT max(id) AS before FROM softdelete.event \gset
SET softdelete.enabled = off;
DROP TRIGGER softdelete_guard ON e;
DROP TABLE looser;
ALTER TABLE child DROP COLUMN active CASCADE;
SET client_min_messages = warning;
DROP SCHEMA "Drops 2" CASCADE;
DROP SCHEMA dropped CASCADE;
RESET softdelete.enabled;
SELECT event, count(*) FROM softdelete.event WHERE id > :before GROUP BY 1;
DROP OWNED BY regress_drops_owner;
DROP ROLE regress_drops_owner;
