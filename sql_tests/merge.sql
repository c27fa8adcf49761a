-- MERGE: its DELETE actions are soft, its UPDATE and INSERT actions as ever
CREATE SCHEMA merge;
SET search_path = merge, public;

CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE c (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE);
CREATE TABLE s (id int, what text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 6) i;
INSERT INTO c SELECT i, i FROM generate_series(1, 6) i;
SELECT * FROM softdelete_register('t');
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE '% % % %', TG_NAME, TG_WHEN, TG_OP, COALESCE(OLD, NEW); RETURN COALESCE(NEW, OLD); END $$;

\set QUIET off
-- delete only
INSERT INTO s VALUES (1, 'd'), (2, 'd'), (9, 'd');
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
SELECT array_agg(id ORDER BY id) FROM t;
SELECT array_agg(id ORDER BY id) FROM c;

-- all of them at once, with triggers that tell which fire
CREATE TRIGGER b BEFORE UPDATE OR DELETE OR INSERT ON t FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER z AFTER UPDATE OR DELETE OR INSERT ON t FOR EACH ROW EXECUTE FUNCTION say();
TRUNCATE s;
INSERT INTO s VALUES (3, 'd'), (4, 'u'), (10, 'i');
MERGE INTO t USING s ON t.id = s.id
    WHEN MATCHED AND what = 'd' THEN DELETE
    WHEN MATCHED THEN UPDATE SET v = 'merged'
    WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, 'new');
DROP TRIGGER b ON t;
DROP TRIGGER z ON t;
SELECT id, v FROM t ORDER BY id;
SELECT array_agg(id ORDER BY id) FROM c;

-- deleted rows are not matched, whatever is shown
SET softdelete.show_deleted = on;
TRUNCATE s;
INSERT INTO s VALUES (1, 'd'), (5, 'd');
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
RESET softdelete.show_deleted;
SELECT count(*) FROM softdelete.deletions WHERE relations ? 't';

-- a row twice is an error, as ever
TRUNCATE s;
INSERT INTO s VALUES (6, 'd'), (6, 'd');
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND what = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'x';
\set QUIET on

SELECT softdelete_undelete('t', ARRAY[1, 2, 3, 5], cascade := true);
SELECT array_agg(id ORDER BY id) FROM c;

-- CHECK and generated columns of the rows that it updates or inserts hold
CREATE TABLE m (id int PRIMARY KEY, v int CHECK (v > 0), g int GENERATED ALWAYS AS (v * 2) STORED);
INSERT INTO m SELECT i, i FROM generate_series(1, 4) i;
SELECT relation FROM softdelete_register('m');
MERGE INTO m USING generate_series(1, 3) s(i) ON id = i WHEN MATCHED AND i = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET v = -10;
MERGE INTO m USING (VALUES (1), (9)) s(i) ON id = i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, v) VALUES (9, -9);
MERGE INTO m USING (VALUES (1), (2), (9)) s(i) ON id = i WHEN MATCHED AND i = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 20 WHEN NOT MATCHED THEN INSERT (id, v) VALUES (9, 9);
SELECT id, v, g FROM m ORDER BY id;
-- rows move between partitions, beside others that are deleted
CREATE TABLE mp (k int, id int, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE mp1 PARTITION OF mp FOR VALUES IN (1);
CREATE TABLE mp2 PARTITION OF mp FOR VALUES IN (2);
INSERT INTO mp VALUES (1, 1), (1, 2), (2, 3);
SELECT relation FROM softdelete_register('mp');
MERGE INTO mp USING (VALUES (1), (2)) s(i) ON id = i WHEN MATCHED AND i = 1 THEN UPDATE SET k = 2 WHEN MATCHED THEN DELETE;
SELECT tableoid::regclass, id FROM mp ORDER BY id;

-- statement triggers in PostgreSQL's order, with their transition tables; every row has its own triggers
CREATE TABLE tt (id int PRIMARY KEY, v int CONSTRAINT big CHECK (v > 0), g int GENERATED ALWAYS AS (10 / v) STORED);
INSERT INTO tt (id, v) SELECT i, i FROM generate_series(1, 6) i;
SELECT relation FROM softdelete_register('tt');
CREATE FUNCTION st() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % %', TG_WHEN, TG_OP, TG_LEVEL; RETURN NULL; END $$;
CREATE FUNCTION st_old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % old %', TG_WHEN, TG_OP, (SELECT string_agg(o.id || ':' || o.v, ',' ORDER BY id) FROM o); RETURN NULL; END $$;
CREATE FUNCTION st_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % new %', TG_WHEN, TG_OP, (SELECT string_agg(n.id || ':' || n.v, ',' ORDER BY id) FROM n); RETURN NULL; END $$;
CREATE FUNCTION st_both() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % old % new %', TG_WHEN, TG_OP, (SELECT string_agg(o.id || ':' || o.v, ',' ORDER BY id) FROM o), (SELECT string_agg(n.id || ':' || n.v, ',' ORDER BY id) FROM n); RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON tt FOR EACH STATEMENT EXECUTE FUNCTION st();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON tt FOR EACH STATEMENT EXECUTE FUNCTION st();
CREATE TRIGGER d AFTER DELETE ON tt REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION st_old();
CREATE TRIGGER i AFTER INSERT ON tt REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION st_new();
CREATE TRIGGER u AFTER UPDATE ON tt REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION st_both();
CREATE FUNCTION rw() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'row % % % %', TG_WHEN, TG_OP, OLD.id, NEW.id; RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER rb BEFORE INSERT OR UPDATE OR DELETE ON tt FOR EACH ROW EXECUTE FUNCTION rw();
CREATE TRIGGER ra AFTER INSERT OR UPDATE OR DELETE ON tt FOR EACH ROW EXECUTE FUNCTION rw();
-- mixed, insert after delete, delete last
MERGE INTO tt USING (VALUES (1,'u'),(2,'d'),(11,'i'),(3,'d')) s(i, w) ON id = i
 WHEN MATCHED AND w = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET v = v + 100 WHEN NOT MATCHED THEN INSERT (id, v) VALUES (i, 5);
-- delete and insert
MERGE INTO tt USING (VALUES (4,'d'),(12,'i')) s(i, w) ON id = i
 WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, v) VALUES (i, 5);
