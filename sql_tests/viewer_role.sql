-- softdelete.viewer_role: who may see deleted rows.  Whoever may not gets an error, and
-- neither fewer rows nor a look at them.
\set VERBOSITY terse
CREATE ROLE regress_viewer_owner;
CREATE ROLE regress_viewer_auditors;
CREATE ROLE regress_viewer_auditor IN ROLE regress_viewer_auditors;
CREATE ROLE regress_viewer_clerk;
CREATE SCHEMA viewer;
GRANT ALL ON SCHEMA viewer TO PUBLIC;
SET search_path = viewer, public;
SET ROLE regress_viewer_owner;
CREATE TABLE t (id int PRIMARY KEY, secret text);
CREATE INDEX t_secret ON t (secret);
CREATE TABLE parted (id int PRIMARY KEY, secret text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
SELECT relation FROM softdelete_register('t');
SELECT relation FROM softdelete_register('parted');
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'hidden');
INSERT INTO parted VALUES (1, 'one'), (2, 'hidden'), (11, 'eleven'), (12, 'hidden');
DELETE FROM t WHERE id = 3;
DELETE FROM parted WHERE secret = 'hidden';
GRANT ALL ON t, parted, parted_1 TO regress_viewer_auditor, regress_viewer_clerk;
CREATE VIEW t_view AS SELECT * FROM t;
GRANT SELECT ON t_view TO regress_viewer_clerk;
RESET ROLE;

-- unset: whoever may SELECT
SET ROLE regress_viewer_clerk;
SET softdelete.show_deleted = 'only';
SELECT id FROM t ORDER BY id;
SET softdelete.viewer_role = 'regress_viewer_clerk';
SELECT softdelete.may_view_deleted();
RESET ROLE;
RESET softdelete.show_deleted;

-- set: members of the role, and superusers; not even the owner
SET softdelete.viewer_role = 'regress_viewer_auditors';
SET softdelete.show_deleted = on;
SELECT id FROM t ORDER BY id;
SET ROLE regress_viewer_auditor;
SELECT id FROM t ORDER BY id;
SET ROLE regress_viewer_owner;
SELECT id FROM t ORDER BY id;
SET ROLE regress_viewer_clerk;
SELECT id FROM t ORDER BY id;
\set VERBOSITY default
SELECT id FROM t ORDER BY id;
SET row_security = off;
SET softdelete.show_deleted = off;
SELECT id FROM t ORDER BY id;
RESET row_security;
\set VERBOSITY terse
SELECT id FROM t ORDER BY id;
-- whatever the form
SET softdelete.show_deleted = 'only';
SELECT count(*) FROM t_view;
SELECT count(*) FROM parted;
SELECT count(*) FROM parted_1;
SELECT (SELECT max(secret) FROM t);
SELECT id FROM t UNION ALL SELECT id FROM parted;
WITH x AS (SELECT * FROM t) SELECT count(*) FROM x;
UPDATE t SET secret = secret RETURNING secret;
UPDATE parted SET secret = t.secret FROM t;
INSERT INTO parted SELECT id + 14, secret FROM t;
MERGE INTO t USING (VALUES (3)) v (id) ON v.id = t.id WHEN MATCHED THEN DO NOTHING;
DELETE FROM parted USING t WHERE t.id = parted.id RETURNING t.secret;
COPY t TO STDOUT;
COPY (SELECT * FROM t) TO STDOUT;
CREATE TABLE copied AS SELECT * FROM t;
EXPLAIN (COSTS OFF) DECLARE c CURSOR FOR SELECT * FROM t;
EXPLAIN (COSTS OFF) SELECT * FROM t;
DO $$BEGIN PERFORM * FROM viewer.t; END$$;
SET row_security = off;
SET softdelete.show_deleted = off;
COPY t TO STDOUT;
COPY parted_1 TO STDOUT;
COPY (SELECT * FROM t) TO STDOUT;
RESET row_security;
SELECT count(*) FROM softdelete_deleted(NULL::t);
SELECT (softdelete_deleted(NULL::t)).id;
-- what shows live rows goes on, and so does what only writes
SET softdelete.show_deleted = on;
INSERT INTO t VALUES (4, 'four');
DELETE FROM t WHERE id = 4 RETURNING *;
SET softdelete.show_deleted = off;
COPY t (id, secret) TO STDOUT;
SELECT id FROM softdelete.deletions ORDER BY id LIMIT 0;

-- prepared plans follow role, setting and membership
RESET ROLE;
SET softdelete.show_deleted = on;
SET plan_cache_mode = force_generic_plan;
PREPARE q AS SELECT id FROM viewer.t WHERE id < 4 ORDER BY id;
EXECUTE q;
SET ROLE regress_viewer_auditor;
EXECUTE q;
SET ROLE regress_viewer_clerk;
EXECUTE q;
RESET ROLE;
GRANT regress_viewer_auditors TO regress_viewer_clerk;
SET ROLE regress_viewer_clerk;
EXECUTE q;
RESET ROLE;
REVOKE regress_viewer_auditors FROM regress_viewer_clerk;
SET ROLE regress_viewer_clerk;
EXECUTE q;
RESET ROLE;
SET softdelete.viewer_role = '';
SET ROLE regress_viewer_clerk;
EXECUTE q;
RESET ROLE;
SET softdelete.viewer_role = 'regress_viewer_nobody';
SET ROLE regress_viewer_auditor;
EXECUTE q;
RESET ROLE;
EXECUTE q;
SET softdelete.viewer_role = 'regress_viewer_auditors';

-- the role in force counts, in a function as well
SET ROLE regress_viewer_auditor;
CREATE FUNCTION deleted_ids() RETURNS SETOF int LANGUAGE sql SECURITY DEFINER SET search_path = viewer
    SET softdelete.show_deleted = 'only' AS 'SELECT id FROM t ORDER BY id';
SET ROLE regress_viewer_clerk;
SET softdelete.show_deleted = off;
SELECT deleted_ids();
RESET ROLE;

-- an undelete would show the rows
SET ROLE regress_viewer_clerk;
SELECT softdelete_undelete('t', 3);
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SET ROLE regress_viewer_owner;
SELECT softdelete_unregister('t', 'undelete');
SET ROLE regress_viewer_auditor;
SELECT softdelete_undelete('t', 3);
DELETE FROM t WHERE id = 3;

-- foreign keys, and what softdelete does itself, see what they must
SET ROLE regress_viewer_owner;
CREATE TABLE child (id int PRIMARY KEY, t_id int REFERENCES t ON UPDATE CASCADE ON DELETE SET NULL);
INSERT INTO child VALUES (1, 3);
INSERT INTO child VALUES (1, 1);
SELECT relation FROM softdelete_register('child');
DELETE FROM t WHERE id = 1;
SELECT id, t_id FROM child ORDER BY 1;
ALTER TABLE child DROP CONSTRAINT child_t_id_fkey;
UPDATE child SET t_id = 1;
ALTER TABLE child ADD FOREIGN KEY (t_id) REFERENCES t;
UPDATE child SET t_id = 2;
ALTER TABLE child ADD FOREIGN KEY (t_id) REFERENCES t;
SELECT softdelete_purge('0', 't');
RESET ROLE;

RESET softdelete.viewer_role;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA viewer CASCADE;
DROP ROLE regress_viewer_owner, regress_viewer_auditors, regress_viewer_auditor, regress_viewer_clerk;
