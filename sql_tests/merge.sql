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

-- rights
CREATE ROLE regress_merge;
GRANT USAGE ON SCHEMA merge TO regress_merge;
GRANT SELECT ON s TO regress_merge;
GRANT SELECT, UPDATE ON t TO regress_merge;
SET ROLE regress_merge;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE;
RESET ROLE;

DROP SCHEMA merge CASCADE;
DROP ROLE regress_merge;
