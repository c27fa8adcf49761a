-- what users of other soft deletes suffer from when they delete, and that it does not happen here
CREATE SCHEMA pd;
SET search_path = pd, public;
SELECT setval('softdelete.deletion_id_seq', 480000);
-- ids of live and of deleted rows
CREATE FUNCTION ids(t regclass, OUT live text, OUT deleted text) LANGUAGE plpgsql SET softdelete.show_deleted = on AS
$$ BEGIN EXECUTE format('SELECT string_agg(id::text, '','' ORDER BY id) FILTER (WHERE active), string_agg(id::text, '','' ORDER BY id) FILTER (WHERE NOT active) FROM %s', t) INTO live, deleted; END $$;

-- 14. bulk and raw SQL do not pass by: whatever the statement, no row is really gone
CREATE TABLE t (id int PRIMARY KEY, v text, version int DEFAULT 1);
INSERT INTO t SELECT i, 'v' FROM generate_series(1, 12) i;
PREPARE before AS DELETE FROM t WHERE id = 1;
EXECUTE before;
INSERT INTO t VALUES (1, 'v');
SELECT count(*) FROM softdelete_register('t');
EXECUTE before;
DELETE FROM t WHERE id IN (2, 3);
DELETE FROM t USING (VALUES (4)) x(i) WHERE id = i;
WITH d AS (DELETE FROM t WHERE id = 5 RETURNING id) SELECT * FROM d;
MERGE INTO t USING (VALUES (6)) x(i) ON id = i WHEN MATCHED THEN DELETE;
DO $$ BEGIN EXECUTE 'DELETE FROM pd.t WHERE id = 7'; DELETE FROM t WHERE id = 8; END $$;
CREATE VIEW tv AS SELECT * FROM t;
DELETE FROM tv WHERE id = 9;
CREATE FUNCTION tf(int) RETURNS void LANGUAGE sql AS 'DELETE FROM pd.t WHERE id = $1';
SELECT tf(10);
SELECT * FROM ids('t');

-- 15. the row count is a DELETE's: optimistic locking works
CREATE FUNCTION stale_delete(int, int) RETURNS text LANGUAGE plpgsql AS
$$ DECLARE n int; BEGIN DELETE FROM t WHERE id = $1 AND version = $2; GET DIAGNOSTICS n = ROW_COUNT; RETURN format('%s rows, found %s', n, FOUND); END $$;
SELECT stale_delete(11, 7), stale_delete(11, 1), stale_delete(11, 1);
\set QUIET off
DELETE FROM t WHERE id = 12 AND version = 2;
DELETE FROM t WHERE id = 12 AND version = 1;
\set QUIET on

-- 16. deleting a deleted row deletes nothing, whoever looks at deleted rows
\set QUIET off
DELETE FROM t WHERE id = 12;
SET softdelete.show_deleted = on;
DELETE FROM t;
SET softdelete.show_deleted = deleted;
DELETE FROM t WHERE id = 12 RETURNING id;
RESET softdelete.show_deleted;
\set QUIET on
SELECT * FROM ids('t');

-- 17. a fault half-way deletes nothing
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
CREATE TABLE g (id int PRIMARY KEY, c_id int REFERENCES c ON DELETE CASCADE);
INSERT INTO p VALUES (1), (2), (3);
INSERT INTO c SELECT i, (i + 1) / 2 FROM generate_series(1, 6) i;
INSERT INTO g SELECT i, i FROM generate_series(1, 6) i;
SELECT count(*) FROM softdelete_register('p');
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no, not %', OLD.id; END $$;
CREATE TRIGGER fail AFTER DELETE ON g FOR EACH ROW WHEN (OLD.id = 4) EXECUTE FUNCTION fail();
SELECT count(*) AS logged FROM softdelete.deletion \gset
DELETE FROM p;
SELECT 'p' AS t, * FROM ids('p') UNION ALL SELECT 'c', * FROM ids('c') UNION ALL SELECT 'g', * FROM ids('g');
SELECT count(*) - :logged AS logged FROM softdelete.deletion;
DROP TRIGGER fail ON g;
-- nor is a DELETE a real one where triggers are off
ALTER TABLE g DISABLE TRIGGER ALL;
DELETE FROM g WHERE id = 6;
ALTER TABLE g ENABLE TRIGGER ALL;
SET session_replication_role = replica;
DELETE FROM g WHERE id = 5;
RESET session_replication_role;
SELECT * FROM ids('g');
SELECT softdelete_undelete('g', ARRAY[5, 6]);

