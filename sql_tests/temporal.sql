-- foreign keys that are not enforced, and keys over periods: PostgreSQL 18
CREATE SCHEMA tmp;
SET search_path = tmp, public;
SELECT setval('softdelete.deletion_id_seq', 640000);
SELECT current_setting('server_version_num')::int >= 180000 AS has_temporal \gset
\if :has_temporal
CREATE EXTENSION btree_gist SCHEMA tmp;

-- NOT ENFORCED: a DELETE does nothing below, an undelete asks for no parent
CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int, CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p ON DELETE CASCADE NOT ENFORCED);
CREATE TABLE n (id int PRIMARY KEY, p_id int, CONSTRAINT n_p FOREIGN KEY (p_id) REFERENCES p NOT ENFORCED);
INSERT INTO p VALUES (1), (2), (3);
INSERT INTO c VALUES (1, 1), (2, 2), (9, 9);
INSERT INTO n VALUES (1, 1), (2, 2);
SELECT relation, note FROM softdelete_register('p');
SELECT relation, note FROM softdelete_register('c');
SELECT relation, note FROM softdelete_register('n');
DELETE FROM p WHERE id = 1;
SELECT id, p_id FROM c ORDER BY id;
SELECT id, p_id FROM n ORDER BY id;
DELETE FROM c WHERE id IN (1, 9);
SELECT softdelete_undelete('c', ARRAY[1, 9]);
INSERT INTO c VALUES (11, 1);
SELECT softdelete_undelete('p', 1, cascade := true);
DELETE FROM p WHERE id = 1;
-- enforced later: live rows need live parents, deleted ones need them there
ALTER TABLE c ALTER CONSTRAINT c_p ENFORCED;
DELETE FROM c WHERE id = 9;
ALTER TABLE c ALTER CONSTRAINT c_p ENFORCED;
INSERT INTO p VALUES (9);
ALTER TABLE c ALTER CONSTRAINT c_p ENFORCED;
DELETE FROM c WHERE p_id = 1;
ALTER TABLE c ALTER CONSTRAINT c_p ENFORCED;
DELETE FROM p WHERE id = 2;
SELECT id, p_id FROM c ORDER BY id;
SELECT softdelete_undelete('c', 2);
SELECT softdelete_undelete('p', 2, cascade := true);
SELECT id, p_id FROM c ORDER BY id;
-- and not enforced again
ALTER TABLE c ALTER CONSTRAINT c_p NOT ENFORCED;
DELETE FROM p WHERE id = 2;
SELECT id, p_id FROM c ORDER BY id;
-- partitions
CREATE TABLE pc (id int, p_id int, CONSTRAINT pc_p FOREIGN KEY (p_id) REFERENCES p ON DELETE CASCADE NOT ENFORCED) PARTITION BY LIST (id);
CREATE TABLE pc1 PARTITION OF pc FOR VALUES IN (1);
INSERT INTO pc VALUES (1, 77);
SELECT relation FROM softdelete_register('pc');
DELETE FROM pc;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
-- a check that is not enforced
ALTER TABLE c ADD CONSTRAINT never CHECK (id < 0) NOT ENFORCED;
DELETE FROM c WHERE id = 2;
SELECT softdelete_undelete('c', 2);

-- PERIOD: refused, whichever side is registered and whenever it comes
CREATE TABLE room (id int, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE booking (id int PRIMARY KEY, room_id int, valid daterange, CONSTRAINT booked FOREIGN KEY (room_id, PERIOD valid) REFERENCES room (id, PERIOD valid));
SELECT * FROM softdelete_register('room');
SELECT * FROM softdelete_register('booking');
SELECT * FROM softdelete_register('booking', cascade := false);
ALTER TABLE booking DROP CONSTRAINT booked;
SELECT relation FROM softdelete_register('room');
ALTER TABLE booking ADD CONSTRAINT booked FOREIGN KEY (room_id, PERIOD valid) REFERENCES room (id, PERIOD valid);
ALTER TABLE booking ADD CONSTRAINT booked FOREIGN KEY (room_id, PERIOD valid) REFERENCES room (id, PERIOD valid) NOT VALID;
ALTER TABLE booking ADD CONSTRAINT booked FOREIGN KEY (room_id, PERIOD valid) REFERENCES room (id, PERIOD valid) NOT ENFORCED;
ALTER TABLE booking ALTER CONSTRAINT booked ENFORCED;
CREATE TABLE booking_part (LIKE booking) PARTITION BY LIST (id);
SELECT relation FROM softdelete_register('booking_part');
CREATE TABLE stay (room_id int, valid daterange, CONSTRAINT stayed FOREIGN KEY (room_id, PERIOD valid) REFERENCES room (id, PERIOD valid));
CREATE TABLE stay (room_id int, valid daterange, CONSTRAINT stayed FOREIGN KEY (room_id, PERIOD valid) REFERENCES room (id, PERIOD valid)) PARTITION BY LIST (room_id);
CREATE TABLE room2 (id int, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
SELECT relation FROM softdelete_register('booking');
ALTER TABLE booking ADD CONSTRAINT booked2 FOREIGN KEY (room_id, PERIOD valid) REFERENCES room2 (id, PERIOD valid);
CREATE TABLE booking_part1 (LIKE booking, CONSTRAINT booked FOREIGN KEY (room_id, PERIOD valid) REFERENCES room2 (id, PERIOD valid));
ALTER TABLE booking_part ATTACH PARTITION booking_part1 FOR VALUES IN (1);
SELECT conrelid::regclass, conname, conenforced FROM pg_constraint WHERE conperiod AND contype = 'f' AND connamespace = 'tmp'::regnamespace;

-- a key WITHOUT OVERLAPS that a foreign key references: a deleted row keeps its place
SET datestyle = ISO;
INSERT INTO room VALUES (1, '[2020-01-01,2021-01-01)'), (1, '[2021-01-01,2022-01-01)');
DELETE FROM room WHERE valid @> '2020-05-05'::date;
SELECT id, valid FROM room;
DO $$ BEGIN INSERT INTO room VALUES (1, '[2020-03-01,2020-04-01)'); EXCEPTION WHEN exclusion_violation THEN RAISE NOTICE 'taken'; END $$;
SELECT softdelete_undelete('room', ROW(1, '[2020-01-01,2021-01-01)'::daterange));
SELECT id, valid FROM room ORDER BY valid;
\endif

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA tmp CASCADE;
