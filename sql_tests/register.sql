-- softdelete_register: what it adds, what it takes along, what it refuses
CREATE SCHEMA reg;
SET search_path = reg, public;

CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, line int, PRIMARY KEY (order_id, line));
CREATE TABLE notes (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE SET NULL);
INSERT INTO customers VALUES (1, 'Miller');

-- the columns come without a rewrite, and with everything below
SELECT pg_relation_filenode('customers') AS before \gset
SELECT * FROM softdelete_register('customers');
SELECT pg_relation_filenode('customers') = :before AS not_rewritten;
SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) AS default
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'customers'::regclass AND attnum > 0 ORDER BY attnum;
SELECT * FROM customers;

-- again: nothing changes; a new child below is taken
SELECT * FROM softdelete_register('customers');
CREATE TABLE parcels (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE);
SELECT * FROM softdelete_register('customers');
SELECT relation, flag_column FROM softdelete.tables WHERE relation::text !~ '\.' ORDER BY relation::text;

-- a column "active" of the application is left alone
CREATE TABLE members (id int PRIMARY KEY, active int);
SELECT * FROM softdelete_register('members');
CREATE TABLE guests (id int PRIMARY KEY, active boolean);
SELECT * FROM softdelete_register('guests');
CREATE TABLE others (id int PRIMARY KEY, deletion_id text);
SELECT * FROM softdelete_register('others');

-- columns that nobody named are not taken, whatever they are called
CREATE TABLE own (id int PRIMARY KEY, active boolean NOT NULL DEFAULT true, deletion_id bigint);
INSERT INTO own VALUES (1, false, 77);
SELECT * FROM softdelete_register('own');
SELECT * FROM own;
CREATE TABLE both_names (active int, softdelete_active int);
SELECT * FROM softdelete_register('both_names');
CREATE TABLE heirs (id int PRIMARY KEY);
CREATE TABLE heir (active boolean NOT NULL) INHERITS (heirs);
INSERT INTO heir VALUES (2, false);
SELECT * FROM softdelete_register('heirs');
SELECT id, active, softdelete_active FROM heir;
CREATE TYPE reg_type AS (id int);
CREATE TABLE typed OF reg_type;
SELECT * FROM softdelete_register('typed');

-- without cascade an unregistered child is a warning
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a_id int CONSTRAINT b_to_a REFERENCES a ON DELETE CASCADE);
SELECT * FROM softdelete_register('a', cascade := false);
SELECT * FROM softdelete_register('b');

-- an unregistered parent is a note
CREATE TABLE top (id int PRIMARY KEY);
CREATE TABLE below (id int PRIMARY KEY, top_id int CONSTRAINT below_to_top REFERENCES top ON DELETE CASCADE);
SELECT * FROM softdelete_register('below');
INSERT INTO top VALUES (1);
INSERT INTO below VALUES (1, 1);
DELETE FROM top;
SELECT * FROM top, below;

-- cycles and self references end
CREATE TABLE ring1 (id int PRIMARY KEY, next int);
CREATE TABLE ring2 (id int PRIMARY KEY, next int REFERENCES ring1 ON DELETE CASCADE, up int REFERENCES ring2 ON DELETE CASCADE);
ALTER TABLE ring1 ADD FOREIGN KEY (next) REFERENCES ring2 ON DELETE CASCADE;
SELECT * FROM softdelete_register('ring1');

