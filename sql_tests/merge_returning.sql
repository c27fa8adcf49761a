-- RETURNING of MERGE: PostgreSQL 17
CREATE SCHEMA mret;
SET search_path = mret, public;
SELECT current_setting('server_version_num')::int >= 170000 AS has_returning \gset
\if :has_returning
CREATE TABLE t (id int PRIMARY KEY, v text, gone int);
ALTER TABLE t DROP COLUMN gone;
CREATE TABLE twin (LIKE t INCLUDING ALL);
INSERT INTO t VALUES (1, 'delete'), (2, 'update'), (3, 'delete');
INSERT INTO twin SELECT * FROM t;
SELECT relation FROM softdelete_register('t');
MERGE INTO t USING (VALUES (1), (2), (3), (4)) s(i) ON id = i WHEN MATCHED AND v = 'delete' THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'updated' WHEN NOT MATCHED THEN INSERT VALUES (i, 'inserted')
    RETURNING merge_action(), s.i, id, v, active, deletion_id, (SELECT lower(merge_action()) || t.id), t.*;
MERGE INTO twin USING (VALUES (1), (2), (3), (4)) s(i) ON id = i WHEN MATCHED AND v = 'delete' THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'updated' WHEN NOT MATCHED THEN INSERT VALUES (i, 'inserted')
    RETURNING merge_action(), s.i, id, v, (SELECT lower(merge_action()) || twin.id), twin.*;
-- whole rows, in a CTE, in PL/pgSQL
WITH m AS (MERGE INTO t USING (VALUES (2)) s(i) ON id = i WHEN MATCHED THEN DELETE RETURNING merge_action() AS action, t AS whole) SELECT action, whole, (whole).v FROM m;
DO $$ DECLARE r record; BEGIN
    MERGE INTO t USING (VALUES (4)) s(i) ON id = i WHEN MATCHED THEN DELETE RETURNING merge_action() AS action, t.v INTO r;
    RAISE NOTICE '%', r;
END $$;
SELECT id FROM t;
\endif

SET client_min_messages = error;
SET softdelete.enabled = off;
DROP SCHEMA mret CASCADE;
