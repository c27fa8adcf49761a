-- the other actions: SET NULL, SET DEFAULT, RESTRICT, NO ACTION, and children that are not registered
CREATE SCHEMA act;
SET search_path = act, public;
SELECT setval('softdelete.deletion_id_seq', 120000);

-- SET NULL and SET DEFAULT are done, and undone
CREATE TABLE boss (id int PRIMARY KEY, name text);
CREATE TABLE worker (id int PRIMARY KEY, boss_id int REFERENCES boss ON DELETE SET NULL, deputy_id int DEFAULT 1 REFERENCES boss ON DELETE SET DEFAULT);
CREATE TABLE team (id int PRIMARY KEY, boss_id int REFERENCES boss ON DELETE SET NULL, v text);
INSERT INTO boss VALUES (1, 'first'), (2, 'second'), (3, 'third');
INSERT INTO worker VALUES (1, 2, 2), (2, 2, 3), (3, 3, 2), (4, NULL, NULL);
INSERT INTO team VALUES (1, 2, 'a'), (2, 3, 'b');
SELECT * FROM softdelete_register('boss');
SELECT * FROM softdelete_register('team');
DELETE FROM boss WHERE id = 2;
SELECT * FROM worker ORDER BY id;
SELECT * FROM team ORDER BY id;
UPDATE worker SET boss_id = 1 WHERE id = 2;
SELECT softdelete_undelete('boss', 2);
SELECT * FROM worker ORDER BY id;
SELECT softdelete_undelete('boss', 2, cascade := true);
SELECT * FROM worker ORDER BY id;
SELECT * FROM team ORDER BY id;
-- what was put back once is not put back again
UPDATE worker SET boss_id = NULL WHERE id = 1;
SELECT softdelete_undelete('boss', 2, cascade := true);
SELECT * FROM worker WHERE id = 1;
-- the child went on its own in between; its reference is not lost
DELETE FROM boss WHERE id = 3;
DELETE FROM team WHERE id = 2;
SELECT softdelete_undelete('boss', 3, cascade := true);
SELECT softdelete_undelete('team', 2);
SELECT * FROM team ORDER BY id;
-- SET DEFAULT to a row that is not there
UPDATE worker SET deputy_id = 2 WHERE id = 4;
DELETE FROM boss WHERE id = 1;
DELETE FROM boss WHERE id = 2;
SELECT id FROM boss ORDER BY 1;

-- SET DEFAULT to the very row that goes
CREATE TABLE coupon (code text PRIMARY KEY);
CREATE TABLE sale (id int PRIMARY KEY, code text DEFAULT 'NONE' REFERENCES coupon ON DELETE SET DEFAULT);
INSERT INTO coupon VALUES ('NONE'), ('A');
INSERT INTO sale VALUES (1, 'NONE'), (2, 'A');
SELECT relation FROM softdelete_register('coupon');
DELETE FROM coupon WHERE code = 'NONE';
SELECT * FROM sale ORDER BY id;

-- composite, with a column list; tables without a key; texts that depend on settings
CREATE TABLE tenant (t int, d date, PRIMARY KEY (t, d));
CREATE TABLE post (id int PRIMARY KEY, t int, d date, FOREIGN KEY (t, d) REFERENCES tenant ON DELETE SET NULL (d));
CREATE TABLE keyless (t int, d date, v text, FOREIGN KEY (t, d) REFERENCES tenant ON DELETE SET NULL);
INSERT INTO tenant VALUES (1, '2020-02-01'), (1, '2020-01-02');
INSERT INTO post VALUES (1, 1, '2020-02-01'), (2, 1, '2020-01-02');
INSERT INTO keyless VALUES (1, '2020-02-01', 'a'), (1, '2020-01-02', NULL);
SELECT relation FROM softdelete_register('tenant');
SET datestyle = 'SQL, DMY';
DELETE FROM tenant;
SET datestyle = 'SQL, MDY';
SELECT * FROM post ORDER BY id;
SELECT * FROM keyless ORDER BY v;
SELECT softdelete_undelete('tenant', ARRAY[ROW(1, '2020-02-01'::date), ROW(1, '2020-01-02'::date)], cascade := true);
RESET datestyle;
SELECT * FROM post ORDER BY id;
SELECT * FROM keyless ORDER BY v;