-- 18. RESTRICT and NO ACTION refuse, while a live row is there
CREATE TABLE r (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE RESTRICT);
CREATE TABLE n (id int PRIMARY KEY, p_id int REFERENCES p);
INSERT INTO r VALUES (1, 1);
INSERT INTO n VALUES (1, 2);
SELECT count(*) FROM softdelete_register('r');
SELECT count(*) FROM softdelete_register('n');
DO $$ BEGIN DELETE FROM p WHERE id = 1; EXCEPTION WHEN restrict_violation OR foreign_key_violation THEN RAISE NOTICE 'restricted'; END $$;
DELETE FROM p WHERE id = 2;
SELECT * FROM ids('c');
DELETE FROM r;
DELETE FROM n;
DELETE FROM p WHERE id IN (1, 2);
SELECT * FROM ids('c');
SELECT softdelete_undelete('p', ARRAY[1, 2], cascade := true);
SET softdelete.enabled = off;
DROP TABLE r, n;
RESET softdelete.enabled;

-- 19. a child inserted at the same moment: isolation tests child_insert_*

-- 20. a cascade does not stamp again what was deleted before
DELETE FROM g WHERE id = 1;
DELETE FROM c WHERE id = 2;
DELETE FROM p WHERE id = 1;
SET softdelete.show_deleted = deleted;
SELECT 'p' AS t, id, deletion_id - 480000 AS deletion FROM p UNION ALL SELECT 'c', id, deletion_id - 480000 FROM c UNION ALL SELECT 'g', id, deletion_id - 480000 FROM g ORDER BY 3, 1, 2;
RESET softdelete.show_deleted;
SELECT softdelete_undelete('p', 1, cascade := true), softdelete_undelete('c', 2, cascade := true), softdelete_undelete('g', 1);

-- 21. cycles end: a row that refers to itself, rows and tables in a ring
CREATE TABLE node (id int PRIMARY KEY, next int REFERENCES node ON DELETE CASCADE);
INSERT INTO node VALUES (1, 1), (2, NULL), (3, 2), (4, 3), (5, NULL);
UPDATE node SET next = 4 WHERE id = 2;
CREATE TABLE ring_a (id int PRIMARY KEY, b int);
CREATE TABLE ring_b (id int PRIMARY KEY, a int REFERENCES ring_a ON DELETE CASCADE);
INSERT INTO ring_a VALUES (1, 1), (2, 2);
INSERT INTO ring_b VALUES (1, 2), (2, 1);
ALTER TABLE ring_a ADD FOREIGN KEY (b) REFERENCES ring_b ON DELETE CASCADE;
SELECT count(*) FROM softdelete_register('node');
SELECT count(*) FROM softdelete_register('ring_a');
\set QUIET off
DELETE FROM node WHERE id = 1;
DELETE FROM node WHERE id = 3;
DELETE FROM ring_a WHERE id = 1;
\set QUIET on
SELECT 'node' AS t, * FROM ids('node') UNION ALL SELECT 'ring_a', * FROM ids('ring_a') UNION ALL SELECT 'ring_b', * FROM ids('ring_b');
SELECT softdelete_undelete('node', ARRAY[1, 3], cascade := true), softdelete_undelete('ring_a', 1, cascade := true);
SELECT 'node' AS t, * FROM ids('node') UNION ALL SELECT 'ring_a', * FROM ids('ring_a') UNION ALL SELECT 'ring_b', * FROM ids('ring_b');

