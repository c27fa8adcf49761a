-- A new foreign key with ON DELETE CASCADE registers its table, in the same statement.
CREATE SCHEMA new_children;
SET search_path = new_children, public;
CREATE TABLE p (id int PRIMARY KEY, email text UNIQUE);
INSERT INTO p VALUES (1), (2);
SELECT relation FROM softdelete_register('p', retention := '90 days');

CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, email text UNIQUE);
CREATE TABLE "Odd One" (id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c ON DELETE CASCADE);
-- not by other actions
CREATE TABLE n (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL);
-- by ALTER TABLE, with rows and what hangs below
CREATE TABLE a (id int PRIMARY KEY, p int, email text UNIQUE);
CREATE TABLE below_a (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
INSERT INTO a VALUES (1, 1, 'x'), (2, 2, 'y');
INSERT INTO below_a VALUES (10, 1);
ALTER TABLE a ADD FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE, ADD COLUMN more int;
CREATE TABLE added (id int PRIMARY KEY);
ALTER TABLE added ADD COLUMN p int REFERENCES p ON DELETE CASCADE;
CREATE SCHEMA new_children_2 CREATE TABLE made (id int PRIMARY KEY, p int REFERENCES new_children.p ON DELETE CASCADE);
DO $$BEGIN CREATE TABLE by_do (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE); END$$;
SELECT relation, retention FROM softdelete.tables
    WHERE relation IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text ~ '^new_children') ORDER BY relation::text;
INSERT INTO c VALUES (1, 1);
INSERT INTO "Odd One" VALUES (1, 1);
DELETE FROM p WHERE id = 1;
SELECT (SELECT count(*) FROM c) + (SELECT count(*) FROM "Odd One") + (SELECT count(*) FROM below_a) AS rows;
SELECT softdelete_undelete('p', 1, cascade := true);

-- partitioned, self-referencing, tables that are there already
CREATE TABLE parts (id int, p int REFERENCES p ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE self (id int PRIMARY KEY, up int REFERENCES self ON DELETE CASCADE, p int REFERENCES p ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS n (id int, p int REFERENCES p ON DELETE CASCADE);
SELECT relation FROM softdelete.tables WHERE relation::text ~ '^(parts|self|n$)' ORDER BY relation::text;

-- where it cannot be, a WARNING says so
CREATE TABLE deletion_ids (id int PRIMARY KEY, deletion_id text, p int REFERENCES p ON DELETE CASCADE);
CREATE ROLE regress_child_owner;
GRANT USAGE, CREATE ON SCHEMA new_children TO regress_child_owner;
GRANT REFERENCES ON p TO regress_child_owner;
SET ROLE regress_child_owner;
CREATE TABLE of_another (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
RESET ROLE;
CREATE TABLE mine (id int PRIMARY KEY, p int);
CREATE TABLE below_mine (id int PRIMARY KEY, m int REFERENCES mine ON DELETE CASCADE);
ALTER TABLE mine OWNER TO regress_child_owner;
SET ROLE regress_child_owner;
ALTER TABLE mine ADD CONSTRAINT mine_p FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE;
RESET ROLE;
SELECT relation FROM softdelete.tables WHERE relation::text ~ 'mine$';
ALTER TABLE mine DROP CONSTRAINT mine_p;
SELECT relation FROM softdelete.tables WHERE relation::text ~ '(mine|another|deletion_ids)$' ORDER BY relation::text;

-- excluded tables stay so, and tables registered with cascade := false want nothing below
CREATE TABLE alone (id int PRIMARY KEY);
CREATE TABLE jobs (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('alone', cascade := false);
CREATE TABLE not_below (id int PRIMARY KEY, alone int REFERENCES alone ON DELETE CASCADE);
DROP TABLE deletion_ids;
SELECT count(*) FROM softdelete_register('p', exclude := '{jobs}');
ALTER TABLE jobs ADD p int REFERENCES p ON DELETE CASCADE;
SELECT relation FROM softdelete.tables WHERE relation::text ~ 'jobs|not_below' ORDER BY relation::text;
-- until it is registered with cascade
SELECT relation FROM softdelete_register('alone');
CREATE TABLE below_alone (id int PRIMARY KEY, alone int REFERENCES alone ON DELETE CASCADE);

-- as its parent: the application's flag, full keys
CREATE TABLE users (id int PRIMARY KEY, deleted_at timestamptz);
SELECT relation FROM softdelete_register('users', flag := 'deleted_at', partial_unique := false);
CREATE TABLE posts (id int PRIMARY KEY, users int REFERENCES users ON DELETE CASCADE, deleted_at timestamptz, title text UNIQUE);
SELECT relation, flag_column FROM softdelete.tables WHERE relation = 'posts'::regclass;
SELECT contype FROM pg_constraint WHERE conname = 'posts_title_key';

-- not while a dump is restored; and undone with the statement
SET row_security = off;
CREATE TABLE restored (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
RESET row_security;
BEGIN;
CREATE TABLE undone (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
ROLLBACK;
SELECT count(*) FROM softdelete.tables WHERE relation = 'restored'::regclass;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA new_children, new_children_2 CASCADE;
DROP ROLE regress_child_owner;
