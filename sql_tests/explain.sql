-- EXPLAIN says that a DELETE is a soft one and what its foreign keys do
CREATE SCHEMA expl;
SET search_path = expl, public;
SELECT setval('softdelete.deletion_id_seq', 280000);

-- what is said of nodes that change rows, and of triggers; without costs, times masked
CREATE FUNCTION said(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN
    FOR line IN EXECUTE sql LOOP
        line := regexp_replace(line, ' +\((cost=|actual [^)]* loops=)[^)]*\)', '', 'g');
        line := regexp_replace(line, 'time=[0-9.]+', 'time=T');
        line := regexp_replace(line, '(RI_ConstraintTrigger_[ac])_\d+', '\1_N');
        IF line ~ '^ *(-> *)?(Delete|Merge|Update|Soft|Foreign|Trigger|Tuples)' THEN RETURN NEXT line; END IF;
    END LOOP;
END $$;
-- "Triggers" of a JSON plan
CREATE FUNCTION fired(sql text) RETURNS TABLE (trigger text, of_constraint text, relation text, calls int)
LANGUAGE plpgsql AS $$
DECLARE plan jsonb; BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || sql INTO plan;
    RETURN QUERY SELECT regexp_replace(t ->> 'Trigger Name', '(RI_ConstraintTrigger_[ac])_\d+', '\1_N'),
        t ->> 'Constraint Name', t ->> 'Relation', (t ->> 'Calls')::int
        FROM jsonb_array_elements(plan #> '{0,Triggers}') t ORDER BY 2, 1, 3;
END $$;
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';

-- the same tables twice; those in "twin" are not registered
CREATE SCHEMA twin;
CREATE FUNCTION make(schema text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('SET LOCAL search_path = %I, expl', schema);
    CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
    CREATE TABLE l (c_id int REFERENCES c ON DELETE CASCADE, n int, PRIMARY KEY (c_id, n));
    CREATE TABLE s (id int PRIMARY KEY, p_id int DEFAULT 0 REFERENCES p ON DELETE SET NULL, d_id int DEFAULT 0 REFERENCES p ON DELETE SET DEFAULT);
    CREATE TABLE r (c_id int REFERENCES c ON DELETE RESTRICT, p_id int REFERENCES p);
    INSERT INTO p SELECT generate_series(0, 9);
    INSERT INTO c SELECT i, i % 5 FROM generate_series(1, 20) i;
    INSERT INTO l SELECT 1 + i % 20, i FROM generate_series(1, 60) i;
    INSERT INTO s SELECT i, i, i FROM generate_series(1, 9) i;
    INSERT INTO r SELECT 20, 0;
    CREATE TRIGGER p_before BEFORE DELETE ON p FOR EACH ROW WHEN (OLD.id > 1) EXECUTE FUNCTION tf();
    CREATE TRIGGER p_after AFTER DELETE ON p FOR EACH ROW EXECUTE FUNCTION tf();
    CREATE TRIGGER p_before_stmt BEFORE DELETE ON p EXECUTE FUNCTION tf();
    CREATE TRIGGER p_after_stmt AFTER DELETE ON p EXECUTE FUNCTION tf();
    CREATE TRIGGER p_update BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION tf();
    CREATE TRIGGER l_after AFTER DELETE ON l FOR EACH ROW EXECUTE FUNCTION tf();
END $$;
SELECT make('expl'), make('twin');
SELECT relation FROM softdelete_register('p');

-- says what would happen, and does nothing
SELECT last_value, is_called FROM softdelete.deletion_id_seq;
EXPLAIN (COSTS OFF) DELETE FROM p WHERE id + 0 = 1;
EXPLAIN (COSTS OFF) DELETE FROM l;
EXPLAIN (COSTS OFF) UPDATE p SET id = id;
EXPLAIN (COSTS OFF) DELETE FROM twin.l;
SELECT last_value, is_called FROM softdelete.deletion_id_seq;
SELECT count(*) FROM p;
CREATE FUNCTION plan(format text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan text; BEGIN
    EXECUTE format('EXPLAIN (FORMAT %s, COSTS OFF, VERBOSE) %s', format, sql) INTO plan;
    RETURN plan;
END $$;
SELECT jsonb_pretty(jsonb_path_query_array(plan('json', 'DELETE FROM c')::jsonb, '$[0].Plan.keyvalue() ? (@.key like_regex "Soft|Operation|Foreign")."value"'));
SELECT unnest(xpath('//*[local-name() = "Soft-Delete" or local-name() = "Foreign-Key"]', plan('xml', 'DELETE FROM c')::xml));
SELECT line FROM regexp_split_to_table(plan('yaml', 'DELETE FROM l'), '\n') line WHERE line ~ 'Soft|Operation';

-- a table that is not registered, names that need quotes, a key that is switched off
CREATE TABLE "Other Table" (p_id int CONSTRAINT "Other Key" REFERENCES p ON DELETE CASCADE);
SELECT softdelete_unregister('"Other Table"');
SELECT said('EXPLAIN DELETE FROM p');
SELECT said('EXPLAIN VERBOSE DELETE FROM c');
DROP TABLE "Other Table";
SET session_replication_role = replica;
SELECT said('EXPLAIN DELETE FROM p');
RESET session_replication_role;

-- time and rows of the cascade; the triggers are those of a real DELETE
BEGIN;
SELECT said('EXPLAIN ANALYZE DELETE FROM p WHERE id IN (1, 2, 9)');
ROLLBACK;
BEGIN;
SELECT said('EXPLAIN (ANALYZE, TIMING OFF, VERBOSE) DELETE FROM p WHERE id IN (1, 2, 9)');
ROLLBACK;
BEGIN;
SELECT said('EXPLAIN (ANALYZE, TIMING OFF) DELETE FROM p WHERE id = 77');
CREATE TEMP TABLE soft AS SELECT * FROM fired('DELETE FROM p WHERE id IN (1, 2, 9)');
CREATE TEMP TABLE hard AS SELECT * FROM fired('DELETE FROM twin.p WHERE id IN (1, 2, 9)');
SELECT * FROM soft;
SELECT * FROM soft EXCEPT ALL SELECT * FROM hard;
SELECT * FROM hard EXCEPT ALL SELECT * FROM soft;
ROLLBACK;
BEGIN;
SELECT key ->> 'Constraint Name' AS key, key -> 'Actual Rows' AS rows, jsonb_typeof(key -> 'Actual Time') AS time
FROM jsonb_path_query(plan('json, ANALYZE', 'DELETE FROM p WHERE id = 1')::jsonb, '$[0].Plan."Foreign Keys"[*]') key;
ROLLBACK;
-- updates have none of our triggers
BEGIN;
SELECT said('EXPLAIN (ANALYZE, TIMING OFF) UPDATE p SET active = active');
SELECT said('EXPLAIN (ANALYZE, TIMING OFF) UPDATE s SET p_id = NULL');
ROLLBACK;
-- an error is an error
EXPLAIN ANALYZE DELETE FROM p WHERE id = 0;

-- prepared, with a plan that is kept; CTEs; a MERGE; RETURNING; row by row
SET plan_cache_mode = force_generic_plan;
PREPARE del(int) AS DELETE FROM p WHERE id = $1 RETURNING *;
SELECT said('EXPLAIN EXECUTE del(1)');
SELECT said('EXPLAIN EXECUTE del(1)');
BEGIN;
SELECT said('EXPLAIN ANALYZE EXECUTE del(1)');
EXECUTE del(2);
EXECUTE del(2);
SELECT said('EXPLAIN (ANALYZE, VERBOSE, TIMING OFF) DELETE FROM l WHERE n = 7 RETURNING l, n, active, deletion_id, ctid');
ROLLBACK;
BEGIN;
SELECT said('EXPLAIN (ANALYZE, TIMING OFF) WITH d AS (DELETE FROM c WHERE id = 1 RETURNING *) DELETE FROM p USING d WHERE p.id = d.p_id');
ROLLBACK;
BEGIN;
SELECT said('EXPLAIN MERGE INTO p USING generate_series(1, 3) i ON p.id = i WHEN MATCHED AND i = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET id = p.id + 100 WHEN NOT MATCHED THEN INSERT VALUES (i)');
SELECT plan -> 'Tuples Deleted' AS deleted, plan -> 'Tuples Updated' AS updated, jsonb_array_length(plan -> 'Foreign Keys') AS keys
FROM (SELECT plan('json, ANALYZE', 'MERGE INTO p USING generate_series(6, 8) i ON p.id = i WHEN MATCHED AND i = 6 THEN DELETE WHEN MATCHED THEN DO NOTHING')::jsonb #> '{0,Plan}' AS plan) x;
ROLLBACK;
BEGIN;
CREATE TABLE both_ways (a int REFERENCES p ON DELETE CASCADE, b int REFERENCES p);
INSERT INTO both_ways VALUES (1, 2), (1, NULL), (2, 2);
SELECT relation FROM softdelete_register('p');
SELECT line FROM said('EXPLAIN (ANALYZE, TIMING OFF) DELETE FROM p WHERE id IN (1, 2)') line WHERE line ~ 'both_ways';
ROLLBACK;

-- itself and a partitioned table
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1), (4, 2), (5, 4);
SELECT relation FROM softdelete_register('tree');
SELECT said('EXPLAIN (ANALYZE, TIMING OFF) DELETE FROM tree WHERE id = 1');
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
CREATE TABLE below (id int PRIMARY KEY, parted_id int REFERENCES parted ON DELETE CASCADE);
CREATE TABLE below_1 (parted_id int REFERENCES parted_1 ON DELETE SET NULL);
INSERT INTO parted VALUES (1), (2), (11);
INSERT INTO below VALUES (1, 1), (2, 1), (3, 11);
INSERT INTO below_1 VALUES (1);
SELECT relation FROM softdelete_register('parted');
EXPLAIN (COSTS OFF) DELETE FROM parted;
SELECT said('EXPLAIN DELETE FROM parted_2');
SELECT said('EXPLAIN DELETE FROM parted WHERE id = 11');
SELECT said('EXPLAIN DELETE FROM parted WHERE false');
SELECT count(*) FROM jsonb_path_query(plan('json', 'DELETE FROM parted')::jsonb, 'strict $.**."Soft Delete"');
SELECT xpath_exists('//*[local-name() = "Soft-Delete"]', plan('xml', 'DELETE FROM parted')::xml);
SELECT said('EXPLAIN (ANALYZE, TIMING OFF) DELETE FROM parted');
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA expl, twin CASCADE;
