-- softdelete_erase: a row that has to go on request, and what is known of it
CREATE SCHEMA erase;
SET search_path = erase, public;
SELECT setval('softdelete.deletion_id_seq', 265000);

CREATE TABLE person (id int PRIMARY KEY, name text, friend int REFERENCES person ON DELETE SET NULL);
CREATE TABLE mail (id int PRIMARY KEY, person_id int REFERENCES person ON DELETE CASCADE);
CREATE TABLE file (id int PRIMARY KEY, mail_id int REFERENCES mail ON DELETE CASCADE);
CREATE TABLE note (id int PRIMARY KEY, person_id int REFERENCES person ON DELETE SET NULL);
CREATE TABLE debt (id int PRIMARY KEY, person_id int REFERENCES person);
INSERT INTO person SELECT i, 'p' || i FROM generate_series(1, 6) i;
INSERT INTO mail SELECT i, (i + 1) / 2 FROM generate_series(1, 8) i;
INSERT INTO file SELECT i, i FROM generate_series(1, 8) i;
INSERT INTO note VALUES (1, 1), (2, 1), (3, 2);
SELECT relation FROM softdelete_register('person');
SELECT relation FROM softdelete_register('note');
SELECT relation FROM softdelete_register('debt');
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE NOTICE '% on % %', TG_OP, TG_TABLE_NAME, OLD.id; RETURN OLD; END$$;
CREATE TRIGGER say BEFORE DELETE ON mail FOR EACH ROW EXECUTE FUNCTION say();
CREATE FUNCTION physically(OUT t text, OUT ids text) RETURNS SETOF record LANGUAGE sql SET softdelete.show_deleted = on AS
$$SELECT 'person', string_agg(id || CASE WHEN active THEN '' ELSE '-' END, ' ' ORDER BY id) FROM erase.person
  UNION ALL SELECT 'mail', string_agg(id || CASE WHEN active THEN '' ELSE '-' END, ' ' ORDER BY id) FROM erase.mail
  UNION ALL SELECT 'file', string_agg(id || CASE WHEN active THEN '' ELSE '-' END, ' ' ORDER BY id) FROM erase.file
  UNION ALL SELECT 'note', string_agg(id || CASE WHEN active THEN '' ELSE '-' END || COALESCE('>' || person_id, ''), ' ' ORDER BY id) FROM erase.note$$;

SET softdelete.reason = 'asked by p1';
DELETE FROM file WHERE id = 1;   -- 265001, on its own
DELETE FROM mail WHERE id = 2;   -- 265002
DELETE FROM note WHERE id = 2;   -- 265003, still refers to person 1
RESET softdelete.reason;

-- without cascade refused while something refers to it
SELECT softdelete_erase('person', 1);
SELECT softdelete_erase('mail', 2);
SELECT * FROM physically();
-- a live row with everything below, whatever deletion took it
SELECT softdelete_erase('person', 1, cascade := true);
SELECT * FROM physically();
SELECT id, statement, reason, relations FROM softdelete.deletions WHERE id BETWEEN 265000 AND 265999 ORDER BY id;
SELECT count(*) FROM softdelete.link WHERE child = 'note'::regclass;
SELECT event, relation, row_count, key_hashes = ARRAY[softdelete.key_hash(ARRAY['1'])] AS by_hash
FROM softdelete.events WHERE event = 'erase' AND transaction_id = (SELECT max(transaction_id) FROM softdelete.event) ORDER BY id;
-- nothing comes back
SELECT softdelete_undelete('person', 1);
-- a deleted row, and several
DELETE FROM person WHERE id = 2;
SELECT softdelete_erase('person', 2, cascade := true);
SELECT softdelete_erase('person', ARRAY[5, 6]);
SELECT key_hashes @> ARRAY[softdelete.key_hash(ARRAY['5']), softdelete.key_hash(ARRAY['6'])] AS by_hash, row_count
FROM softdelete.events WHERE relation = 'person'::regclass ORDER BY id DESC LIMIT 1;
SELECT * FROM physically();
-- a foreign key that refuses does
INSERT INTO debt VALUES (1, 3);
SELECT softdelete_erase('person', 3, cascade := true);
DELETE FROM debt;
SELECT softdelete_erase('person', 3, cascade := true);
SELECT softdelete_erase('debt', 1);
SELECT softdelete_erase('person', 3, cascade := true);
SELECT * FROM physically();

-- nor is a reference given up without cascade
UPDATE note SET person_id = 4 WHERE id = 3;
DELETE FROM mail WHERE person_id = 4;
SELECT softdelete_erase('mail', ARRAY[7, 8], cascade := true);
SELECT softdelete_erase('person', 4);
-- a trigger that keeps the row
CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER veto BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION veto();
SELECT softdelete_erase('note', 1);
SELECT softdelete_erase('note', 2);

-- images in the journal, of the row and of rows below it
CREATE TABLE code (k text PRIMARY KEY, person_id int REFERENCES person ON DELETE CASCADE);
SELECT relation FROM softdelete_register('code');
INSERT INTO code VALUES ('x', 4), ('y', 4);
DELETE FROM code;
INSERT INTO code VALUES ('x', NULL), ('y', NULL);
SELECT count(*) FROM softdelete.image WHERE relation = 'code'::regclass;
SELECT softdelete_erase('code', 'x'::text);
SELECT count(*) FROM softdelete.image WHERE relation = 'code'::regclass;
SELECT k FROM code;
SELECT softdelete_erase('person', 4, cascade := true);
SELECT count(*) FROM softdelete.image WHERE relation = 'code'::regclass;

-- rights and arguments
SELECT softdelete_erase('person', 77);
SELECT softdelete_erase('person', NULL::int);
SELECT softdelete_erase('pg_class', 1);
CREATE ROLE regress_erase;
GRANT USAGE ON SCHEMA erase TO regress_erase;
GRANT ALL ON ALL TABLES IN SCHEMA erase TO regress_erase;
SET ROLE regress_erase;
SELECT softdelete_erase('code', 'y'::text);
SELECT softdelete.key_hash(ARRAY['1']);
RESET ROLE;

SET client_min_messages = error;
SET softdelete.enabled = off;
DROP SCHEMA erase CASCADE;
DROP ROLE regress_erase;