-- values whose type has a length, or depends on a setting; renames; rows that are equal; partitions
CREATE TABLE len_p (k char(3) PRIMARY KEY, b bit(4) UNIQUE, z timestamptz UNIQUE);
CREATE TABLE len_c (id char(5) PRIMARY KEY, k char(3) REFERENCES len_p ON DELETE SET NULL, b bit(4) REFERENCES len_p (b) ON DELETE SET NULL, z timestamptz CONSTRAINT old_name REFERENCES len_p (z) ON DELETE SET NULL);
INSERT INTO len_p VALUES ('abc', '1010', '2020-01-01 00:00+00'), ('a', '1111', '2021-01-01 00:00+00');
INSERT INTO len_c VALUES ('abc', 'abc', '1010', '2020-01-01 00:00+00'), ('a', NULL, NULL, NULL);
SELECT relation FROM softdelete_register('len_p');
SET timezone = 'America/New_York';
DELETE FROM len_p WHERE k = 'abc';
SET timezone = 'UTC';
ALTER TABLE len_c RENAME CONSTRAINT old_name TO new_name;
ALTER TABLE len_c RENAME COLUMN b TO bits;
SELECT softdelete_undelete('len_p', 'abc', cascade := true);
SELECT * FROM len_c ORDER BY id;
RESET timezone;
CREATE TABLE dup_p (id int PRIMARY KEY);
CREATE TABLE dup_c (x text, ref int REFERENCES dup_p ON DELETE SET NULL);
INSERT INTO dup_p VALUES (1), (2);
INSERT INTO dup_c VALUES ('a', 1), ('a', 2), ('a', NULL), ('b', 1);
SELECT relation FROM softdelete_register('dup_p');
DELETE FROM dup_p;
SELECT softdelete_undelete('dup_p', ARRAY[1, 2], cascade := true);
SELECT * FROM dup_c ORDER BY x, ref;
CREATE TABLE part_c (id int, ref int REFERENCES dup_p ON DELETE SET NULL) PARTITION BY LIST (ref);
CREATE TABLE part_c1 PARTITION OF part_c FOR VALUES IN (1, 2);
CREATE TABLE part_c2 PARTITION OF part_c DEFAULT;
INSERT INTO part_c VALUES (1, 1), (2, 2);
SELECT relation FROM softdelete_register('part_c');
DELETE FROM dup_p;
SELECT tableoid::regclass, id, ref FROM part_c ORDER BY id;
SELECT softdelete_undelete('dup_p', ARRAY[1, 2], cascade := true);
SELECT tableoid::regclass, id, ref FROM part_c ORDER BY id;

-- generated columns and checks follow what is put back; the last of several references counts
CREATE TABLE gen_p (id int PRIMARY KEY);
CREATE TABLE gen_c (id int PRIMARY KEY, p_id int REFERENCES gen_p ON DELETE SET NULL, ten int GENERATED ALWAYS AS (p_id * 10) STORED, closed boolean DEFAULT false, CHECK (NOT closed OR p_id IS NULL));
INSERT INTO gen_p VALUES (1), (2);
INSERT INTO gen_c VALUES (1, 1);
SELECT relation FROM softdelete_register('gen_p');
DELETE FROM gen_p WHERE id = 1;
UPDATE gen_c SET p_id = 2;
DELETE FROM gen_p WHERE id = 2;
SELECT softdelete_undelete('gen_p', ARRAY[1, 2], cascade := true);
SELECT * FROM gen_c;
DELETE FROM gen_p WHERE id = 2;
UPDATE gen_c SET closed = true;
SELECT softdelete_undelete('gen_p', 2, cascade := true);
-- a cast of the parent's owner does not run as the child's
CREATE ROLE regress_act_mallory;
CREATE ROLE regress_act_victim;
GRANT USAGE, CREATE ON SCHEMA act TO regress_act_mallory, regress_act_victim;
SET ROLE regress_act_mallory;
CREATE TYPE me AS ENUM ('x', 'y');
CREATE TABLE cast_p (k me PRIMARY KEY);
INSERT INTO cast_p VALUES ('x');
GRANT REFERENCES ON cast_p TO regress_act_victim;
SELECT relation FROM softdelete_register('cast_p');
SET ROLE regress_act_victim;
CREATE TABLE cast_c (id int PRIMARY KEY, k me REFERENCES cast_p ON DELETE SET NULL);
INSERT INTO cast_c VALUES (1, 'x');
SET ROLE regress_act_mallory;
CREATE FUNCTION evil(me) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'I am %', current_user; RETURN 'x'; END $$;
CREATE CAST (me AS text) WITH FUNCTION evil(me) AS ASSIGNMENT;
DELETE FROM cast_p WHERE k = 'x';
SELECT softdelete_undelete('cast_p', 'x'::me, cascade := true);
RESET ROLE;
SELECT * FROM cast_c;

