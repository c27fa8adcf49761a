-- what users of other soft deletes suffer from with keys of deleted rows, and that it does not happen here
CREATE SCHEMA pk;
SET search_path = pk, public;
SELECT setval('softdelete.deletion_id_seq', 520000);
-- ids of live and of deleted rows
CREATE FUNCTION ids(t regclass, OUT live text, OUT deleted text) LANGUAGE plpgsql SET softdelete.show_deleted = on AS
$$ BEGIN EXECUTE format('SELECT string_agg(id::text, '','' ORDER BY id) FILTER (WHERE active), string_agg(id::text, '','' ORDER BY id) FILTER (WHERE NOT active) FROM %s', t) INTO live, deleted; END $$;

-- 32. the e-mail address of a deleted user does not block sign-up
CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, name text);
CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE);
INSERT INTO users VALUES (1, 'ada@example.com', 'Ada'), (2, 'bob@example.com', 'Bob');
INSERT INTO posts VALUES (1, 1), (2, 2);
SELECT count(*) FROM softdelete_register('users');
DELETE FROM users WHERE id = 1;
INSERT INTO users VALUES (3, 'ada@example.com', 'another Ada');
SELECT id, email FROM users ORDER BY id;
-- among live rows it is unique as ever
INSERT INTO users VALUES (4, 'bob@example.com', 'another Bob');
UPDATE users SET email = 'ada@example.com' WHERE id = 2;
-- and where a deleted row does block, the error says which deletion: this key is referenced
INSERT INTO users VALUES (1, 'new@example.com', 'taken');

-- 5. restoring a row whose key was taken names the conflict and changes nothing
SELECT softdelete_undelete('users', 1, cascade := true);
SELECT * FROM ids('users');
SELECT * FROM ids('posts');
UPDATE users SET email = 'ada3@example.com' WHERE id = 3;
SELECT softdelete_undelete('users', 1, cascade := true);
SELECT id, email FROM users ORDER BY id;
SELECT * FROM ids('posts');

-- 8. the same key deleted, made again, deleted again: both copies are kept
CREATE TABLE settings (name text PRIMARY KEY, value text);
INSERT INTO settings VALUES ('colour', 'red'), ('size', '1');
SELECT count(*) FROM softdelete_register('settings');
DELETE FROM settings WHERE name = 'colour';
INSERT INTO settings VALUES ('colour', 'green');
DELETE FROM settings WHERE name = 'colour';
INSERT INTO settings VALUES ('colour', 'blue');
SELECT name, value FROM settings ORDER BY 1;
SELECT id AS first FROM softdelete.deletions WHERE relations ? 'settings' ORDER BY id LIMIT 1 \gset
SELECT id AS second FROM softdelete.deletions WHERE relations ? 'settings' ORDER BY id DESC LIMIT 1 \gset
-- not while a live row holds the key
SELECT softdelete_undelete_deletion(:first);
SELECT name, value FROM settings ORDER BY 1;
UPDATE settings SET name = 'colour today' WHERE name = 'colour';
SELECT softdelete_undelete_deletion(:first);
SELECT name, value FROM settings ORDER BY 1;
UPDATE settings SET name = 'colour at first' WHERE name = 'colour';
SELECT softdelete_undelete_deletion(:second);
SELECT name, value FROM settings ORDER BY 1;

-- 33. upserts find the unique key, and never a deleted row
INSERT INTO users VALUES (5, 'eve@example.com', 'Eve');
DELETE FROM users WHERE id = 5;
\set QUIET off
INSERT INTO users VALUES (6, 'eve@example.com', 'new Eve') ON CONFLICT (email) DO UPDATE SET name = excluded.name;
INSERT INTO users VALUES (7, 'eve@example.com', 'newer Eve') ON CONFLICT (email) DO UPDATE SET name = excluded.name;
INSERT INTO users VALUES (8, 'eve@example.com', 'newest Eve') ON CONFLICT (email) DO NOTHING;
INSERT INTO users VALUES (9, 'eve@example.com', 'newest Eve') ON CONFLICT DO NOTHING;
INSERT INTO settings VALUES ('size', '2') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
DELETE FROM settings WHERE name = 'size';
INSERT INTO settings VALUES ('size', '3') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
\set QUIET on
SELECT id, email, name FROM users ORDER BY id;
SELECT name, value FROM settings WHERE name = 'size';
SET softdelete.show_deleted = deleted;
SELECT id, email, name FROM users ORDER BY id;
RESET softdelete.show_deleted;

-- 34. a join row with a composite primary key can be added again, and the old one comes back when it can
CREATE TABLE groups (id int PRIMARY KEY);
CREATE TABLE membership (user_id int REFERENCES users ON DELETE CASCADE, group_id int REFERENCES groups ON DELETE CASCADE, role text, PRIMARY KEY (user_id, group_id));
INSERT INTO groups VALUES (1), (2);
INSERT INTO membership VALUES (1, 1, 'first'), (1, 2, 'first'), (2, 1, 'first');
SELECT count(*) FROM softdelete_register('users');
SELECT count(*) FROM softdelete_register('groups');
DELETE FROM membership WHERE user_id = 1 AND group_id = 1;
INSERT INTO membership VALUES (1, 1, 'second');
SELECT user_id, group_id, role FROM membership ORDER BY 1, 2;
DELETE FROM membership WHERE user_id = 1 AND group_id = 1;
INSERT INTO membership VALUES (1, 1, 'third');
DELETE FROM membership WHERE user_id = 1 AND group_id = 1;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions WHERE relations ? 'membership';
SELECT user_id, group_id, role FROM membership ORDER BY 1, 2;
-- with its parent too
DELETE FROM groups WHERE id = 1;
SELECT user_id, group_id, role FROM membership ORDER BY 1, 2;
SELECT softdelete_undelete('groups', 1, cascade := true);
SELECT user_id, group_id, role FROM membership ORDER BY 1, 2;

-- 35. who wants the deleted row to block keeps the key full
CREATE TABLE imports (id int PRIMARY KEY, source text UNIQUE);
CREATE TABLE import_lines (id int PRIMARY KEY, source text REFERENCES imports (source) ON DELETE CASCADE);
INSERT INTO imports VALUES (1, 'file 1');
SELECT count(*) FROM softdelete_register('imports', partial_unique := false);
DELETE FROM imports WHERE id = 1;
INSERT INTO imports VALUES (2, 'file 1');
INSERT INTO imports VALUES (2, 'file 1') ON CONFLICT DO NOTHING;
SELECT * FROM ids('imports');

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA pk CASCADE;
