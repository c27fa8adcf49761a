-- softdelete_preview(): what a DELETE would take, unlink or be stopped by.
SET client_min_messages = warning;
CREATE SCHEMA preview;
SET search_path = preview, public;

CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, line int, PRIMARY KEY (order_id, line));
CREATE TABLE tags (order_id int, line int, tag text, FOREIGN KEY (order_id, line) REFERENCES lines ON DELETE CASCADE);
CREATE TABLE notes (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE SET NULL, order_id int REFERENCES orders ON DELETE CASCADE);
CREATE TABLE invoices (id int PRIMARY KEY, customer int REFERENCES customers);
CREATE TABLE sessions (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
INSERT INTO customers VALUES (1, 'ada'), (2, 'bob'), (3, 'cyn');
INSERT INTO orders VALUES (10, 1), (11, 1), (20, 2);
INSERT INTO lines VALUES (10, 1), (10, 2), (11, 1), (20, 1);
INSERT INTO tags VALUES (10, 1, 'a'), (10, 1, 'b'), (20, 1, 'c');
INSERT INTO notes VALUES (7, 1, NULL), (8, 1, 10), (9, 2, NULL);
INSERT INTO invoices VALUES (70, 3);
INSERT INTO sessions VALUES (80, 1), (81, 1);
SELECT relation FROM softdelete_register('customers', exclude := '{sessions}') ORDER BY 1;

SELECT * FROM softdelete_preview('customers', 1);
SELECT * FROM softdelete_preview('customers', '2');
SELECT * FROM softdelete_preview('customers', 3);
SELECT * FROM softdelete_preview('customers', ARRAY[1, 2, 3]);
SELECT * FROM softdelete_preview('lines', ROW(10, 1));
SELECT * FROM softdelete_preview('lines', '{"order_id": 20, "line": 1}');
-- nothing has happened; and this is what happens
SELECT count(*) FROM customers;
DELETE FROM customers WHERE id = 1;
SELECT row_count, relations FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
SELECT * FROM notes ORDER BY id;
SELECT * FROM softdelete_preview('customers', 1);
SELECT * FROM softdelete_preview('customers', 77);
SELECT * FROM softdelete_preview('customers', NULL::int);
SELECT * FROM softdelete_preview('invoices', 70);

-- what is not registered stops it, RESTRICT and NO ACTION do, at commit too; a NOT NULL; a default that is not there
CREATE TABLE top (id int PRIMARY KEY);
CREATE TABLE stray (id int PRIMARY KEY, top int REFERENCES top ON DELETE CASCADE);
CREATE TABLE restricts (id int PRIMARY KEY, top int REFERENCES top ON DELETE RESTRICT);
CREATE TABLE deferred (id int PRIMARY KEY, top int REFERENCES top DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE never (id int PRIMARY KEY, top int NOT NULL REFERENCES top ON DELETE SET NULL);
CREATE TABLE fallback (id int PRIMARY KEY, top int DEFAULT 0 REFERENCES top ON DELETE SET DEFAULT);
INSERT INTO top VALUES (1), (2), (3), (4), (5), (6);
INSERT INTO stray VALUES (1, 1);
INSERT INTO restricts VALUES (1, 2);
INSERT INTO deferred VALUES (1, 3);
INSERT INTO never VALUES (1, 4);
INSERT INTO fallback VALUES (1, 5);
SELECT relation FROM softdelete_register('top', cascade := false);
SELECT i, p.depth, p.relation, p.constraint_name, p.action, p.row_count
FROM generate_series(1, 6) i, softdelete_preview('top', i) p WHERE depth > 0 ORDER BY 1, 2;
DELETE FROM top WHERE id = 1;
DELETE FROM top WHERE id = 3;
DELETE FROM top WHERE id = 4;
DELETE FROM top WHERE id = 5;
INSERT INTO top VALUES (0);
SELECT p.depth, p.relation, p.action FROM softdelete_preview('top', 5) p;
SELECT p.depth, p.relation, p.action FROM softdelete_preview('top', '{0,5}'::int[]) p;

-- self references, cycles and diamonds: each row once
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, friend int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree SELECT i, nullif(i / 2, 0), CASE WHEN i % 3 = 0 THEN i / 3 END FROM generate_series(1, 63) i;
UPDATE tree SET up = 63 WHERE id = 1;
SELECT relation FROM softdelete_register('tree');
SELECT depth, constraint_name, row_count FROM softdelete_preview('tree', 5);
SELECT sum(row_count) FROM softdelete_preview('tree', 1);
SELECT sum(row_count) FROM softdelete_preview('tree', ARRAY[5, 10, 20, 40]);
DELETE FROM tree WHERE id = 5;
SELECT row_count FROM softdelete.deletions ORDER BY id DESC LIMIT 1;
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
CREATE TABLE d (id int PRIMARY KEY, b int REFERENCES b ON DELETE CASCADE, c int REFERENCES c ON DELETE CASCADE);
-- PostgreSQL's order decides: d goes with b and c before e is asked, too late for f
CREATE TABLE f (id int PRIMARY KEY, a int REFERENCES a, d int REFERENCES d ON DELETE CASCADE);
INSERT INTO a VALUES (1), (2);
INSERT INTO b VALUES (1, 1);
INSERT INTO c VALUES (1, 1);
INSERT INTO d VALUES (1, 1, 1), (2, 1, NULL);
INSERT INTO f VALUES (1, 2, 1);
SELECT relation FROM softdelete_register('a') ORDER BY 1;
SELECT * FROM softdelete_preview('a', 1);
SELECT * FROM softdelete_preview('a', ARRAY[1, 2]);
DELETE FROM a;

-- partitions and inheritance
CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE p1 (k int NOT NULL, id int NOT NULL);
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
CREATE TABLE q (id int, p int, k int, FOREIGN KEY (p, k) REFERENCES p ON DELETE CASCADE) PARTITION BY LIST (k);
CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
CREATE TABLE q2 PARTITION OF q FOR VALUES IN (2);
INSERT INTO p VALUES (1, 1), (1, 2);
INSERT INTO q VALUES (1, 1, 1), (2, 1, 2), (3, 1, 2);
SELECT relation FROM softdelete_register('p') ORDER BY 1;
SELECT * FROM softdelete_preview('p', ROW(1, 2));
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE derived (PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE of_derived (id int PRIMARY KEY, d int REFERENCES derived ON DELETE CASCADE);
INSERT INTO derived VALUES (1);
INSERT INTO of_derived VALUES (5, 1);
SELECT relation FROM softdelete_register('base') UNION ALL SELECT relation FROM softdelete_register('of_derived');
SELECT * FROM softdelete_preview('base', 1);

-- rights: counts of what one may read; read-only transactions
CREATE ROLE regress_looker;
GRANT USAGE ON SCHEMA preview TO regress_looker;
SET ROLE regress_looker;
SELECT * FROM softdelete_preview('customers', 2);
RESET ROLE;
GRANT SELECT ON customers, lines TO regress_looker;
BEGIN READ ONLY;
SET LOCAL ROLE regress_looker;
SELECT * FROM softdelete_preview('customers', 2);
COMMIT;
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_bob ON customers FOR SELECT TO regress_looker USING (name <> 'bob');
SET ROLE regress_looker;
SELECT * FROM softdelete_preview('customers', 2);
RESET ROLE;

SET softdelete.enabled = off;
DROP SCHEMA preview CASCADE;
DROP ROLE regress_looker;
