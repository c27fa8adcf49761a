-- the log: one row for each transaction that deletes
CREATE SCHEMA log;
SET search_path = log, public;

CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE);
INSERT INTO p SELECT i FROM generate_series(1, 20) i;
INSERT INTO c SELECT i, i FROM generate_series(1, 20) i;
SELECT relation FROM softdelete_register('p');
SELECT coalesce(max(id), 0) AS before FROM softdelete.deletions \gset
CREATE VIEW mine AS SELECT row_count, relations FROM softdelete.deletions WHERE id > :before ORDER BY id;

-- nothing deleted, nothing logged
DELETE FROM p WHERE id = 99;
SELECT * FROM mine;
SET softdelete.reason = 'clean-up';
SET softdelete.actor = 'Ada';
SET application_name = 'log test';
DELETE FROM p WHERE id = 1;
SELECT actor, reason, application_name, client_addr IS NULL AS local, deleted_by = current_user AS by_me, session_user_name = session_user AS session, statement, transaction_id IS NOT NULL AS xid, now() - deleted_at < '1 hour' AS recent
FROM softdelete.deletions WHERE id > :before;
RESET softdelete.reason;
RESET softdelete.actor;
-- several statements
BEGIN;
DELETE FROM c WHERE id IN (2, 3);
SELECT * FROM mine;
DELETE FROM p WHERE id IN (2, 3, 4);
COMMIT;
SELECT * FROM mine;
-- savepoints
BEGIN;
SAVEPOINT a;
DELETE FROM p WHERE id = 5;
ROLLBACK TO a;
DELETE FROM p WHERE id = 6;
SAVEPOINT b;
DELETE FROM p WHERE id = 7;
RELEASE b;
SAVEPOINT c;
DELETE FROM p WHERE id = 8;
ROLLBACK TO c;
COMMIT;
BEGIN;
SAVEPOINT a;
DELETE FROM p WHERE id = 9;
RELEASE a;
SAVEPOINT b;
SAVEPOINT c;
DELETE FROM p WHERE id = 10;
RELEASE c;
ROLLBACK TO b;
COMMIT;
BEGIN;
DELETE FROM p WHERE id = 11;
ROLLBACK;
DO $$ BEGIN
    BEGIN DELETE FROM p WHERE id = 12; RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
    DELETE FROM p WHERE id = 13;
END $$;
SELECT * FROM mine;
SELECT array_agg(id ORDER BY id) FROM p;
-- every deleted row names a deletion that is logged
SET softdelete.show_deleted = 'only';
SELECT count(*) FROM p LEFT JOIN softdelete.deletion d ON d.id = p.deletion_id WHERE d.id IS NULL;
SELECT count(*) FROM c LEFT JOIN softdelete.deletion d ON d.id = c.deletion_id WHERE d.id IS NULL;
RESET softdelete.show_deleted;
-- a prepared transaction carries it all
BEGIN;
DELETE FROM p WHERE id = 14;
PREPARE TRANSACTION 'softdelete_log';
DELETE FROM p WHERE id = 15;
COMMIT PREPARED 'softdelete_log';
SELECT row_count, relations FROM softdelete.deletions WHERE id > :before ORDER BY id DESC LIMIT 2;

-- who may read what; nobody writes
CREATE ROLE regress_log;
SET ROLE regress_log;
SELECT DISTINCT statement FROM softdelete.deletions WHERE id > :before;
SELECT count(*) FROM softdelete.deletion;
INSERT INTO softdelete.deletion_more VALUES (1, '{}', '{}', 0);
UPDATE softdelete.deletions SET reason = 'x';
SELECT count(*) > 0 FROM softdelete.tables;
SELECT nextval('softdelete.deletion_id_seq');
RESET ROLE;
-- events
SELECT event, relation, row_count FROM softdelete.events WHERE relation IN ('p'::regclass, 'c'::regclass) ORDER BY id;
-- counts are cheap: estimates of ANALYZE
ANALYZE p;
SELECT relation, flag_column, live_rows, deleted_rows FROM softdelete.tables WHERE relation = 'p'::regclass;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA log CASCADE;
DROP ROLE regress_log;
