-- keys of deleted rows that no foreign key references are free again, and the rows come back all the same
CREATE SCHEMA freed;
SET search_path = freed, public;
SELECT setval('softdelete.deletion_id_seq', 320000);
DELETE FROM softdelete.image;

-- a primary key, taken again and again: every deletion can be undone
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT note FROM softdelete_register('t');
INSERT INTO t VALUES (1, 'one');
DELETE FROM t;
INSERT INTO t VALUES (1, 'two');
DELETE FROM t;
INSERT INTO t VALUES (1, 'three');
SELECT id, v, active FROM t;
SELECT deletion_id, relation, columns, col_values FROM softdelete.image ORDER BY id;
-- the key is taken
SELECT softdelete_undelete('t', 1);
SELECT softdelete_undelete_deletion(320001);
DELETE FROM t;
-- the row that was deleted last, and the one before
SELECT softdelete_undelete('t', 1);
SELECT v FROM t;
DELETE FROM t;
SELECT softdelete_undelete_deletion(320002);
SELECT v, deletion_id FROM t;
DELETE FROM t;
SELECT softdelete_undelete_deletion(320001);
SELECT v, deletion_id FROM t;
SELECT count(*) FROM softdelete.image;
SELECT v, deletion_id FROM softdelete.deletions d JOIN LATERAL (SELECT col_values[2] AS v, deletion_id FROM softdelete.image i WHERE i.deletion_id = d.id) i ON true ORDER BY 2;
-- only an image is left, and it is named by its key
UPDATE t SET id = 2;
SELECT softdelete_undelete('t', 1);
SELECT softdelete_undelete('t', 3);
SELECT id, v FROM t ORDER BY id;
-- a transaction that fails leaves all as it was
DELETE FROM t WHERE id = 1;
BEGIN;
INSERT INTO t VALUES (1, 'gone');
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO t VALUES (1, 'gone');
ROLLBACK TO a;
SELECT softdelete_undelete('t', 1);
COMMIT;
SELECT id, v FROM t ORDER BY id;
SELECT deletion_id, col_values FROM softdelete.image;
DELETE FROM softdelete.image;
DELETE FROM t;

