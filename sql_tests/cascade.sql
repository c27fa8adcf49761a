-- ON DELETE CASCADE over pg_constraint, whatever shape the foreign key has
CREATE SCHEMA cas;
CREATE SCHEMA "Other Schema";
SET search_path = cas, public;

-- three levels, a self reference, quoted names, another schema
CREATE TABLE "My ""Table" ("The Key" int PRIMARY KEY, "we ird" text UNIQUE);
CREATE TABLE "Other Schema".child (id int PRIMARY KEY, "To It" int REFERENCES "My ""Table" ON DELETE CASCADE);
CREATE TABLE grand (id int PRIMARY KEY, c int REFERENCES "Other Schema".child ON DELETE CASCADE, up int REFERENCES grand ON DELETE CASCADE);
-- a key other than the primary key
CREATE TABLE by_name (id int PRIMARY KEY, name text REFERENCES "My ""Table" ("we ird") ON DELETE CASCADE);
INSERT INTO "My ""Table" VALUES (1, 'one'), (2, 'two'), (3, NULL);
INSERT INTO "Other Schema".child VALUES (1, 1), (2, 1), (3, 2), (4, NULL);
INSERT INTO grand VALUES (1, 1, NULL), (2, 3, 1), (3, 3, 2), (4, 3, NULL);
INSERT INTO by_name VALUES (1, 'one'), (2, 'two'), (3, NULL);
SELECT * FROM softdelete_register('"My ""Table"');
DELETE FROM "My ""Table" WHERE "The Key" = 1;
SELECT id FROM "Other Schema".child ORDER BY 1;
SELECT id FROM grand ORDER BY 1;
SELECT id FROM by_name ORDER BY 1;
SELECT row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
DELETE FROM "My ""Table" WHERE "The Key" = 3;
SELECT softdelete_undelete('"My ""Table"', 1, cascade := true);
SELECT array_agg(id ORDER BY id) FROM grand;

-- composite keys over types that differ
CREATE TABLE wide (a int, b varchar(10), d date, PRIMARY KEY (a, b), UNIQUE (b, d));
CREATE TABLE narrow (id int PRIMARY KEY, b text, a bigint, FOREIGN KEY (a, b) REFERENCES wide (a, b) ON DELETE CASCADE);
CREATE TABLE dated (id int PRIMARY KEY, d timestamp, b text, FOREIGN KEY (b, d) REFERENCES wide (b, d) ON DELETE CASCADE);
INSERT INTO wide VALUES (1, 'x', '2020-01-01'), (1, 'y', '2020-01-01'), (2, 'x', '2020-01-02');
INSERT INTO narrow VALUES (1, 'x', 1), (2, 'y', 1), (3, 'x', 2), (4, NULL, 1);
INSERT INTO dated VALUES (1, '2020-01-01', 'x'), (2, '2020-01-02', 'x');
SELECT relation FROM softdelete_register('wide');
DELETE FROM wide WHERE a = 1 AND b = 'x';
SELECT id FROM narrow ORDER BY 1;
SELECT id FROM dated ORDER BY 1;

-- domains, enums, dropped columns, a nondeterministic collation
CREATE DOMAIN short AS text CHECK (length(VALUE) < 10);
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE COLLATION case_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE dom (x int, k short, c colour, PRIMARY KEY (k, c));
ALTER TABLE dom DROP COLUMN x;
CREATE TABLE dom_child (id int PRIMARY KEY, y int, k short, c colour, FOREIGN KEY (k, c) REFERENCES dom ON DELETE CASCADE);
ALTER TABLE dom_child DROP COLUMN y;
CREATE TABLE blind (k text COLLATE case_blind PRIMARY KEY);
CREATE TABLE blind_child (id int PRIMARY KEY, k text COLLATE case_blind REFERENCES blind ON DELETE CASCADE);
INSERT INTO dom VALUES ('a', 'red'), ('a', 'blue');
INSERT INTO dom_child VALUES (1, 'a', 'red'), (2, 'a', 'blue');
INSERT INTO blind VALUES ('Abc');
INSERT INTO blind_child VALUES (1, 'aBC');
SELECT relation FROM softdelete_register('dom');
SELECT relation FROM softdelete_register('blind');
DELETE FROM dom WHERE c = 'red';
SELECT * FROM dom_child;
DELETE FROM blind WHERE k = 'abc';
SELECT * FROM blind_child;

