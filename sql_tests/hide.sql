-- deleted rows are out of sight in every form of query
CREATE SCHEMA hide;
SET search_path = hide, public;

CREATE TABLE t (id int PRIMARY KEY, v text, n int);
CREATE TABLE o (id int PRIMARY KEY, t_id int REFERENCES t, v text);
INSERT INTO t SELECT i, 'v' || i, i % 3 FROM generate_series(1, 6) i;
INSERT INTO o VALUES (1, 1, 'a'), (2, 5, 'b'), (3, NULL, 'c');
SELECT * FROM softdelete_register('t');
CREATE VIEW tv AS SELECT id, v FROM t;
CREATE VIEW tb WITH (security_barrier) AS SELECT id, v FROM t;
CREATE FUNCTION fn(int) RETURNS SETOF t LANGUAGE sql STABLE AS 'SELECT * FROM t WHERE id > $1';
CREATE FUNCTION fn_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM t); END';
PREPARE all_rows AS SELECT array_agg(id ORDER BY id) FROM t;
EXECUTE all_rows;
SELECT fn_plpgsql();
DELETE FROM t WHERE id IN (2, 3, 4);

SELECT id FROM t ORDER BY id;
SELECT count(*), max(id), sum(n) FROM t;
SELECT min(id), max(id) FROM t WHERE id > 1;
EXECUTE all_rows;
SELECT fn_plpgsql();
-- joins of all kinds keep their meaning
SELECT t.id, o.id FROM t JOIN o ON o.t_id = t.id ORDER BY 1;
SELECT o.id, t.id FROM o LEFT JOIN t ON o.t_id = t.id ORDER BY 1;
SELECT o.id, t.id FROM t RIGHT JOIN o ON o.t_id = t.id ORDER BY 1;
SELECT o.id, t.id FROM t FULL JOIN o ON o.t_id = t.id ORDER BY 1, 2;
SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM t WHERE t.id = o.t_id) ORDER BY 1;
SELECT g, t.id FROM generate_series(1, 6) g LEFT JOIN LATERAL (SELECT * FROM t WHERE t.id = g) t ON true ORDER BY 1;
SELECT a.id, b.id FROM t a JOIN t b ON a.n = b.n AND a.id < b.id;
-- subqueries, set operations, UNION ALL too, aggregates, window functions
SELECT id FROM t WHERE id IN (SELECT id FROM t) ORDER BY 1;
SELECT id FROM t UNION SELECT id FROM t ORDER BY 1;
SELECT id FROM t UNION ALL SELECT id FROM t ORDER BY 1;
SELECT id FROM (SELECT id, n FROM t UNION ALL SELECT id, n FROM t WHERE n > 0) x WHERE n < 2 ORDER BY 1;
SELECT id FROM t EXCEPT SELECT 5 ORDER BY 1;
SELECT id, row_number() OVER (ORDER BY id) FROM t ORDER BY 1;
WITH x AS (SELECT * FROM t), y AS MATERIALIZED (SELECT * FROM t) SELECT x.id, y.id FROM x JOIN y USING (id) ORDER BY 1;
TABLE t ORDER BY id;
SELECT * FROM t TABLESAMPLE bernoulli (100) ORDER BY id;
-- views and functions
SELECT * FROM tv ORDER BY 1;
SELECT * FROM tb WHERE v LIKE 'v%' ORDER BY 1;
SELECT id FROM fn(0) ORDER BY 1;
-- locks and changes
SELECT id FROM t ORDER BY id FOR UPDATE;
UPDATE t SET v = 'x' RETURNING id;
UPDATE o SET v = t.v FROM t WHERE o.t_id = t.id RETURNING o.id;
-- COPY
COPY t TO STDOUT;
COPY t (v, id) TO STDOUT WITH (FORMAT csv, HEADER);
COPY (SELECT id FROM t ORDER BY id) TO STDOUT;
CREATE TABLE copied AS SELECT * FROM t;
SELECT id FROM copied ORDER BY 1;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM t;
SELECT * FROM mv ORDER BY 1;

-- the switch
SET softdelete.show_deleted = on;
EXECUTE all_rows;
SELECT fn_plpgsql();
SELECT id FROM fn(0) ORDER BY 1;
SELECT o.id, t.id FROM o LEFT JOIN t ON o.t_id = t.id ORDER BY 1;
SELECT count(*) FROM (SELECT id FROM t UNION ALL SELECT id FROM t) x;
COPY t (id) TO STDOUT;
REFRESH MATERIALIZED VIEW mv;
SELECT count(*) FROM mv;
SET softdelete.show_deleted = 'only';
EXECUTE all_rows;
SELECT fn_plpgsql();
SELECT count(*) FROM (SELECT id FROM t UNION ALL SELECT id FROM t) x;
COPY t (id) TO STDOUT;
UPDATE t SET v = 'deleted' RETURNING id;
SET softdelete.show_deleted = deleted;
SHOW softdelete.show_deleted;
EXECUTE all_rows;
SET softdelete.show_deleted = off;
EXECUTE all_rows;
SET softdelete.show_deleted = nonsense;
BEGIN;
SET LOCAL softdelete.show_deleted = on;
EXECUTE all_rows;
ROLLBACK;
EXECUTE all_rows;
-- in one function
ALTER FUNCTION fn_plpgsql() SET softdelete.show_deleted = on;
SELECT fn_plpgsql(), (SELECT count(*) FROM t);
-- row_security = off, as pg_dump sets it
SET row_security = off;
EXECUTE all_rows;
COPY t (id) TO STDOUT;
UPDATE t SET v = 'again' RETURNING id;
RESET row_security;
EXECUTE all_rows;

-- it is a plain scan condition: index, partial index, index-only scan
CREATE TABLE big (id int PRIMARY KEY, name text, n int);
INSERT INTO big SELECT i, 'name ' || i, i FROM generate_series(1, 5000) i;
SELECT * FROM softdelete_register('big');
CREATE INDEX big_live ON big (n) WHERE active;
CREATE INDEX big_name ON big (name text_pattern_ops);
DELETE FROM big WHERE id > 4000;
VACUUM ANALYZE big;
EXPLAIN (COSTS OFF) SELECT * FROM big WHERE id = 7;
EXPLAIN (COSTS OFF) SELECT * FROM big WHERE n = 7;
EXPLAIN (COSTS OFF) SELECT * FROM big WHERE name LIKE 'name 77%';

SET softdelete.enabled = off;
DROP SCHEMA hide CASCADE;
