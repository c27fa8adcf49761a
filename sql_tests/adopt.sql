-- Flags that an application has already: booleans of both kinds and times.
SET client_min_messages = warning;
CREATE SCHEMA adopt;
SET search_path = adopt, public;

CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, deleted_at timestamptz);
CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, deleted_at timestamptz(0), UNIQUE (user_id, id));
CREATE TABLE likes (id int PRIMARY KEY, post_id int REFERENCES posts ON DELETE CASCADE, deleted_at date);
CREATE TABLE bookmarks (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE SET NULL);
INSERT INTO users VALUES (1, 'ada@x', NULL), (2, 'bob@x', NULL), (3, 'ada@x.old', '2020-02-02 02:02+00');
INSERT INTO posts VALUES (10, 1, NULL), (11, 2, NULL), (12, 3, NULL), (13, 1, '2021-01-01');
INSERT INTO likes VALUES (100, 10, NULL), (101, 11, '2022-01-01');
INSERT INTO bookmarks VALUES (7, 1);
CREATE FUNCTION shout(users) RETURNS text LANGUAGE sql AS 'SELECT upper($1.email)';
CREATE TABLE history (id int, was users);

-- dry_run tells, and does nothing
SELECT * FROM softdelete_register('users', flag := 'deleted_at', dry_run := true) ORDER BY relation::text;
SELECT count(*) FROM pg_attribute WHERE attrelid IN ('users'::regclass, 'posts'::regclass, 'likes'::regclass) AND attname IN ('deletion_id', 'active');
SELECT count(*) FROM softdelete.events WHERE relation IN ('users'::regclass, 'posts'::regclass);
SELECT count(*) FROM pg_constraint WHERE conname = 'users_email_key';

-- below, a column of the same name and type is taken, another one is not
SELECT * FROM softdelete_register('users', flag := 'deleted_at') ORDER BY relation::text;
SELECT relation, flag_column FROM softdelete.tables WHERE relation::text ~ '^(users|posts|likes)$' ORDER BY 1;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'adopt' AND indexname = 'users_email_key';
-- again: nothing happens; with another flag: refused
SELECT relation, flag_column FROM softdelete_register('users', flag := 'deleted_at');
SELECT softdelete_register('users', flag := 'email');

-- hidden from the start
SELECT id FROM users ORDER BY id;
SELECT id FROM posts ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM users;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM users WHERE email = 'ada@x';
RESET enable_seqscan;

-- a DELETE writes the time of the deletion, the same everywhere and in the log
DELETE FROM users WHERE id = 1 RETURNING *;
SET softdelete.show_deleted = on;
SELECT u.deleted_at = d.deleted_at AS users, p.deleted_at = d.deleted_at::timestamptz(0) AS posts
FROM users u, posts p, softdelete.deletions d WHERE u.id = 1 AND p.id = 10 AND d.id = u.deletion_id AND d.id = p.deletion_id;
SELECT id, active FROM likes ORDER BY id;
SELECT id, deleted_at AT TIME ZONE 'UTC' AS deleted_at, deletion_id FROM posts WHERE id IN (12, 13) ORDER BY id;
RESET softdelete.show_deleted;
SELECT * FROM bookmarks;

-- keys are free; ON CONFLICT finds them
INSERT INTO users VALUES (4, 'ada@x') ON CONFLICT (email) DO UPDATE SET email = 'wrong' RETURNING id, email;
DELETE FROM users WHERE id = 4;
SELECT softdelete_undelete('users', 1, cascade := true);
SELECT id, email, deleted_at FROM users ORDER BY id;
SELECT id, user_id, deleted_at FROM posts ORDER BY id;
SELECT * FROM bookmarks;

-- what the application had deleted can be brought back; what hung below was never deleted with it
SELECT softdelete_undelete('users', 3, cascade := true);
SELECT id, deleted_at FROM users WHERE id = 3;
SELECT softdelete_undelete('posts', 13);
SELECT softdelete_undelete('users', 3);

