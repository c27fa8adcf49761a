-- 12. what a DELETE trigger took away elsewhere, an INSERT trigger puts back on undelete
CREATE SCHEMA pc;
SET search_path = pc, public;
SELECT setval('softdelete.deletion_id_seq', 460000);

CREATE TABLE forum (id int PRIMARY KEY, topics int NOT NULL DEFAULT 0, posts int NOT NULL DEFAULT 0);
CREATE TABLE topic (id int PRIMARY KEY, forum_id int REFERENCES forum ON DELETE CASCADE, posts int NOT NULL DEFAULT 0);
CREATE TABLE post (id int PRIMARY KEY, topic_id int REFERENCES topic ON DELETE CASCADE, forum_id int REFERENCES forum);
CREATE FUNCTION count_topic() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN UPDATE forum SET topics = topics + 1 WHERE id = NEW.forum_id; ELSE UPDATE forum SET topics = topics - 1 WHERE id = OLD.forum_id; END IF;
    RETURN NULL; END $$;
CREATE FUNCTION count_post() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN UPDATE topic SET posts = posts + 1 WHERE id = NEW.topic_id; UPDATE forum SET posts = posts + 1 WHERE id = NEW.forum_id;
    ELSE UPDATE topic SET posts = posts - 1 WHERE id = OLD.topic_id; UPDATE forum SET posts = posts - 1 WHERE id = OLD.forum_id; END IF;
    RETURN NULL; END $$;
CREATE TRIGGER count_topic AFTER INSERT OR DELETE ON topic FOR EACH ROW EXECUTE FUNCTION count_topic();
CREATE TRIGGER count_post AFTER INSERT OR DELETE ON post FOR EACH ROW EXECUTE FUNCTION count_post();
INSERT INTO forum VALUES (1), (2);
INSERT INTO topic SELECT i, 1 FROM generate_series(1, 3) i;
INSERT INTO post SELECT i, (i + 1) / 2, 1 FROM generate_series(1, 6) i;
CREATE VIEW counters AS SELECT f.id, f.topics, (SELECT count(*) FROM topic t WHERE t.forum_id = f.id) AS counted_topics, f.posts, (SELECT count(*) FROM post p WHERE p.forum_id = f.id) AS counted_posts FROM forum f;
CREATE VIEW topic_counters AS SELECT t.id, t.posts, (SELECT count(*) FROM post p WHERE p.topic_id = t.id) AS counted FROM topic t;
SELECT count(*) FROM softdelete_register('forum');
SELECT * FROM counters ORDER BY id;

-- one row, and one that was deleted alone before its parent
DELETE FROM post WHERE id = 1;
SELECT * FROM counters ORDER BY id;
DELETE FROM topic WHERE id = 1;
SELECT * FROM counters ORDER BY id;
SELECT softdelete_undelete('topic', 1, cascade := true);
SELECT * FROM counters ORDER BY id;
SELECT softdelete_undelete('post', 1);
SELECT * FROM counters ORDER BY id;
SELECT * FROM topic_counters ORDER BY id;

-- several at once, by the deletion
DELETE FROM topic WHERE id > 1;
SELECT * FROM counters ORDER BY id;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions WHERE id BETWEEN 460000 AND 460999;
SELECT * FROM counters ORDER BY id;
SELECT * FROM topic_counters ORDER BY id;

-- an undelete that rolls back counts nothing; nor does one of a live row
DELETE FROM topic WHERE id = 3;
BEGIN;
SELECT softdelete_undelete('topic', 3, cascade := true);
ROLLBACK;
SELECT * FROM counters ORDER BY id;
SELECT softdelete_undelete('topic', 3, cascade := true);
SELECT softdelete_undelete('topic', 3, cascade := true);
SELECT * FROM counters ORDER BY id;

-- a trigger can tell an undelete from an INSERT; BEFORE INSERT and UPDATE triggers do not fire
CREATE TABLE told (n serial, what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO told (what) VALUES (format('%s %s %s %s, undeleting: %s', TG_TABLE_NAME, TG_WHEN, TG_OP, NEW.id, coalesce(nullif(current_setting('softdelete.undeleting', true), ''), 'off'))); RETURN NEW; END $$;
CREATE TRIGGER tell_before BEFORE INSERT OR UPDATE ON post FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_after AFTER INSERT OR UPDATE ON post FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO post VALUES (7, 3, 1);
DELETE FROM post WHERE id = 7;
SELECT softdelete_undelete('post', 7);
INSERT INTO post VALUES (8, 3, 1);
SELECT what FROM told ORDER BY n;
SELECT * FROM counters ORDER BY id;
-- or stay silent
DELETE FROM post WHERE id = 8;
SELECT softdelete_undelete('post', 8, fire_triggers := false);
SELECT * FROM counters ORDER BY id;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA pc CASCADE;
