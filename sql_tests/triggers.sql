-- the table's DELETE triggers fire, its UPDATE triggers do not
CREATE SCHEMA trig;
SET search_path = trig, public;
SELECT setval('softdelete.deletion_id_seq', 660000);

CREATE TABLE p (id int PRIMARY KEY, v text);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE, v text);
INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'veto'), (4, 'd');
INSERT INTO c VALUES (1, 1, 'a'), (2, 1, 'veto'), (3, 2, 'b'), (4, 3, 'c'), (5, 4, 'd');
SELECT relation FROM softdelete_register('p');
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE '% % % % on % depth % old %', TG_NAME, TG_WHEN, TG_LEVEL, TG_OP, TG_TABLE_NAME, pg_trigger_depth(), OLD; RETURN COALESCE(NEW, OLD); END $$;
CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.v = ''veto'' THEN RETURN NULL; END IF; RETURN OLD; END';
CREATE FUNCTION rows_seen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE '% % saw %', TG_NAME, TG_OP, (SELECT array_agg(id ORDER BY id) FROM gone); RETURN NULL; END $$;
CREATE TRIGGER b_del BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER a_veto BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION veto();
CREATE TRIGGER b_upd BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER z_upd AFTER UPDATE ON p FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER z_del AFTER DELETE ON p FOR EACH ROW WHEN (OLD.id < 3) EXECUTE FUNCTION say();
CREATE TRIGGER bs BEFORE DELETE ON p EXECUTE FUNCTION say();
CREATE TRIGGER zs AFTER DELETE ON p REFERENCING OLD TABLE AS gone EXECUTE FUNCTION rows_seen();
CREATE TRIGGER us AFTER UPDATE ON p EXECUTE FUNCTION say();
CREATE TRIGGER child_del BEFORE DELETE ON c FOR EACH ROW EXECUTE FUNCTION say();
CREATE CONSTRAINT TRIGGER child_later AFTER DELETE ON c DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER child_rows AFTER DELETE ON c REFERENCING OLD TABLE AS gone EXECUTE FUNCTION rows_seen();
\set QUIET off
BEGIN;
DELETE FROM p WHERE id < 4 RETURNING id;
\echo deferred triggers come now
COMMIT;
\set QUIET on
SELECT * FROM p ORDER BY id;
SELECT * FROM c ORDER BY id;
-- disabled ones do not fire; replica ones only there
ALTER TABLE p DISABLE TRIGGER b_del;
ALTER TABLE p DISABLE TRIGGER zs;
SET session_replication_role = replica;
DELETE FROM p WHERE id = 4;
RESET session_replication_role;
SELECT id FROM c ORDER BY 1;
SELECT softdelete_undelete('p', 4);
DELETE FROM p WHERE id = 4;

-- a trigger that deletes, one that raises
CREATE TABLE q (id int PRIMARY KEY, next int);
INSERT INTO q SELECT i, i + 1 FROM generate_series(1, 5) i;
SELECT relation FROM softdelete_register('q');
CREATE FUNCTION next_one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM q WHERE id = OLD.next AND id < 4; RETURN OLD; END';
CREATE TRIGGER next_one BEFORE DELETE ON q FOR EACH ROW EXECUTE FUNCTION next_one();
DELETE FROM q WHERE id = 1;
SELECT id FROM q ORDER BY 1;
SELECT row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not %'', OLD.id; END';
CREATE TRIGGER fail AFTER DELETE ON q FOR EACH ROW EXECUTE FUNCTION fail();
DELETE FROM q WHERE id = 4;
SELECT id FROM q ORDER BY 1;

-- row triggers with a transition table
CREATE TABLE tt (id int PRIMARY KEY);
INSERT INTO tt VALUES (1), (2);
SELECT relation FROM softdelete_register('tt');
CREATE TRIGGER one AFTER DELETE ON tt REFERENCING OLD TABLE AS gone FOR EACH ROW EXECUTE FUNCTION rows_seen();
CREATE TRIGGER two AFTER DELETE ON tt REFERENCING OLD TABLE AS gone FOR EACH ROW WHEN (OLD.id > 1) EXECUTE FUNCTION rows_seen();
DELETE FROM tt;

-- statements of triggers below a cascade are not taken for PostgreSQL's own
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
CREATE TABLE g (id int PRIMARY KEY, b int, n int DEFAULT 0);
INSERT INTO a VALUES (1);
INSERT INTO b VALUES (1, 1);
INSERT INTO g VALUES (1, 1), (2, 1), (3, 2);
SELECT relation FROM softdelete_register('a');
SELECT relation FROM softdelete_register('g');
DELETE FROM g WHERE id = 1;
CREATE FUNCTION below() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE g SET n = n + 1 WHERE OLD.id = b; DELETE FROM g WHERE OLD.id = b; RETURN OLD; END $$;
CREATE TRIGGER below BEFORE DELETE ON b FOR EACH ROW EXECUTE FUNCTION below();
DELETE FROM a;
SET softdelete.show_deleted = on;
SELECT id, n, active FROM g ORDER BY id;
RESET softdelete.show_deleted;

