-- undelete needs the rights of an INSERT, and with set those of an UPDATE: privileges and policies
CREATE SCHEMA ur;
SET search_path = ur, public;
SELECT setval('softdelete.deletion_id_seq', 700000);
CREATE ROLE regress_ur_owner;
CREATE ROLE regress_ur_user;
CREATE ROLE regress_ur_bypass BYPASSRLS;
GRANT ALL ON SCHEMA ur TO regress_ur_owner;
GRANT USAGE ON SCHEMA ur TO regress_ur_user, regress_ur_bypass;

SET ROLE regress_ur_owner;
CREATE TABLE team (id int PRIMARY KEY, name text);
CREATE TABLE doc (id int PRIMARY KEY, author text, team int REFERENCES team ON DELETE CASCADE);
CREATE TABLE line (id int PRIMARY KEY, doc int REFERENCES doc ON DELETE CASCADE);
INSERT INTO team VALUES (1, 'one'), (2, 'two');
INSERT INTO doc VALUES (1, 'regress_ur_user', 1), (2, 'somebody', 1), (3, 'regress_ur_user', 2);
INSERT INTO line VALUES (1, 1), (2, 2);
SELECT relation FROM softdelete_register('team');
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
CREATE POLICY look ON doc FOR SELECT USING (true);
CREATE POLICY own ON doc FOR INSERT WITH CHECK (author = current_user);
CREATE POLICY team ON doc AS RESTRICTIVE FOR INSERT WITH CHECK (EXISTS (SELECT FROM team t WHERE t.id = team AND t.name <> 'closed'));
GRANT SELECT, INSERT ON doc TO regress_ur_user, regress_ur_bypass;
GRANT SELECT ON team TO regress_ur_user;

CREATE FUNCTION last_deletion() RETURNS bigint LANGUAGE sql AS 'SELECT id FROM softdelete.deletions ORDER BY deleted_at DESC LIMIT 1';

-- a row that the caller could insert, and one that not
DELETE FROM doc;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('doc', 1, cascade := true);
SELECT softdelete_undelete('doc', 2);
SELECT softdelete_undelete('doc', ARRAY[2, 3]);
SELECT softdelete_undelete_deletion(last_deletion());
SELECT id FROM doc ORDER BY id;
-- a restrictive policy; what it asks sees live rows only
SET ROLE regress_ur_owner;
UPDATE team SET name = 'closed' WHERE id = 2;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('doc', 3);
SET softdelete.show_deleted = on;
SELECT softdelete_undelete('doc', 3);
RESET softdelete.show_deleted;
-- row_security off asks for an error
SET row_security = off;
SELECT softdelete_undelete('doc', 3);
RESET row_security;
-- who is above it
SET ROLE regress_ur_bypass;
SELECT softdelete_undelete('doc', 3);
SET ROLE regress_ur_owner;
SELECT softdelete_undelete('doc', 2);
DELETE FROM doc WHERE id = 2;
ALTER TABLE doc FORCE ROW LEVEL SECURITY;
SELECT softdelete_undelete('doc', 2);
ALTER TABLE doc NO FORCE ROW LEVEL SECURITY;
SELECT softdelete_undelete('doc', 2);
-- no policy at all, and rows that policies hide
DROP POLICY own ON doc;
DELETE FROM doc WHERE id = 1;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('doc', 1);
SET ROLE regress_ur_owner;
CREATE POLICY own ON doc FOR INSERT WITH CHECK (author = current_user);
DROP POLICY look ON doc;
CREATE POLICY look ON doc FOR SELECT USING (author = current_user);
SET ROLE regress_ur_user;
SELECT softdelete_undelete('doc', 1);
SET ROLE regress_ur_owner;
DELETE FROM doc WHERE id = 2;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('doc', 2);
SELECT softdelete_undelete_deletion(last_deletion());

