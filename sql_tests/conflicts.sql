-- softdelete_conflicts: everything that would stop an undelete, and nothing else
CREATE SCHEMA cf;
SET search_path = cf, public;
SELECT setval('softdelete.deletion_id_seq', 185000);
CREATE TABLE offices (id int PRIMARY KEY);
CREATE TABLE teams (id int PRIMARY KEY, office int REFERENCES offices, name text);
CREATE TABLE people (id int PRIMARY KEY, team int REFERENCES teams ON DELETE CASCADE, office int REFERENCES offices,
    email text, badge int, span int4range);
CREATE UNIQUE INDEX people_email ON people (lower(email)) WHERE badge > 0;
ALTER TABLE people ADD UNIQUE NULLS NOT DISTINCT (badge);
ALTER TABLE people ADD EXCLUDE USING gist (span WITH &&);
ALTER TABLE teams ADD UNIQUE (name);
CREATE TABLE "Odd" (a text, b int, person int REFERENCES people ON DELETE CASCADE, PRIMARY KEY (b, a));
CREATE TABLE pins (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE, at point, other int REFERENCES offices, c int);
INSERT INTO offices VALUES (1), (2), (3), (4);
INSERT INTO teams VALUES (1, 1, 'red'), (2, 1, 'blue');
INSERT INTO people SELECT i, 1, i % 2 + 1, 'P' || i || '@x', i, int4range(i * 10, i * 10 + 5) FROM generate_series(1, 6) i;
INSERT INTO "Odd" SELECT 'a"' || i, i, i FROM generate_series(1, 6) i;
INSERT INTO pins SELECT i, i, point(i, i), 3 FROM generate_series(1, 6) i;
SELECT count(*) FROM unnest('{offices,teams}'::regclass[]) t, softdelete_register(t);
-- does the report agree with what an undelete does?  The error is the first of several.
CREATE FUNCTION agrees(conflicts bigint, command text) RETURNS text LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE message text;
BEGIN
    BEGIN
        EXECUTE 'SELECT ' || command;
        RAISE SQLSTATE 'XX001';
    EXCEPTION WHEN SQLSTATE 'XX001' THEN message := NULL; WHEN OTHERS THEN message := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN CASE WHEN (conflicts > 0) = (message IS NOT NULL) THEN 'agreed: ' ELSE 'NO: ' || conflicts || ', ' END || coalesce(message, 'comes back');
END $$;
CREATE VIEW team AS SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 1, true)), $$softdelete_undelete('teams', 1, cascade := true)$$);
CREATE VIEW deletion AS SELECT agrees((SELECT count(*) FROM softdelete_conflicts(185001)), 'softdelete_undelete_deletion(185001)');

DELETE FROM teams WHERE id = 1;
SELECT * FROM softdelete_conflicts('teams', 1, true);
SELECT * FROM softdelete_conflicts(185001);
SELECT * FROM team;
SELECT * FROM deletion;
-- keys of every kind
INSERT INTO teams VALUES (3, 1, 'red');
INSERT INTO people VALUES (101, 2, 1, 'p1@X', 101, NULL), (102, 2, 1, NULL, 2, NULL), (103, 2, 1, NULL, NULL, int4range(33, 36)), (104, 2, 1, 'p4@x', 0, NULL);
INSERT INTO "Odd" VALUES ('a"5', 5, 101);
INSERT INTO pins VALUES (6, 101);
SELECT kind, relation, key, constraint_name, blocking_key, hint FROM softdelete_conflicts('teams', 1, true) ORDER BY 2, 4, 3;
SELECT * FROM softdelete_conflicts('teams', '1');
SELECT count(*) FROM softdelete_conflicts(185001);
SELECT * FROM team;
SELECT * FROM deletion;
UPDATE teams SET name = 'green' WHERE id = 3;
SELECT * FROM team;
UPDATE people SET email = NULL WHERE id = 101;
SELECT * FROM team;
UPDATE people SET badge = 102 WHERE id = 102;
SELECT * FROM team;
DELETE FROM people WHERE id = 103;
SELECT * FROM team;
SELECT kind, relation, key, constraint_name FROM softdelete_conflicts('teams', 1, true) ORDER BY 2, 4, 3;
DELETE FROM "Odd" WHERE person = 101;
DELETE FROM pins WHERE person = 101;
SELECT * FROM team;
SELECT * FROM deletion;

