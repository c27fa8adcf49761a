-- A hostile schema in front of the search_path, with operators, functions, types and
-- tables under the names that softdelete's own statements use: nothing of it runs.
\set VERBOSITY terse
CREATE ROLE regress_path_mallory;
CREATE ROLE regress_path_victim;
CREATE SCHEMA path_evil AUTHORIZATION regress_path_mallory;
CREATE SCHEMA path_good AUTHORIZATION regress_path_victim;
GRANT USAGE ON SCHEMA path_evil TO PUBLIC;
GRANT USAGE ON SCHEMA path_good TO PUBLIC;

SET ROLE regress_path_mallory;
SET search_path = path_evil;
CREATE TABLE traces (what text, who text);
GRANT ALL ON traces TO PUBLIC;
CREATE FUNCTION trace(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO path_evil.traces VALUES (what, current_user);
END$$;
CREATE FUNCTION eq(int4, int4) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''=''); RETURN true; END';
CREATE FUNCTION eq(int8, int8) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''=''); RETURN true; END';
CREATE FUNCTION eq(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''=''); RETURN true; END';
CREATE FUNCTION eq(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''=''); RETURN true; END';
CREATE FUNCTION eq(tid, tid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''=''); RETURN true; END';
CREATE FUNCTION eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''=''); RETURN true; END';
CREATE FUNCTION eq(boolean) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''not''); RETURN true; END';
DO $$
DECLARE
    op text;
    arg text;
BEGIN
    FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,-,||}'::text[] LOOP
        FOREACH arg IN ARRAY '{int4,int8,text,text[],tid,oid}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR %s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = eq)', op, arg, arg);
        END LOOP;
    END LOOP;
END$$;
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''now''); RETURN ''infinity''; END';
CREATE FUNCTION to_text(anyelement) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''to_text''); RETURN ''1''; END';
CREATE FUNCTION from_text(text, anyelement) RETURNS anyelement LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''from_text''); RETURN $2; END';
CREATE FUNCTION deletion_id() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''deletion_id''); RETURN 1; END';
CREATE FUNCTION require_live(regclass, boolean, bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''require_live''); RETURN true; END';
CREATE FUNCTION array_position(name[], name) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''array_position''); RETURN 1; END';
CREATE FUNCTION unnest(bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''unnest''); END';
CREATE FUNCTION softdelete_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''guard''); RETURN OLD; END';
CREATE FUNCTION max(bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM path_evil.trace(''max''); RETURN 1; END';
CREATE AGGREGATE count(*) (SFUNC = pg_catalog.int8inc, STYPE = int8, INITCOND = '41');
CREATE DOMAIN int4 AS pg_catalog.int4 CHECK (path_evil.eq(VALUE, 0));
CREATE DOMAIN text AS pg_catalog.text CHECK (path_evil.eq(VALUE, ''));
CREATE TABLE softdelete_rows (k1 pg_catalog.int4);
CREATE TABLE softdelete_keys (id1 pg_catalog.int4);
CREATE TABLE softdelete_links (id pg_catalog.int8);
CREATE TABLE softdelete_images (id pg_catalog.int8);
CREATE TABLE softdelete_going (row_place tid);
CREATE TABLE deletion (id pg_catalog.int8);
CREATE TABLE pg_class (oid oid);
GRANT SELECT ON ALL TABLES IN SCHEMA path_evil TO PUBLIC;
RESET ROLE;
CREATE TEMP TABLE softdelete_rows (k1 pg_catalog.int4);
CREATE TEMP TABLE softdelete_keys (id1 pg_catalog.int4);
CREATE TEMP TABLE pg_constraint (oid oid);

SET ROLE regress_path_victim;
SET search_path = path_evil, path_good, pg_temp, pg_catalog, public;
CREATE TABLE path_good.p (id pg_catalog.int4 PRIMARY KEY, email pg_catalog.text UNIQUE);
CREATE TABLE path_good.c (id pg_catalog.int4 PRIMARY KEY, p_id pg_catalog.int4 REFERENCES path_good.p ON DELETE CASCADE);
CREATE TABLE path_good.l (id pg_catalog.int4 PRIMARY KEY, p_id pg_catalog.int4 REFERENCES path_good.p ON DELETE SET NULL);
CREATE TABLE path_good.d (id pg_catalog.int4 PRIMARY KEY, p_id pg_catalog.int4 DEFAULT 0 REFERENCES path_good.p ON UPDATE CASCADE ON DELETE SET DEFAULT);
SET client_min_messages = warning;
SELECT relation FROM public.softdelete_register('path_good.p') ORDER BY relation::pg_catalog.text USING OPERATOR(pg_catalog.<);
SELECT relation FROM public.softdelete_register('path_good.l', retention := '0');
RESET client_min_messages;
INSERT INTO path_good.p VALUES (0, 'null'), (1, 'one'), (2, 'two');
INSERT INTO path_good.c VALUES (1, 1), (2, 1);
INSERT INTO path_good.l VALUES (1, 1), (2, 1);
INSERT INTO path_good.d VALUES (1, 1);
EXPLAIN (COSTS OFF) DELETE FROM path_good.p WHERE id OPERATOR(pg_catalog.=) 1;
DELETE FROM path_good.p WHERE id OPERATOR(pg_catalog.=) 1;
SELECT id, p_id FROM path_good.l ORDER BY id USING OPERATOR(pg_catalog.<);
DELETE FROM path_good.l WHERE id OPERATOR(pg_catalog.=) 1;
INSERT INTO path_good.l VALUES (1, NULL);
INSERT INTO path_good.p VALUES (3, 'one') ON CONFLICT (email) DO UPDATE SET email = 'four';
UPDATE path_good.p SET email = 'three' WHERE id OPERATOR(pg_catalog.=) 3;
SELECT public.softdelete_undelete('path_good.p', 1, cascade := true);
SELECT id, p_id FROM path_good.l ORDER BY id USING OPERATOR(pg_catalog.<);
SELECT id, p_id FROM path_good.d;
SELECT id, p_id FROM path_good.c ORDER BY id USING OPERATOR(pg_catalog.<);
UPDATE path_good.p SET id = 9 WHERE id OPERATOR(pg_catalog.=) 2;
COPY path_good.c (id, p_id) TO STDOUT;
SELECT public.softdelete_purge('0', 'path_good.l');
SELECT public.softdelete_erase('path_good.p', 1, cascade := true);
TRUNCATE path_good.c;
SELECT pg_catalog.count(*) FROM softdelete.deletions WHERE id OPERATOR(pg_catalog.<) 0;
SELECT public.softdelete_purge('0', 'path_good.c');
SELECT public.softdelete_unregister('path_good.l', 'undelete');
TABLE path_evil.traces;
RESET ROLE;
SET search_path = public;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA path_evil, path_good CASCADE;
DROP ROLE regress_path_mallory, regress_path_victim;
