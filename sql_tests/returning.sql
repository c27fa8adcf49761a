-- RETURNING shows the row as it was
CREATE SCHEMA ret;
SET search_path = ret, public;

CREATE TABLE t (id int PRIMARY KEY, gone int, v text, g int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE t DROP COLUMN gone;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 9) i;
SELECT * FROM softdelete_register('t');

DELETE FROM t WHERE id = 1 RETURNING *;
DELETE FROM t WHERE id = 2 RETURNING t, t.*, active, deletion_id IS NULL AS fresh, tableoid::regclass;
DELETE FROM t WHERE id = 3 RETURNING row_to_json(t);
SELECT ctid AS ctid, xmin AS xmin FROM t WHERE id = 4 \gset
DELETE FROM t WHERE id = 4 RETURNING ctid = :'ctid' AS same_place, xmin = :'xmin' AS same_version;
DELETE FROM t WHERE id = 5 RETURNING (SELECT count(*) FROM t x WHERE x.active = t.active AND x.deletion_id IS NOT DISTINCT FROM t.deletion_id) > 0 AS subquery;
WITH d AS (DELETE FROM t WHERE id = 6 RETURNING *) SELECT active, deletion_id FROM d;

-- a row that was brought back names the deletion that it came from, also when it goes again
SELECT softdelete_undelete('t', 1);
SELECT deletion_id AS first FROM t WHERE id = 1 \gset
DELETE FROM t WHERE id = 1 RETURNING deletion_id = :first AS before;
SET softdelete.show_deleted = on;
SELECT deletion_id > :first AS after FROM t WHERE id = 1;
RESET softdelete.show_deleted;

-- partitions with other attribute numbers
CREATE TABLE p (k int, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE p2 (extra int, v text, k int NOT NULL);
ALTER TABLE p2 DROP COLUMN extra;
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1, 'one'), (2, 'two'), (11, 'eleven'), (12, 'twelve');
SELECT * FROM softdelete_register('p');
DELETE FROM p WHERE k IN (1, 11) RETURNING *, p, tableoid::regclass;
DELETE FROM p2 RETURNING *, p2;
SELECT * FROM p;
SELECT softdelete_undelete('p', ARRAY[11, 12]);
DELETE FROM p WHERE k > 10 RETURNING k, active, deletion_id IS NOT NULL AS had_one;

-- with other tables
CREATE TABLE w (id int, note text);
INSERT INTO w VALUES (7, 'seven'), (8, 'eight');
DELETE FROM t USING w WHERE t.id = w.id RETURNING t.*, w.*, deletion_id;

SET softdelete.enabled = off;
DROP SCHEMA ret CASCADE;
