-- Deletes and new keys in the parents of registered tables, by every action, with live and
-- with deleted children: nothing dangles, no live row refers to a deleted one, and no row is
-- lost in silence.
\set VERBOSITY terse
CREATE SCHEMA around;
SET search_path = around, public;
SET client_min_messages = error;

-- One case in tables of its own: what became of the statement, and of the child (its key,
-- whether it is deleted, whether its parent is physically there).
CREATE FUNCTION try(parent_registered boolean, action text, child_deleted boolean, command text)
RETURNS TABLE (outcome text, child text) LANGUAGE plpgsql AS $$
DECLARE
    result text := 'done';
BEGIN
    EXECUTE 'CREATE TABLE p (id int PRIMARY KEY)';
    EXECUTE format('CREATE TABLE c (id int PRIMARY KEY, p_id int DEFAULT 0 REFERENCES p ON UPDATE %1$s ON DELETE %1$s)', action);
    IF parent_registered THEN
        PERFORM softdelete_register('p', cascade := false);
    END IF;
    PERFORM softdelete_register('c');
    INSERT INTO p VALUES (0), (1);
    INSERT INTO c VALUES (1, 1);
    IF child_deleted THEN
        EXECUTE 'DELETE FROM c';
    END IF;
    BEGIN
        EXECUTE command;
    EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
        result := 'refused by the foreign key';
    WHEN object_not_in_prerequisite_state THEN
        result := 'refused by softdelete';
    END;
    PERFORM set_config('softdelete.show_deleted', 'on', true);
    EXECUTE 'SELECT coalesce((SELECT format(''%s%s%s'', coalesce(c.p_id::text, ''null''), CASE WHEN NOT c.active THEN '', deleted'' END,
        CASE WHEN c.p_id IS NULL THEN '''' WHEN p.id IS NULL THEN '', DANGLING'' WHEN c.active AND NOT coalesce((to_jsonb(p) ->> ''active'')::boolean, true) THEN '', BELOW A DELETED ROW'' END)
        FROM c LEFT JOIN p ON p.id = c.p_id), ''GONE'')' INTO child;
    PERFORM set_config('softdelete.show_deleted', 'off', true);
    PERFORM set_config('softdelete.enabled', 'off', true);
    EXECUTE 'DROP TABLE c, p';
    PERFORM set_config('softdelete.enabled', 'on', true);
    outcome := result;
    RETURN NEXT;
END$$;

SELECT CASE WHEN registered THEN 'registered' ELSE 'not registered' END AS parent, action,
       CASE WHEN deleted THEN 'deleted' ELSE 'live' END AS child, split_part(command, ' ', 1) AS command, t.outcome, t.child AS becomes
FROM (VALUES (false), (true)) p (registered),
     unnest(ARRAY['CASCADE', 'SET NULL', 'SET DEFAULT', 'NO ACTION', 'RESTRICT']) WITH ORDINALITY a (action, n),
     (VALUES (false), (true)) c (deleted),
     unnest(ARRAY['DELETE FROM p WHERE id = 1', 'UPDATE p SET id = 2 WHERE id = 1']) WITH ORDINALITY m (command, k),
     LATERAL try(registered, action, deleted, command) t
ORDER BY registered, n, deleted, k;

-- by MERGE, TRUNCATE and in a chain with a table that is not registered in between
CREATE TABLE top (k text PRIMARY KEY);
CREATE TABLE middle (k text PRIMARY KEY REFERENCES top ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE bottom (id int PRIMARY KEY, k text REFERENCES middle ON UPDATE CASCADE ON DELETE CASCADE);
SELECT relation FROM softdelete_register('bottom');
INSERT INTO top VALUES ('a'), ('b');
INSERT INTO middle VALUES ('a'), ('b');
INSERT INTO bottom VALUES (1, 'a'), (2, 'b');
DELETE FROM bottom WHERE id = 1;
RESET client_min_messages;
MERGE INTO top USING (VALUES ('a')) v (k) ON top.k = v.k WHEN MATCHED THEN DELETE;
DELETE FROM top WHERE k = 'b';
TRUNCATE top CASCADE;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SELECT k FROM top UNION ALL SELECT k FROM middle;
DELETE FROM bottom WHERE id = 2;
UPDATE top SET k = k || k;
SET softdelete.show_deleted = on;
SELECT id, k, active FROM bottom ORDER BY id;

RESET softdelete.show_deleted;
SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA around CASCADE;