-- RESTRICT and NO ACTION: live rows refuse, deleted ones do not
CREATE TABLE p (id int PRIMARY KEY, name text);
CREATE TABLE restricting (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE RESTRICT);
CREATE TABLE refusing (id int PRIMARY KEY, p_id int REFERENCES p);
INSERT INTO p VALUES (1), (2);
INSERT INTO restricting VALUES (1, 1);
INSERT INTO refusing VALUES (1, 2);
SELECT relation FROM softdelete_register('p');
SELECT relation FROM softdelete_register('restricting');
SELECT relation FROM softdelete_register('refusing');
DO $$ BEGIN DELETE FROM p WHERE id = 1; EXCEPTION WHEN restrict_violation OR foreign_key_violation THEN RAISE NOTICE 'refused'; END $$;
DELETE FROM p WHERE id = 2;
SET softdelete.show_deleted = 'only';
DELETE FROM p WHERE id = 2;
RESET softdelete.show_deleted;
DELETE FROM restricting;
DELETE FROM refusing;
DELETE FROM p;
SELECT count(*) FROM p;
-- nobody sees keys that they may not read
CREATE ROLE regress_act;
GRANT USAGE ON SCHEMA act TO regress_act;
GRANT DELETE ON p TO regress_act;
SELECT softdelete_undelete('refusing', 1, with_parents := true);
SET ROLE regress_act;
DELETE FROM p;
RESET ROLE;

-- PostgreSQL's own order: all actions for one row's round, NO ACTION among them
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE r1 (id int PRIMARY KEY, r int REFERENCES r ON DELETE CASCADE);
CREATE TABLE r2 (id int PRIMARY KEY, r1 int REFERENCES r1 ON DELETE CASCADE, r int REFERENCES r);
INSERT INTO r VALUES (1);
INSERT INTO r1 VALUES (1, 1);
INSERT INTO r2 VALUES (1, 1, 1);
SELECT relation FROM softdelete_register('r');
DELETE FROM r;
-- one table by two keys, one that removes and one that refuses, several rows at once
CREATE TABLE lang (id int PRIMARY KEY);
CREATE TABLE film (id int PRIMARY KEY, lang int REFERENCES lang ON DELETE CASCADE, orig int REFERENCES lang);
INSERT INTO lang VALUES (1), (2);
INSERT INTO film VALUES (1, 2, 1);
SELECT relation FROM softdelete_register('lang');
DELETE FROM lang;
DELETE FROM lang WHERE id = 2;
DELETE FROM lang;

-- a CASCADE child that is not registered refuses by name, when it has rows
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE "Un Registered" (id int PRIMARY KEY, parent_id int CONSTRAINT the_key REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO "Un Registered" VALUES (1, 1);
SELECT relation FROM softdelete_register('parent', cascade := false);
DELETE FROM parent WHERE id = 2;
DELETE FROM parent WHERE id = 1;
SELECT softdelete_register('act."Un Registered"');
DELETE FROM parent WHERE id = 1;
SELECT count(*) FROM "Un Registered";
-- a foreign key made later acts at once
CREATE TABLE late (id int PRIMARY KEY, parent_id int);
SELECT softdelete_undelete('parent', ARRAY[1, 2]);
INSERT INTO late VALUES (1, 1);
ALTER TABLE late ADD FOREIGN KEY (parent_id) REFERENCES parent ON DELETE SET NULL;
DELETE FROM parent WHERE id = 1;
SELECT * FROM late;

-- a child deleted in the transaction that made it still needs its parent, deleted or not
CREATE TABLE dp (id int PRIMARY KEY);
CREATE TABLE dc (id int PRIMARY KEY, dp int REFERENCES dp ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
SELECT relation FROM softdelete_register('dp');
BEGIN;
INSERT INTO dc VALUES (1, 1);
DELETE FROM dc;
ROLLBACK;
BEGIN;
INSERT INTO dc VALUES (1, 1);
INSERT INTO dp VALUES (1);
DELETE FROM dp;
COMMIT;
SELECT count(*) FROM dc;
SELECT softdelete_undelete('dp', 1, cascade := true);
SELECT * FROM dc;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA act CASCADE;
DROP ROLE regress_act, regress_act_mallory, regress_act_victim;