-- in one statement, in one transaction, with a sequence, by UPDATE, by MERGE, by a function
INSERT INTO t VALUES (10, 'ten'), (11, 'eleven'), (12, 'twelve');
WITH d AS (DELETE FROM t WHERE id = 10 RETURNING *) INSERT INTO t SELECT id, v || ' moved' FROM d;
BEGIN; DELETE FROM t WHERE id = 11; INSERT INTO t VALUES (11, 'again'); COMMIT;
DELETE FROM t WHERE id = 12;
UPDATE t SET id = 12 WHERE id = 11;
MERGE INTO t USING (VALUES (11)) v(i) ON id = i WHEN NOT MATCHED THEN INSERT VALUES (i, 'merged');
DELETE FROM t WHERE id = 11;
MERGE INTO t USING (VALUES (11), (12)) v(i) ON id = i WHEN MATCHED THEN UPDATE SET v = 'updated' WHEN NOT MATCHED THEN INSERT VALUES (i, 'merged again');
DELETE FROM t WHERE id = 11;
MERGE INTO t USING (VALUES (11), (12)) v(i) ON id = i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (i, 'merged a third time');
SELECT id, v FROM t ORDER BY id;
CREATE FUNCTION put(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES ($1, ''put''); RETURN $1; END';
SELECT put(12);
SELECT id, v FROM t ORDER BY id;
SELECT deletion_id, col_values FROM softdelete.image ORDER BY id;
DELETE FROM softdelete.image;

-- ON CONFLICT neither updates nor skips for a deleted row
DELETE FROM t;
\set QUIET off
INSERT INTO t VALUES (12, 'new') ON CONFLICT (id) DO UPDATE SET v = 'bad';
INSERT INTO t VALUES (11, 'new'), (11, 'newer') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (12, 'new') ON CONFLICT (id) DO UPDATE SET v = 'good';
INSERT INTO t VALUES (12, 'new') ON CONFLICT ON CONSTRAINT t_pkey DO NOTHING;
\set QUIET on
SELECT id, v FROM t ORDER BY id;

-- what a BEFORE trigger makes of the key counts
CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id - 100; RETURN NEW; END';
CREATE TRIGGER shift BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION shift();
DELETE FROM t WHERE id = 11;
INSERT INTO t VALUES (111, 'shifted');
SELECT id, v FROM t ORDER BY id;
DROP TRIGGER shift ON t;
-- COPY does not look, and fails loudly
DELETE FROM t WHERE id = 11;
COPY t (id, v) FROM STDIN;
11	copied
\.

-- every type, NULLs, generated and dropped columns, defaults, identity; nothing is lost on the way
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE TABLE types (
    "the id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone int, n numeric, f float8, ts timestamptz, d date, i interval,
    b bytea, j json, jb jsonb, arr text[], arr0 int[], r int4range, p pair, e even, bits bit(5), c char(5), vc varchar(3),
    u uuid, ip inet, m money, x xml, tsv tsvector, "null" text, nulls int[], g int GENERATED ALWAYS AS (e * 2) STORED);
ALTER TABLE types DROP COLUMN gone;
INSERT INTO types (n, f, ts, d, i, b, j, jb, arr, arr0, r, p, e, bits, c, vc, u, ip, m, x, tsv, nulls) VALUES
    (1.2300, 0.1::float8 + 0.2, '2020-01-02 03:04:05.678901+02', '-infinity', '1 mon -2 days 03:00', '\x00ff', '{"a" :  1}', '{"b": null}',
     '{a,"b,c",NULL,"NULL"}', '[0:1]={7,8}', '[1,5)', '(1,"x ,y")', 4, B'10101', 'ab', 'xyz',
     '00000000-0000-0000-0000-000000000001', '10.0.0.0/8', '12.34', '<a>b</a>', 'cat:3 dog', '{NULL,1}');
CREATE TABLE types_before AS SELECT * FROM types;
SELECT relation FROM softdelete_register('types');
SET datestyle = 'German'; SET extra_float_digits = 0; SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601';
DELETE FROM types;
INSERT INTO types ("the id", e) OVERRIDING SYSTEM VALUE VALUES (1, 2);
DELETE FROM types;
ALTER TABLE types RENAME COLUMN vc TO "new ""name";
ALTER TABLE types ADD COLUMN later int DEFAULT 42;
ALTER TABLE types RENAME TO "New types";
SELECT softdelete_undelete_deletion(min(deletion_id)) FROM softdelete.image WHERE relation = '"New types"'::regclass;
RESET ALL;
SET search_path = freed, public;
SELECT count(*) AS same FROM "New types" t, types_before b
WHERE ROW(t."the id", t.n, t.f, t.ts, t.d, t.i, t.b, t.j::text, t.jb, t.arr, t.arr0, t.r, t.p, t.e, t.bits, t.c, t."new ""name", t.u, t.ip, t.m, t.x::text, t.tsv, t."null", t.nulls, t.g) IS NOT DISTINCT FROM
      ROW(1, b.n, b.f, b.ts, b.d, b.i, b.b, b.j::text, b.jb, b.arr, b.arr0, b.r, b.p, b.e, b.bits, b.c, b.vc, b.u, b.ip, b.m, b.x::text, b.tsv, b."null", b.nulls, b.g);
SELECT later FROM "New types";
-- a column dropped since is named
DELETE FROM "New types";
INSERT INTO "New types" ("the id", e) OVERRIDING SYSTEM VALUE VALUES (1, 2);
ALTER TABLE "New types" DROP COLUMN tsv;
DELETE FROM "New types";
SELECT softdelete_undelete_deletion(min(deletion_id)) FROM softdelete.image WHERE relation = '"New types"'::regclass;

-- join rows come back with either parent; what has been joined anew blocks, loudly
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY);
CREATE TABLE ab (a int REFERENCES a ON DELETE CASCADE, b int REFERENCES b ON DELETE CASCADE, note text, PRIMARY KEY (a, b));
INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1), (2);
INSERT INTO ab VALUES (1, 1, 'first'), (1, 2, 'first'), (2, 1, 'first');
SELECT relation FROM softdelete_register('a');
SELECT relation FROM softdelete_register('b');
SELECT setval('softdelete.deletion_id_seq', 320100);
DELETE FROM a WHERE id = 1;
SELECT softdelete_undelete('a', 1);
INSERT INTO ab VALUES (1, 1, 'second');
SELECT softdelete_undelete('a', 1, cascade := true);
DELETE FROM ab WHERE note = 'second';
SELECT softdelete_undelete('a', 1, cascade := true);
SELECT * FROM ab ORDER BY 1, 2, 3;
SELECT col_values FROM softdelete.image WHERE relation = 'ab'::regclass;
-- taken by a row that is deleted too: below the other parent, both go into and out of the journal
DELETE FROM b WHERE id = 1;
SELECT softdelete_undelete('b', 1);
INSERT INTO ab VALUES (1, 1, 'third');
DELETE FROM ab WHERE note = 'third';
SELECT softdelete_undelete('b', 1, cascade := true);
SELECT * FROM ab ORDER BY 1, 2, 3;
SELECT col_values FROM softdelete.image WHERE relation = 'ab'::regclass ORDER BY id;
SELECT softdelete_undelete('ab', ROW(1, 1));
-- a parent that has gone for good in the meantime is missed
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TABLE low (id int PRIMARY KEY, p int REFERENCES plain);
INSERT INTO plain VALUES (1); INSERT INTO low VALUES (1, 1);
SELECT relation FROM softdelete_register('low');
DELETE FROM low;
INSERT INTO low VALUES (1, NULL);
DELETE FROM plain;
DELETE FROM low;
SELECT softdelete_undelete_deletion(min(deletion_id)) FROM softdelete.image WHERE relation = 'low'::regclass;
INSERT INTO plain VALUES (1);
SELECT softdelete_undelete_deletion(min(deletion_id)) FROM softdelete.image WHERE relation = 'low'::regclass;
SELECT id, p FROM low;

