-- The usual recipe for soft delete, on tables of tables.sql:
-- a BEFORE DELETE trigger flags the row, deletes what hangs below, and returns NULL.
-- To be run and used with their schema as search_path.

\set QUIET on
\set ON_ERROR_STOP on

CREATE FUNCTION soft_delete_p() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE p SET active = false, deletion_id = 1 WHERE id = OLD.id;
    DELETE FROM c WHERE p_id = OLD.id AND active;
    RETURN NULL;
END
$$;

CREATE FUNCTION soft_delete_c() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE c SET active = false, deletion_id = 1 WHERE id = OLD.id;
    DELETE FROM g WHERE c_id = OLD.id AND active;
    RETURN NULL;
END
$$;

CREATE FUNCTION soft_delete_g() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE g SET active = false, deletion_id = 1 WHERE id = OLD.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER soft_delete BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION soft_delete_p();
CREATE TRIGGER soft_delete BEFORE DELETE ON c FOR EACH ROW EXECUTE FUNCTION soft_delete_c();
CREATE TRIGGER soft_delete BEFORE DELETE ON g FOR EACH ROW EXECUTE FUNCTION soft_delete_g();
