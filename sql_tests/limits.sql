-- softdelete.max_rows_per_deletion refuses a deletion larger than it, with the counts.
SET client_min_messages = warning;
CREATE SCHEMA limits;
SET search_path = limits, public;
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE);
CREATE TABLE o (id int PRIMARY KEY);
INSERT INTO p SELECT generate_series(1, 5);
INSERT INTO c SELECT i, 1 + i % 5 FROM generate_series(1, 20) i;
INSERT INTO g SELECT i, 1 + i % 20 FROM generate_series(1, 100) i;
INSERT INTO o SELECT generate_series(1, 50);
SELECT relation FROM softdelete_register('p') UNION ALL SELECT relation FROM softdelete_register('o');
SHOW softdelete.max_rows_per_deletion;
SHOW softdelete.log_min_rows;

-- one row of p is 25 rows: 1, 4 and 20
SET softdelete.max_rows_per_deletion = 24;
DELETE FROM p WHERE id = 1;
SET softdelete.max_rows_per_deletion = 3;
DELETE FROM p WHERE id = 1;
DELETE FROM p;
SELECT (SELECT count(*) FROM p) AS p, (SELECT count(*) FROM c) AS c, (SELECT count(*) FROM g) AS g;
SET softdelete.max_rows_per_deletion = 25;
DELETE FROM p WHERE id = 1;

-- the transaction counts, without what was rolled back
BEGIN;
SAVEPOINT a;
DELETE FROM p WHERE id = 2;
ROLLBACK TO a;
DELETE FROM p WHERE id = 3;
SAVEPOINT b;
DELETE FROM o WHERE id = 1;
ROLLBACK TO b;
SET LOCAL softdelete.max_rows_per_deletion = 26;
SAVEPOINT c;
DELETE FROM o WHERE id = 1;
RELEASE c;
SAVEPOINT d;
DELETE FROM o WHERE id = 2;
ROLLBACK TO d;
COMMIT;
SELECT id, row_count FROM (SELECT row_number() OVER (ORDER BY id) AS id, row_count FROM softdelete.deletions WHERE relations ? 'p') d ORDER BY id;
SELECT count(*) FROM o;

-- TRUNCATE, an UPDATE of the flag, DELETE of a leaf, MERGE
TRUNCATE o;
UPDATE p SET active = false;
DELETE FROM g;
MERGE INTO o USING generate_series(1, 50) i ON o.id = i WHEN MATCHED THEN DELETE;
SELECT count(*) FROM o;
-- a real delete is none
BEGIN;
SET LOCAL softdelete.enabled = off;
DELETE FROM o;
ROLLBACK;
SET softdelete.max_rows_per_deletion = 0;
DELETE FROM o WHERE id = 5;
DELETE FROM o WHERE id = 500;
RESET softdelete.max_rows_per_deletion;
DELETE FROM p;

-- log_min_rows is not for everybody
CREATE ROLE regress_limited;
SET ROLE regress_limited;
SET softdelete.max_rows_per_deletion = 5;
SET softdelete.log_min_rows = 5;
RESET ROLE;
RESET softdelete.max_rows_per_deletion;
DROP ROLE regress_limited;
SET softdelete.enabled = off;
DROP SCHEMA limits CASCADE;
