-- deleted rows follow the key of their parent, and may refer to a deleted row that does so too
CREATE SCHEMA fol;
SET search_path = fol, public;
SELECT setval('softdelete.deletion_id_seq', 300000);

-- natural keys over three levels, and a diamond: the tenant is part of every key
CREATE TABLE tenant (t text PRIMARY KEY);
CREATE TABLE project (t text REFERENCES tenant ON UPDATE CASCADE ON DELETE CASCADE, p int, PRIMARY KEY (t, p));
CREATE TABLE task (t text REFERENCES tenant ON UPDATE CASCADE ON DELETE CASCADE, p int, n int, up int, PRIMARY KEY (t, p, n),
    FOREIGN KEY (t, p) REFERENCES project ON UPDATE CASCADE ON DELETE CASCADE, FOREIGN KEY (t, p, up) REFERENCES task ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE step (id int PRIMARY KEY, t text, p int, n int, FOREIGN KEY (t, p, n) REFERENCES task ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO tenant VALUES ('a'), ('b');
INSERT INTO project VALUES ('a', 1), ('a', 2), ('b', 1);
INSERT INTO task VALUES ('a', 1, 1, NULL), ('a', 1, 2, 1), ('a', 2, 1, NULL), ('b', 1, 1, NULL);
INSERT INTO step VALUES (1, 'a', 1, 1), (2, 'a', 1, 2), (3, 'a', 2, 1), (4, 'b', 1, 1);
SELECT relation FROM softdelete_register('tenant');
CREATE VIEW everything AS SELECT 'project' AS r, t, p, NULL::int AS n, NULL::int AS up, active FROM project UNION ALL SELECT 'task', t, p, n, up, active FROM task UNION ALL SELECT 'step', t, p, n, id, active FROM step;
DELETE FROM step WHERE id = 2;
DELETE FROM project WHERE t = 'a' AND p = 1;
UPDATE tenant SET t = 'aa' WHERE t = 'a';
UPDATE project SET p = 22 WHERE t = 'aa' AND p = 2;
SELECT * FROM everything ORDER BY 1 DESC, 2, 3, 4, 5;
SET softdelete.show_deleted = deleted;
SELECT * FROM everything ORDER BY 1 DESC, 2, 3, 4, 5;
-- the key of a deleted parent
UPDATE project SET p = 11 WHERE p = 1;
RESET softdelete.show_deleted;
SELECT softdelete_undelete('project', ROW('aa', 11), cascade := true);
SELECT softdelete_undelete('step', 2);
SELECT * FROM everything ORDER BY 1 DESC, 2, 3, 4, 5;
-- many at once, in savepoints, and taken back
DELETE FROM tenant;
BEGIN;
SAVEPOINT s;
SET LOCAL softdelete.show_deleted = on;
UPDATE tenant SET t = t || 'x';
ROLLBACK TO s;
SET LOCAL softdelete.show_deleted = on;
UPDATE tenant SET t = t || 'y';
COMMIT;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletion WHERE id BETWEEN 300000 AND 309999;
SELECT * FROM everything ORDER BY 1 DESC, 2, 3, 4, 5;

-- triggers of the user in between, one of them with statements of its own; rows of the same statement live and deleted
CREATE TABLE log (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (format('%s %s', TG_TABLE_NAME, NEW.t)); UPDATE tenant SET t = t WHERE t = 'by'; RETURN NEW; END $$;
CREATE TRIGGER tell BEFORE UPDATE ON project FOR EACH ROW EXECUTE FUNCTION tell();
DELETE FROM task WHERE p = 22;
DELETE FROM project WHERE p = 11;
UPDATE tenant SET t = 'a' WHERE t = 'aay';
SELECT * FROM log ORDER BY 1;
SELECT * FROM everything ORDER BY 1 DESC, 2, 3, 4, 5;
DROP TRIGGER tell ON project;
-- live rows are checked as ever, by a foreign key that does not follow
CREATE TABLE plan (t text, p int, PRIMARY KEY (t, p));
CREATE TABLE item (id int PRIMARY KEY, t text REFERENCES tenant ON UPDATE CASCADE, p int, FOREIGN KEY (t, p) REFERENCES plan);
INSERT INTO plan VALUES ('by', 1);
INSERT INTO item VALUES (1, 'by', 1), (2, 'by', 1);
SELECT relation FROM softdelete_register('plan');
SELECT relation FROM softdelete_register('item');
UPDATE tenant SET t = 'c' WHERE t = 'by';
DELETE FROM item;
-- nor does a deleted row dangle
UPDATE tenant SET t = 'c' WHERE t = 'by';
INSERT INTO plan VALUES ('c', 1);
DELETE FROM plan;
-- it may refer to a deleted row
UPDATE tenant SET t = 'c' WHERE t = 'by';
SET softdelete.show_deleted = deleted;
SELECT id, t, p FROM item ORDER BY id;
RESET softdelete.show_deleted;

-- SET DEFAULT and SET NULL
CREATE TABLE coupon (code text PRIMARY KEY);
CREATE TABLE sale (id int PRIMARY KEY, code text DEFAULT 'NONE' REFERENCES coupon ON UPDATE SET DEFAULT, second text REFERENCES coupon ON UPDATE SET NULL);
INSERT INTO coupon VALUES ('NONE'), ('A'), ('B');
INSERT INTO sale VALUES (1, 'A', 'B'), (2, 'B', 'A');
SELECT relation FROM softdelete_register('coupon');
SELECT relation FROM softdelete_register('sale');
DELETE FROM sale WHERE id = 1;
DELETE FROM coupon WHERE code = 'NONE';
UPDATE coupon SET code = 'AA' WHERE code = 'A';
UPDATE coupon SET code = 'BB' WHERE code = 'B';
SET softdelete.show_deleted = on;
SELECT id, code, second, active FROM sale ORDER BY id;
RESET softdelete.show_deleted;

-- partitions
CREATE TABLE region (code text PRIMARY KEY);
CREATE TABLE town (region text REFERENCES region ON UPDATE CASCADE ON DELETE CASCADE, k int, PRIMARY KEY (region, k)) PARTITION BY LIST (k);
CREATE TABLE town0 PARTITION OF town FOR VALUES IN (0);
CREATE TABLE town1 (k int NOT NULL, dropped int, region text NOT NULL);
ALTER TABLE town1 DROP dropped;
ALTER TABLE town ATTACH PARTITION town1 FOR VALUES IN (1);
CREATE TABLE house (id int, k int, region text, FOREIGN KEY (region, k) REFERENCES town ON UPDATE CASCADE ON DELETE CASCADE) PARTITION BY LIST (id);
CREATE TABLE house1 (region text, k int, id int);
ALTER TABLE house ATTACH PARTITION house1 FOR VALUES IN (1);
CREATE TABLE house2 PARTITION OF house DEFAULT;
INSERT INTO region VALUES ('n'), ('s');
INSERT INTO town SELECT r, k FROM (VALUES ('n'), ('s')) v(r), generate_series(0, 1) k;
INSERT INTO house VALUES (1, 0, 'n'), (2, 1, 'n'), (3, 1, 's');
SELECT relation FROM softdelete_register('region');
DELETE FROM town WHERE region = 'n' AND k = 0;
DELETE FROM house WHERE id = 2;
UPDATE region SET code = 'north' WHERE code = 'n';
SET softdelete.show_deleted = on;
SELECT id, k, region, active FROM house ORDER BY id;
RESET softdelete.show_deleted;
SELECT softdelete_undelete('town', ROW('north', 0), cascade := true);
SELECT id, k, region FROM house ORDER BY id;

-- no trigger notices deleted rows, whether the parent is registered or not; what triggers do to live ones stays
CREATE TABLE plain (code text PRIMARY KEY);
CREATE TABLE kept (code text PRIMARY KEY);
CREATE TABLE leafy (id int, plain text REFERENCES plain ON UPDATE CASCADE, kept text REFERENCES kept ON UPDATE CASCADE ON DELETE CASCADE,
    pair text GENERATED ALWAYS AS (plain || kept) STORED, changes int DEFAULT 0) PARTITION BY LIST (id);
CREATE TABLE leafy1 (changes int DEFAULT 0, plain text, gone int, id int, kept text, pair text GENERATED ALWAYS AS (plain || kept) STORED);
ALTER TABLE leafy1 DROP gone;
ALTER TABLE leafy ATTACH PARTITION leafy1 FOR VALUES IN (1);
CREATE TABLE leafy2 PARTITION OF leafy DEFAULT;
INSERT INTO plain VALUES ('a');
INSERT INTO kept VALUES ('x');
INSERT INTO leafy SELECT g % 3, 'a', 'x' FROM generate_series(1, 6) g;
SELECT relation FROM softdelete_register('kept');
CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF NOT NEW.active THEN RETURN NULL; END IF; NEW.changes := NEW.changes + 1; RETURN NEW; END';
CREATE TRIGGER a BEFORE UPDATE ON leafy FOR EACH ROW EXECUTE FUNCTION count_changes();
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE NOTICE ''% % %'', NEW.id, NEW.pair, NEW.active; RETURN NULL; END';
CREATE TRIGGER b AFTER UPDATE ON leafy FOR EACH ROW EXECUTE FUNCTION tell_change();
CREATE FUNCTION tell_changes() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE NOTICE ''% %'', (SELECT count(*) FROM o), (SELECT count(*) FROM n); RETURN NULL; END';
CREATE TRIGGER c AFTER UPDATE ON leafy REFERENCING OLD TABLE AS o NEW TABLE AS n EXECUTE FUNCTION tell_changes();
DELETE FROM leafy WHERE ctid = '(0,1)';
UPDATE plain SET code = 'b';
UPDATE kept SET code = 'y';
SET softdelete.show_deleted = on;
SELECT id, pair, changes, active FROM leafy ORDER BY 1, 4;
RESET softdelete.show_deleted;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA fol CASCADE;