-- purge: such a row is as old as its flag says
UPDATE users SET deleted_at = '2020-02-02 02:02+00' WHERE id = 3;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
DELETE FROM posts WHERE id = 12;
INSERT INTO users (id, email, deleted_at) VALUES (50, 'old@x', now() - interval '3 years'), (51, 'new@x', now() - interval '3 days');
SELECT softdelete_purge('1 year', 'users');
SET softdelete.show_deleted = 'only';
SELECT id FROM users ORDER BY id;
RESET softdelete.show_deleted;

-- a key is taken: the row leaves its table, and comes back with its own time
CREATE TABLE seats (id int PRIMARY KEY, who text, deleted_at timestamp);
SELECT relation FROM softdelete_register('seats', flag := 'deleted_at');
INSERT INTO seats VALUES (1, 'ada', '2026-06-06 06:06:06'), (2, 'bob', NULL);
DELETE FROM seats WHERE id = 2;
INSERT INTO seats VALUES (1, 'cyn'), (2, 'dan');
SELECT columns FROM softdelete.image WHERE relation = 'seats'::regclass ORDER BY id;
DELETE FROM seats;
SET softdelete.enabled = off;
SET softdelete.show_deleted = on;
DELETE FROM seats;
RESET softdelete.show_deleted;
RESET softdelete.enabled;
SELECT softdelete_undelete('seats', 1);
DELETE FROM seats;
INSERT INTO seats VALUES (1, 'eva');
SELECT id, who, deleted_at FROM seats;