-- a BEFORE UPDATE trigger may move a row to another partition, but not hide it
CREATE TABLE moving (k int, id int, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE moving1 PARTITION OF moving FOR VALUES IN (1);
CREATE TABLE moving2 PARTITION OF moving FOR VALUES IN (2);
INSERT INTO moving VALUES (1, 1);
SELECT relation FROM softdelete_register('moving');
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.k := 2; RETURN NEW; END';
CREATE TRIGGER move BEFORE UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION move();
UPDATE moving SET id = 7;
SELECT tableoid::regclass, id FROM moving;
CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.active := false; RETURN NEW; END';
CREATE TRIGGER hide BEFORE UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION hide();
UPDATE moving SET id = 8;
SELECT tableoid::regclass, id FROM moving;

-- partitions: triggers of the root and of a leaf
CREATE TABLE part (k int, id int, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 (id int NOT NULL, k int NOT NULL);
ALTER TABLE part ATTACH PARTITION part2 DEFAULT;
INSERT INTO part VALUES (1, 1), (2, 2);
SELECT relation FROM softdelete_register('part');
CREATE TRIGGER root_row AFTER DELETE ON part FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER root_rows AFTER DELETE ON part REFERENCING OLD TABLE AS gone EXECUTE FUNCTION rows_seen();
CREATE TRIGGER leaf_row BEFORE DELETE ON part2 FOR EACH ROW EXECUTE FUNCTION say();
DELETE FROM part;
SELECT count(*) FROM part;
-- rows are counted in all partitions, whichever have triggers
CREATE TABLE counted (k int, id int) PARTITION BY LIST (k);
CREATE TABLE counted1 PARTITION OF counted FOR VALUES IN (1);
CREATE TABLE counted2 PARTITION OF counted FOR VALUES IN (2);
SELECT relation FROM softdelete_register('counted');
CREATE TRIGGER last_only AFTER DELETE ON counted2 FOR EACH ROW WHEN (OLD.id > 99) EXECUTE FUNCTION say();
INSERT INTO counted SELECT k, id FROM generate_series(1, 2) k, generate_series(1, 5) id;
DELETE FROM counted;
SELECT row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 1;

-- many rows of a partition with columns of its own, with a condition that needs ever more memory
CREATE TABLE wide (k int, v text) PARTITION BY LIST (k);
CREATE TABLE wide1 (gone int, v text, k int);
ALTER TABLE wide1 DROP gone;
ALTER TABLE wide ATTACH PARTITION wide1 FOR VALUES IN (1);
INSERT INTO wide SELECT 1, 'v' || g FROM generate_series(1, 500) g;
SELECT relation FROM softdelete_register('wide');
CREATE TRIGGER say BEFORE DELETE ON wide1 FOR EACH ROW WHEN (repeat(OLD.v, substr(OLD.v, 2)::int) = '') EXECUTE FUNCTION say();
CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE NOTICE ''% % %'', (SELECT count(*) FROM gone), (SELECT sum(k) FROM gone), (SELECT max(v) FROM gone); RETURN NULL; END';
CREATE TRIGGER sum_up AFTER DELETE ON wide REFERENCING OLD TABLE AS gone EXECUTE FUNCTION sum_up();
DELETE FROM wide;

-- conditions of AFTER triggers see the pg_trigger_depth() that they would see, and the triggers keep their order
CREATE TABLE soft_p (id int PRIMARY KEY);
CREATE TABLE soft_c (id int PRIMARY KEY, p_id int REFERENCES soft_p ON DELETE CASCADE);
CREATE TABLE real_p (id int PRIMARY KEY);
CREATE TABLE real_c (id int PRIMARY KEY, p_id int REFERENCES real_p ON DELETE CASCADE);
CREATE TABLE fired (t text, n serial, what text);
CREATE FUNCTION note_fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired (t, what) VALUES (left(TG_TABLE_NAME, 4), format('%s %s %s at %s', right(TG_TABLE_NAME, 1), OLD.id, TG_NAME, pg_trigger_depth())); RETURN OLD; END $$;
INSERT INTO soft_p VALUES (1), (2), (3); INSERT INTO real_p TABLE soft_p;
INSERT INTO soft_c VALUES (1, 1), (2, 1), (3, 2), (4, 3); INSERT INTO real_c TABLE soft_c;
SELECT relation FROM softdelete_register('soft_p');
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['soft_p', 'soft_c', 'real_p', 'real_c'] LOOP
    EXECUTE format('CREATE TRIGGER a_plain AFTER DELETE ON %I FOR EACH ROW EXECUTE FUNCTION note_fired()', t);
    EXECUTE format('CREATE TRIGGER b_depth_0 AFTER DELETE ON %I FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION note_fired()', t);
    EXECUTE format('CREATE TRIGGER c_depth_1 AFTER DELETE ON %I FOR EACH ROW WHEN (pg_trigger_depth() = 1) EXECUTE FUNCTION note_fired()', t);
    EXECUTE format('CREATE TRIGGER d_odd AFTER DELETE ON %I FOR EACH ROW WHEN (OLD.id %% 2 = 1) EXECUTE FUNCTION note_fired()', t);
    EXECUTE format('CREATE TRIGGER e_before BEFORE DELETE ON %I FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION note_fired()', t);
    EXECUTE format('CREATE CONSTRAINT TRIGGER f_deferred AFTER DELETE ON %I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.id > 1) EXECUTE FUNCTION note_fired()', t);
END LOOP; END $$;
DELETE FROM soft_p WHERE id < 3;
DELETE FROM soft_c WHERE id = 4;
MERGE INTO soft_p USING (VALUES (3)) v (i) ON id = i WHEN MATCHED THEN DELETE;
DELETE FROM real_p WHERE id < 3;
DELETE FROM real_c WHERE id = 4;
MERGE INTO real_p USING (VALUES (3)) v (i) ON id = i WHEN MATCHED THEN DELETE;
SELECT what FROM fired WHERE t = 'soft' ORDER BY n;
SELECT array_agg(what ORDER BY n) FILTER (WHERE t = 'soft') = array_agg(what ORDER BY n) FILTER (WHERE t = 'real') AS same FROM fired;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA trig CASCADE;
