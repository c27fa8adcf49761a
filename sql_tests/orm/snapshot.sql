-- What the tests of frameworks compare: every row that a session sees, without
-- the columns that softdelete has added and the frameworks' own bookkeeping.
CREATE SCHEMA orm;

CREATE FUNCTION orm.snapshot() RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
    t record;
    found jsonb;
    result jsonb := '{}';
BEGIN
    FOR t IN SELECT c.oid::regclass AS name,
                    ARRAY(SELECT a.attname::text FROM pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attnum > 0
                            AND col_description(c.oid, a.attnum) LIKE 'softdelete: %') AS added
             FROM pg_class c
             WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
               AND c.relname NOT IN ('django_migrations', 'ar_internal_metadata', 'schema_migrations')
    LOOP
        EXECUTE format('SELECT coalesce(jsonb_agg(r ORDER BY r), ''[]'') FROM (SELECT to_jsonb(t) - $1 AS r FROM %s t) s',
                       t.name) INTO found USING t.added;
        result := result || jsonb_build_object(t.name::text, found);
    END LOOP;
    RETURN result;
END
$$;

-- Undeletes the last deletions, newest first.
CREATE FUNCTION orm.undelete_last(number int) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
    deletion bigint;
BEGIN
    FOR deletion IN SELECT id FROM softdelete.deletion ORDER BY id DESC LIMIT number
    LOOP
        PERFORM softdelete_undelete_deletion(deletion);
    END LOOP;
END
$$;