-- 22. not one query a row: all rows of a table are deleted, and undeleted, by one command each
CREATE TABLE top (id int PRIMARY KEY);
CREATE TABLE middle (id int PRIMARY KEY, top_id int REFERENCES top ON DELETE CASCADE);
CREATE TABLE low (id int PRIMARY KEY, middle_id int REFERENCES middle ON DELETE CASCADE);
INSERT INTO top SELECT generate_series(1, 100);
INSERT INTO middle SELECT i, (i + 9) / 10 FROM generate_series(1, 1000) i;
INSERT INTO low SELECT i, (i + 4) / 5 FROM generate_series(1, 5000) i;
SELECT count(*) FROM softdelete_register('top');
DELETE FROM top;
SET softdelete.show_deleted = on;
SELECT 'top' AS t, count(*), count(DISTINCT cmin::text) AS commands FROM top UNION ALL SELECT 'middle', count(*), count(DISTINCT cmin::text) FROM middle UNION ALL SELECT 'low', count(*), count(DISTINCT cmin::text) FROM low;
SELECT softdelete_undelete_deletion((SELECT deletion_id FROM top LIMIT 1));
SELECT 'top' AS t, count(*), count(DISTINCT cmin::text) AS commands FROM top UNION ALL SELECT 'middle', count(*), count(DISTINCT cmin::text) FROM middle UNION ALL SELECT 'low', count(*), count(DISTINCT cmin::text) FROM low;
RESET softdelete.show_deleted;

-- 23. updated_at and version stay as they are, deleted and restored
CREATE TABLE doc (id int PRIMARY KEY, body text, version int DEFAULT 1, updated_at timestamptz DEFAULT '2020-01-01', size int GENERATED ALWAYS AS (length(body)) STORED);
CREATE TABLE page (id int PRIMARY KEY, doc_id int REFERENCES doc ON DELETE CASCADE, version int DEFAULT 1);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION bump();
CREATE TRIGGER stamp BEFORE UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER bump BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION bump();
INSERT INTO doc (id, body) VALUES (1, 'text');
INSERT INTO page VALUES (1, 1), (2, 1);
SELECT count(*) FROM softdelete_register('doc');
DELETE FROM doc RETURNING id, version, updated_at = '2020-01-01' AS unchanged, size;
SELECT softdelete_undelete('doc', 1, cascade := true);
SELECT id, version, updated_at = '2020-01-01' AS unchanged, size FROM doc;
SELECT id, version FROM page ORDER BY id;

-- 24. TRUNCATE does not walk past
BEGIN;
TRUNCATE t;
TRUNCATE p CASCADE;
SELECT 't' AS t, * FROM ids('t') UNION ALL SELECT 'p', * FROM ids('p') UNION ALL SELECT 'c', * FROM ids('c') UNION ALL SELECT 'g', * FROM ids('g');
ROLLBACK;
SELECT 'p' AS t, * FROM ids('p') UNION ALL SELECT 'c', * FROM ids('c') UNION ALL SELECT 'g', * FROM ids('g');

-- 25. composite keys
CREATE TABLE account (bank int, number text, PRIMARY KEY (bank, number));
CREATE TABLE booking (bank int, number text, seq int, text text, PRIMARY KEY (bank, number, seq), FOREIGN KEY (bank, number) REFERENCES account ON DELETE CASCADE);
INSERT INTO account VALUES (1, 'a'), (1, 'b'), (2, 'a');
INSERT INTO booking SELECT bank, number, s, 'x' FROM account, generate_series(1, 2) s;
SELECT count(*) FROM softdelete_register('account');
DELETE FROM booking WHERE (bank, number, seq) = (1, 'a', 1);
DELETE FROM account WHERE (bank, number) = (1, 'a');
SELECT bank, number, seq FROM booking ORDER BY 1, 2, 3;
SELECT softdelete_undelete('account', ROW(1, 'a'), cascade := true);
SELECT softdelete_undelete('booking', '{"bank": 1, "number": "a", "seq": 1}');
SELECT (SELECT count(*) FROM account) AS account, (SELECT count(*) FROM booking) AS booking;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA pd CASCADE;
