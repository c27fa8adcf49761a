-- A name that means another table when PostgreSQL looks it up again.
\set VERBOSITY terse
CREATE ROLE regress_names_mallory;
CREATE SCHEMA names_good;
SET client_min_messages = warning;
CREATE TABLE names_good.t (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('names_good.t');
INSERT INTO names_good.t VALUES (1), (2);
DELETE FROM names_good.t WHERE id = 2;
GRANT USAGE ON SCHEMA names_good TO regress_names_mallory;
GRANT TRUNCATE ON names_good.t TO regress_names_mallory;
CREATE SCHEMA names_evil AUTHORIZATION regress_names_mallory;
CREATE SCHEMA names_own AUTHORIZATION regress_names_mallory;
GRANT CREATE ON DATABASE :DBNAME TO regress_names_mallory;
SET ROLE regress_names_mallory;
CREATE TABLE names_evil.t (id int);
CREATE TABLE names_own.bait (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('names_own.bait');
INSERT INTO names_own.bait VALUES (1);
CREATE FUNCTION names_own.vanish() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN ALTER SCHEMA names_evil RENAME TO names_gone; RETURN NULL; END';
CREATE TRIGGER vanish BEFORE TRUNCATE ON names_own.bait EXECUTE FUNCTION names_own.vanish();
SET search_path = names_evil, names_good;
TRUNCATE names_own.bait, t;
-- named by its schema it goes, or is not there
TRUNCATE names_own.bait, names_evil.t;
RESET ROLE;
SET softdelete.show_deleted = on;
SELECT id, active FROM names_good.t ORDER BY id;
RESET softdelete.show_deleted;
RESET search_path;
SET softdelete.enabled = off;
REVOKE CREATE ON DATABASE :DBNAME FROM regress_names_mallory;
DROP SCHEMA names_good, names_evil, names_own CASCADE;
DROP ROLE regress_names_mallory;
