-- where the four recipes fail (BEFORE DELETE trigger, rule, row security, view), and that softdelete does not
CREATE SCHEMA rec;
SET search_path = rec, public;
SELECT setval('softdelete.deletion_id_seq', 540000);
CREATE FUNCTION ids(t regclass, OUT live text, OUT deleted text) LANGUAGE plpgsql SET softdelete.show_deleted = on AS
$$ BEGIN EXECUTE format('SELECT string_agg(id::text, '','' ORDER BY id) FILTER (WHERE active), string_agg(id::text, '','' ORDER BY id) FILTER (WHERE NOT active) FROM %s', t) INTO live, deleted; END $$;

CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 20) i;
SELECT count(*) FROM softdelete_register('t');

-- the tag
\set QUIET off
DELETE FROM t WHERE id IN (1, 2);
DELETE FROM t WHERE id = 1;
\set QUIET on

-- RETURNING, and an archiving CTE
DELETE FROM t WHERE id = 3 RETURNING id, v;
CREATE TABLE archive (id int, v text);
WITH d AS (DELETE FROM t WHERE id IN (4, 5) RETURNING id, v) INSERT INTO archive SELECT * FROM d;
SELECT * FROM archive ORDER BY id;

-- the cascade of a parent that is not registered: refused by name, no child dangles
CREATE TABLE outside (id int PRIMARY KEY);
CREATE TABLE inside (id int PRIMARY KEY, outside_id int REFERENCES outside ON DELETE CASCADE);
INSERT INTO outside VALUES (1), (2);
INSERT INTO inside VALUES (1, 1), (2, 1);
SELECT count(*) FROM softdelete_register('inside');
DELETE FROM outside WHERE id = 1;
SELECT (SELECT count(*) FROM outside) AS outside, live, deleted FROM ids('inside');
DELETE FROM inside WHERE id = 1;
DELETE FROM outside WHERE id = 1;
DELETE FROM outside WHERE id = 2;
SELECT count(*) FROM softdelete_register('outside');
DELETE FROM outside WHERE id = 1;
SELECT (SELECT count(*) FROM outside) AS outside, live, deleted FROM ids('inside');
SELECT softdelete_undelete('outside', 1, cascade := true);
SELECT * FROM ids('inside');

-- an UPDATE of a partition key moves the row, new values and all
CREATE TABLE part (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2);
INSERT INTO part VALUES (1, 1, 'old'), (2, 1, 'old');
SELECT count(*) FROM softdelete_register('part');
UPDATE part SET k = 2, v = 'new' WHERE id = 1;
SELECT tableoid::regclass, id, k, v, active FROM part ORDER BY id;
DELETE FROM part WHERE id = 1;
SELECT * FROM ids('part');

-- a role that may DELETE and nothing else
CREATE ROLE regress_rec;
GRANT USAGE ON SCHEMA rec TO regress_rec;
GRANT DELETE ON part2, t TO regress_rec;
SET ROLE regress_rec;
\set QUIET off
DELETE FROM t;
\set QUIET on
UPDATE t SET v = 'x';
RESET ROLE;
SELECT softdelete_undelete('t', ARRAY[6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);

-- DELETE triggers fire, with what they ask for; UPDATE triggers do not
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    IF TG_LEVEL = 'ROW' THEN RAISE NOTICE '% % % row %', TG_NAME, TG_WHEN, TG_OP, OLD.id; RETURN OLD; END IF;
    IF TG_WHEN = 'AFTER' AND TG_OP = 'DELETE' THEN SELECT count(*) INTO n FROM old_rows; END IF;
    RAISE NOTICE '% % % statement, % rows', TG_NAME, TG_WHEN, TG_OP, n;
    RETURN NULL;
END $$;
CREATE TRIGGER a BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER b BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER c AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER d AFTER DELETE ON t REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER e BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER f AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION tell();
DELETE FROM t WHERE id IN (6, 7);
DROP TRIGGER a ON t; DROP TRIGGER b ON t; DROP TRIGGER c ON t; DROP TRIGGER d ON t; DROP TRIGGER e ON t; DROP TRIGGER f ON t;

-- a conditional rule does not let rows really go
CREATE TABLE told (id int);
CREATE RULE told AS ON DELETE TO t WHERE old.id = 8 DO ALSO INSERT INTO told VALUES (old.id);
DELETE FROM t WHERE id IN (8, 9);
SELECT * FROM told;
DROP RULE told ON t;
CREATE RULE never AS ON DELETE TO t WHERE old.id = 10 DO INSTEAD NOTHING;
DELETE FROM t WHERE id IN (10, 11);
DROP RULE never ON t;
SELECT * FROM ids('t');

-- under the role of a replica nothing really goes
SET session_replication_role = replica;
DELETE FROM t WHERE id = 12;
BEGIN;
TRUNCATE t;
SELECT * FROM ids('t');
ROLLBACK;
RESET session_replication_role;
SELECT * FROM ids('t');

-- owner and superuser do not see deleted rows either
ALTER TABLE t OWNER TO regress_rec;
SELECT count(*) FROM t;
SET ROLE regress_rec;
SELECT count(*) FROM t;
RESET ROLE;

-- the base table is what the application uses: there is no other door
INSERT INTO t VALUES (21, 'v21');
UPDATE t SET v = 'changed' WHERE id IN (1, 21) RETURNING id;

-- index use: peers_hiding, 31; set-based cascades: peers_deleting, 22

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA rec CASCADE;
DROP ROLE regress_rec;
