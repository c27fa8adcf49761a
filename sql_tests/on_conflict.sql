-- on_conflict := 'skip': rows below that cannot come back are left, with what hangs below them, and counted
CREATE SCHEMA oc;
SET search_path = oc, public;
SELECT setval('softdelete.deletion_id_seq', 430000);
CREATE TABLE teams (id int PRIMARY KEY);
CREATE TABLE offices (id int PRIMARY KEY);
CREATE TABLE people (id int PRIMARY KEY, team int REFERENCES teams ON DELETE CASCADE, office int REFERENCES offices ON DELETE CASCADE,
    email text COLLATE "C", badge int, span int4range);
CREATE UNIQUE INDEX people_email ON people (lower(email)) WHERE badge > 0;
ALTER TABLE people ADD UNIQUE (badge);
ALTER TABLE people ADD EXCLUDE USING gist (span WITH &&);
CREATE TABLE notes (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE);
CREATE TABLE pins (id int PRIMARY KEY, team int REFERENCES teams ON DELETE CASCADE, "Text" text DEFAULT 'd');
INSERT INTO teams VALUES (1), (2);
INSERT INTO offices VALUES (1), (2);
INSERT INTO people SELECT i, 1, 1, 'P' || i || '@x', i, int4range(i * 10, i * 10 + 5) FROM generate_series(1, 6) i;
INSERT INTO notes SELECT i, (i + 1) / 2 FROM generate_series(1, 12) i;
INSERT INTO pins VALUES (1, 1), (2, 1), (3, 1);
SELECT relation FROM softdelete_register('teams');
SELECT relation FROM softdelete_register('offices');
CREATE VIEW state AS SELECT (SELECT array_agg(id ORDER BY id) FROM people) AS people, (SELECT array_agg(id ORDER BY id) FROM notes) AS notes, (SELECT array_agg(id ORDER BY id) FROM pins) AS pins;
DELETE FROM teams WHERE id = 1;

-- keys taken meanwhile: a partial one, one with a condition and an expression, an exclusion, and a full one in the journal
INSERT INTO people VALUES (101, 2, 1, 'p1@X', 101, NULL), (102, 2, 1, NULL, 2, NULL), (103, 2, 1, NULL, NULL, int4range(33, 36)), (104, 2, 1, 'p4@x', 0, NULL);
INSERT INTO pins VALUES (2, 2, 'new');
SELECT softdelete_undelete('teams', 1, cascade := true);
BEGIN;
SELECT softdelete_undelete('teams', 1, cascade := true, on_conflict := 'skip');
SELECT * FROM state;
SELECT rows_left FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
-- and again, when the keys are free
DELETE FROM people WHERE id = 102;
SELECT softdelete_undelete('teams', 1, cascade := true, on_conflict := 'skip');
SELECT * FROM state;
ROLLBACK;
-- also as text, and by position
BEGIN;
SELECT softdelete_undelete('teams', '1', true, false, 'skip', NULL, false);
ROLLBACK;
-- the named row itself must come back
BEGIN;
SELECT softdelete_undelete('teams', 1);
SELECT softdelete_undelete('people', 2, on_conflict := 'skip');
ROLLBACK;

-- a parent that another deletion took
DELETE FROM people WHERE id > 100;
DELETE FROM pins WHERE id = 2;
SELECT softdelete_undelete('teams', 1, cascade := true);
CREATE TABLE desks (id int PRIMARY KEY);
INSERT INTO desks VALUES (1), (2);
ALTER TABLE people ADD desk int REFERENCES desks;
UPDATE people SET desk = id % 2 + 1;
SELECT relation FROM softdelete_register('desks');
DELETE FROM teams WHERE id = 1;
DELETE FROM desks WHERE id = 2;
SELECT softdelete_undelete('teams', 1, cascade := true);
BEGIN;
SELECT softdelete_undelete('teams', 1, cascade := true, on_conflict := 'skip');
SELECT * FROM state;
SELECT softdelete_undelete('people', 1, on_conflict := 'skip');
ROLLBACK;
BEGIN;
SELECT softdelete_undelete('teams', 1, cascade := true, on_conflict := 'skip', with_parents := true);
SELECT * FROM state;
ROLLBACK;
SELECT softdelete_undelete('teams', 1, on_conflict := 'replace');
SELECT softdelete_undelete('teams', 1, on_conflict := NULL, cascade := false);

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA oc CASCADE;