-- parents: of other deletions, of the row itself, of an image; those of the same deletion stop nothing
DELETE FROM people WHERE id > 100;
UPDATE teams SET office = 4;
UPDATE people SET office = 4;
DELETE FROM offices WHERE id IN (1, 2);
DELETE FROM offices WHERE id = 3;
SELECT kind, relation, key, constraint_name, blocking_key, hint FROM softdelete_conflicts('teams', 1, true) ORDER BY 2, 4, 3;
SELECT kind, relation, key, blocking_key FROM softdelete_conflicts('teams', 1);
SELECT * FROM team;
SELECT * FROM deletion;
SELECT kind, relation, key, blocking_key FROM softdelete_conflicts('people', ARRAY[1, 2]) ORDER BY 3, 4;
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('offices', 1)), $$softdelete_undelete('offices', 1)$$);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 2)), $$softdelete_undelete('teams', 2)$$);
SELECT softdelete_undelete('offices', ARRAY[1, 2, 3]);
SELECT * FROM team;
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 1)), $$softdelete_undelete('teams', 1)$$);
CREATE TABLE both_of (id int PRIMARY KEY, team int REFERENCES teams ON DELETE CASCADE, office int REFERENCES offices ON DELETE CASCADE);
SELECT relation FROM softdelete_register('both_of');
INSERT INTO offices VALUES (20), (21);
INSERT INTO teams VALUES (20, 4, 'twenty');
INSERT INTO both_of VALUES (1, 20, 20), (2, 20, 21);
BEGIN;
DELETE FROM teams WHERE id = 20;
DELETE FROM offices WHERE id = 20;
COMMIT;
SELECT * FROM softdelete_conflicts('teams', 20, true);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 20, true)), $$softdelete_undelete('teams', 20, cascade := true)$$);
DELETE FROM offices WHERE id = 21;
SELECT kind, relation, key, blocking_key FROM softdelete_conflicts('teams', 20, true);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 20, true)), $$softdelete_undelete('teams', 20, cascade := true)$$);
-- two rows of the deletion with the same key; the same of two images
BEGIN;
INSERT INTO teams VALUES (4, 1, 'twice');
DELETE FROM teams WHERE id = 4;
INSERT INTO teams VALUES (5, 1, 'twice');
DELETE FROM teams WHERE id = 5;
INSERT INTO pins VALUES (50);
DELETE FROM pins WHERE id = 50;
INSERT INTO pins VALUES (50);
DELETE FROM pins WHERE id = 50;
COMMIT;
SELECT max(id) AS twice FROM softdelete.deletions \gset
SELECT kind, relation, key, constraint_name, blocking_key, hint FROM softdelete_conflicts(:twice) ORDER BY 2, 3;
SELECT agrees((SELECT count(*) FROM softdelete_conflicts(:twice)), format('softdelete_undelete_deletion(%s)', :twice));
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 4)), $$softdelete_undelete('teams', 4)$$);
SELECT kind, key FROM softdelete_conflicts('teams', ARRAY[4, 5]);
-- images: no parent any more, a new column, values that cannot be read
INSERT INTO offices VALUES (9);
INSERT INTO pins VALUES (60, NULL, point(1, 1), 9);
DELETE FROM pins WHERE id = 60;
SELECT max(id) AS image FROM softdelete.deletions \gset
INSERT INTO pins VALUES (60);
UPDATE pins SET id = 62 WHERE id = 60;
SET softdelete.enabled = off;
DELETE FROM offices WHERE id = 9;
RESET softdelete.enabled;
SELECT kind, relation, key, constraint_name, blocking_key, hint FROM softdelete_conflicts('pins', 60);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts(:image)), format('softdelete_undelete_deletion(%s)', :image));
INSERT INTO offices VALUES (9);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('pins', 60)), $$softdelete_undelete('pins', 60)$$);
ALTER TABLE pins ADD must int NOT NULL DEFAULT 1;
ALTER TABLE pins ALTER must DROP DEFAULT;
SELECT kind, relation, key, hint FROM softdelete_conflicts(:image);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts(:image)), format('softdelete_undelete_deletion(%s)', :image));
ALTER TABLE pins DROP must;
UPDATE softdelete.image SET col_values = array_replace(col_values, '(1,1)', 'nonsense') WHERE deletion_id = :image;
SELECT kind, relation, key, regexp_replace(hint, 'image \d+', 'image N') AS hint FROM softdelete_conflicts(:image);
SELECT agrees((SELECT count(*) FROM softdelete_conflicts(:image)), format('softdelete_undelete_deletion(%s)', :image));
UPDATE softdelete.image SET col_values = array_replace(col_values, 'nonsense', '(1,1)') WHERE deletion_id = :image;
SELECT agrees((SELECT count(*) FROM softdelete_conflicts(:image)), format('softdelete_undelete_deletion(%s)', :image));
-- rules
CREATE RULE r AS ON UPDATE TO people DO ALSO NOTIFY people;
SELECT kind, relation, hint FROM softdelete_conflicts('teams', 1, true);
SELECT * FROM team;
SELECT agrees((SELECT count(*) FROM softdelete_conflicts('teams', 1)), $$softdelete_undelete('teams', 1)$$);
DROP RULE r ON people;

-- it changes nothing, also where nothing may be changed, and shows keys to who may read them
BEGIN READ ONLY;
SELECT count(*) FROM softdelete_conflicts('teams', 1, true);
ROLLBACK;
CREATE ROLE regress_cf;
GRANT USAGE ON SCHEMA cf TO regress_cf;
SET ROLE regress_cf;
SELECT * FROM softdelete_conflicts('teams', 1, true);
SELECT * FROM softdelete_conflicts(185001);
RESET ROLE;
INSERT INTO people VALUES (105, 3, 1, NULL, 4, NULL);
GRANT SELECT, INSERT ON teams TO regress_cf;
SET ROLE regress_cf;
SELECT kind, relation, key, constraint_name, blocking_key FROM softdelete_conflicts('teams', 1, true);
RESET ROLE;
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
SET ROLE regress_cf;
SELECT * FROM softdelete_conflicts('teams', 1, true);
RESET ROLE;
ALTER TABLE teams DISABLE ROW LEVEL SECURITY;
SELECT * FROM softdelete_conflicts('teams', 77, true);
SELECT * FROM softdelete_conflicts('softdelete.event', 1, true);
SELECT * FROM softdelete_conflicts('teams', NULL::int);
SELECT * FROM softdelete_conflicts(0);
-- a row that is live
SELECT * FROM softdelete_conflicts('teams', 3, true);

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA cf CASCADE;
DROP ROLE regress_cf;
