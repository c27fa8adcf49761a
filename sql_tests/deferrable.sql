-- deferrable foreign keys with NO ACTION: checked when PostgreSQL checks them
CREATE SCHEMA dfr;
SET search_path = dfr, public;
SELECT setval('softdelete.deletion_id_seq', 220000);

CREATE TABLE p (id int PRIMARY KEY, k int UNIQUE);
CREATE TABLE late (id int PRIMARY KEY, p_id int CONSTRAINT late_p REFERENCES p DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE soon (id int PRIMARY KEY, p_id int CONSTRAINT soon_p REFERENCES p DEFERRABLE);
CREATE TABLE real (id int PRIMARY KEY, p_id int CONSTRAINT real_p REFERENCES p DEFERRABLE INITIALLY DEFERRED);
INSERT INTO p SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO late VALUES (1, 1), (2, 2);
INSERT INTO soon VALUES (3, 3), (4, 4);
INSERT INTO real VALUES (5, 5), (6, 6);
SELECT relation FROM softdelete_register('p');
SELECT relation FROM softdelete_register('late');
SELECT relation FROM softdelete_register('soon');

-- initially deferred: parent before child, one deletion; refused at the end of the transaction
BEGIN;
DELETE FROM p WHERE id = 1;
SELECT id FROM p WHERE id = 1;
DELETE FROM late WHERE id = 1;
COMMIT;
BEGIN;
DELETE FROM p WHERE id = 2;
SELECT id FROM p WHERE id = 2;
DO $$ BEGIN SET CONSTRAINTS ALL IMMEDIATE; EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END $$;
COMMIT;
SELECT statement, relations FROM softdelete.deletions WHERE id > 220000;

-- initially immediate
BEGIN;
DELETE FROM p WHERE id = 3;
ROLLBACK;
BEGIN;
SET CONSTRAINTS soon_p DEFERRED;
DELETE FROM p WHERE id = 3;
DELETE FROM soon WHERE id = 3;
SET CONSTRAINTS soon_p IMMEDIATE;
COMMIT;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
DELETE FROM p WHERE id = 4;
SET CONSTRAINTS late_p IMMEDIATE;
SET CONSTRAINTS soon_p IMMEDIATE;
ROLLBACK;
-- and a deferred one made immediate
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
DELETE FROM p WHERE id = 2;
ROLLBACK;
BEGIN;
SET CONSTRAINTS late_p IMMEDIATE;
DELETE FROM p WHERE id = 5;
DELETE FROM p WHERE id = 2;
ROLLBACK;

-- rows of a table that is not registered always count
BEGIN;
DELETE FROM p WHERE id = 5;
COMMIT;
BEGIN;
DELETE FROM p WHERE id = 5;
DELETE FROM real WHERE id = 5;
COMMIT;
SELECT id FROM p ORDER BY id;

-- several rows: the first of those that are referred to is named
BEGIN;
DELETE FROM p;
COMMIT;
-- savepoints
BEGIN;
SAVEPOINT s;
DELETE FROM p WHERE id = 2;
ROLLBACK TO s;
COMMIT;
BEGIN;
DELETE FROM p WHERE id = 2;
SAVEPOINT s;
DELETE FROM late WHERE id = 2;
RELEASE s;
SAVEPOINT s2;
COMMIT;
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT * FROM late;
BEGIN;
DELETE FROM p WHERE id = 2;
SAVEPOINT s;
DELETE FROM late WHERE id = 2;
ROLLBACK TO s;
COMMIT;
-- undeleted in between, the parent or both
BEGIN;
DELETE FROM p WHERE id = 2;
SELECT softdelete_undelete('p', 2);
COMMIT;
BEGIN;
DELETE FROM p WHERE id = 2;
DELETE FROM late WHERE id = 2;
SELECT softdelete_undelete('p', 2, cascade := true);
COMMIT;
SELECT p.id, late.id FROM p JOIN late ON p_id = p.id ORDER BY 1;
-- the parent's key in the meantime: taken by nobody, as a foreign key references it
BEGIN;
DELETE FROM p WHERE id = 2;
INSERT INTO p VALUES (2, 20);
ROLLBACK;
-- a live row that takes over the key passes
BEGIN;
DELETE FROM p WHERE id = 2;
UPDATE late SET p_id = 6 WHERE id = 2;
COMMIT;
SELECT * FROM late;
UPDATE late SET p_id = NULL;
SELECT softdelete_undelete('p', 2);
UPDATE late SET p_id = 2;
-- a new reference to the row deleted is refused, at once or late
BEGIN;
DELETE FROM p WHERE id = 7;
INSERT INTO late VALUES (7, 7);
COMMIT;
-- prepared transactions and functions
BEGIN;
DELETE FROM p WHERE id = 2;
PREPARE TRANSACTION 'regress_deferrable';
DO $$ BEGIN DELETE FROM p WHERE id = 2; DELETE FROM late WHERE id = 2; END $$;
SELECT count(*) FROM p WHERE id = 2;
SELECT softdelete_undelete('p', 2, cascade := true);
-- with show_deleted
SET softdelete.show_deleted = on;
BEGIN;
DELETE FROM p WHERE id = 2;
DELETE FROM late WHERE id = 2;
COMMIT;
BEGIN;
DELETE FROM p WHERE id = 4;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
RESET softdelete.show_deleted;

-- a new key and a real delete do not leave a deleted child behind
SELECT softdelete_undelete('p', 2);
UPDATE p SET id = 22 WHERE id = 2;
BEGIN;
UPDATE p SET id = 22 WHERE id = 2;
UPDATE p SET id = 2 WHERE id = 22;
COMMIT;
CREATE TABLE free (id int PRIMARY KEY);
CREATE TABLE held (id int PRIMARY KEY, free_id int REFERENCES free DEFERRABLE INITIALLY DEFERRED);
INSERT INTO free VALUES (1), (2);
INSERT INTO held VALUES (1, 1);
SELECT relation FROM softdelete_register('held');
DELETE FROM held;
DELETE FROM free WHERE id = 2;
DELETE FROM free WHERE id = 1;
BEGIN;
DELETE FROM free WHERE id = 1;
INSERT INTO free VALUES (1);
COMMIT;

-- two foreign keys on the same columns
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY);
CREATE TABLE ab (id int CONSTRAINT ab_a REFERENCES a DEFERRABLE INITIALLY DEFERRED CONSTRAINT ab_b REFERENCES b DEFERRABLE INITIALLY DEFERRED);
INSERT INTO a VALUES (1), (2);
INSERT INTO b VALUES (1), (2);
INSERT INTO ab VALUES (1), (2);
SELECT relation FROM softdelete_register('a');
SELECT relation FROM softdelete_register('b');
SELECT relation FROM softdelete_register('ab');
BEGIN;
DELETE FROM a WHERE id = 1;
DELETE FROM ab WHERE id = 1;
DELETE FROM b WHERE id = 1;
COMMIT;
BEGIN;
DELETE FROM b WHERE id = 2;
COMMIT;
SELECT softdelete_undelete('a', 1, cascade := true, with_parents := true);
SELECT a.id, b.id, ab.id FROM a JOIN b USING (id) JOIN ab USING (id) ORDER BY 1;

