-- what users of other soft deletes suffer from when rows are hidden, and that it does not happen here
CREATE SCHEMA ph;
SET search_path = ph, public;
SELECT setval('softdelete.deletion_id_seq', 500000);

CREATE TABLE customer (id int PRIMARY KEY, name text, vip boolean DEFAULT false);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE, amount int);
CREATE TABLE line (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE, text text);
INSERT INTO customer SELECT i, 'customer ' || i FROM generate_series(1, 4) i;
INSERT INTO orders SELECT i, (i + 1) / 2, i * 10 FROM generate_series(1, 8) i;
INSERT INTO line SELECT i, (i + 1) / 2, 'line ' || i FROM generate_series(1, 16) i;
-- twins that are not registered, from which the rows are really deleted
CREATE SCHEMA ph_real;
CREATE TABLE ph_real.customer AS TABLE customer;
CREATE TABLE ph_real.orders AS TABLE orders;
CREATE TABLE ph_real.line AS TABLE line;
SELECT count(*) FROM softdelete_register('customer');
DELETE FROM customer WHERE id = 2;
DELETE FROM orders WHERE id = 8;
DELETE FROM ph_real.line WHERE order_id IN (3, 4, 8);
DELETE FROM ph_real.orders WHERE id IN (3, 4, 8);
DELETE FROM ph_real.customer WHERE id = 2;

-- 26. no leak through joins, eager loads, aggregates, subqueries, set operations, raw SQL
CREATE FUNCTION same(query text) RETURNS boolean LANGUAGE plpgsql SET search_path = ph AS $$
DECLARE soft text; really text;
BEGIN
    EXECUTE format('SELECT string_agg(x::text, '';'' ORDER BY x::text) FROM (%s) x', query) INTO soft;
    SET LOCAL search_path = ph_real;
    EXECUTE format('SELECT string_agg(x::text, '';'' ORDER BY x::text) FROM (%s) x', query) INTO really;
    IF soft IS DISTINCT FROM really THEN RAISE WARNING 'soft: %', soft; RAISE WARNING 'real: %', really; END IF;
    RETURN soft IS NOT DISTINCT FROM really;
END $$;
CREATE TEMP TABLE query (n serial, q text);
INSERT INTO query (q) VALUES
    ('SELECT id, name FROM customer'),
    ('SELECT name, amount, text FROM customer JOIN orders ON customer_id = customer.id JOIN line ON order_id = orders.id'),
    ('SELECT id, amount FROM orders WHERE customer_id IN (1, 2, 3)'),
    ('SELECT id, amount FROM orders WHERE customer_id = ANY (ARRAY(SELECT id FROM customer))'),
    ('SELECT customer_id, count(*), sum(amount), max(amount) FROM orders GROUP BY 1'),
    ('SELECT name, (SELECT count(*) FROM orders WHERE customer_id = customer.id) FROM customer'),
    ('SELECT id FROM customer UNION ALL SELECT id FROM orders UNION ALL SELECT id FROM line'),
    ('SELECT id FROM orders EXCEPT SELECT order_id FROM line'),
    ('SELECT id, sum(amount) OVER (ORDER BY id) FROM orders'),
    ('WITH x AS (SELECT * FROM orders) SELECT count(*) FROM x'),
    ('SELECT name, o.amount FROM customer CROSS JOIN LATERAL (SELECT amount FROM orders WHERE customer_id = customer.id ORDER BY id DESC LIMIT 1) o'),
    ('SELECT id FROM orders WHERE NOT EXISTS (SELECT FROM line WHERE order_id = orders.id)'),
-- 27. outer joins stay outer, on either side
    ('SELECT customer.id, orders.id FROM customer LEFT JOIN orders ON customer_id = customer.id AND amount > 50'),
    ('SELECT customer.id, orders.id, line.id FROM customer LEFT JOIN (orders JOIN line ON order_id = orders.id) ON customer_id = customer.id'),
    ('SELECT g, orders.id FROM generate_series(1, 9) g LEFT JOIN orders ON orders.id = g'),
    ('SELECT g, orders.id FROM orders RIGHT JOIN generate_series(1, 9) g ON orders.id = g'),
    ('SELECT g, orders.id FROM generate_series(5, 9) g FULL JOIN orders ON orders.id = g'),
    ('SELECT g FROM generate_series(1, 9) g LEFT JOIN orders ON orders.id = g WHERE orders.id IS NULL'),
    ('SELECT customer.id, count(orders.id) FROM customer LEFT JOIN orders ON customer_id = customer.id GROUP BY 1');
SELECT n, same(q) FROM query ORDER BY n;
-- the comparison can tell
SET softdelete.show_deleted = on;
SELECT same('SELECT id FROM orders');
RESET softdelete.show_deleted;
-- a report that joins and a view
CREATE VIEW report AS SELECT name, coalesce(sum(amount), 0) AS total FROM customer LEFT JOIN orders ON customer_id = customer.id GROUP BY 1;
SELECT * FROM report ORDER BY 1;

