-- The owner of a table below another's: what he has hung on it runs as he, whoever
-- deletes, undeletes, purges, erases, registers or unregisters above or below.
\set VERBOSITY terse
CREATE ROLE regress_own_mallory;
CREATE ROLE regress_own_victim;
CREATE SCHEMA own;
GRANT ALL ON SCHEMA own TO PUBLIC;
SET search_path = own, public;
SET client_min_messages = warning;

SET ROLE regress_own_victim;
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE secrets (secret text);
INSERT INTO secrets VALUES ('the secret');
GRANT REFERENCES ON p TO regress_own_mallory;

SET ROLE regress_own_mallory;
CREATE TABLE traces (what text, who text);
GRANT ALL ON traces TO PUBLIC;
CREATE FUNCTION trace(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO own.traces VALUES (what, current_user);
END$$;
CREATE FUNCTION checked(what text, x int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM own.trace(what); RETURN true; END';
CREATE FUNCTION computed(what text, x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM own.trace(what); RETURN x; END';
CREATE DOMAIN dom AS int CHECK (own.checked('domain', VALUE));
CREATE TABLE c (
    id int PRIMARY KEY,
    p_id int REFERENCES p ON DELETE CASCADE,
    l_id int REFERENCES p ON DELETE SET NULL,
    d_id int DEFAULT own.computed('default', 0) REFERENCES p ON DELETE SET DEFAULT,
    code int UNIQUE,
    dom dom,
    g int GENERATED ALWAYS AS (own.computed('generated', id)) STORED,
    CHECK (own.checked('check', l_id)));
CREATE UNIQUE INDEX c_code ON c (own.computed('index', code)) WHERE own.checked('predicate', code);
ALTER TABLE c ENABLE ROW LEVEL SECURITY;
CREATE POLICY policy ON c USING (own.checked('policy', id)) WITH CHECK (own.checked('policy', id));
-- what a trigger of his may not do in the middle of another's statement
CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    PERFORM own.trace('trigger');
    FOREACH command IN ARRAY ARRAY['SET ROLE regress_own_victim', 'RESET ROLE',
        'SET SESSION AUTHORIZATION DEFAULT', 'SELECT * FROM own.secrets', 'DELETE FROM own.p',
        'UPDATE softdelete.deletion SET reason = ''''', 'SET LOCAL softdelete.enabled = off',
        'SELECT softdelete.key_hash(''{}'')', 'SELECT public.softdelete_purge(rel := ''own.p'')',
        'SELECT public.softdelete_unregister(''own.p'')'] LOOP
        BEGIN
            EXECUTE command;
            RAISE WARNING 'passed: %', command;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
    RETURN coalesce(NEW, OLD);
END$$;

-- registered by another: a superuser
RESET ROLE;
TRUNCATE traces;
SELECT relation FROM softdelete_register('p') ORDER BY 1;
SET ROLE regress_own_victim;
INSERT INTO p SELECT generate_series(0, 9);
SELECT DISTINCT what, who FROM traces ORDER BY 1, 2;
SET ROLE regress_own_mallory;
INSERT INTO c SELECT i, i, i + 1, i + 2, i, i FROM generate_series(1, 5) i;
CREATE TRIGGER climb BEFORE INSERT OR UPDATE OR DELETE ON c FOR EACH ROW EXECUTE FUNCTION climb();
CREATE TRIGGER climb_statement BEFORE INSERT OR UPDATE OR DELETE ON c EXECUTE FUNCTION climb();
SET ROLE regress_own_victim;
DELETE FROM traces;
DELETE FROM p WHERE id = 1;
DELETE FROM p WHERE id IN (3, 7);
SELECT softdelete_undelete('p', 3, cascade := true);
SELECT softdelete_undelete('p', 1, cascade := true);
DELETE FROM p WHERE id = 1;
SET ROLE regress_own_mallory;
ALTER TABLE c DISABLE TRIGGER USER;
INSERT INTO c VALUES (1, 0, 0, 0, 1, 1);
ALTER TABLE c ENABLE TRIGGER USER;
SET ROLE regress_own_victim;
DELETE FROM c;
SELECT softdelete_undelete('c', 1);
SELECT softdelete_purge('0', 'c');
SELECT softdelete_erase('c', 1);
SELECT softdelete_unregister('c', 'purge');
SELECT softdelete_undelete('p', 1, cascade := true);
SELECT softdelete_erase('p', 5, cascade := true);
SELECT softdelete_purge('0');
TRUNCATE p CASCADE;
RESET ROLE;
DELETE FROM p WHERE id = 2;
SELECT softdelete_undelete('p', 2, cascade := true);
DELETE FROM p WHERE id = 2;
SELECT softdelete_purge('0', 'c');
SELECT softdelete_purge('0', 'p');
SELECT softdelete_erase('p', 4, cascade := true);
SELECT softdelete_unregister('c', 'undelete');
SELECT relation FROM softdelete_register('c') ORDER BY 1;
SET softdelete.show_deleted = on;
SELECT id, p_id, l_id, d_id, active FROM c ORDER BY id;
RESET softdelete.show_deleted;
SELECT DISTINCT what, who FROM traces ORDER BY 1, 2;
SELECT count(*) FROM secrets;

SET softdelete.enabled = off;
DROP SCHEMA own CASCADE;
DROP ROLE regress_own_mallory, regress_own_victim;
