-- DELETE in every form is a soft delete, and looks like a DELETE
CREATE SCHEMA del;
SET search_path = del, public;

CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 40) i;
-- planned before registration
PREPARE early(int) AS DELETE FROM t WHERE id = $1;
EXECUTE early(1);
CREATE FUNCTION early_fn(int) RETURNS int LANGUAGE plpgsql AS
$$ DECLARE n int; BEGIN DELETE FROM t WHERE id = $1; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
SELECT early_fn(2);
SELECT * FROM softdelete_register('t');

\set QUIET off
DELETE FROM t WHERE id = 3;
DELETE FROM t WHERE id = 3;
DELETE FROM t WHERE id IN (4, 5);
EXECUTE early(6);
PREPARE late(int) AS DELETE FROM t WHERE id = $1;
EXECUTE late(7);
EXECUTE late(7);
DELETE FROM t AS x USING (VALUES (8), (8), (9)) w(id) WHERE x.id = w.id;
DELETE FROM ONLY t WHERE id = 10;
\set QUIET on
SELECT early_fn(11), early_fn(11);

-- data-modifying CTEs: rows, more than one of the same table, nobody reads
WITH d AS (DELETE FROM t WHERE id = 12 RETURNING *) SELECT * FROM d;
WITH d AS (DELETE FROM t WHERE id = 13), e AS (DELETE FROM t WHERE id = 14 RETURNING id) DELETE FROM t WHERE id = 15 RETURNING id;
CREATE TABLE archive (id int, v text);
WITH d AS (DELETE FROM t WHERE id = 16 RETURNING id, v) INSERT INTO archive SELECT * FROM d;
SELECT * FROM archive;
WITH u AS (UPDATE t SET v = 'changed' WHERE id = 17 RETURNING id) DELETE FROM t WHERE id = 18;

-- PL/pgSQL: FOUND, ROW_COUNT, RETURNING INTO, FOR over RETURNING, EXECUTE
DO $$
DECLARE n int; r record;
BEGIN
    DELETE FROM t WHERE id = 19; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE 'found % rows %', FOUND, n;
    DELETE FROM t WHERE id = 19; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE 'found % rows %', FOUND, n;
    DELETE FROM t WHERE id = 20 RETURNING * INTO r; RAISE NOTICE '%', r;
    FOR r IN DELETE FROM t WHERE id = 21 RETURNING v LOOP RAISE NOTICE '%', r; END LOOP;
    EXECUTE 'DELETE FROM t WHERE id = $1' USING 22; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE 'rows %', n;
END $$;
-- SQL functions
CREATE FUNCTION sql_fn(int) RETURNS SETOF t LANGUAGE sql AS 'DELETE FROM t WHERE id = $1 RETURNING *';
SELECT * FROM sql_fn(23);
CREATE FUNCTION sql_atomic(int) RETURNS int LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE id = $1 RETURNING id; END;
SELECT sql_atomic(24), sql_atomic(24);

-- a cursor
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 25 FOR UPDATE;
FETCH c;
DELETE FROM t WHERE CURRENT OF c;
DELETE FROM t WHERE CURRENT OF c;
COMMIT;

-- views, rules
CREATE VIEW tv AS SELECT id, v AS renamed FROM t WHERE id < 100;
CREATE VIEW tvv AS SELECT * FROM tv WHERE id < 90;
DELETE FROM tv WHERE id = 26 RETURNING renamed;
DELETE FROM tvv WHERE id = 27 RETURNING *;
CREATE TABLE switch (id int);
INSERT INTO switch VALUES (28);
CREATE RULE switch_rule AS ON DELETE TO switch DO ALSO DELETE FROM t WHERE t.id = old.id;
DELETE FROM switch;

-- what is left is live, what is gone is there
SELECT count(*), min(id) FROM t;
SET softdelete.show_deleted = 'only';
SELECT array_agg(id ORDER BY id) FROM t;
-- deleted rows are not deleted twice, whatever is shown
SELECT array_agg(DISTINCT deletion_id = (SELECT deletion_id FROM t WHERE id = 3)) FROM t WHERE id = 3;
DELETE FROM t WHERE id = 3 RETURNING *;
SET softdelete.show_deleted = on;
DELETE FROM t WHERE id <= 30 RETURNING id;
SET row_security = off;
DELETE FROM t WHERE id <= 31 RETURNING id;
RESET row_security;
RESET softdelete.show_deleted;

-- privileges are those of a DELETE
CREATE ROLE regress_del_user;
GRANT USAGE ON SCHEMA del TO regress_del_user;
GRANT SELECT, UPDATE ON t TO regress_del_user;
SET ROLE regress_del_user;
DELETE FROM t WHERE id = 32;
RESET ROLE;
REVOKE SELECT, UPDATE ON t FROM regress_del_user;
GRANT DELETE ON t TO regress_del_user;
SET ROLE regress_del_user;
DELETE FROM t WHERE id = 32;
DELETE FROM t;
RESET ROLE;
SELECT count(*) FROM t;
BEGIN READ ONLY;
DELETE FROM t;
ROLLBACK;

SET softdelete.enabled = off;
DROP SCHEMA del CASCADE;
DROP ROLE regress_del_user;