-- 28. columns of the same name in other tables mean what they meant
CREATE TABLE plan (id int PRIMARY KEY, active boolean, customer_id int);
INSERT INTO plan VALUES (1, true, 1), (2, false, 1), (3, NULL, 3);
SELECT plan.id, plan.active, customer.id FROM plan LEFT JOIN customer ON customer.id = customer_id ORDER BY 1;
CREATE TABLE device (id int PRIMARY KEY, active boolean, deleted_at timestamptz);
INSERT INTO device VALUES (1, true, NULL), (2, false, now()), (3, NULL, NULL);
SELECT flag_column FROM softdelete_register('device');
DELETE FROM device WHERE id = 1;
SELECT id, active, deleted_at IS NULL AS never FROM device ORDER BY id;
SELECT id FROM customer NATURAL JOIN (VALUES (1), (2), (3)) v (id) ORDER BY 1;

-- 29. the switch shows deleted rows, and reaches relations, views and functions
CREATE FUNCTION total(int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(amount) FROM ph.orders WHERE customer_id = $1';
SELECT total(2);
SET softdelete.show_deleted = on;
SELECT customer.id, orders.id, count(line.id) FROM customer JOIN orders ON customer_id = customer.id JOIN line ON order_id = orders.id WHERE customer.id = 2 GROUP BY 1, 2 ORDER BY 2;
SELECT total(2);
SELECT * FROM report WHERE name = 'customer 2';
SET softdelete.show_deleted = deleted;
SELECT customer.id, orders.id, count(line.id) FROM customer JOIN orders ON customer_id = customer.id JOIN line ON order_id = orders.id GROUP BY 1, 2 ORDER BY 2;
RESET softdelete.show_deleted;
SELECT total(2);

-- 30. an UPDATE does not change deleted rows
UPDATE customer SET vip = true RETURNING id;
UPDATE orders SET amount = 0 FROM customer WHERE customer_id = customer.id RETURNING orders.id;
UPDATE line SET text = 'x' WHERE order_id IN (3, 8);
MERGE INTO customer USING (VALUES (1), (2)) v (i) ON id = i WHEN MATCHED THEN UPDATE SET name = 'merged';
SET softdelete.show_deleted = deleted;
SELECT id, name, vip FROM customer;
SELECT id, amount FROM orders ORDER BY id;
SELECT count(*) FROM line WHERE text = 'x';
RESET softdelete.show_deleted;

-- 31. plans are those of a condition written by hand: every index can be used
CREATE TABLE article (id int PRIMARY KEY, title text, body tsvector, tags text[], n int);
INSERT INTO article SELECT i, 'title ' || i, to_tsvector('simple', 'word' || i || ' and ' || i % 10), ARRAY['tag' || i % 500], i % 1000 FROM generate_series(1, 20000) i;
SELECT count(*) FROM softdelete_register('article');
DELETE FROM article WHERE id % 20 = 0;
CREATE INDEX article_title ON article (title text_pattern_ops);
CREATE INDEX article_body ON article USING gin (body);
CREATE INDEX article_tags ON article USING gin (tags);
CREATE INDEX article_live ON article (n) WHERE active;
VACUUM ANALYZE article;
-- the same table, not registered
CREATE TABLE handmade AS SELECT * FROM article;
SET softdelete.show_deleted = on;
INSERT INTO handmade SELECT * FROM article WHERE NOT active;
RESET softdelete.show_deleted;
ALTER TABLE handmade ADD PRIMARY KEY (id);
CREATE INDEX handmade_title ON handmade (title text_pattern_ops);
CREATE INDEX handmade_body ON handmade USING gin (body);
CREATE INDEX handmade_tags ON handmade USING gin (tags);
CREATE INDEX handmade_live ON handmade (n) WHERE active;
VACUUM ANALYZE handmade;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS
$$ DECLARE step text; steps text := ''; BEGIN FOR step IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP steps := steps || E'\n' || step; END LOOP; RETURN steps; END $$;
SELECT c, plan_of('SELECT * FROM article WHERE ' || c) = replace(plan_of(format('SELECT * FROM handmade WHERE %s AND active', c)), 'handmade', 'article') AS same_plan,
    plan_of('SELECT * FROM article WHERE ' || c) ~ i AS uses_index
FROM (VALUES ($$title LIKE 'title 77%'$$, 'article_title'), ($$body @@ to_tsquery('simple', 'word77')$$, 'article_body'), ($$tags @> ARRAY['tag7']$$, 'article_tags'), ($$n = 7$$, 'article_live'), ($$id = 7$$, 'article_pkey')) v (c, i);

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA ph, ph_real CASCADE;
