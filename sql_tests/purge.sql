-- softdelete_purge: deleted rows that are old enough really go, if nothing refers to them
CREATE SCHEMA purge;
SET search_path = purge, public;
SELECT setval('softdelete.deletion_id_seq', 570000);
SELECT softdelete_purge('0') >= 0 AS left_by_others;

CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE WARNING '% on % fired', TG_OP, TG_TABLE_NAME; RETURN OLD; END$$;
CREATE FUNCTION age(bigint, interval) RETURNS void LANGUAGE sql AS
$$UPDATE softdelete.deletion SET deleted_at = deleted_at - $2 WHERE id = $1$$;
CREATE FUNCTION physically(OUT relation text, OUT live bigint, OUT deleted bigint) RETURNS SETOF record
LANGUAGE plpgsql SET softdelete.show_deleted = on AS
$$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT s.relation FROM softdelete.tables s JOIN pg_class c ON c.oid = s.relation
             WHERE c.relnamespace = 'purge'::regnamespace ORDER BY c.relname LOOP
        EXECUTE format('SELECT %L, count(*) FILTER (WHERE active), count(*) FILTER (WHERE NOT active) FROM %s', t, t)
        INTO relation, live, deleted;
        RETURN NEXT;
    END LOOP;
END$$;

-- children first, by age, without triggers
CREATE TABLE customer (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE);
CREATE TABLE line (order_id int REFERENCES orders ON DELETE CASCADE, no int, PRIMARY KEY (order_id, no));
CREATE TABLE note (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE SET NULL);
INSERT INTO customer SELECT i, 'c' || i FROM generate_series(1, 4) i;
INSERT INTO orders SELECT i, (i + 1) / 2 FROM generate_series(1, 8) i;
INSERT INTO line SELECT i, j FROM generate_series(1, 8) i, generate_series(1, 2) j;
INSERT INTO note VALUES (1, 1);
SELECT relation FROM softdelete_register('customer', retention := '30 days');
SELECT relation, retention FROM softdelete.tables WHERE relation = 'orders'::regclass;
CREATE TRIGGER shout AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION shout();
CREATE TRIGGER shout_all BEFORE DELETE ON line FOR EACH STATEMENT EXECUTE FUNCTION shout();
SET client_min_messages = error;
DELETE FROM customer WHERE id = 1;   -- 570001, old
DELETE FROM line WHERE order_id = 4; -- 570002, young
DELETE FROM customer WHERE id = 2;   -- 570003, old: the order of a young line stays, and so does its customer
RESET client_min_messages;
SELECT age(570001, '31 days'), age(570003, '31 days');
SELECT * FROM physically();
SELECT count(*) FROM softdelete.link WHERE child = 'note'::regclass;
SELECT softdelete_purge('60 days');
SELECT softdelete_purge();
SELECT * FROM physically();
SELECT count(*) FROM softdelete.link WHERE child = 'note'::regclass;
SELECT event, relation, row_count FROM softdelete.events
WHERE event = 'purge' AND relation IN ('customer'::regclass, 'orders'::regclass, 'line'::regclass) ORDER BY id;
SELECT id, row_count FROM softdelete.deletions WHERE id = 570001;
SELECT age(570002, '31 days');
SELECT softdelete_purge();
SELECT * FROM physically();
SELECT softdelete_purge();

-- what is not old enough; what is not retained
DELETE FROM customer WHERE id = 3;
SELECT softdelete_purge();
SELECT softdelete_purge('0', 'customer');  -- its orders are still there
SELECT softdelete_purge('0', max_rows := 3);
SELECT softdelete_purge('0', max_rows := 3);
SELECT softdelete_purge('0', max_rows := 3);
SELECT * FROM physically();
-- a deletion of the same transaction is none yet
BEGIN;
DELETE FROM customer WHERE id = 4;
SELECT softdelete_purge('0');
ROLLBACK;