-- is_deleted, and a time without time zone; partitions with other column numbers; inheritance
CREATE TABLE events (id int, at date, junk int, is_deleted boolean NOT NULL DEFAULT false, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_1 (is_deleted boolean NOT NULL DEFAULT false, at date NOT NULL, id int NOT NULL, junk int);
ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
ALTER TABLE events DROP COLUMN junk;
CREATE UNIQUE INDEX ON events (id, at, is_deleted);
INSERT INTO events (id, at, is_deleted) VALUES (1, '2026-02-02', false), (2, '2027-02-02', false), (3, '2027-03-03', true);
SELECT relation, flag_column, note FROM softdelete_register('events', flag := 'is_deleted', live_value := false);
DELETE FROM events WHERE id = 1;
UPDATE events SET at = '2026-05-05' WHERE id = 2;
SELECT id, at, is_deleted FROM events ORDER BY id;
TRUNCATE events;
SET softdelete.show_deleted = 'only';
SELECT id, at, is_deleted FROM events ORDER BY id;
RESET softdelete.show_deleted;
SELECT softdelete_undelete_deletion(id) FROM softdelete.deletions ORDER BY id DESC LIMIT 2;
SELECT id, at, is_deleted FROM events ORDER BY id;
ALTER TABLE events ADD UNIQUE (id, at);
SELECT indexdef FROM pg_indexes WHERE schemaname = 'adopt' AND tablename = 'events' ORDER BY 1;
CREATE TABLE base (id int PRIMARY KEY, gone timestamp);
CREATE TABLE derived (extra text) INHERITS (base);
INSERT INTO base VALUES (1, NULL);
INSERT INTO derived VALUES (2, NULL, 'x');
SELECT relation, flag_column FROM softdelete_register('base', 'gone');
DELETE FROM base;
SELECT id, gone FROM base;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SELECT id, gone FROM base ORDER BY id;
ANALYZE base, events;
DELETE FROM events WHERE id = 2;
ANALYZE events;
SELECT relation, live_rows, deleted_rows FROM softdelete.tables WHERE relation = 'events'::regclass;

-- MERGE, CTE, view, cursor
CREATE VIEW v AS SELECT id, gone FROM base;
MERGE INTO base b USING (VALUES (1)) s(id) ON b.id = s.id WHEN MATCHED THEN DELETE;
WITH d AS (DELETE FROM v WHERE id = 2 RETURNING *) SELECT * FROM d;
SELECT * FROM v;
SELECT count(softdelete_undelete_deletion(id)) FROM (SELECT id FROM softdelete.deletions ORDER BY id DESC LIMIT 2) d;

-- live_value and a column that is not there yet
CREATE TABLE "Odd Table" (id int PRIMARY KEY);
SELECT relation, flag_column FROM softdelete_register('"Odd Table"', flag := 'Is Gone', live_value := false);
INSERT INTO "Odd Table" VALUES (1), (2);
DELETE FROM "Odd Table" WHERE id = 1;
SELECT id, "Is Gone" FROM "Odd Table";
SELECT softdelete_unregister('"Odd Table"');
SELECT softdelete_unregister('"Odd Table"', 'undelete');
SELECT id, "Is Gone" FROM "Odd Table" ORDER BY id;
-- known again by its comment
SELECT relation, flag_column FROM softdelete_register('"Odd Table"');
DELETE FROM "Odd Table" WHERE id = 2;
SELECT id, "Is Gone" FROM "Odd Table";

-- unregister and register again with the application's flag
SELECT softdelete_unregister('base', 'undelete');
SELECT relation, flag_column FROM softdelete_register('base', 'gone');
DROP VIEW v;
ALTER TABLE base ALTER gone SET NOT NULL;
ALTER TABLE base ALTER gone TYPE timestamptz;
ALTER TABLE base RENAME gone TO deleted_at;
DELETE FROM base WHERE id = 1;
SELECT id, deleted_at FROM base;
ALTER TABLE events ALTER is_deleted DROP NOT NULL;

-- what cannot be a flag
CREATE TABLE bad (id int, a boolean, b timestamptz NOT NULL, c text, d timestamptz DEFAULT now(), e boolean NOT NULL DEFAULT true,
    f boolean NOT NULL, g boolean NOT NULL GENERATED ALWAYS AS (id > 0) STORED, h boolean NOT NULL, i timestamptz, PRIMARY KEY (id, f), UNIQUE (h));
CREATE TABLE refers (h boolean REFERENCES bad (h), gone boolean NOT NULL REFERENCES bad (h), id int PRIMARY KEY);
CREATE TABLE parts (id int, gone boolean NOT NULL) PARTITION BY LIST (gone);
SELECT softdelete_register('bad', 'a');
SELECT softdelete_register('bad', 'b');
SELECT softdelete_register('bad', 'c');
SELECT softdelete_register('bad', 'd');
SELECT softdelete_register('bad', 'e', false);
SELECT softdelete_register('bad', 'f');
SELECT softdelete_register('bad', 'g');
SELECT softdelete_register('bad', 'h');
SELECT softdelete_register('bad', 'i', false);
SELECT softdelete_register('bad', 'ctid');
SELECT softdelete_register('bad', live_value := false);
SELECT softdelete_register('refers', 'gone');
SELECT softdelete_register('parts', 'gone');
SELECT count(*) FROM softdelete.tables WHERE relation IN ('bad'::regclass, 'refers'::regclass, 'parts'::regclass);

-- attaching wants the same meaning of the flag
CREATE TABLE events_3 (id int NOT NULL, at date NOT NULL, is_deleted boolean NOT NULL DEFAULT false);
SELECT relation FROM softdelete_register('events_3', 'is_deleted');
SELECT relation FROM softdelete_register('events_3', 'is_deleted', false);
CREATE TABLE events_4 (id int NOT NULL, at date NOT NULL, is_deleted boolean NOT NULL DEFAULT true);
SELECT relation FROM softdelete_register('events_4', 'is_deleted', true);
ALTER TABLE events ATTACH PARTITION events_4 FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
ALTER TABLE events ATTACH PARTITION events_3 FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
SELECT relation::text, flag_column FROM softdelete.tables WHERE relation::text ~ '^events' ORDER BY 1;

-- the child's owner may not read the parent: registering does not stumble, and looks as its caller
CREATE ROLE regress_child_of;
GRANT USAGE, CREATE ON SCHEMA adopt TO regress_child_of;
CREATE TABLE secret (id int PRIMARY KEY, gone boolean NOT NULL DEFAULT false);
GRANT REFERENCES ON secret TO regress_child_of;
SET ROLE regress_child_of;
CREATE TABLE childs (id int PRIMARY KEY, s int REFERENCES adopt.secret ON DELETE CASCADE);
RESET ROLE;
INSERT INTO secret VALUES (1, true);
INSERT INTO childs VALUES (1, 1);
SELECT relation, note ~ 'live rows of adopt.childs refer to deleted rows' AS told FROM softdelete_register('secret', 'gone', false) ORDER BY 1;

SET softdelete.enabled = off;
DROP SCHEMA adopt CASCADE;
DROP ROLE regress_child_of;
