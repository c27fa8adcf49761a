-- TRUNCATE of a registered table deletes all its rows softly, by PostgreSQL's own rules for TRUNCATE
CREATE SCHEMA trunc;
SET search_path = trunc, public;
SELECT setval('softdelete.deletion_id_seq', 670000);
CREATE FUNCTION deleted_rows() RETURNS TABLE (t text, live bigint, deleted bigint, ids bigint[])
LANGUAGE plpgsql SET softdelete.show_deleted = on AS $$
DECLARE r regclass;
BEGIN
    FOR r IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'trunc'::regnamespace AND c.relkind IN ('r', 'p')
             AND NOT c.relispartition AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND attname = 'active')
             ORDER BY c.oid LOOP
        RETURN QUERY EXECUTE format('SELECT %L, count(*) FILTER (WHERE active), count(*) FILTER (WHERE NOT active),
            array_agg(DISTINCT deletion_id ORDER BY deletion_id) FILTER (WHERE NOT active) FROM %s %s', r::text,
            (SELECT CASE relkind WHEN 'r' THEN 'ONLY' END FROM pg_class WHERE oid = r), r);
    END LOOP;
END $$;

-- one table: all rows, one deletion, brought back exactly; deleted rows keep their deletion
CREATE TABLE lone (id int PRIMARY KEY, v text, g int GENERATED ALWAYS AS (id * 2) STORED, at timestamptz DEFAULT now());
SELECT relation FROM softdelete_register('lone');
INSERT INTO lone SELECT i, 'v' || i FROM generate_series(1, 5) i;
CREATE TEMP TABLE before AS SELECT id, v, g, at FROM lone;
ALTER TABLE lone ADD CONSTRAINT late CHECK (id > 3) NOT VALID;
DELETE FROM lone WHERE id = 5;
TRUNCATE lone;
SELECT * FROM lone;
SELECT * FROM deleted_rows();
SELECT id, statement, row_count, relations FROM softdelete.deletions WHERE id > 670000 ORDER BY id;
SELECT softdelete_undelete_deletion(670002);
SELECT b.id, l.v = b.v AND l.g = b.g AND l.at = b.at AS same FROM lone l JOIN before b USING (id) ORDER BY 1;
-- nothing to delete: no deletion
TRUNCATE lone;
TRUNCATE lone;
INSERT INTO lone VALUES (6, 'v6');
SELECT max(id) FROM softdelete.deletions;
-- in any form: prepared, in a function, rolled back to a savepoint, whatever the session sees
CREATE FUNCTION clear() RETURNS void LANGUAGE plpgsql AS $$ BEGIN TRUNCATE trunc.lone; END $$;
BEGIN;
SET LOCAL softdelete.show_deleted = on;
SAVEPOINT s;
SELECT clear();
ROLLBACK TO s;
SELECT id FROM lone WHERE active;
TRUNCATE TABLE ONLY lone, lone CONTINUE IDENTITY;
COMMIT;
SELECT * FROM deleted_rows();
-- a second statement of the same transaction
BEGIN;
INSERT INTO lone VALUES (7), (8);
DELETE FROM lone WHERE id = 7;
TRUNCATE lone;
COMMIT;
SELECT deletion_id, relation, row_count, named, statement_no FROM softdelete.deleted_relation
WHERE deletion_id > 670004 ORDER BY 1, statement_no;

-- foreign keys: refused in PostgreSQL's words while a table not named references it, with rows or without
CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a ON DELETE RESTRICT);
CREATE TABLE c (id int PRIMARY KEY, b_id int REFERENCES b ON DELETE SET NULL, c_id int REFERENCES c ON DELETE CASCADE);
SELECT relation FROM softdelete_register('a');
SELECT relation FROM softdelete_register('b');
SELECT relation FROM softdelete_register('c');
INSERT INTO a VALUES (1), (2);
TRUNCATE a;
TRUNCATE a, c;
INSERT INTO b VALUES (1, 1), (2, 1);
INSERT INTO c VALUES (1, 1, NULL), (2, 2, 1);
TRUNCATE c;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SELECT setval('softdelete.deletion_id_seq', 670100);
TRUNCATE a, b, c;
SELECT softdelete_undelete_deletion(670101);
SELECT * FROM c ORDER BY id;
TRUNCATE a CASCADE;
SELECT * FROM deleted_rows() WHERE t IN ('a', 'b', 'c');
SELECT relation, row_count, named FROM softdelete.deleted_relation WHERE deletion_id = 670102 ORDER BY 1;
SELECT softdelete_undelete('a', 1, cascade := true);
SELECT softdelete_undelete_deletion(670102);
SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b, (SELECT array_agg(c) FROM c) AS c;

