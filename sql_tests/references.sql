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

SET client_min_messages = warning;
DROP SCHEMA fk CASCADE;
