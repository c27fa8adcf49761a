-- Whom softdelete.viewer_role bars from deleted rows does not get them by way of a
-- function that tells what it is given, nor by imitating PostgreSQL's foreign keys.
\set VERBOSITY terse
CREATE ROLE regress_leak_owner;
CREATE ROLE regress_leak_viewers;
CREATE ROLE regress_leak_mallory;
CREATE SCHEMA leak;
GRANT ALL ON SCHEMA leak TO PUBLIC;
SET search_path = leak, public;
SET ROLE regress_leak_owner;
CREATE TABLE t (id int PRIMARY KEY, secret text, other int);
CREATE TABLE parted (id int PRIMARY KEY, secret text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE heir () INHERITS (t);
SELECT relation FROM softdelete_register('t') ORDER BY 1;
SELECT relation FROM softdelete_register('parted');
INSERT INTO t VALUES (1, 'live', 1), (2, 'DELETED', 2);
INSERT INTO heir VALUES (3, 'live', 3), (4, 'DELETED', 4);
INSERT INTO parted VALUES (1, 'live'), (2, 'DELETED');
DELETE FROM t WHERE secret = 'DELETED';
DELETE FROM parted WHERE secret = 'DELETED';
GRANT ALL ON t, heir, parted, parted_1 TO regress_leak_mallory;
CREATE VIEW t_view WITH (security_barrier) AS SELECT id, secret FROM t;
GRANT SELECT ON t_view TO regress_leak_mallory;
CREATE TABLE many (id int PRIMARY KEY, secret text);
SELECT relation FROM softdelete_register('many');
INSERT INTO many SELECT i, CASE i % 2 WHEN 0 THEN 'live' ELSE 'DELETED' END FROM generate_series(1, 100) i;
DELETE FROM many WHERE secret = 'DELETED';
GRANT ALL ON many TO regress_leak_mallory;
ANALYZE t, heir, parted, many;
RESET ROLE;
SET softdelete.viewer_role = 'regress_leak_viewers';

SET ROLE regress_leak_mallory;
CREATE FUNCTION tell(x text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
    'BEGIN RAISE NOTICE ''%'', x; RETURN true; END';
CREATE FUNCTION tell(x text, y text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
    'BEGIN RAISE NOTICE ''%'', x; RETURN true; END';
CREATE OPERATOR <<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = tell, RESTRICT = eqsel, JOIN = eqjoinsel);
SELECT id FROM t WHERE tell(secret) ORDER BY id;
SELECT id FROM ONLY t WHERE tell(secret) AND id < 10 ORDER BY id;
SELECT id FROM t WHERE secret <<<< 'x' ORDER BY id;
-- the planner does not show it the statistics
EXPLAIN (COSTS OFF) SELECT id FROM many WHERE secret <<<< 'x';
EXPLAIN (COSTS OFF) SELECT a.id FROM many a JOIN many b ON a.secret <<<< b.secret;
SELECT id FROM t WHERE CASE WHEN tell(secret) THEN 1 / (id - 2) <> 0 END ORDER BY id;
SELECT id FROM heir WHERE tell(secret);
SELECT id FROM parted WHERE tell(secret);
SELECT id FROM parted_1 WHERE tell(secret);
SELECT id FROM t_view WHERE tell(secret) ORDER BY id;
SELECT a.id FROM t a JOIN t b ON tell(b.secret) AND a.id = b.id ORDER BY 1;
SELECT a.id FROM parted a LEFT JOIN parted b ON tell(b.secret) ORDER BY 1;
SELECT id FROM (SELECT id, secret FROM parted UNION ALL SELECT id, secret FROM parted_1) u WHERE tell(secret);
SELECT count(*) FILTER (WHERE tell(secret)) FROM parted;
SELECT 1 WHERE EXISTS (SELECT FROM parted WHERE tell(secret));
SELECT id FROM t WHERE secret::int = 1;
UPDATE t SET other = 0 WHERE tell(secret);
DELETE FROM parted WHERE tell(secret) RETURNING id;
MERGE INTO t USING (VALUES (1)) v (id) ON tell(secret) AND t.id = v.id WHEN MATCHED THEN DO NOTHING;
-- a plan made for one who may see them is not one for him
RESET ROLE;
SET plan_cache_mode = force_generic_plan;
PREPARE q AS SELECT id FROM leak.t WHERE leak.tell(secret) ORDER BY id;
SET ROLE regress_leak_mallory;
EXECUTE q;
RESET ROLE;
DEALLOCATE q;
RESET plan_cache_mode;
-- indexes serve as ever where the operator is leakproof
SET ROLE regress_leak_mallory;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM parted_1 WHERE id = 1;
RESET enable_seqscan;

-- the validation of a foreign key, imitated by a function that ALTER TABLE runs
CREATE TABLE mine (id int);
INSERT INTO mine VALUES (2);
CREATE FUNCTION imitate(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR r IN EXECUTE query LOOP
        RAISE NOTICE '%', r;
    END LOOP;
    RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE '%', SQLERRM;
    RETURN true;
END$$;
ALTER TABLE mine ADD CHECK (imitate('SELECT fk.secret FROM ONLY leak.t fk LEFT JOIN leak.mine pk ON pk.id = 1 WHERE fk.id = 2'));
ALTER TABLE mine ADD CHECK (imitate('SELECT fk.id, pk.secret FROM ONLY leak.mine fk LEFT JOIN leak.t pk ON pk.id = fk.id'));
ALTER TABLE mine ADD CHECK (imitate('SELECT fk.id FROM ONLY leak.mine fk LEFT JOIN leak.t pk ON leak.tell(pk.secret)'));
ALTER TABLE mine ADD CHECK (imitate('SELECT fk.id FROM ONLY leak.mine fk JOIN leak.t pk ON pk.id = fk.id'));
ALTER TABLE mine ADD CHECK (imitate('SELECT fk.id FROM ONLY leak.mine fk LEFT JOIN leak.t pk ON pk.id = fk.id WHERE pk.id IS NOT NULL'));
SET row_security = off;
ALTER TABLE mine ADD CHECK (imitate('SELECT fk.id FROM ONLY leak.mine fk LEFT JOIN leak.t pk ON pk.id = fk.id WHERE pk.id IS NOT NULL'));
RESET row_security;

-- the query of a foreign key, imitated in a trigger of a table below
SET ROLE regress_leak_owner;
CREATE TABLE up (id int PRIMARY KEY);
GRANT REFERENCES ON up TO regress_leak_mallory;
INSERT INTO up VALUES (1), (2);
SET ROLE regress_leak_mallory;
CREATE TABLE below (id int REFERENCES up ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO below VALUES (1), (2);
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    EXECUTE 'UPDATE ONLY "leak"."t" SET "other" = length(secret || leak.tell(secret)::text) WHERE $1 OPERATOR(pg_catalog.=) "id"' USING 2;
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE NOTICE '% rows by an update', n;
    EXECUTE 'SELECT 1 FROM ONLY "leak"."t" x WHERE $1 OPERATOR(pg_catalog.=) "id" FOR KEY SHARE OF x' INTO n USING 2;
    RAISE NOTICE '% found', n;
    RETURN coalesce(NEW, OLD);
END$$;
CREATE TRIGGER spy BEFORE UPDATE OR DELETE ON below FOR EACH ROW EXECUTE FUNCTION spy();
SET ROLE regress_leak_owner;
UPDATE up SET id = 3 WHERE id = 1;
DELETE FROM up WHERE id = 2;
RESET ROLE;
SELECT id, secret, other, active FROM t WHERE id = 2;
SET softdelete.show_deleted = on;
SELECT id, secret, other, active FROM t ORDER BY id;

-- the log names keys to those alone who may see the rows
SET ROLE regress_leak_mallory;
SELECT root, undelete LIKE '%_deletion(%' AS by_deletion FROM softdelete.deletions WHERE root ~ '^(leak\.)?(t|parted)\M' ORDER BY id;
RESET ROLE;

RESET softdelete.show_deleted;
RESET softdelete.viewer_role;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA leak CASCADE;
DROP ROLE regress_leak_owner, regress_leak_viewers, regress_leak_mallory;
