-- none of its business: tables that are not registered behave as ever
CREATE SCHEMA other;
SET search_path = other, public;

CREATE TABLE p (id int PRIMARY KEY, active boolean NOT NULL DEFAULT true, deletion_id bigint);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
INSERT INTO p SELECT i FROM generate_series(1, 4) i;
INSERT INTO c SELECT i, i FROM generate_series(1, 4) i;
\set QUIET off
DELETE FROM p WHERE id = 1 RETURNING *;
UPDATE p SET active = false WHERE id = 2;
\set QUIET on
SELECT * FROM p ORDER BY id;
SELECT * FROM c ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM p;
EXPLAIN (COSTS OFF) DELETE FROM p WHERE id = 3;
SET softdelete.show_deleted = 'only';
SELECT count(*) FROM p;
RESET softdelete.show_deleted;
TRUNCATE p, c;
SELECT count(*) FROM p;
-- what TRUNCATE refuses it refuses in PostgreSQL's words, before anything is locked
CREATE VIEW v AS SELECT 1 AS x;
CREATE ROLE regress_nobody;
GRANT USAGE ON SCHEMA other TO regress_nobody;
SET ROLE regress_nobody;
TRUNCATE v;
TRUNCATE pg_class;
TRUNCATE p;
RESET ROLE;
DROP OWNED BY regress_nobody;
DROP ROLE regress_nobody;
DROP VIEW v;
-- a trigger of the guard's name is no registration
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE TRIGGER softdelete_guard BEFORE DELETE ON p FOR EACH ROW
    WHEN (OLD.active IS NOT NULL OR OLD.deletion_id IS NULL OR true) EXECUTE FUNCTION pass();
INSERT INTO p VALUES (1);
DELETE FROM p;
SELECT count(*) FROM p;
-- a guard that does not fit the table
CREATE TABLE q (id int PRIMARY KEY, active text, deletion_id int);
CREATE TRIGGER softdelete_guard BEFORE DELETE ON q FOR EACH ROW
    WHEN (OLD.active IS NOT NULL OR OLD.deletion_id IS NULL OR true) EXECUTE FUNCTION softdelete.softdelete_guard();
INSERT INTO q VALUES (1);
SELECT * FROM q;
DELETE FROM q;
SELECT * FROM q;

SET softdelete.enabled = off;
DROP SCHEMA other CASCADE;