-- RESTART IDENTITY
TRUNCATE lone RESTART IDENTITY;

-- triggers: those for TRUNCATE fire, others do not
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE NOTICE '% % % on % depth %: % live', TG_WHEN, TG_LEVEL, TG_OP, TG_RELNAME, pg_trigger_depth(), (SELECT count(*) FROM a); RETURN NULL; END $$;
CREATE TRIGGER t1 BEFORE TRUNCATE ON a FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER t2 AFTER TRUNCATE ON a FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER t3 BEFORE TRUNCATE ON b FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER t4 AFTER TRUNCATE ON b FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER t5 BEFORE DELETE OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER t6 AFTER DELETE OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER t7 BEFORE DELETE OR UPDATE ON a FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER t8 AFTER DELETE OR UPDATE ON a FOR EACH STATEMENT EXECUTE FUNCTION tell();
TRUNCATE a CASCADE;
SELECT softdelete_undelete_deletion(670103);
-- as a replica: TRUNCATE triggers by their firing mode; deleted softly all the same
SET session_replication_role = replica;
TRUNCATE a, b, c;
TRUNCATE a;
RESET session_replication_role;
SELECT * FROM deleted_rows() WHERE t IN ('a', 'b', 'c');
SELECT softdelete_undelete_deletion(670104);
-- what a BEFORE trigger inserts goes too; an error takes it all back
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trunc.lone VALUES (100); RETURN NULL; END $$;
CREATE TRIGGER more BEFORE TRUNCATE ON lone FOR EACH STATEMENT EXECUTE FUNCTION more();
TRUNCATE lone;
DROP TRIGGER more ON lone;
SELECT count(*) FROM lone;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
INSERT INTO lone VALUES (101);
CREATE TRIGGER fail AFTER TRUNCATE ON lone FOR EACH STATEMENT EXECUTE FUNCTION fail();
TRUNCATE lone;
DROP TRIGGER fail ON lone;
SELECT id FROM lone;