-- a key that a foreign key references stays taken; and a row that is referenced by another of its keys stays in its place
CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE DEFERRABLE);
CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE);
INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1);
SELECT relation, note FROM softdelete_register('p') ORDER BY 1;
SELECT setval('softdelete.deletion_id_seq', 320200);
DELETE FROM p;
INSERT INTO p VALUES (1, 'x');
INSERT INTO p VALUES (1, 'x') ON CONFLICT DO NOTHING;
INSERT INTO p VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET code = 'y';
INSERT INTO p VALUES (3, 'a');
INSERT INTO p VALUES (4, 'b');
SELECT softdelete_undelete_deletion(320201);
UPDATE p SET code = 'c' WHERE id = 4;
SELECT softdelete_undelete_deletion(320201);
SELECT id, code FROM p ORDER BY id;
TABLE c;

-- partitions, and partitions of partitions with other columns
CREATE TABLE part (k int, sub int, v text, PRIMARY KEY (k, sub)) PARTITION BY RANGE (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 (sub int NOT NULL, gone int, v text, k int NOT NULL) PARTITION BY LIST (sub);
CREATE TABLE part21 (v text, k int NOT NULL, sub int NOT NULL);
ALTER TABLE part2 DROP COLUMN gone;
ALTER TABLE part2 ATTACH PARTITION part21 DEFAULT;
ALTER TABLE part ATTACH PARTITION part2 DEFAULT;
INSERT INTO part VALUES (1, 1, 'one'), (11, 1, 'eleven');
SELECT relation FROM softdelete_register('part');
DELETE FROM part;
INSERT INTO part VALUES (11, 1, 'eleven again'), (1, 1, 'one again'), (12, 1, 'twelve');
INSERT INTO part VALUES (11, 1, 'eleven again') ON CONFLICT DO NOTHING RETURNING *;
SELECT tableoid::regclass, k, v FROM part ORDER BY k;
DELETE FROM part;
INSERT INTO part21 VALUES ('direct', 11, 1);
INSERT INTO part VALUES (1, 1, 'by conflict') ON CONFLICT DO NOTHING;
SELECT tableoid::regclass, k, v FROM part ORDER BY k;
DELETE FROM part;
SELECT softdelete_undelete_deletion(min(deletion_id)) FROM softdelete.image WHERE relation = 'part'::regclass;
SELECT tableoid::regclass, k, v FROM part ORDER BY k;

-- an exclusion constraint that cannot be partial; a key over an expression; NULLS NOT DISTINCT
CREATE TABLE ex (id int, r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE);
INSERT INTO ex VALUES (1, '[1,5)'), (2, '[5,9)');
SELECT note FROM softdelete_register('ex');
DELETE FROM ex;
INSERT INTO ex VALUES (3, '[2,7)');
DELETE FROM ex;
SELECT softdelete_undelete_deletion(min(deletion_id)) FROM softdelete.image WHERE relation = 'ex'::regclass;
SELECT * FROM ex ORDER BY 1;
SELECT col_values FROM softdelete.image WHERE relation = 'ex'::regclass;
CREATE TABLE expr (a text, b int, active boolean);
CREATE UNIQUE INDEX ON expr (lower(a));
CREATE UNIQUE INDEX ON expr (b) NULLS NOT DISTINCT;
INSERT INTO expr VALUES ('A', NULL);
SELECT flag_column FROM softdelete_register('expr', partial_unique := false);
DELETE FROM expr;
INSERT INTO expr VALUES ('a', NULL);
SELECT a, b FROM expr;
SELECT columns, col_values FROM softdelete.image WHERE relation = 'expr'::regclass;

-- by UPDATE: a key over an expression, of an exclusion constraint, over a generated column, by a trigger, with a condition
CREATE TABLE upd (id int PRIMARY KEY, email text, kind text, r int4range, b int, g int GENERATED ALWAYS AS (b * 2) STORED);
CREATE UNIQUE INDEX ON upd (lower(email));
CREATE UNIQUE INDEX ON upd (g);
ALTER TABLE upd ADD EXCLUDE USING gist (r WITH &&);
SELECT flag_column FROM softdelete_register('upd', partial_unique := false);
CREATE FUNCTION deleted_and_live(email text, kind text, r int4range, b int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM upd;
	INSERT INTO upd VALUES (1, email, kind, r, b), (2, 'other', 'n', '[90,91)', 90);
	DELETE FROM upd WHERE id = 1;
END$$;
SELECT deleted_and_live('A', 'n', '[1,5)', 1);
UPDATE upd SET email = 'a' WHERE id = 2;
SELECT id, email FROM upd;
SELECT deleted_and_live('A', 'n', '[1,5)', 1);
UPDATE upd SET r = '[2,3)' WHERE id = 2;
SELECT id, r FROM upd;
SELECT deleted_and_live('A', 'n', '[1,5)', 1);
UPDATE upd SET b = 1 WHERE id = 2;
SELECT id, g FROM upd;
SELECT deleted_and_live('A', 'n', '[1,5)', 1);
CREATE FUNCTION set_id() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := 1; RETURN NEW; END';
CREATE TRIGGER t BEFORE UPDATE ON upd FOR EACH ROW EXECUTE FUNCTION set_id();
UPDATE upd SET email = 'b' WHERE id = 2;
SELECT id, email FROM upd;
CREATE TABLE cond (k int, kind text);
CREATE UNIQUE INDEX ON cond (k) WHERE kind = 'k';
SELECT flag_column FROM softdelete_register('cond', partial_unique := false);
INSERT INTO cond VALUES (1, 'k'), (1, 'n');
DELETE FROM cond WHERE kind = 'k';
UPDATE cond SET kind = 'k';
SELECT k, kind FROM cond;
-- by DO UPDATE; by MERGE that deletes too; a sequence's value that is not used as it is
CREATE TABLE seq (id serial PRIMARY KEY, v text);
SELECT flag_column FROM softdelete_register('seq');
INSERT INTO seq VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four');
DELETE FROM seq WHERE id IN (1, 4);
INSERT INTO seq VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET id = 1;
MERGE INTO seq USING (VALUES (1), (3)) s(i) ON id = i WHEN MATCHED AND id = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET id = 4;
SELECT id, v FROM seq;
INSERT INTO seq VALUES (least(3, nextval('seq_id_seq') + 100), 'least');
DELETE FROM seq;
CREATE TRIGGER t BEFORE INSERT ON seq FOR EACH ROW EXECUTE FUNCTION set_id();
INSERT INTO seq (id, v) VALUES (1, 'held');
DELETE FROM seq;
INSERT INTO seq (v) VALUES ('by trigger');
SELECT id, v FROM seq;

-- a reference that was taken away is not put into a new row that has the key
CREATE TABLE boss (id int PRIMARY KEY);
CREATE TABLE clerk (id int PRIMARY KEY, boss int REFERENCES boss ON DELETE SET NULL, v text);
SELECT note FROM softdelete_register('boss');
SELECT note FROM softdelete_register('clerk');
INSERT INTO boss VALUES (1);
INSERT INTO clerk VALUES (1, 1, 'old'), (2, 1, 'stays');
DELETE FROM boss;
DELETE FROM clerk WHERE id = 1;
INSERT INTO clerk VALUES (1, NULL, 'new');
SELECT softdelete_undelete('boss', 1, cascade := true);
SELECT * FROM clerk ORDER BY id;

-- a rule for INSERT does not swallow the row that comes back
CREATE TABLE ruled (id int PRIMARY KEY, v text);
CREATE TABLE elsewhere (LIKE ruled);
SELECT note FROM softdelete_register('ruled');
INSERT INTO ruled VALUES (1, 'old');
DELETE FROM ruled;
INSERT INTO ruled VALUES (1, 'new');
DELETE FROM ruled;
CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO elsewhere VALUES (NEW.id, NEW.v);
SELECT softdelete_undelete_deletion(deletion_id) FROM softdelete.image WHERE relation = 'ruled'::regclass;
ALTER TABLE ruled DISABLE RULE r;
SELECT softdelete_undelete_deletion(deletion_id) FROM softdelete.image WHERE relation = 'ruled'::regclass;
SELECT id, v FROM ruled;

-- TRUNCATE takes all rows
SET softdelete.enabled = off;
TRUNCATE ruled;
RESET softdelete.enabled;
SELECT count(*) FROM softdelete.image WHERE relation = 'ruled'::regclass;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA freed CASCADE;
DELETE FROM softdelete.image;