-- delete only
MERGE INTO tt USING (VALUES (5,'d')) s(i, w) ON id = i WHEN MATCHED THEN DELETE;
-- delete and update, rows of none
MERGE INTO tt USING (VALUES (77,'d')) s(i, w) ON id = i WHEN MATCHED AND w = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET v = 1;
SELECT id, v FROM tt ORDER BY id;
DROP TRIGGER rb ON tt; DROP TRIGGER ra ON tt;
-- checks
ALTER TABLE tt DROP CONSTRAINT big; UPDATE tt SET v = -v WHERE id in (6,11,12); ALTER TABLE tt ADD CONSTRAINT big CHECK (v > 0) NOT VALID;
MERGE INTO tt USING (VALUES (6,'d'),(1,'u')) s(i, w) ON id = i WHEN MATCHED AND w = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET v = 2;
MERGE INTO tt USING (VALUES (11,'d'),(1,'u')) s(i, w) ON id = i WHEN MATCHED AND w = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET v = -2;
MERGE INTO tt USING (VALUES (11,'d'),(1,'u')) s(i, w) ON id = i WHEN MATCHED AND w = 'd' THEN DELETE WHEN NOT MATCHED THEN INSERT (id, v) VALUES (i,-2);
MERGE INTO tt USING (VALUES (12,'d'),(13,'u')) s(i, w) ON id = i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, v) VALUES (i,-2);
MERGE INTO tt USING (VALUES (12,'d'),(13,'u')) s(i, w) ON id = i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, v) VALUES (i,2);
SELECT id, v, g FROM tt ORDER BY id;
-- and its own constraints and triggers in a partition that rows are deleted from, inserted into and moved to
CREATE TABLE mt (k int, id int, v int CHECK (v > 0)) PARTITION BY LIST (k);
CREATE TABLE mt1 PARTITION OF mt FOR VALUES IN (1);
CREATE TABLE mt2 (v int, gone int, id int, k int);
ALTER TABLE mt2 DROP COLUMN gone, ADD CONSTRAINT mt_v_check CHECK (v > 0);
ALTER TABLE mt ATTACH PARTITION mt2 FOR VALUES IN (2);
INSERT INTO mt VALUES (1, 1, 1), (2, 2, 2), (1, 3, 3), (2, 4, 4);
SELECT relation FROM softdelete_register('mt');
CREATE TRIGGER rb BEFORE INSERT OR UPDATE OR DELETE ON mt FOR EACH ROW EXECUTE FUNCTION rw();
CREATE TRIGGER ra AFTER INSERT OR UPDATE OR DELETE ON mt FOR EACH ROW EXECUTE FUNCTION rw();
CREATE TRIGGER u AFTER UPDATE ON mt REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION st_both();
CREATE TRIGGER i AFTER INSERT ON mt REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION st_new();
CREATE TRIGGER d AFTER DELETE ON mt REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION st_old();
MERGE INTO mt USING (VALUES (2, 'd'), (1, 'm'), (12, 'i'), (4, 'd'), (3, 'u')) s(i, w) ON id = i
    WHEN MATCHED AND w = 'd' THEN DELETE
    WHEN MATCHED AND w = 'm' THEN UPDATE SET k = 2
    WHEN MATCHED THEN UPDATE SET v = 33
    WHEN NOT MATCHED THEN INSERT (k, id, v) VALUES (2, i, 12);
SELECT tableoid::regclass, id, v FROM mt ORDER BY id;
MERGE INTO mt USING (VALUES (12, 'd'), (5, 'i')) s(i, w) ON id = i
    WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (k, id, v) VALUES (2, i, -1);
SELECT tableoid::regclass, id, v FROM mt ORDER BY id;

-- a row that is gone is not asked for its parent when the transaction ends
CREATE TABLE dp (id int PRIMARY KEY);
CREATE TABLE dc (id int PRIMARY KEY, v int DEFAULT 0, p int REFERENCES dp ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO dp VALUES (1), (2);
INSERT INTO dc VALUES (1, 0, 1), (2, 0, 1);
SELECT relation FROM softdelete_register('dp');
BEGIN;
UPDATE dc SET p = 2 WHERE id = 1;
MERGE INTO dc USING (VALUES (1)) s(i) ON id = i WHEN MATCHED AND v > 9 THEN UPDATE SET v = 0 WHEN MATCHED THEN DELETE;
DELETE FROM dp WHERE id = 2;
COMMIT;
-- one that is not is
BEGIN;
UPDATE dc SET p = 3 WHERE id = 2;
INSERT INTO dc VALUES (3, 0, 1);
MERGE INTO dc USING (VALUES (2), (3)) s(i) ON id = i WHEN MATCHED AND id = 2 THEN UPDATE SET v = 1 WHEN MATCHED THEN DELETE;
COMMIT;
SELECT id, p FROM dc ORDER BY id;

-- rights
CREATE ROLE regress_merge;
GRANT USAGE ON SCHEMA merge TO regress_merge;
GRANT SELECT ON s TO regress_merge;
GRANT SELECT, UPDATE ON t TO regress_merge;
SET ROLE regress_merge;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
RESET ROLE;

SET softdelete.enabled = off;
DROP SCHEMA merge CASCADE;
DROP ROLE regress_merge;
