-- a key that a foreign key references stays with its deleted row: ON CONFLICT neither updates nor skips it in silence
CREATE SCHEMA conf;
SET search_path = conf, public;
SELECT setval('softdelete.deletion_id_seq', 180000);

CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE, v text);
CREATE TABLE refs (r int REFERENCES t);
INSERT INTO t VALUES (1, 'a', 'one'), (2, 'b', 'two'), (3, 'c', 'three');
SELECT relation FROM softdelete_register('t');
DELETE FROM t WHERE id = 1;
INSERT INTO t VALUES (1, 'x', 'again');
INSERT INTO t VALUES (1, 'x', 'again') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO t VALUES (1, 'x', 'again') ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE t.v = 'nothing';
INSERT INTO t VALUES (1, 'x', 'again') ON CONFLICT DO NOTHING;
-- a live row that is in the way comes first
INSERT INTO t VALUES (1, 'b', 'again') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (1, 'b', 'again') ON CONFLICT (mail) DO UPDATE SET v = 'met by mail';
SET softdelete.show_deleted = on;
INSERT INTO t VALUES (1, 'x', 'again') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
RESET softdelete.show_deleted;
-- live rows are met as ever
\set QUIET off
INSERT INTO t VALUES (2, 'x', 'new') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO t VALUES (2, 'x', 'newer') ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE t.v = 'other';
INSERT INTO t VALUES (2, 'x', 'new'), (5, 'y', 'five') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (6, 'z', 'six') ON CONFLICT (id) DO UPDATE SET active = false;
\set QUIET on
SELECT id, mail, v FROM t ORDER BY id;
-- with triggers of the user
CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id - 100; RETURN NEW; END';
CREATE TRIGGER shift BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION shift();
INSERT INTO t VALUES (101, 'q', 'q') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (107, 'q', 'q') ON CONFLICT DO NOTHING RETURNING id;
-- keys that are generated
CREATE TABLE gen (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED UNIQUE);
CREATE TABLE gen_refs (r int REFERENCES gen (g));
INSERT INTO gen VALUES (1, 5);
SELECT relation FROM softdelete_register('gen');
DELETE FROM gen;
INSERT INTO gen VALUES (2, 5) ON CONFLICT DO NOTHING;
INSERT INTO gen VALUES (2, 6) ON CONFLICT DO NOTHING;
SELECT id, g FROM gen;
-- a trigger cannot hide the row that DO UPDATE changes, nor one that MERGE does
CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.active := false; RETURN NEW; END';
CREATE TRIGGER hide BEFORE UPDATE ON gen FOR EACH ROW EXECUTE FUNCTION hide();
INSERT INTO gen VALUES (2, 7) ON CONFLICT (id) DO UPDATE SET a = 7;
MERGE INTO gen USING (VALUES (2), (3)) v(i) ON id = i WHEN MATCHED AND i = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET a = 9;
SELECT id, g FROM gen;

-- partitions
CREATE TABLE p (k int, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE p1 (v text, k int NOT NULL);
ALTER TABLE p ATTACH PARTITION p1 DEFAULT;
CREATE TABLE p_refs (r int REFERENCES p);
INSERT INTO p VALUES (1, 'one'), (2, 'two');
SELECT relation FROM softdelete_register('p');
DELETE FROM p WHERE k = 1;
INSERT INTO p VALUES (1, 'x') ON CONFLICT (k) DO UPDATE SET v = excluded.v;
INSERT INTO p VALUES (1, 'x') ON CONFLICT DO NOTHING;
INSERT INTO p VALUES (2, 'x') ON CONFLICT (k) DO UPDATE SET v = excluded.v;
SELECT k, v FROM p;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA conf CASCADE;