-- a self reference, composite, of two types
CREATE TABLE node (t int, id int, parent bigint, PRIMARY KEY (t, id), FOREIGN KEY (t, parent) REFERENCES node DEFERRABLE INITIALLY DEFERRED);
INSERT INTO node VALUES (1, 1, NULL), (1, 2, 1), (1, 3, 2), (2, 2, NULL);
SELECT relation FROM softdelete_register('node');
BEGIN;
DELETE FROM node WHERE id = 2;
DELETE FROM node WHERE id = 3;
COMMIT;
DELETE FROM node WHERE t = 1 AND id = 1;
SELECT t, id, parent FROM node;
SELECT softdelete_undelete('node', ROW(1, 1), cascade := true);
DELETE FROM node WHERE id = 1;
DELETE FROM node;
SELECT count(*) FROM node;

-- partitions on both sides
CREATE TABLE pp (k int, id int, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE pp1 (id int NOT NULL, gone text, k int NOT NULL);
ALTER TABLE pp1 DROP COLUMN gone;
ALTER TABLE pp ATTACH PARTITION pp1 FOR VALUES IN (1);
CREATE TABLE pp2 PARTITION OF pp FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE pp21 PARTITION OF pp2 DEFAULT;
CREATE TABLE pc (id int, k int, pid int, FOREIGN KEY (k, pid) REFERENCES pp DEFERRABLE INITIALLY DEFERRED) PARTITION BY LIST (id);
CREATE TABLE pc1 PARTITION OF pc FOR VALUES IN (1);
CREATE TABLE pc2 (pid int, id int, k int);
ALTER TABLE pc ATTACH PARTITION pc2 DEFAULT;
INSERT INTO pp VALUES (1, 1), (1, 2), (2, 1), (2, 2);
INSERT INTO pc VALUES (1, 1, 1), (2, 2, 1), (3, 2, 2);
SELECT relation FROM softdelete_register('pp');
SELECT relation FROM softdelete_register('pc');
DO $$ BEGIN DELETE FROM pp; DELETE FROM pc WHERE id < 3; SET CONSTRAINTS ALL IMMEDIATE; EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END $$;
BEGIN;
DELETE FROM pp WHERE id = 1;
DELETE FROM pc WHERE id < 3;
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
DO $$ BEGIN DELETE FROM pp21; SET CONSTRAINTS pc_k_pid_fkey IMMEDIATE; EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE '%', SQLSTATE; END $$;
SELECT tableoid::regclass, k, id FROM pp ORDER BY k, id;
UPDATE pp SET k = 2, id = 7 WHERE k = 1 AND id = 2;
SELECT softdelete_undelete('pp', ROW(2, 1), cascade := true);
UPDATE pp SET k = 1, id = 9 WHERE k = 2 AND id = 1;
SELECT tableoid::regclass, id, k, pid FROM pc ORDER BY id;

-- an immediate check comes where PostgreSQL has it: in the first round, before what is further down
CREATE TABLE r (id int PRIMARY KEY);
CREATE TABLE r1 (id int PRIMARY KEY, r int REFERENCES r ON DELETE CASCADE);
CREATE TABLE r2 (id int PRIMARY KEY, r1 int REFERENCES r1 ON DELETE CASCADE, r int CONSTRAINT r2_r REFERENCES r DEFERRABLE);
CREATE TABLE r3 (id int PRIMARY KEY, r int REFERENCES r ON DELETE CASCADE, same int CONSTRAINT r3_same REFERENCES r DEFERRABLE);
INSERT INTO r VALUES (1), (2), (3);
INSERT INTO r1 VALUES (1, 1);
INSERT INTO r2 VALUES (1, 1, 1);
INSERT INTO r3 VALUES (2, 2, 2), (3, 3, 2);
SELECT relation FROM softdelete_register('r');
DELETE FROM r WHERE id = 1;
BEGIN;
SET CONSTRAINTS r2_r DEFERRED;
DELETE FROM r WHERE id = 1;
COMMIT;
DELETE FROM r WHERE id = 2;
DELETE FROM r WHERE id IN (2, 3);
SELECT softdelete_undelete('r', 1, cascade := true);
SELECT count(*) FROM r2;

-- a trigger that is switched off does not check; a foreign key becomes deferrable, and not
CREATE TABLE alt (id int PRIMARY KEY);
CREATE TABLE alt_c (id int PRIMARY KEY, alt_id int CONSTRAINT alt_key REFERENCES alt);
INSERT INTO alt VALUES (1);
INSERT INTO alt_c VALUES (1, 1);
SELECT relation FROM softdelete_register('alt');
SELECT relation FROM softdelete_register('alt_c');
DELETE FROM alt;
ALTER TABLE alt_c ALTER CONSTRAINT alt_key DEFERRABLE INITIALLY DEFERRED;
BEGIN;
DELETE FROM alt;
DELETE FROM alt_c;
COMMIT;
SELECT softdelete_undelete('alt', 1, cascade := true);
ALTER TABLE alt_c ALTER CONSTRAINT alt_key NOT DEFERRABLE;
DELETE FROM alt;
ALTER TABLE alt_c ALTER CONSTRAINT alt_key DEFERRABLE INITIALLY DEFERRED;
SET session_replication_role = replica;
BEGIN;
DELETE FROM alt;
COMMIT;
RESET session_replication_role;
SELECT count(*) FROM alt;

-- the owner of the child need not be allowed to read the parent
CREATE ROLE regress_dfr_parent;
CREATE ROLE regress_dfr_child;
GRANT USAGE, CREATE ON SCHEMA dfr TO regress_dfr_parent, regress_dfr_child;
SET ROLE regress_dfr_parent;
CREATE TABLE secret (id int PRIMARY KEY);
INSERT INTO secret VALUES (1);
SELECT relation FROM softdelete_register('secret');
GRANT REFERENCES ON secret TO regress_dfr_child;
SET ROLE regress_dfr_child;
CREATE TABLE known (id int REFERENCES secret DEFERRABLE INITIALLY DEFERRED);
INSERT INTO known VALUES (1);
SELECT relation FROM softdelete_register('known');
GRANT DELETE ON known TO regress_dfr_parent;
SET ROLE regress_dfr_parent;
BEGIN;
DELETE FROM secret;
DELETE FROM known;
COMMIT;
RESET ROLE;
SELECT (SELECT count(*) FROM secret) + (SELECT count(*) FROM known) AS rows_left;

-- who may not read the key does not see it
CREATE ROLE regress_deferrable;
GRANT USAGE ON SCHEMA dfr TO regress_deferrable;
GRANT SELECT (k), DELETE ON p TO regress_deferrable;
UPDATE late SET p_id = 2;
SELECT softdelete_undelete('late', 2);
UPDATE late SET p_id = 6;
SET ROLE regress_deferrable;
BEGIN;
DELETE FROM p WHERE k = 6;
COMMIT;
RESET ROLE;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA dfr CASCADE;
DROP ROLE regress_deferrable, regress_dfr_parent, regress_dfr_child;