-- any foreign key counts, of live rows and of unregistered tables, whatever its action
CREATE TABLE up (id int PRIMARY KEY);
CREATE TABLE cascades (up_id int REFERENCES up ON DELETE CASCADE);
CREATE TABLE refuses (up_id int REFERENCES up);
INSERT INTO up VALUES (1), (2), (3);
SELECT relation FROM softdelete_register('up', cascade := false);
DELETE FROM up;
SET row_security = off;
INSERT INTO cascades VALUES (1);
INSERT INTO refuses VALUES (2);
RESET row_security;
SELECT softdelete_purge('0', 'up');
SET softdelete.show_deleted = on;
SELECT id FROM up ORDER BY id;
RESET softdelete.show_deleted;
SELECT * FROM cascades;
DELETE FROM cascades;
DELETE FROM refuses;
SELECT softdelete_purge('0', 'up');

-- trees and circles of deleted rows go; those that something refers to stay whole
CREATE TABLE tree (id int PRIMARY KEY, up_id int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree SELECT i, NULLIF(i / 2, 0) FROM generate_series(1, 31) i;
UPDATE tree SET up_id = 31 WHERE id = 7;  -- 7, 15, 31 are a circle
INSERT INTO tree SELECT 100 + i, NULLIF(100 + i - 1, 100) FROM generate_series(1, 5) i;
CREATE TABLE leaf (id int PRIMARY KEY, tree_id int REFERENCES tree ON DELETE CASCADE);
INSERT INTO leaf VALUES (1, 105);
SELECT relation FROM softdelete_register('tree');
SELECT setval('softdelete.deletion_id_seq', 571000);
DELETE FROM leaf;                                              -- stays young
DELETE FROM tree;
SELECT age(571002, '1 day');
SELECT softdelete_purge('1 hour', max_rows := 1) AS whole_tree;
SELECT softdelete_purge('1 hour') AS the_rest;
SELECT * FROM physically() WHERE relation IN ('tree', 'leaf');
SELECT softdelete_purge('0');
SELECT * FROM physically() WHERE relation IN ('tree', 'leaf');

CREATE TABLE chicken (id int PRIMARY KEY, egg_id int);
CREATE TABLE egg (id int PRIMARY KEY, chicken_id int REFERENCES chicken ON DELETE CASCADE);
ALTER TABLE chicken ADD FOREIGN KEY (egg_id) REFERENCES egg ON DELETE CASCADE;
INSERT INTO chicken VALUES (1), (2), (3);
INSERT INTO egg VALUES (1, 1), (2, 2), (3, 2);
UPDATE chicken SET egg_id = id;
SELECT relation FROM softdelete_register('chicken');
DELETE FROM chicken WHERE id = 1;
DELETE FROM chicken WHERE id = 2;
DELETE FROM chicken WHERE id = 3;
SELECT * FROM physically() WHERE relation IN ('chicken', 'egg');
SELECT softdelete_purge('0', 'chicken'), softdelete_purge('0', 'egg');
SELECT softdelete_purge('0');
SELECT * FROM physically() WHERE relation IN ('chicken', 'egg');

-- partitions, with other column numbers, and keys over several columns
CREATE TABLE parted (junk int, a int, b text, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 (b text NOT NULL, a int NOT NULL, junk int);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2);
CREATE TABLE below (id int, a int, b text, FOREIGN KEY (a, b) REFERENCES parted ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE below_1 PARTITION OF below FOR VALUES FROM (1) TO (3);
CREATE TABLE below_2 PARTITION OF below DEFAULT;
INSERT INTO parted (a, b) VALUES (1, 'x'), (1, 'y'), (2, 'x'), (2, 'y');
INSERT INTO below VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 2, 'y'), (4, NULL, 'y');
SELECT relation FROM softdelete_register('parted', retention := '1 hour');
DELETE FROM parted;
SELECT softdelete_purge('0', 'parted');  -- (1, y), to which nothing refers
SELECT * FROM physically() WHERE relation IN ('parted', 'below');
SELECT softdelete_purge('0');
SELECT * FROM physically() WHERE relation IN ('parted', 'below');
-- registering again changes the retention, of partitions too
SELECT relation FROM softdelete_register('parted', retention := '2 years 3 days');
SELECT relation, retention FROM softdelete.tables WHERE relation IN ('parted'::regclass, 'below'::regclass) ORDER BY 1;
-- a table that is registered later takes the retention of the one above
CREATE TABLE later (id int PRIMARY KEY, a int, b text, FOREIGN KEY (a, b) REFERENCES parted ON DELETE CASCADE);
SELECT relation FROM softdelete_register('parted');
SELECT relation, retention FROM softdelete.tables WHERE relation = 'later'::regclass;
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES IN (3);
SELECT count(*), count(DISTINCT tgargs) FROM pg_trigger
WHERE tgname = 'softdelete_guard' AND tgrelid IN ('parted'::regclass, 'parted_1'::regclass, 'parted_2'::regclass, 'parted_3'::regclass);

-- images of rows in the journal: they go by age, and what they refer to stays with them
CREATE TABLE code (id int PRIMARY KEY);
CREATE TABLE item (sku text PRIMARY KEY, code_id int REFERENCES code ON DELETE CASCADE);
INSERT INTO code VALUES (1);
INSERT INTO item VALUES ('a', 1);
SELECT relation FROM softdelete_register('code');
DELETE FROM item;
DELETE FROM code;
INSERT INTO item VALUES ('a', NULL);
SELECT count(*) FROM softdelete.image WHERE relation = 'item'::regclass;
SELECT softdelete_purge('0', 'code');
SELECT softdelete_purge('0');
SELECT count(*) FROM softdelete.image WHERE relation = 'item'::regclass;
SELECT * FROM physically() WHERE relation IN ('code', 'item');

-- in batches: each is committed
INSERT INTO line SELECT 7, i FROM generate_series(1, 25) i ON CONFLICT DO NOTHING;
SET client_min_messages = error;
DELETE FROM customer;
RESET client_min_messages;
SELECT * FROM physically() WHERE relation IN ('customer', 'orders', 'line');
SELECT max(id) AS before FROM softdelete.event \gset
CALL softdelete_purge_batches('0', batch_size := 10);
SELECT relation, row_count, dense_rank() OVER (ORDER BY transaction_id::text::numeric) AS transaction
FROM softdelete.event WHERE id > :before ORDER BY id;
SELECT * FROM physically() WHERE relation IN ('customer', 'orders', 'line');
BEGIN;
CALL softdelete_purge_batches('0');
ROLLBACK;
DO $$BEGIN CALL softdelete_purge_batches('0', batch_size := 5); END$$;

-- rules stand in no one's way, and guards pass
CREATE TABLE ruled (id int PRIMARY KEY);
INSERT INTO ruled VALUES (1);
SELECT relation FROM softdelete_register('ruled');
DELETE FROM ruled;
CREATE RULE no AS ON DELETE TO ruled DO INSTEAD NOTHING;
SELECT softdelete_purge('0', 'ruled');

-- unregistering
INSERT INTO code VALUES (1);
INSERT INTO item VALUES ('b', 1);
DELETE FROM code;
SELECT softdelete_unregister('code', 'purge');
SELECT softdelete_unregister('item', 'purge');
SELECT softdelete_unregister('code', 'purge');
SELECT * FROM code;
SELECT * FROM item;

-- rights and arguments
CREATE ROLE regress_purge;
GRANT USAGE ON SCHEMA purge TO regress_purge;
GRANT ALL ON ALL TABLES IN SCHEMA purge TO regress_purge;
CREATE TABLE own (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE);
SELECT relation FROM softdelete_register('own');
INSERT INTO own VALUES (1);
INSERT INTO up VALUES (9);
DELETE FROM own;
DELETE FROM up;
ALTER TABLE own OWNER TO regress_purge;
SET ROLE regress_purge;
SELECT softdelete_purge('0', 'up');
SELECT softdelete_purge('0');
RESET ROLE;
SELECT * FROM physically() WHERE relation IN ('own', 'up');
SELECT softdelete_purge('-1 day');
SELECT softdelete_purge('0', max_rows := -1);
SELECT softdelete_purge('0', 'cascades');
SELECT softdelete_register('up', retention := '-1 day');
SELECT softdelete_register('up', retention := '100000000 years');
CALL softdelete_purge_batches('0', batch_size := 0);

SET client_min_messages = error;
SET softdelete.enabled = off;
DROP SCHEMA purge CASCADE;
DROP ROLE regress_purge;