-- policies hold for parents that come back, and not for what is below
SET ROLE regress_ur_owner;
ALTER TABLE line ENABLE ROW LEVEL SECURITY;
SELECT softdelete_undelete('doc', 2);
DELETE FROM doc;
GRANT SELECT, INSERT ON line TO regress_ur_user;
CREATE POLICY everybody ON line USING (true);
SET ROLE regress_ur_user;
SELECT softdelete_undelete('line', 2, with_parents := true);
SELECT softdelete_undelete('line', 1, with_parents := true);
SET ROLE regress_ur_owner;
DELETE FROM doc;
DROP POLICY everybody ON line;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('doc', 1, cascade := true);
RESET ROLE;
SELECT id FROM doc ORDER BY id;
SELECT id FROM line ORDER BY id;

-- triggers fire as the role as which those of a DELETE fire
CREATE TABLE who (op text, relation text, role name);
GRANT INSERT ON who TO regress_ur_owner, regress_ur_user;
CREATE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ur.who VALUES (TG_OP, TG_TABLE_NAME, current_user);
    RETURN NULL;
END $$;
CREATE TRIGGER who AFTER INSERT OR DELETE ON doc FOR EACH ROW EXECUTE FUNCTION who();
CREATE TRIGGER who AFTER INSERT OR DELETE ON line FOR EACH ROW EXECUTE FUNCTION who();
CREATE TRIGGER whos AFTER INSERT OR DELETE ON line FOR EACH STATEMENT EXECUTE FUNCTION who();
GRANT DELETE ON doc TO regress_ur_user;
CREATE POLICY go ON doc FOR DELETE USING (true);
SET ROLE regress_ur_user;
DELETE FROM doc WHERE id = 1;
SELECT softdelete_undelete('doc', 1, cascade := true);
RESET ROLE;
SELECT relation, count(*), count(*) FILTER (WHERE op = 'DELETE') AS deletes, count(DISTINCT role) AS roles FROM who GROUP BY relation ORDER BY relation;
SELECT op, role FROM who WHERE relation = 'doc' ORDER BY op;

\set SHOW_CONTEXT never
-- set: columns of the row that comes back
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, name varchar(5) NOT NULL, n int CHECK (n > 0), twice int GENERATED ALWAYS AS (n * 2) STORED,
    p int REFERENCES p ON DELETE CASCADE, tags int[], at timestamptz, changes int DEFAULT 0, UNIQUE (name));