-- a cycle of two, a diamond
CREATE TABLE x (id int PRIMARY KEY, y int);
CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x ON DELETE CASCADE);
INSERT INTO x VALUES (1, NULL), (2, 3);
INSERT INTO y VALUES (1, 1), (2, 1), (3, 1), (4, 2);
ALTER TABLE x ADD FOREIGN KEY (y) REFERENCES y ON DELETE CASCADE;
CREATE TABLE z (id int PRIMARY KEY, x int REFERENCES x ON DELETE CASCADE, y int REFERENCES y ON DELETE CASCADE);
INSERT INTO z VALUES (1, 1, 1), (2, 1, 2), (3, 2, 4);
UPDATE x SET y = 4 WHERE id = 1;
SELECT relation FROM softdelete_register('x');
\set QUIET off
DELETE FROM x WHERE id = 1;
\set QUIET on
SELECT (SELECT count(*) FROM x) AS x, (SELECT count(*) FROM y) AS y, (SELECT count(*) FROM z) AS z;
SELECT row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
SELECT softdelete_undelete('x', 1, cascade := true);
SELECT (SELECT count(*) FROM x) AS x, (SELECT count(*) FROM y) AS y, (SELECT count(*) FROM z) AS z;

-- very deep
CREATE TABLE chain (id int PRIMARY KEY, up int REFERENCES chain ON DELETE CASCADE);
CREATE INDEX ON chain (up);
INSERT INTO chain SELECT i, nullif(i - 1, 0) FROM generate_series(1, 20000) i;
SELECT relation FROM softdelete_register('chain');
DELETE FROM chain WHERE id = 1;
SELECT count(*) FROM chain;
SELECT softdelete_undelete('chain', 1, cascade := true);
SELECT count(*) FROM chain;

-- parent and child in one statement; the same rows from two sides
WITH a AS (DELETE FROM y WHERE id = 1 RETURNING id), b AS (DELETE FROM x WHERE id = 1 RETURNING id) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b);
SELECT (SELECT count(*) FROM x) AS x, (SELECT count(*) FROM y) AS y, (SELECT count(*) FROM z) AS z;

-- partitions: by the root, by a leaf; keys to the root and to a leaf
CREATE TABLE part (k int, id int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 (v text, dropped int, id int NOT NULL, k int NOT NULL);
ALTER TABLE part2 DROP COLUMN dropped;
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES IN (2);
CREATE TABLE part3 PARTITION OF part FOR VALUES IN (3) PARTITION BY LIST (id);
CREATE TABLE part31 PARTITION OF part3 DEFAULT;
CREATE TABLE to_root (n int PRIMARY KEY, k int, id int, FOREIGN KEY (id, k) REFERENCES part ON DELETE CASCADE);
CREATE TABLE to_leaf (n int PRIMARY KEY, k int, id int, FOREIGN KEY (id, k) REFERENCES part2 (id, k) ON DELETE CASCADE);
CREATE TABLE from_parted (n int, k int, id int, FOREIGN KEY (id, k) REFERENCES part ON DELETE CASCADE) PARTITION BY LIST (n);
CREATE TABLE from_parted1 PARTITION OF from_parted FOR VALUES IN (1);
CREATE TABLE from_parted2 (k int, id int, n int);
ALTER TABLE from_parted ATTACH PARTITION from_parted2 DEFAULT;
INSERT INTO part SELECT k, id, 'v' FROM generate_series(1, 3) k, generate_series(1, 4) id;
INSERT INTO to_root SELECT row_number() OVER (ORDER BY k, id), k, id FROM part;
INSERT INTO to_leaf SELECT id, k, id FROM part2;
INSERT INTO from_parted SELECT row_number() OVER (ORDER BY k, id), k, id FROM part;
SELECT relation FROM softdelete_register('part');
DELETE FROM part WHERE id = 1;
SELECT (SELECT count(*) FROM part) AS part, (SELECT count(*) FROM to_root) AS to_root, (SELECT count(*) FROM to_leaf) AS to_leaf, (SELECT count(*) FROM from_parted) AS from_parted;
DELETE FROM part2 WHERE id = 2;
DELETE FROM part3 WHERE id = 2;
SELECT (SELECT count(*) FROM part) AS part, (SELECT count(*) FROM to_root) AS to_root, (SELECT count(*) FROM to_leaf) AS to_leaf, (SELECT count(*) FROM from_parted) AS from_parted;
SELECT row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 3;
-- a row that moves to another partition is not deleted
INSERT INTO part VALUES (3, 30, 'mover');
UPDATE part SET k = 1 WHERE id = 30 RETURNING *, tableoid::regclass;
UPDATE part SET k = 2 WHERE id = 30 RETURNING tableoid::regclass;
SELECT softdelete_undelete('part', '{"id": 1, "k": 2}', cascade := true);
SELECT softdelete_undelete('part2', ROW(2, 2), cascade := true);

-- the role that deletes needs no rights below
CREATE ROLE regress_cas;
GRANT USAGE ON SCHEMA cas TO regress_cas;
GRANT DELETE, SELECT ON wide TO regress_cas;
SET ROLE regress_cas;
DELETE FROM wide WHERE a = 2;
RESET ROLE;
SELECT id FROM narrow ORDER BY 1;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA cas, "Other Schema" CASCADE;
DROP ROLE regress_cas;