-- not while the table is in use or has events to come
BEGIN;
DECLARE k CURSOR FOR SELECT id FROM lone;
FETCH k;
TRUNCATE lone;
ROLLBACK;
BEGIN READ ONLY;
TRUNCATE lone;
ROLLBACK;
BEGIN;
CREATE TABLE pending (id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
SELECT relation FROM softdelete_register('pending');
INSERT INTO pending VALUES (50);
TRUNCATE pending;
ROLLBACK;

CREATE RULE also AS ON UPDATE TO lone DO ALSO SELECT 1;
TRUNCATE lone;
DROP RULE also ON lone;
SELECT id FROM lone;

-- rights: TRUNCATE and not DELETE, for tables that CASCADE reaches too; no row security
CREATE ROLE regress_trunc_user;
GRANT USAGE ON SCHEMA trunc TO regress_trunc_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON a, b, c, lone TO regress_trunc_user;
GRANT TRUNCATE ON a, b TO regress_trunc_user;
ALTER TABLE lone ENABLE ROW LEVEL SECURITY;
ALTER TABLE lone FORCE ROW LEVEL SECURITY;
CREATE POLICY none ON lone USING (false);
SET ROLE regress_trunc_user;
TRUNCATE lone;
TRUNCATE a CASCADE;
RESET ROLE;
REVOKE SELECT, INSERT, UPDATE, DELETE ON lone FROM regress_trunc_user;
GRANT TRUNCATE ON lone TO regress_trunc_user;
SELECT setval('softdelete.deletion_id_seq', 670200);
SET ROLE regress_trunc_user;
TRUNCATE lone;
RESET ROLE;
SELECT live, ids[cardinality(ids)] FROM deleted_rows() WHERE t = 'lone';
SELECT deleted_by, row_count FROM softdelete.deletions WHERE id = 670201;
ALTER TABLE lone DISABLE ROW LEVEL SECURITY;

-- partitions and inheritance
CREATE TABLE part (x int, id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
ALTER TABLE part DROP COLUMN x;
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE part2a PARTITION OF part2 DEFAULT;
CREATE TABLE part_child (id int PRIMARY KEY, p int, k int, FOREIGN KEY (p, k) REFERENCES part ON DELETE CASCADE);
SELECT relation FROM softdelete_register('part');
INSERT INTO part SELECT i, 1 + i % 2 FROM generate_series(1, 8) i;
INSERT INTO part_child VALUES (1, 1, 2), (2, 2, 1);
TRUNCATE ONLY part CASCADE;
TRUNCATE part1;
TRUNCATE part2;
TRUNCATE part1 CASCADE;
SELECT tableoid::regclass, count(*) FROM part GROUP BY 1;
SELECT relation, row_count, named FROM softdelete.deleted_relation WHERE deletion_id = 670202 ORDER BY 1;
SELECT softdelete_undelete_deletion(670202);
TRUNCATE part, part_child;
SELECT * FROM deleted_rows() WHERE t LIKE 'part%';
SELECT softdelete_undelete_deletion(670203);
CREATE TABLE base (id int);
CREATE TABLE heir (h int) INHERITS (base);
SELECT relation FROM softdelete_register('base');
INSERT INTO base VALUES (1);
INSERT INTO heir VALUES (2);
TRUNCATE ONLY base;
SELECT id FROM base;
INSERT INTO base VALUES (3);
TRUNCATE base;
SELECT * FROM deleted_rows() WHERE t IN ('base', 'heir');

-- with tables that are not registered: those are really truncated
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TABLE below_plain (id int PRIMARY KEY, plain_id int REFERENCES plain);
CREATE TABLE below_lone (id int PRIMARY KEY, lone_id int REFERENCES lone);
CREATE TRIGGER u1 BEFORE TRUNCATE ON below_lone FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER u2 AFTER TRUNCATE ON below_lone FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER u3 BEFORE TRUNCATE ON lone FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER u4 AFTER TRUNCATE ON lone FOR EACH STATEMENT EXECUTE FUNCTION tell();
INSERT INTO lone VALUES (200), (201);
INSERT INTO plain VALUES (1);
INSERT INTO below_lone VALUES (1, 200);
TRUNCATE lone;
TRUNCATE lone CASCADE;
TRUNCATE lone, below_lone, plain CASCADE;
SELECT (SELECT count(*) FROM lone) AS lone, (SELECT count(*) FROM below_lone) AS below, (SELECT count(*) FROM plain) AS plain;
INSERT INTO lone VALUES (202);
TRUNCATE lone CASCADE;
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
-- what a registered table keeps would refer to nothing
INSERT INTO plain VALUES (1);
SELECT relation FROM softdelete_register('below_plain');
TRUNCATE plain;
TRUNCATE plain CASCADE;
INSERT INTO plain VALUES (1);
INSERT INTO below_plain VALUES (1, 1);
TRUNCATE plain CASCADE;
TRUNCATE plain, below_plain;
DELETE FROM below_plain;
TRUNCATE plain, below_plain;
TRUNCATE below_plain;
-- not even if a trigger makes the row
SET softdelete.enabled = off;
TRUNCATE plain, below_plain;
RESET softdelete.enabled;
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO trunc.plain VALUES (2); INSERT INTO trunc.below_plain VALUES (2, 2); RETURN NULL; END $$;
CREATE TRIGGER fill BEFORE TRUNCATE ON base FOR EACH STATEMENT EXECUTE FUNCTION fill();
TRUNCATE plain, below_plain, base;
DROP TRIGGER fill ON base;
TRUNCATE missing, lone;
INSERT INTO base VALUES (4);
TRUNCATE base, pg_class;
CREATE VIEW look AS SELECT * FROM lone;
TRUNCATE base, look;
SELECT id FROM base;

-- softdelete.enabled = off: real, with what has left the table
CREATE TABLE moved (id int PRIMARY KEY);
SELECT relation FROM softdelete_register('moved');
INSERT INTO moved VALUES (1);
DELETE FROM moved;
INSERT INTO moved VALUES (1);
SELECT count(*) FROM softdelete.image WHERE relation = 'moved'::regclass;
SET softdelete.enabled = off;
TRUNCATE moved RESTART IDENTITY;
RESET softdelete.enabled;
SELECT count(*) FROM softdelete.image WHERE relation = 'moved'::regclass;
SELECT * FROM deleted_rows() WHERE t = 'moved';

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA trunc CASCADE;
DROP ROLE regress_trunc_user;