CREATE TABLE below (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changes := NEW.changes + 1; RETURN NEW; END';
CREATE TRIGGER bump BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION bump();
INSERT INTO p VALUES (1), (2), (3);
INSERT INTO t (id, name, n, p) VALUES (1, 'a', 1, 1), (2, 'b', 2, 2);
INSERT INTO below VALUES (1, 1);
SELECT relation FROM softdelete_register('p');
DELETE FROM p WHERE id = 1;
SELECT softdelete_undelete('t', 1);
SELECT softdelete_undelete('t', 1, set := '{"name": "c", "n": 5, "p": 2, "tags": [1, 2], "at": "2020-02-02 02:02:02+00"}');
SELECT id, name, n, twice, p, tags, extract(epoch FROM at)::bigint AS at, changes, active FROM t ORDER BY id;
-- of a key that nothing refers to
DELETE FROM below;
SELECT softdelete_undelete('below', '1', set := '{"id": 10, "t": null}');
SELECT id, t FROM below;
-- odd names
CREATE DOMAIN filled AS int NOT NULL;
CREATE TABLE "My T" ("Id x" int PRIMARY KEY, "a""b" filled, c text, n int, k int);
SELECT relation FROM softdelete_register('"My T"');
INSERT INTO "My T" VALUES (1, 2, 'c', 3, 4);
DELETE FROM "My T";
SELECT softdelete_undelete('"My T"', 1, set := '{"a\"b": null}');
SELECT softdelete_undelete('"My T"', 1, set := '{"Id x": 7, "a\"b": 9, "n": 8}');
SELECT "Id x", "a""b", c, n, k FROM "My T";
-- what cannot be
SELECT softdelete_undelete('t', 1, set := '{"n": 9}');
DELETE FROM t;
SELECT softdelete_undelete('t', 1, set := '[1]');
SELECT softdelete_undelete('t', 1, set := '{"id": 5}');
SELECT softdelete_undelete('t', 1, set := '{"nope": 1}');
SELECT softdelete_undelete('t', 1, set := '{"ctid": "(0,1)"}');
SELECT softdelete_undelete('t', 1, set := '{"active": true}');
SELECT softdelete_undelete('t', 1, set := '{"deletion_id": 1}');
SELECT softdelete_undelete('t', 1, set := '{"twice": 1}');
SELECT softdelete_undelete('t', ARRAY[1, 2], set := '{"n": 1}');
SELECT softdelete_undelete('t', 1, set := '{"n": "x"}');
SELECT softdelete_undelete('t', 1, set := '{"n": -1}');
SELECT softdelete_undelete('t', 1, set := '{"name": null}');
SELECT softdelete_undelete('t', 1, set := '{"name": "too long"}');
SELECT softdelete_undelete('t', 1, set := '{"id": 2}');
SELECT softdelete_undelete('t', 2);
SELECT softdelete_undelete('t', 1, set := '{"name": "b"}');
SELECT softdelete_undelete('t', 1, set := '{"p": 1}');
SELECT softdelete_undelete('t', 1, set := '{"p": 4}');
DELETE FROM t;
SELECT softdelete_undelete('t', 1, set := '{}');
DELETE FROM t;
CREATE TABLE part (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE part1 (v int, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part1 FOR VALUES FROM (0) TO (10);
INSERT INTO part VALUES (1, 1);
SELECT relation FROM softdelete_register('part');
DELETE FROM part;
SELECT softdelete_undelete('part', 1, set := '{"id": 2}');
SELECT softdelete_undelete('part', 1, set := '{"v": 2}');
SELECT id, v FROM part;
-- who may
GRANT SELECT, INSERT, UPDATE (n) ON t TO regress_ur_user;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('t', 1, set := '{"n": 7, "name": "x"}');
SELECT softdelete_undelete('t', 1, set := '{"n": 7}');
SELECT id, n FROM t;
RESET ROLE;
DELETE FROM t;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY look ON t FOR SELECT USING (true);
CREATE POLICY come ON t FOR INSERT WITH CHECK (true);
CREATE POLICY go ON t FOR UPDATE USING (id = 1) WITH CHECK (n < 100 AND EXISTS (SELECT FROM p WHERE p.id = n));
GRANT SELECT ON p TO regress_ur_user;
SET ROLE regress_ur_user;
SELECT softdelete_undelete('t', 2, set := '{"n": 7}');
SELECT softdelete_undelete('t', 1, set := '{"n": 101}');
SELECT softdelete_undelete('t', 1, set := '{"n": 1}');
SELECT softdelete_undelete('t', 1, set := '{"n": 3}');
SELECT id, n FROM t;
RESET ROLE;

-- functions of policies find what they name in the caller's search_path, but operators are PostgreSQL's
CREATE TABLE member (who name, tenant int);
CREATE TABLE note (id int PRIMARY KEY, tenant int, v text);
CREATE FUNCTION mine(t int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN EXISTS (SELECT FROM member WHERE who = current_user AND tenant = t); END';
CREATE FUNCTION never(tid, tid) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE OPERATOR = (LEFTARG = tid, RIGHTARG = tid, FUNCTION = never);
INSERT INTO member VALUES ('regress_ur_user', 1);
INSERT INTO note VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 1, 'c');
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON note USING (mine(tenant));
GRANT SELECT, INSERT, UPDATE ON note, member TO regress_ur_user;
SELECT relation FROM softdelete_register('note');
DELETE FROM note;
SET ROLE regress_ur_user;
SET search_path = ur, pg_catalog, public;
SELECT softdelete_undelete('note', 1);
SELECT softdelete_undelete('note', 2);
SELECT softdelete_undelete('note', 3, set := '{"tenant": 2}');
SELECT softdelete_undelete('note', 3, set := '{"v": "d"}');
SELECT id, tenant, v FROM note ORDER BY id;
RESET ROLE;
SET search_path = ur, public;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA ur CASCADE;
DROP OWNED BY regress_ur_owner, regress_ur_user, regress_ur_bypass;
DROP ROLE regress_ur_owner, regress_ur_user, regress_ur_bypass;