-- partitions, present and later ones, follow their root
CREATE TABLE parted (id int, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
SELECT * FROM softdelete_register('parted1');
SELECT * FROM softdelete_register('parted');
CREATE TABLE parted2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES (1, 1), (2, 11);
DELETE FROM parted2;
SELECT * FROM parted;

-- inheritance children come with their parent, not alone
CREATE TABLE animal (id int PRIMARY KEY);
CREATE TABLE dog (bark text) INHERITS (animal);
SELECT * FROM softdelete_register('dog');
SELECT * FROM softdelete_register('animal');
INSERT INTO dog (id, bark) VALUES (1, 'woof');
DELETE FROM animal;
SELECT * FROM dog;

CREATE TABLE cat () INHERITS (animal);
INSERT INTO cat (id) VALUES (2);
DELETE FROM cat;
CREATE TABLE cow (id int NOT NULL, active boolean NOT NULL DEFAULT true, deletion_id bigint);
ALTER TABLE cow INHERIT animal;
INSERT INTO cow (id) VALUES (3);
DELETE FROM animal;
SET softdelete.show_deleted = 'only';
SELECT tableoid::regclass, id FROM animal ORDER BY id;
RESET softdelete.show_deleted;

-- nor below a table that is not registered
CREATE TABLE plain (id int);
CREATE TABLE kept (id int NOT NULL);
SELECT * FROM softdelete_register('kept');
ALTER TABLE kept INHERIT plain;
CREATE TABLE plain_parted (id int NOT NULL, active boolean, deletion_id bigint) PARTITION BY LIST (id);
ALTER TABLE plain_parted ATTACH PARTITION kept DEFAULT;

-- what cannot be registered
CREATE VIEW v AS SELECT * FROM a;
SELECT * FROM softdelete_register('v');
CREATE MATERIALIZED VIEW m AS SELECT 1 AS x;
SELECT * FROM softdelete_register('m');
CREATE SEQUENCE s;
SELECT * FROM softdelete_register('s');
CREATE TEMPORARY TABLE temp_table (id int PRIMARY KEY);
SELECT * FROM softdelete_register('temp_table');
SELECT * FROM softdelete_register('pg_class');
SELECT * FROM softdelete_register('softdelete.deletion');
CREATE FOREIGN DATA WRAPPER reg_wrapper;
CREATE SERVER reg_server FOREIGN DATA WRAPPER reg_wrapper;
CREATE FOREIGN TABLE remote (id int) SERVER reg_server;
SELECT * FROM softdelete_register('remote');
CREATE FOREIGN TABLE parted3 PARTITION OF parted FOR VALUES FROM (20) TO (30) SERVER reg_server;
CREATE TABLE parted_far (k int) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE parted_far1 PARTITION OF parted_far FOR VALUES FROM (20) TO (30) SERVER reg_server;
SELECT * FROM softdelete_register('parted_far');
SELECT * FROM softdelete_register(NULL);
SELECT * FROM softdelete_register(0);
SELECT * FROM softdelete_register('nowhere');

-- all or nothing: a table below that is not ours stops it all
CREATE ROLE regress_reg_owner;
GRANT CREATE, USAGE ON SCHEMA reg TO regress_reg_owner;
GRANT REFERENCES ON ALL TABLES IN SCHEMA reg TO regress_reg_owner;
CREATE TABLE ours (id int PRIMARY KEY);
ALTER TABLE ours OWNER TO regress_reg_owner;
CREATE TABLE theirs (id int PRIMARY KEY, ours_id int REFERENCES ours ON DELETE CASCADE);
SET ROLE regress_reg_owner;
SELECT * FROM softdelete_register('ours');
RESET ROLE;
SELECT count(*) FROM pg_attribute WHERE attrelid = 'ours'::regclass AND attname = 'active';
ALTER TABLE theirs OWNER TO regress_reg_owner;
SET ROLE regress_reg_owner;
SELECT * FROM softdelete_register('ours');
RESET ROLE;

-- a registration rolled back never was
BEGIN;
CREATE TABLE fleeting (id int PRIMARY KEY);
SELECT * FROM softdelete_register('fleeting');
ROLLBACK;
BEGIN;
SELECT * FROM softdelete_register('guests');
CREATE TABLE rolled (id int PRIMARY KEY);
INSERT INTO rolled VALUES (1), (2);
SAVEPOINT s;
SELECT * FROM softdelete_register('rolled');
DELETE FROM rolled WHERE id = 1;
ROLLBACK TO s;
DELETE FROM rolled WHERE id = 2;
SELECT * FROM rolled;
COMMIT;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA reg CASCADE;
DROP FOREIGN DATA WRAPPER reg_wrapper CASCADE;
DROP ROLE regress_reg_owner;
