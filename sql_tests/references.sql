-- nobody refers to a deleted row, whatever is shown; foreign keys themselves see what they must
CREATE SCHEMA fk;
SET search_path = fk, public;

CREATE TABLE p (id int PRIMARY KEY, k int UNIQUE);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, v text);
INSERT INTO p VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO c VALUES (1, 1), (2, 2), (3, 3);
SELECT relation FROM softdelete_register('p');
DELETE FROM p WHERE id = 1;
INSERT INTO c VALUES (4, 1);
UPDATE c SET p_id = 1 WHERE id = 2;
SET softdelete.show_deleted = on;
INSERT INTO c VALUES (4, 1);
SET softdelete.show_deleted = 'only';
INSERT INTO c VALUES (4, 1);
INSERT INTO c VALUES (4, 2);
RESET softdelete.show_deleted;
SELECT id, p_id FROM c ORDER BY id;
COPY c (id, p_id) FROM STDIN;
5	1
\.
-- a parent that comes back can be referred to, one deleted in this transaction cannot
SELECT softdelete_undelete('p', 1);
INSERT INTO c VALUES (5, 1);
BEGIN;
DELETE FROM p WHERE id = 2;
INSERT INTO c VALUES (6, 2);
ROLLBACK;

-- a new key reaches the deleted children
DELETE FROM c WHERE id = 3;
UPDATE p SET id = 33 WHERE id = 3;
SET softdelete.show_deleted = 'only';
SELECT id, p_id FROM c ORDER BY id;
RESET softdelete.show_deleted;

-- a real delete of an unregistered parent does not leave deleted children behind
CREATE TABLE up (id int PRIMARY KEY);
CREATE TABLE down (id int PRIMARY KEY, up_id int REFERENCES up ON DELETE CASCADE);
INSERT INTO up VALUES (1), (2);
INSERT INTO down VALUES (1, 1);
SELECT relation, note FROM softdelete_register('down');
DELETE FROM down;
DELETE FROM up WHERE id = 1;
DELETE FROM up WHERE id = 2;
CREATE TABLE up2 (id int PRIMARY KEY);
CREATE TABLE down2 (id int PRIMARY KEY, up_id int REFERENCES up2);
INSERT INTO up2 VALUES (1);
INSERT INTO down2 VALUES (1, 1);
SELECT relation FROM softdelete_register('down2');
DELETE FROM down2;
DELETE FROM up2;

-- a foreign key that does not hold for deleted rows cannot be added
CREATE TABLE loose (id int PRIMARY KEY, p_id int);
INSERT INTO loose VALUES (1, 2), (2, 99);
SELECT relation FROM softdelete_register('loose');
DELETE FROM loose WHERE id = 2;
ALTER TABLE loose ADD CONSTRAINT dangling FOREIGN KEY (p_id) REFERENCES p;
ALTER TABLE loose ADD CONSTRAINT dangling FOREIGN KEY (p_id) REFERENCES p NOT VALID;
ALTER TABLE loose VALIDATE CONSTRAINT dangling;
INSERT INTO p VALUES (99, 99);
DELETE FROM p WHERE id = 99;
ALTER TABLE loose VALIDATE CONSTRAINT dangling;
INSERT INTO loose VALUES (3, 99);
-- nor one that does not hold for live rows, to whom a deleted parent is none
CREATE TABLE loose2 (p_id int, p_k int);
INSERT INTO loose2 VALUES (2, 2), (99, 99);
ALTER TABLE loose2 ADD CONSTRAINT dangling FOREIGN KEY (p_id) REFERENCES p;
ALTER TABLE loose2 ADD CONSTRAINT dangling FOREIGN KEY (p_id) REFERENCES p NOT VALID;
SELECT relation FROM softdelete_register('loose2');
ALTER TABLE loose2 VALIDATE CONSTRAINT dangling;
DELETE FROM loose2 WHERE p_id = 99;
ALTER TABLE loose2 VALIDATE CONSTRAINT dangling;
ALTER TABLE loose2 ADD FOREIGN KEY (p_k) REFERENCES p (k);

-- a row inserted and deleted in one statement does not escape the check
CREATE TABLE esc_p (id int PRIMARY KEY);
CREATE TABLE esc_c (id int PRIMARY KEY, p_id int REFERENCES esc_p);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM esc_c WHERE id <> NEW.id; RETURN NEW; END';
CREATE TRIGGER keep BEFORE INSERT ON esc_c FOR EACH ROW EXECUTE FUNCTION keep();
INSERT INTO esc_p VALUES (1);
SELECT relation FROM softdelete_register('esc_p');
SELECT relation FROM softdelete_register('esc_c');
INSERT INTO esc_c VALUES (1, 999), (2, 1);
INSERT INTO esc_c VALUES (1, 1), (2, 1);
SELECT id FROM esc_c;
-- undelete needs a parent that is there, under a key that is not valid too
CREATE TABLE nv (id int PRIMARY KEY, p_id int);
INSERT INTO nv VALUES (1, 98);
SELECT relation FROM softdelete_register('nv');
DELETE FROM nv;
ALTER TABLE nv ADD CONSTRAINT not_valid FOREIGN KEY (p_id) REFERENCES esc_p NOT VALID;
SELECT softdelete_undelete('nv', 1);
-- what an event trigger writes inside ALTER TABLE is checked as ever
DELETE FROM esc_c;
DELETE FROM esc_p;
DROP TRIGGER keep ON esc_c;
CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO fk.esc_c VALUES (9, 1); END';
CREATE EVENT TRIGGER fk_event ON ddl_command_end WHEN tag IN ('ALTER TABLE') EXECUTE FUNCTION ev();
ALTER TABLE nv ADD b int;
DROP EVENT TRIGGER fk_event;
CREATE FUNCTION ev_start() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO fk.noted VALUES (1); END';
CREATE TABLE noted (x int);
CREATE EVENT TRIGGER fk_event ON ddl_command_start WHEN tag IN ('ALTER TABLE') EXECUTE FUNCTION ev_start();
ALTER TABLE nv VALIDATE CONSTRAINT not_valid;
DROP EVENT TRIGGER fk_event;
-- nor does a query in ALTER TABLE see deleted rows because it looks like a validation
CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM fk.esc_c fk LEFT JOIN fk.esc_p pk ON fk.p_id = pk.id WHERE pk.id IS NOT NULL';
INSERT INTO noted VALUES (1);
ALTER TABLE noted ADD n bigint DEFAULT spy();
SELECT n FROM noted LIMIT 1;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA fk CASCADE;
