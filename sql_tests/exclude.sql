-- exclude: tables whose rows really go with a deleted parent
CREATE SCHEMA exclude;
SET search_path = exclude, public;
SELECT setval('softdelete.deletion_id_seq', 270000);

CREATE TABLE account (id int PRIMARY KEY, name text);
CREATE TABLE invoice (id int PRIMARY KEY, account_id int REFERENCES account ON DELETE CASCADE);
CREATE TABLE session (id int PRIMARY KEY, account_id int REFERENCES account ON DELETE CASCADE);
CREATE TABLE visit (id int PRIMARY KEY, session_id int REFERENCES session ON DELETE CASCADE);
CREATE TABLE queue (id int, account_id int REFERENCES account ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE queue_1 PARTITION OF queue DEFAULT;
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE NOTICE '% % on % as %', TG_WHEN, TG_OP, TG_TABLE_NAME, CASE TG_WHEN WHEN 'BEFORE' THEN current_user END; RETURN OLD; END$$;
CREATE TRIGGER say BEFORE DELETE ON session FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER say_after AFTER DELETE ON visit FOR EACH ROW EXECUTE FUNCTION say();

SELECT relation FROM softdelete_register('account', exclude := ARRAY['session', 'queue']::regclass[]);
SELECT relation FROM softdelete.tables WHERE relation IN ('account'::regclass, 'invoice'::regclass, 'session'::regclass, 'visit'::regclass, 'queue'::regclass) ORDER BY relation::text;
-- again: they stay what they are
SELECT relation FROM softdelete_register('account');
INSERT INTO account VALUES (1, 'a'), (2, 'b');
INSERT INTO invoice VALUES (1, 1), (2, 2);
INSERT INTO session VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO visit VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO queue VALUES (1, 1), (2, 2);
-- by themselves they are ordinary tables
DELETE FROM session WHERE id = 2;
SELECT * FROM session ORDER BY id;
EXPLAIN (COSTS OFF) DELETE FROM account WHERE id = 1;

-- the cascade runs as the owners of the tables, with their triggers
CREATE ROLE regress_exclude_app;
CREATE ROLE regress_exclude_owner;
GRANT USAGE ON SCHEMA exclude TO regress_exclude_app, regress_exclude_owner;
GRANT SELECT, DELETE ON account TO regress_exclude_app;
ALTER TABLE session OWNER TO regress_exclude_owner;
SET ROLE regress_exclude_app;
\set QUIET off
DELETE FROM account WHERE id = 1;
\set QUIET on
RESET ROLE;
SELECT id FROM session;
SELECT id FROM visit;
SELECT id FROM queue;
SELECT id, row_count, relations FROM softdelete.deletions WHERE id = 270001;
-- they do not come back
SELECT softdelete_undelete_deletion(270001);
SELECT id FROM account ORDER BY id;
SELECT id FROM session;
-- rolled back they do
BEGIN;
DELETE FROM account WHERE id = 2;
SELECT count(*) FROM session;
ROLLBACK;
SELECT count(*) FROM session;

-- renamed they are excluded still, registered by themselves they are not
ALTER TABLE session RENAME TO login;
DELETE FROM account WHERE id = 2;
SELECT count(*) FROM login;
SELECT relation FROM softdelete_register('login');
SELECT count(*) FROM pg_trigger WHERE tgname = 'softdelete_excluded' AND tgrelid = 'login'::regclass;
INSERT INTO login VALUES (4, 1);
DELETE FROM account WHERE id = 1;
SELECT softdelete_undelete('account', 1, cascade := true);
SELECT id FROM login;

-- what cannot be excluded
SELECT softdelete_register('account', exclude := ARRAY['login']::regclass[]);
SELECT softdelete_register('account', exclude := ARRAY['queue_1']::regclass[]);
SELECT softdelete_register('account', exclude := ARRAY[NULL]::regclass[]);
ALTER TABLE account OWNER TO regress_exclude_app;
SET ROLE regress_exclude_app;
SELECT softdelete_register('account', exclude := ARRAY['queue']::regclass[]);
RESET ROLE;
-- a table below an excluded one that is registered: its guard refuses
CREATE TABLE kept (id int PRIMARY KEY, q int);
CREATE TABLE job (id int PRIMARY KEY, account_id int REFERENCES account ON DELETE CASCADE);
SELECT softdelete_unregister('job');
ALTER TABLE kept ADD FOREIGN KEY (q) REFERENCES job ON DELETE CASCADE;
SELECT relation FROM softdelete_register('kept');
SELECT relation FROM softdelete_register('account', exclude := ARRAY['job']::regclass[]);
INSERT INTO job VALUES (1, 1);
INSERT INTO kept VALUES (1, 1);
DELETE FROM account WHERE id = 1;
SELECT id FROM account;

SET client_min_messages = error;
SET softdelete.enabled = off;
DROP SCHEMA exclude CASCADE;
DROP ROLE regress_exclude_app, regress_exclude_owner;
