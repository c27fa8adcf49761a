/* sql/softdelete--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION softdelete" to load this file. \quit

CREATE SCHEMA softdelete;
COMMENT ON SCHEMA softdelete IS 'log, journal and internals of extension softdelete';
GRANT USAGE ON SCHEMA softdelete TO PUBLIC;

--
-- The log
--

CREATE SEQUENCE softdelete.deletion_id_seq;
COMMENT ON SEQUENCE softdelete.deletion_id_seq IS 'ids of deletions, never used twice';

CREATE TABLE softdelete.deletion (
    id bigint PRIMARY KEY,
    relations regclass[] NOT NULL,
    row_counts bigint[] NOT NULL,
    named integer NOT NULL,
    deleted_at timestamptz NOT NULL,
    transaction_id xid8 NOT NULL,
    deleted_by name NOT NULL,
    session_user_name name NOT NULL,
    actor text,
    application_name text,
    client_addr inet,
    reason text,
    statement text,
    root_keys text[]
);
COMMENT ON TABLE softdelete.deletion IS 'one row for each transaction that deleted, with the counts of its first statement';
COMMENT ON COLUMN softdelete.deletion.id IS 'the deletion, as deletion_id of the deleted rows names it';
COMMENT ON COLUMN softdelete.deletion.relations IS 'tables from which the first statement took rows';
COMMENT ON COLUMN softdelete.deletion.row_counts IS 'how many, in the order of relations';
COMMENT ON COLUMN softdelete.deletion.named IS 'how many of relations the statement named; the others were reached by cascade';
COMMENT ON COLUMN softdelete.deletion.deleted_at IS 'when the first statement had deleted';
COMMENT ON COLUMN softdelete.deletion.transaction_id IS 'the transaction';
COMMENT ON COLUMN softdelete.deletion.deleted_by IS 'role in force';
COMMENT ON COLUMN softdelete.deletion.session_user_name IS 'role that had logged in';
COMMENT ON COLUMN softdelete.deletion.actor IS 'setting softdelete.actor: the person behind the application, as it claims';
COMMENT ON COLUMN softdelete.deletion.application_name IS 'setting application_name';
COMMENT ON COLUMN softdelete.deletion.client_addr IS 'address of the client, null for a Unix-domain socket';
COMMENT ON COLUMN softdelete.deletion.reason IS 'setting softdelete.reason';
COMMENT ON COLUMN softdelete.deletion.statement IS 'the first statement, cut at 1 kB';
COMMENT ON COLUMN softdelete.deletion.root_keys IS 'keys of up to ten rows that the statement took from the first of relations, as softdelete_undelete() takes them; empty without a primary key, null for a statement within another';

CREATE TABLE softdelete.deletion_more (
    deletion_id bigint NOT NULL,
    relations regclass[] NOT NULL,
    row_counts bigint[] NOT NULL,
    named integer NOT NULL,
    statement_no integer NOT NULL,
    root_keys text[],
    again boolean NOT NULL
);
CREATE INDEX ON softdelete.deletion_more (deletion_id);
COMMENT ON TABLE softdelete.deletion_more IS 'counts of the later statements of a transaction that deleted';
COMMENT ON COLUMN softdelete.deletion_more.deletion_id IS 'the deletion';
COMMENT ON COLUMN softdelete.deletion_more.relations IS 'tables from which the statement took rows';
COMMENT ON COLUMN softdelete.deletion_more.row_counts IS 'how many, in the order of relations';
COMMENT ON COLUMN softdelete.deletion_more.named IS 'how many of relations the statement named';

COMMENT ON COLUMN softdelete.deletion_more.statement_no IS 'the order of statements; the first, in softdelete.deletion, is 1';
COMMENT ON COLUMN softdelete.deletion_more.root_keys IS 'as in softdelete.deletion, if the first statement logged was one within this';
COMMENT ON COLUMN softdelete.deletion_more.again IS 'is it of a redo, which deleted again what had been brought back?';

CREATE SEQUENCE softdelete.link_id_seq;
COMMENT ON SEQUENCE softdelete.link_id_seq IS 'ids of journalled references';

CREATE TABLE softdelete.link (
    id bigint PRIMARY KEY,
    deletion_id bigint NOT NULL,
    child regclass NOT NULL,
    constraint_name name NOT NULL,
    set_columns name[] NOT NULL,
    parent regclass NOT NULL,
    parent_key text[] NOT NULL,
    row_columns text[] NOT NULL,
    row_key text[] NOT NULL,
    row_hash integer NOT NULL,
    old_values text[] NOT NULL,
    new_values text[] NOT NULL,
    gone boolean NOT NULL
);
CREATE INDEX ON softdelete.link (deletion_id);
CREATE INDEX link_row ON softdelete.link (child, row_hash);
COMMENT ON TABLE softdelete.link IS 'references that ON DELETE SET NULL or SET DEFAULT overwrote, for undelete to put back';
COMMENT ON COLUMN softdelete.link.id IS 'number of the entry';
COMMENT ON COLUMN softdelete.link.deletion_id IS 'the deletion that overwrote the reference';
COMMENT ON COLUMN softdelete.link.child IS 'the referencing table';
COMMENT ON COLUMN softdelete.link.constraint_name IS 'the foreign key';
COMMENT ON COLUMN softdelete.link.set_columns IS 'the columns that were overwritten';
COMMENT ON COLUMN softdelete.link.parent IS 'the referenced table';
COMMENT ON COLUMN softdelete.link.parent_key IS 'key of the deleted parent, in the order of the foreign key';
COMMENT ON COLUMN softdelete.link.row_columns IS 'names of the columns of row_key';
COMMENT ON COLUMN softdelete.link.row_key IS 'primary key of the row or, without one, its other columns';
COMMENT ON COLUMN softdelete.link.row_hash IS 'a hash of row_key';
COMMENT ON COLUMN softdelete.link.old_values IS 'what was overwritten';
COMMENT ON COLUMN softdelete.link.new_values IS 'what it was overwritten with';
COMMENT ON COLUMN softdelete.link.gone IS 'is the row not in its table any more? Another one may have its key';

CREATE SEQUENCE softdelete.image_id_seq;
COMMENT ON SEQUENCE softdelete.image_id_seq IS 'ids of images of deleted rows';

CREATE TABLE softdelete.image (
    id bigint PRIMARY KEY,
    deletion_id bigint,
    relation regclass NOT NULL,
    columns name[] NOT NULL,
    col_values text[] NOT NULL,
    links bigint[]
);
CREATE INDEX ON softdelete.image (relation, deletion_id);
CREATE INDEX ON softdelete.image (deletion_id);
COMMENT ON TABLE softdelete.image IS 'deleted rows that have left their table, because a new row has taken their key; undelete puts them back';
COMMENT ON COLUMN softdelete.image.id IS 'number of the image';
COMMENT ON COLUMN softdelete.image.deletion_id IS 'the deletion that took the row';
COMMENT ON COLUMN softdelete.image.relation IS 'the table that it was in';
COMMENT ON COLUMN softdelete.image.columns IS 'names of its columns';
COMMENT ON COLUMN softdelete.image.col_values IS 'their values, in the order of columns';
COMMENT ON COLUMN softdelete.image.links IS 'journalled references of the row: ids of softdelete.link';

CREATE SEQUENCE softdelete.event_id_seq;
COMMENT ON SEQUENCE softdelete.event_id_seq IS 'ids of events';

CREATE TABLE softdelete.event (
    id bigint PRIMARY KEY,
    happened_at timestamptz NOT NULL,
    transaction_id xid8 NOT NULL,
    done_by name NOT NULL,
    session_user_name name NOT NULL,
    event text NOT NULL,
    deletion_id bigint,
    relation regclass,
    row_count bigint NOT NULL,
    key_hashes bytea[]
);
CREATE INDEX ON softdelete.event (deletion_id);
CREATE INDEX ON softdelete.event (happened_at) WHERE deletion_id IS NULL;
COMMENT ON TABLE softdelete.event IS 'what happened to deletions and registered tables';
COMMENT ON COLUMN softdelete.event.id IS 'number of the event';
COMMENT ON COLUMN softdelete.event.happened_at IS 'when';
COMMENT ON COLUMN softdelete.event.transaction_id IS 'the transaction';
COMMENT ON COLUMN softdelete.event.done_by IS 'role in force';
COMMENT ON COLUMN softdelete.event.session_user_name IS 'role that had logged in';
COMMENT ON COLUMN softdelete.event.event IS 'register; unregister; undelete; redo; purge; erase; bypass: the first real delete of a transaction, or drop of a table with rows, under softdelete.enabled = off';
COMMENT ON COLUMN softdelete.event.deletion_id IS 'the deletion concerned, if any';
COMMENT ON COLUMN softdelete.event.relation IS 'the table named in the call, or deleted from first, if any';
COMMENT ON COLUMN softdelete.event.row_count IS 'rows of the deletion, or of the table, that were made live, deleted again or, of purge and erase, really deleted';
COMMENT ON COLUMN softdelete.event.key_hashes IS 'of an erase, softdelete.key_hash() of the keys of the rows named';

CREATE TABLE softdelete.secret (
    made_at timestamptz NOT NULL,
    key bytea NOT NULL
);
COMMENT ON TABLE softdelete.secret IS 'what makes hashes of keys unguessable; the oldest counts, so that a restored database has its own';
COMMENT ON COLUMN softdelete.secret.made_at IS 'when the extension was created';
COMMENT ON COLUMN softdelete.secret.key IS 'random bytes';
INSERT INTO softdelete.secret
SELECT pg_catalog.now(), pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(pg_catalog.gen_random_uuid(), pg_catalog.gen_random_uuid(), pg_catalog.gen_random_uuid()), 'UTF8'));

SELECT pg_catalog.pg_extension_config_dump('softdelete.deletion_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.deletion', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.deletion_more', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.link_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.link', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.image_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.image', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.event', '');
SELECT pg_catalog.pg_extension_config_dump('softdelete.secret', '');

CREATE VIEW softdelete.deleted_relation AS
SELECT s.deletion_id, c.relation, c.row_count, c.position <= s.named AS named, s.statement_no, s.again
FROM (SELECT d.id AS deletion_id, d.relations, d.row_counts, d.named, 1 AS statement_no, false AS again
      FROM softdelete.deletion d
      UNION ALL
      SELECT m.deletion_id, m.relations, m.row_counts, m.named, m.statement_no, m.again
      FROM softdelete.deletion_more m) s,
     ROWS FROM (pg_catalog.unnest(s.relations), pg_catalog.unnest(s.row_counts))
         WITH ORDINALITY c (relation, row_count, position);
COMMENT ON VIEW softdelete.deleted_relation IS 'rows that each statement took from each table';
COMMENT ON COLUMN softdelete.deleted_relation.deletion_id IS 'the deletion';
COMMENT ON COLUMN softdelete.deleted_relation.relation IS 'the table';
COMMENT ON COLUMN softdelete.deleted_relation.row_count IS 'rows that one statement took from it';
COMMENT ON COLUMN softdelete.deleted_relation.named IS 'did the statement name the table, or reach it by cascade?';
COMMENT ON COLUMN softdelete.deleted_relation.statement_no IS 'the order of statements; 1 for the first';
COMMENT ON COLUMN softdelete.deleted_relation.again IS 'is it of a redo, which deleted again what had been brought back?';

CREATE VIEW softdelete.deleted_rows AS
SELECT r.deletion_id, r.relation,
       COALESCE(pg_catalog.sum(r.row_count) FILTER (WHERE NOT r.again), pg_catalog.max(r.row_count))::bigint AS row_count
FROM softdelete.deleted_relation r
GROUP BY r.deletion_id, r.relation;
COMMENT ON VIEW softdelete.deleted_rows IS 'rows that each deletion took from each table';
COMMENT ON COLUMN softdelete.deleted_rows.deletion_id IS 'the deletion';
COMMENT ON COLUMN softdelete.deleted_rows.relation IS 'the table';
COMMENT ON COLUMN softdelete.deleted_rows.row_count IS 'rows taken; of a redo only from tables that nothing had been taken from before';

CREATE VIEW softdelete.root AS
SELECT d.id AS deletion_id, d.relations[1] AS relation, d.row_counts[1] AS row_count, d.root_keys AS keys,
       d.named = 1 AND NOT EXISTS (SELECT FROM softdelete.deletion_more m WHERE m.deletion_id = d.id AND NOT m.again) AS alone
FROM softdelete.deletion d
WHERE d.root_keys IS NOT NULL
UNION ALL
SELECT m.deletion_id, m.relations[1], m.row_counts[1], m.root_keys, false
FROM softdelete.deletion_more m
WHERE m.root_keys IS NOT NULL;
COMMENT ON VIEW softdelete.root IS 'the rows with which each deletion began';
COMMENT ON COLUMN softdelete.root.deletion_id IS 'the deletion';
COMMENT ON COLUMN softdelete.root.relation IS 'the table';
COMMENT ON COLUMN softdelete.root.row_count IS 'rows that the first statement took from it';
COMMENT ON COLUMN softdelete.root.keys IS 'keys of up to ten of them; empty without a primary key';
COMMENT ON COLUMN softdelete.root.alone IS 'was this all that the statements of the transaction named?';

CREATE FUNCTION softdelete.rows_left(deletion_id bigint) RETURNS bigint
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'softdelete_rows_left';
COMMENT ON FUNCTION softdelete.rows_left(bigint) IS
'how many rows that a deletion took are still deleted; the tables are read only if the log cannot tell, because of a purge, an erase or real deletes since; null without SELECT on all the tables, and for an unknown deletion';

CREATE FUNCTION softdelete.may_view_deleted() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'softdelete_may_view_deleted';
COMMENT ON FUNCTION softdelete.may_view_deleted() IS
'does softdelete.viewer_role let the current user see deleted rows of tables that he may read?';

CREATE VIEW softdelete.deletions AS
SELECT d.id,
       d.deleted_at,
       d.transaction_id,
       d.deleted_by,
       d.session_user_name,
       d.actor,
       d.application_name,
       CASE WHEN v.may_read THEN d.client_addr END AS client_addr,
       d.reason,
       CASE WHEN v.may_read THEN d.statement ELSE '<insufficient privilege>' END AS statement,
       (SELECT r.relation::text || CASE
                   WHEN r.keys = '{}' OR NOT (v.may_read OR (softdelete.may_view_deleted() AND pg_catalog.has_table_privilege(r.relation, 'SELECT')
                                                             AND NOT pg_catalog.row_security_active(r.relation))) THEN ''
                   ELSE '(' || pg_catalog.array_to_string(r.keys, ', ')
                        || CASE WHEN r.row_count > pg_catalog.cardinality(r.keys) THEN ', ...' ELSE '' END || ')' END
        FROM softdelete.root r WHERE r.deletion_id = d.id) AS root,
       (SELECT pg_catalog.sum(r.row_count)::bigint
        FROM softdelete.deleted_rows r WHERE r.deletion_id = d.id) AS row_count,
       softdelete.rows_left(d.id) AS rows_left,
       (SELECT pg_catalog.jsonb_object_agg(r.relation::text, r.row_count)
        FROM softdelete.deleted_rows r WHERE r.deletion_id = d.id) AS relations,
       COALESCE((SELECT pg_catalog.format('SELECT softdelete_undelete(%L, %L, cascade := true);', r.relation, r.keys[1])
                 FROM softdelete.root r
                 WHERE r.deletion_id = d.id AND r.alone AND r.row_count = 1 AND r.keys <> '{}'
                   AND (v.may_read OR (softdelete.may_view_deleted() AND pg_catalog.has_table_privilege(r.relation, 'SELECT')
                                       AND NOT pg_catalog.row_security_active(r.relation)))),
                pg_catalog.format('SELECT softdelete_undelete_deletion(%s);', d.id)) AS undelete
FROM softdelete.deletion d
     CROSS JOIN LATERAL (
         SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') OR
                EXISTS (SELECT FROM pg_catalog.pg_roles r
                        WHERE r.rolname = d.session_user_name
                          AND pg_catalog.pg_has_role(r.oid, 'USAGE')) AS may_read) v;
COMMENT ON VIEW softdelete.deletions IS 'the deletions: one row for each transaction that deleted';
COMMENT ON COLUMN softdelete.deletions.id IS 'the deletion; softdelete_undelete_deletion() takes it';
COMMENT ON COLUMN softdelete.deletions.deleted_at IS 'when the first statement had deleted';
COMMENT ON COLUMN softdelete.deletions.transaction_id IS 'the transaction';
COMMENT ON COLUMN softdelete.deletions.deleted_by IS 'role in force';
COMMENT ON COLUMN softdelete.deletions.session_user_name IS 'role that had logged in';
COMMENT ON COLUMN softdelete.deletions.actor IS 'setting softdelete.actor: the person behind the application, as it claims';
COMMENT ON COLUMN softdelete.deletions.application_name IS 'setting application_name';
COMMENT ON COLUMN softdelete.deletions.client_addr IS 'address of the client; readable as in pg_stat_activity';
COMMENT ON COLUMN softdelete.deletions.reason IS 'setting softdelete.reason';
COMMENT ON COLUMN softdelete.deletions.statement IS 'the first statement, cut at 1 kB; readable as in pg_stat_activity';
COMMENT ON COLUMN softdelete.deletions.root IS 'the table of the first statement and the keys of up to ten rows that it took from there; keys are readable like the statement, and for who may read all rows of the table';
COMMENT ON COLUMN softdelete.deletions.row_count IS 'rows deleted in all tables';
COMMENT ON COLUMN softdelete.deletions.rows_left IS 'how many of them are still deleted; null without SELECT on all the tables';
COMMENT ON COLUMN softdelete.deletions.relations IS 'rows deleted, by table';
COMMENT ON COLUMN softdelete.deletions.undelete IS 'the command that brings it all back';

CREATE VIEW softdelete.events AS
SELECT e.id, e.happened_at, e.transaction_id, e.done_by, e.session_user_name,
       e.event, e.deletion_id, e.relation, e.row_count, e.key_hashes
FROM softdelete.event e;
COMMENT ON VIEW softdelete.events IS 'what happened to deletions and registered tables';

--
-- Functions
--

CREATE FUNCTION softdelete.deletion_id() RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_deletion_id';
COMMENT ON FUNCTION softdelete.deletion_id() IS
'the id of this transaction''s deletion, drawn on the first call; converted DELETEs use it';

CREATE FUNCTION softdelete.deletion_time() RETURNS timestamptz
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_deletion_time';
COMMENT ON FUNCTION softdelete.deletion_time() IS
'when this transaction''s deletion began; converted DELETEs write it where the flag is a time';

CREATE FUNCTION softdelete.deletion_time(deletion_id bigint) RETURNS timestamptz
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_deletion_time';
COMMENT ON FUNCTION softdelete.deletion_time(bigint) IS
'when a deletion began, now where that is not known; undelete uses it where the flag is a time';

CREATE FUNCTION softdelete.require_live(rel regclass, live boolean, deletion_id bigint) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'softdelete_require_live';
COMMENT ON FUNCTION softdelete.require_live(regclass, boolean, bigint) IS
'true for a live row of rel; error 23505 for a deleted one; INSERT ... ON CONFLICT DO UPDATE uses it';

CREATE FUNCTION softdelete.to_text(value "any") RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'softdelete_to_text';
COMMENT ON FUNCTION softdelete.to_text("any") IS
'the text that the output function of the type of value makes of it; the journal uses it';

CREATE FUNCTION softdelete.from_text(value text, type anyelement) RETURNS anyelement
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'softdelete_from_text';
COMMENT ON FUNCTION softdelete.from_text(text, anyelement) IS
'the value that the input function of the type of the second argument makes of a text; the journal uses it';

CREATE FUNCTION softdelete.softdelete_guard() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'softdelete_guard';
COMMENT ON FUNCTION softdelete.softdelete_guard() IS
'trigger function that makes a table a registered one and refuses real deletes (error 55000); in a logical replication worker, set ENABLE ALWAYS, it keeps the row as a deleted one';

CREATE FUNCTION softdelete.warn_if_not_preloaded() RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_warn_if_not_preloaded';
COMMENT ON FUNCTION softdelete.warn_if_not_preloaded() IS
'warns when the library is in no preload setting';

CREATE FUNCTION softdelete_register(rel regclass, flag name DEFAULT NULL, live_value boolean DEFAULT true,
    cascade boolean DEFAULT true, exclude regclass[] DEFAULT NULL, partial_unique boolean DEFAULT true,
    retention interval DEFAULT NULL, dry_run boolean DEFAULT false)
RETURNS TABLE (relation regclass, flag_column name, note text)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_register';
COMMENT ON FUNCTION softdelete_register(regclass, name, boolean, boolean, regclass[], boolean, interval, boolean) IS
'registers table rel for soft delete, under a flag column that is added or, where flag names one that is there, taken over (boolean NOT NULL, live_value in a live row, or a timestamp, null in a live row); with cascade every table that a DELETE from it reaches over ON DELETE CASCADE, with partial_unique their unique keys made partial over live rows; exclude: tables whose rows may really go with a deleted parent; retention: how long deleted rows are kept by softdelete_purge, null for ever; dry_run: nothing is done, it is only said; returns the tables that it registered, their flag columns and what to know about them. Owner only (42501); refuses views and foreign, temporary, system, extension and single partition tables (42809, 0A000), a column deletion_id of somebody else (42701), and to rebuild the keys of a very large table, and to exclude a registered one (55000; the hint has the commands), a flag that does not fit (42804, 55000); a negative retention and live_value without flag are 22023.';

CREATE FUNCTION softdelete_unregister(rel regclass, deleted_rows text DEFAULT 'refuse')
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_unregister';
COMMENT ON FUNCTION softdelete_unregister(regclass, text) IS
'makes registered table rel an ordinary one again: its unique keys become full, its two columns stay. deleted_rows: what to do with deleted rows, refuse (55000), undelete or purge. Owner only (42501); refuses a partition or an inheritance child alone (0A000), and a table that is not registered (55000).';

CREATE FUNCTION softdelete_undelete(rel regclass, id anyelement,
    cascade boolean DEFAULT false, with_parents boolean DEFAULT false, on_conflict text DEFAULT 'error',
    set jsonb DEFAULT NULL, fire_triggers boolean DEFAULT true)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_undelete';
COMMENT ON FUNCTION softdelete_undelete(regclass, anyelement, boolean, boolean, text, jsonb, boolean) IS
'brings the row of table rel with primary key id back: a value, ROW(...) in key order, JSON object, or an array of these; with cascade also what the same deletion took below it and the references that it overwrote; with_parents also deleted parents; on_conflict skip leaves rows below that have a parent deleted by another deletion or whose unique key is taken, where error refuses; set overrides columns of the row. AFTER INSERT triggers fire unless fire_triggers is false, which is for owners. Returns the rows made live. Needs SELECT and INSERT on rel with their policies, and UPDATE on the columns in set (42501); a deleted parent is 23503, an unknown key P0002, a table without a primary key 55000, an unknown column 42703.';

CREATE FUNCTION softdelete_undelete(rel regclass, id text,
    cascade boolean DEFAULT false, with_parents boolean DEFAULT false, on_conflict text DEFAULT 'error',
    set jsonb DEFAULT NULL, fire_triggers boolean DEFAULT true)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_undelete';
COMMENT ON FUNCTION softdelete_undelete(regclass, text, boolean, boolean, text, jsonb, boolean) IS
'the same with the key as text; a composite key as a JSON object by column name';

CREATE FUNCTION softdelete_undelete_deletion(deletion_id bigint, fire_triggers boolean DEFAULT true)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_undelete_deletion';
COMMENT ON FUNCTION softdelete_undelete_deletion(bigint, boolean) IS
'brings back everything that the deletion took and that is still deleted, and the references that it overwrote; AFTER INSERT triggers fire unless fire_triggers is false, which is for owners. Returns the rows made live. Needs SELECT and INSERT on the tables that its statements named (on all, if one of these is no longer registered), with their policies (42501); a parent deleted by another deletion is 23503, an unknown deletion P0002.';

CREATE FUNCTION softdelete_preview(rel regclass, id anyelement)
RETURNS TABLE (depth int, relation regclass, constraint_name name, action text, row_count bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_preview';
COMMENT ON FUNCTION softdelete_preview(regclass, anyelement) IS
'what a DELETE of the row of rel with this key (a value, ROW(...), or an array of keys) would do, and what would stop it, without doing it: rows by depth, table and foreign key; action is delete, cascade, set null, set default, really deleted (an excluded table), refused: ... or refused at commit: ... Changes and locks nothing; does not know what triggers would do. row_count is null in tables that the caller may not read whole. Needs SELECT on rel (42501); an unknown key is P0002, a table that is not registered or has no primary key 55000.';

CREATE FUNCTION softdelete_preview(rel regclass, id text)
RETURNS TABLE (depth int, relation regclass, constraint_name name, action text, row_count bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_preview';
COMMENT ON FUNCTION softdelete_preview(regclass, text) IS
'the same with the key as text; a composite key as a JSON object by column name';

CREATE FUNCTION softdelete_conflicts(rel regclass, id anyelement, cascade boolean DEFAULT false)
RETURNS TABLE (kind text, relation regclass, key text, constraint_name name, blocking_key text, hint text)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_conflicts';
COMMENT ON FUNCTION softdelete_conflicts(regclass, anyelement, boolean) IS
'everything that would stop softdelete_undelete(rel, id, cascade) now: unique keys taken, deleted parents of other deletions, missing parents, rules, images that cannot be read; no row: nothing. Changes and locks nothing. key and blocking_key are null in tables that the caller may not read whole. Needs SELECT and INSERT on rel (42501); an unknown key is P0002, a table without a primary key 55000.';

CREATE FUNCTION softdelete_conflicts(rel regclass, id text, cascade boolean DEFAULT false)
RETURNS TABLE (kind text, relation regclass, key text, constraint_name name, blocking_key text, hint text)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_conflicts';
COMMENT ON FUNCTION softdelete_conflicts(regclass, text, boolean) IS
'the same with the key as text; a composite key as a JSON object by column name';

CREATE FUNCTION softdelete_conflicts(deletion_id bigint)
RETURNS TABLE (kind text, relation regclass, key text, constraint_name name, blocking_key text, hint text)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_conflicts_deletion';
COMMENT ON FUNCTION softdelete_conflicts(bigint) IS
'everything that would stop softdelete_undelete_deletion(deletion_id) now';

CREATE FUNCTION softdelete_drill(deletion_id bigint)
RETURNS TABLE (relation regclass, expected bigint, restored bigint, ok boolean, elapsed interval)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_drill';
COMMENT ON FUNCTION softdelete_drill(bigint) IS
'proves that a deletion can be undone: brings it back in a subtransaction, without triggers, and takes that back; for each table what should come back, what did, whether they agree, and how long it took. What stands in the way is a WARNING. Needs SELECT and INSERT on the tables that its statements named (42501); an unknown deletion is P0002, a read-only transaction 25006.';

CREATE FUNCTION softdelete_redo_deletion(deletion_id bigint) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_redo_deletion';
COMMENT ON FUNCTION softdelete_redo_deletion(bigint) IS
'takes undeletes back: deletes again, in the same deletion, what was brought back of it and is still live, as a DELETE does. Returns the rows deleted. Needs DELETE and SELECT on the tables that its statements named, and on others where rows no longer hang below those (42501); 23503 where a foreign key refuses, 55006 inside a DELETE, an unknown deletion P0002.';

CREATE FUNCTION softdelete_deleted(tablerow anyelement) RETURNS SETOF anyelement
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_deleted';
COMMENT ON FUNCTION softdelete_deleted(anyelement) IS
'softdelete_deleted(NULL::t): the deleted rows of registered table t, those that the caller may see; in FROM it is planned as the table would be. Needs SELECT on t (42501); another type is 42804, a table that is not registered 55000.';

CREATE FUNCTION softdelete.key_hash(key text[]) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$SELECT sha256(s.key || sha256(s.key || convert_to($1::text, 'UTF8')))
     FROM softdelete.secret s ORDER BY s.made_at LIMIT 1$$;
COMMENT ON FUNCTION softdelete.key_hash(text[]) IS
'a keyed hash of the values of a primary key as text, in its order; softdelete.events has those of erased rows';
REVOKE ALL ON FUNCTION softdelete.key_hash(text[]) FROM PUBLIC;

CREATE FUNCTION softdelete_erase(rel regclass, id anyelement, cascade boolean DEFAULT false)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_erase';
COMMENT ON FUNCTION softdelete_erase(regclass, anyelement, boolean) IS
'really deletes the row of table rel with primary key id, live (its DELETE triggers fire) or deleted, its images and journalled references, and blanks statement and reason of its deletions; with cascade also everything below it over ON DELETE CASCADE. Returns the rows deleted. Owner only (42501); 23503 while something refers to it, an unknown key P0002, a table without a primary key 55000.';

CREATE FUNCTION softdelete_erase(rel regclass, id text, cascade boolean DEFAULT false)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_erase';
COMMENT ON FUNCTION softdelete_erase(regclass, text, boolean) IS
'the same with the key as text; a composite key as a JSON object by column name';

CREATE FUNCTION softdelete_purge(older_than interval DEFAULT NULL, rel regclass DEFAULT NULL,
    max_rows bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_purge';
COMMENT ON FUNCTION softdelete_purge(interval, regclass, bigint) IS
'really deletes rows whose deletion is older than older_than (null: than the retention of their table; nothing where it has none), in rel or in all registered tables of the caller, no more than about max_rows, children first; what any row still refers to stays. Their images and journalled references go too. No trigger fires. Returns the rows deleted. Owner only (42501); a table that is not registered is 55000, a negative argument 22023.';

CREATE PROCEDURE softdelete_purge_batches(older_than interval DEFAULT NULL, rel regclass DEFAULT NULL,
    batch_size integer DEFAULT 10000)
LANGUAGE C
AS 'MODULE_PATHNAME', 'softdelete_purge_batches';
COMMENT ON PROCEDURE softdelete_purge_batches(interval, regclass, integer) IS
'the same, committing after each batch of batch_size rows; in a transaction block 2D000';

--
-- What is registered
--

CREATE VIEW softdelete.tables AS
SELECT c.oid::pg_catalog.regclass AS relation,
       f.attname AS flag_column,
       s.live_rows::bigint AS live_rows,
       s.deleted_rows::bigint AS deleted_rows,
       (SELECT pg_catalog.substr(a.argument, 11)::interval
        FROM pg_catalog.regexp_split_to_table(pg_catalog.encode(g.tgargs, 'escape'), '\\000') a (argument)
        WHERE pg_catalog.starts_with(a.argument, 'retention=')) AS retention
FROM pg_catalog.pg_trigger g
     JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
     JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
          AND p.objid = g.oid AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND p.refobjid = c.oid AND p.refobjsubid > 0
     JOIN pg_catalog.pg_attribute f ON f.attrelid = c.oid AND f.attnum = p.refobjsubid
          AND f.atttypid <> 'pg_catalog.int8'::pg_catalog.regtype
     CROSS JOIN LATERAL (
         SELECT pg_catalog.strpos(pg_catalog.encode(g.tgargs, 'escape'), 'live_value=false') > 0 AS value) d
     CROSS JOIN LATERAL (
         SELECT CASE WHEN pg_catalog.bool_and(l.reltuples IS NULL OR l.deleted IS NOT NULL) THEN pg_catalog.sum(l.reltuples * (1 - l.deleted)) END AS live_rows,
                CASE WHEN pg_catalog.bool_and(l.reltuples IS NULL OR l.deleted IS NOT NULL) THEN pg_catalog.sum(l.reltuples * l.deleted) END AS deleted_rows
         FROM (SELECT NULLIF(r.reltuples, -1) AS reltuples,
                      CASE WHEN r.reltuples = 0 THEN 0
                           ELSE (SELECT CASE WHEN f.atttypid <> 'pg_catalog.bool'::pg_catalog.regtype THEN 1 - x.null_frac
                                             ELSE COALESCE((SELECT t.freq
                                                            FROM ROWS FROM (pg_catalog.unnest(x.most_common_vals::text::text[]),
                                                                            pg_catalog.unnest(x.most_common_freqs)) t (flag, freq)
                                                            WHERE t.flag::boolean = d.value), 0) END
                                 FROM pg_catalog.pg_stats x
                                 WHERE x.schemaname = n.nspname AND x.tablename = r.relname
                                   AND x.attname = f.attname AND NOT x.inherited) END AS deleted
               FROM (SELECT tree.relid FROM pg_catalog.pg_partition_tree(c.oid) tree WHERE tree.isleaf
                     UNION SELECT c.oid WHERE c.relkind <> 'p') leaf
                    JOIN pg_catalog.pg_class r ON r.oid = leaf.relid
                    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace) l) s
WHERE g.tgfoid = 'softdelete.softdelete_guard'::pg_catalog.regproc
  AND NOT c.relispartition;
COMMENT ON VIEW softdelete.tables IS 'the registered tables';
COMMENT ON COLUMN softdelete.tables.relation IS 'the table; partitions are not shown, they follow their root';
COMMENT ON COLUMN softdelete.tables.flag_column IS 'the column that says whether a row is live';
COMMENT ON COLUMN softdelete.tables.live_rows IS 'live rows as estimated by the last ANALYZE; null if there was none, and for who may not read its statistics';
COMMENT ON COLUMN softdelete.tables.deleted_rows IS 'deleted rows as estimated by the last ANALYZE; null if there was none, and for who may not read its statistics';
COMMENT ON COLUMN softdelete.tables.retention IS 'how long softdelete_purge() keeps deleted rows; null for ever';

--
-- What should be looked after
--

CREATE FUNCTION softdelete.preloaded() RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'softdelete_preloaded';
COMMENT ON FUNCTION softdelete.preloaded() IS
'how sessions get the library: shared (shared_preload_libraries), session (session_preload_libraries) or none';

CREATE FUNCTION softdelete.live_sql(rel regclass, alias text DEFAULT NULL) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'softdelete_live_sql';
COMMENT ON FUNCTION softdelete.live_sql(regclass, text) IS
'SQL for "the row is live" in rel, known by an alias; null if rel is not registered';

CREATE FUNCTION softdelete.has_orphans(fkey oid) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_has_orphans';
COMMENT ON FUNCTION softdelete.has_orphans(oid) IS
'does a live row refer to a deleted one by this foreign key (OID in pg_constraint)? null if the caller may not read both tables';

CREATE TABLE softdelete.backup_check (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    dump text NOT NULL,
    ok boolean NOT NULL,
    detail text,
    done_by name NOT NULL
);
COMMENT ON TABLE softdelete.backup_check IS 'backups of this database that scripts/verify-backup has looked at; not dumped: it tells of this database';
COMMENT ON COLUMN softdelete.backup_check.id IS 'number of the check';
COMMENT ON COLUMN softdelete.backup_check.checked_at IS 'when';
COMMENT ON COLUMN softdelete.backup_check.dump IS 'the file';
COMMENT ON COLUMN softdelete.backup_check.ok IS 'did everything come through, and could a deletion be undone?';
COMMENT ON COLUMN softdelete.backup_check.detail IS 'what was found';
COMMENT ON COLUMN softdelete.backup_check.done_by IS 'role that recorded it';

CREATE FUNCTION softdelete.record_backup_check(dump text, ok boolean, detail text) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'INSERT INTO softdelete.backup_check (checked_at, dump, ok, detail, done_by)
    VALUES (clock_timestamp(), dump, ok, detail, session_user)';
COMMENT ON FUNCTION softdelete.record_backup_check(text, boolean, text) IS
'records that a backup of this database has been looked at: its file, whether all came through, and details; scripts/verify-backup calls it. Needs INSERT on softdelete.backup_check (42501).';

CREATE FUNCTION softdelete.last_backup_check() RETURNS TABLE (checked_at timestamptz, ok boolean)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'SELECT c.checked_at, c.ok FROM softdelete.backup_check c ORDER BY c.id DESC LIMIT 1';
COMMENT ON FUNCTION softdelete.last_backup_check() IS
'when a backup was looked at last, and whether all came through; no row: never';

CREATE FUNCTION softdelete_recover(backup_schema name, rel regclass DEFAULT NULL, dry_run boolean DEFAULT true,
    include_purged boolean DEFAULT false)
RETURNS TABLE (relation regclass, missing bigint, unlinked bigint, purged bigint, conflicts bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'softdelete_recover';
COMMENT ON FUNCTION softdelete_recover(name, regclass, boolean, boolean) IS
'takes from a restored backup, whose tables (local or foreign) stand in schema backup_schema, the rows that are missing in rel, or in all tables that are in both (missing), and the references that are null here and not there (unlinked), in the order of foreign keys; rows that were erased, or may have been purged, are left out (purged) unless include_purged, and those whose parent is missing or whose key is taken (conflicts). dry_run: nothing stays but the counts. No trigger fires. Owner of the tables only (42501); an unknown schema is 3F000, a table that is not in the backup 42P01.';

CREATE FUNCTION softdelete_check()
RETURNS TABLE (severity text, object text, problem text, remedy text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $check$
WITH guard AS (                 -- guards, of partitions too
    SELECT g.tgrelid::regclass AS rel, g.tgenabled AS enabled, c.relispartition AS partition,
           encode(g.tgargs, 'escape') AS arguments
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    WHERE g.tgfoid = 'softdelete.softdelete_guard'::regproc AND g.tgname = 'softdelete_guard'
), excluded AS (
    SELECT g.tgrelid AS rel FROM pg_trigger g
    WHERE g.tgfoid = 'softdelete.softdelete_guard'::regproc AND g.tgname = 'softdelete_excluded'
), registered AS (
    SELECT t.relation AS rel, t.flag_column AS flag, t.live_rows, t.deleted_rows, t.retention,
           t.live_rows + t.deleted_rows > 10000 AND t.deleted_rows > t.live_rows AS mostly_deleted,
           EXISTS (SELECT FROM guard g WHERE g.rel = t.relation AND g.arguments LIKE '%partial_unique=false%') AS full_keys
    FROM softdelete.tables t
), fkey AS (                    -- foreign keys to registered tables, as they were declared
    SELECT k.oid, k.conname AS name, k.conrelid::regclass AS child, k.confrelid::regclass AS parent,
           k.confdeltype AS action, k.conkey,
           EXISTS (SELECT FROM guard g WHERE g.rel = k.conrelid) AS child_registered,
           EXISTS (SELECT FROM excluded e WHERE e.rel = k.conrelid) AS child_excluded,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n.n)
            FROM unnest(k.conkey) WITH ORDINALITY n (att, n)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.att) AS columns
    FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conparentid = 0
      AND to_jsonb(k) ->> 'conenforced' IS DISTINCT FROM 'false'     -- from version 18 on
      AND EXISTS (SELECT FROM guard g WHERE g.rel = k.confrelid)
), full_key AS (                -- unique keys that count deleted rows and need not
    SELECT r.rel, i.indexrelid::regclass AS index, i.indpred IS NOT NULL AS partial,
           pg_get_indexdef(i.indexrelid) AS definition, c.relname AS name
    FROM registered r JOIN pg_index i ON i.indrelid = r.rel JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indisunique AND NOT i.indisprimary AND i.indimmediate AND NOT i.indisexclusion
      AND NOT i.indisreplident AND NOT i.indisclustered AND i.indisvalid
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype = 'f')
      AND COALESCE(pg_get_expr(i.indpred, i.indrelid), '') NOT LIKE '%' || quote_ident(r.flag) || '%'
), finding (rank, object, problem, remedy) AS (
    SELECT 1, current_database()::text,
           'the library is not preloaded: sessions see deleted rows, and cannot delete',
           format('ALTER DATABASE %I SET session_preload_libraries = ''softdelete''', current_database())
    WHERE softdelete.preloaded() = 'none'
    UNION ALL
    SELECT 2, current_database()::text,
           'the library comes by session_preload_libraries, which reaches neither walsenders nor background workers, and no session that overrides it',
           'ALTER SYSTEM SET shared_preload_libraries = ' ||
           COALESCE((SELECT string_agg(quote_literal(btrim(l.name, ' "')), ', ' ORDER BY l.n) || ', '
                     FROM unnest(string_to_array(NULLIF(s.setting, ''), ',')) WITH ORDINALITY l (name, n)), '') || '''softdelete'''
    FROM pg_settings s WHERE s.name = 'shared_preload_libraries' AND softdelete.preloaded() = 'session'
    UNION ALL
    SELECT 2, 'setting softdelete.enabled', 'it is off: DELETE, TRUNCATE and DROP are real in this session', 'RESET softdelete.enabled'
    WHERE NOT current_setting('softdelete.enabled')::boolean
    UNION ALL
    SELECT 2, concat_ws(' in ', 'role ' || d.setrole::regrole, 'database ' || b.datname),
           'softdelete.enabled is off there: DELETE, TRUNCATE and DROP are real',
           CASE WHEN d.setrole = 0 THEN format('ALTER DATABASE %I RESET softdelete.enabled', b.datname)
                ELSE format('ALTER ROLE %s%s RESET softdelete.enabled', d.setrole::regrole, ' IN DATABASE ' || quote_ident(b.datname)) END
    FROM (SELECT s.setdatabase, NULLIF(s.setrole, 0) AS role, s.setrole, s.setconfig FROM pg_db_role_setting s) d
         LEFT JOIN pg_database b ON b.oid = d.setdatabase
    WHERE (d.setdatabase = 0 OR b.datname = current_database())
      AND EXISTS (SELECT FROM unnest(d.setconfig) c WHERE c ~* '^softdelete\.enabled=(of|f|n|0)')
    UNION ALL
    SELECT 1, g.rel::text, 'the guard trigger does not fire: a DELETE from a session without the library, or by a foreign key of another table, is real',
           format('ALTER TABLE %s ENABLE TRIGGER softdelete_guard', g.rel)
    FROM guard g WHERE g.enabled IN ('D', 'R')
    UNION ALL
    SELECT 1, p.oid::regclass::text, format('the partition has no guard, though %s is registered: its deleted rows are seen, and a DELETE may be real', r.rel),
           format('SELECT softdelete_register(%L)', r.rel)
    FROM registered r, pg_partition_tree(r.rel) t JOIN pg_class p ON p.oid = t.relid
    WHERE t.relid <> r.rel AND NOT EXISTS (SELECT FROM guard g WHERE g.rel = t.relid)
    UNION ALL
    SELECT 1, c.oid::regclass::text, format('the table has no guard, though %s is registered, from which it inherits: its deleted rows are seen, and a DELETE may be real', g.rel),
           format('SELECT softdelete_register(%L)', g.rel)
    FROM guard g JOIN pg_inherits i ON i.inhparent = g.rel JOIN pg_class c ON c.oid = i.inhrelid
    WHERE NOT c.relispartition AND c.relkind = 'r' AND NOT EXISTS (SELECT FROM guard h WHERE h.rel = c.oid)
    UNION ALL
    SELECT 1, t.tgrelid::regclass::text, format('triggers of foreign key %I from %s to %s do not fire: the foreign key does not act', k.name, k.child, k.parent),
           format('ALTER TABLE %s %s', t.tgrelid::regclass, string_agg(format('ENABLE TRIGGER %I', t.tgname), ', ' ORDER BY t.oid))
    FROM fkey k JOIN pg_trigger t ON t.tgconstraint = k.oid
    WHERE t.tgenabled IN ('D', 'R')
    GROUP BY k.oid, k.name, k.child, k.parent, t.tgrelid
    UNION ALL
    SELECT 1, k.child::text, format('a DELETE from %s that reaches it by foreign key %I is refused: it is not registered', k.parent, k.name),
           format('SELECT softdelete_register(%L)', k.child)
    FROM fkey k
    WHERE k.action = 'c' AND NOT k.child_registered AND NOT k.child_excluded
    UNION ALL
    SELECT 1, k.child::text, format('live rows refer to deleted rows of %s by foreign key %I', k.parent, k.name),
           format('BEGIN; SET LOCAL softdelete.show_deleted = on; SELECT c.* FROM %s c JOIN %s p ON %s WHERE %s AND NOT %s; COMMIT',
                  k.child, k.parent,
                  (SELECT string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND ' ORDER BY n.n)
                   FROM pg_constraint x, ROWS FROM (unnest(x.confkey), unnest(x.conkey)) WITH ORDINALITY n (patt, catt, n)
                        JOIN pg_attribute pa ON pa.attnum = n.patt JOIN pg_attribute ca ON ca.attnum = n.catt
                   WHERE x.oid = k.oid AND pa.attrelid = x.confrelid AND ca.attrelid = x.conrelid),
                  COALESCE(softdelete.live_sql(k.child, 'c'), 'true'), softdelete.live_sql(k.parent, 'p'))
    FROM fkey k WHERE softdelete.has_orphans(k.oid)
    UNION ALL
    SELECT CASE WHEN i.over_live THEN 3 ELSE 2 END, k.child::text,
           CASE WHEN i.over_live THEN format('foreign key %I to %s has an index over live rows only: undelete and purge read the whole table', k.name, k.parent)
                ELSE format('foreign key %I to %s has no index: each cascade reads the whole table', k.name, k.parent) END,
           format('CREATE INDEX %sON %s (%s)', CASE WHEN c.relkind = 'p' THEN '' ELSE 'CONCURRENTLY ' END, k.child, k.columns)
    FROM fkey k JOIN pg_class c ON c.oid = k.child
         CROSS JOIN LATERAL (SELECT COALESCE(bool_or(x.indpred IS NULL), false) AS over_all,
                                    COALESCE(bool_or(pg_get_expr(x.indpred, x.indrelid) = softdelete.live_sql(k.child)), false) AS over_live
                             FROM pg_index x
                             WHERE x.indrelid = k.child AND x.indisvalid
                               AND k.conkey @> (x.indkey::int2[])[0:cardinality(k.conkey) - 1]
                               AND k.conkey <@ (x.indkey::int2[])[0:cardinality(k.conkey) - 1]) i
    WHERE NOT i.over_all
    UNION ALL
    SELECT 2, current_database()::text,
           CASE WHEN b.checked_at IS NULL THEN 'no backup has been proven to bring deleted rows back'
                WHEN NOT b.ok THEN 'the backup that was looked at last did not come through'
                ELSE format('no backup has been proven since %s', b.checked_at::date) END,
           'scripts/verify-backup DUMP'
    FROM (SELECT) x LEFT JOIN softdelete.last_backup_check() b ON true
    WHERE EXISTS (SELECT FROM registered) AND (b.checked_at IS NULL OR NOT b.ok OR b.checked_at < now() - interval '31 days')
    UNION ALL
    SELECT 3, r.rel::text, format('%s of about %s rows are deleted: indexes over live rows alone are smaller', r.deleted_rows, r.live_rows + r.deleted_rows),
           format('CREATE INDEX %s%s WHERE %s',
                  CASE WHEN c.relkind = 'p' THEN '' ELSE 'CONCURRENTLY ' END,
                  substr(pg_get_indexdef(i.indexrelid), strpos(pg_get_indexdef(i.indexrelid), ' ON ') + 1), softdelete.live_sql(r.rel))
    FROM registered r JOIN pg_class c ON c.oid = r.rel JOIN pg_index i ON i.indrelid = r.rel
    WHERE r.mostly_deleted AND i.indisvalid AND i.indpred IS NULL AND NOT i.indisunique
      AND NOT EXISTS (SELECT FROM pg_index l WHERE l.indrelid = r.rel AND l.indpred IS NOT NULL AND l.indkey = i.indkey)
    UNION ALL
    SELECT 3, r.rel::text, 'deleted rows are kept for ever', format('SELECT softdelete_register(%L, retention := ''1 year'')', r.rel)
    FROM registered r WHERE r.retention IS NULL
    UNION ALL
    SELECT 3, k.rel::text, format('unique key %s counts deleted rows', k.index),
           format('CREATE UNIQUE INDEX CONCURRENTLY %I %s%s%s; SELECT softdelete_register(%L)', left(k.name, 57) || '_live',
                  substr(k.definition, strpos(k.definition, ' ON ') + 1),
                  CASE WHEN k.partial THEN ' AND ' ELSE ' WHERE ' END, softdelete.live_sql(k.rel), k.rel)
    FROM full_key k JOIN pg_class c ON c.oid = k.rel WHERE c.relkind = 'r'
    UNION ALL
    SELECT 3, format('column %I of %s', a.attname, r.rel), format('it looks like a reference to %s, but there is no foreign key: nothing follows it', p.rel),
           format('ALTER TABLE %s ADD FOREIGN KEY (%I) REFERENCES %s', r.rel, a.attname, p.rel)
    FROM registered r JOIN pg_attribute a ON a.attrelid = r.rel AND a.attnum > 0 AND NOT a.attisdropped AND a.attname ~ '_id$' AND a.attname <> 'deletion_id'
         JOIN LATERAL (SELECT c.oid::regclass AS rel FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1
                            JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.indkey[0] AND k.atttypid = a.atttypid
                       WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
                         AND c.relnamespace = (SELECT x.relnamespace FROM pg_class x WHERE x.oid = r.rel)
                         AND c.relname IN (left(a.attname, -3), left(a.attname, -3) || 's', left(a.attname, -3) || 'es',
                                           regexp_replace(left(a.attname, -3), 'y$', 'ies'))
                       ORDER BY 1 LIMIT 1) p ON true
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = r.rel AND k.contype = 'f' AND a.attnum = ANY (k.conkey))
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.rel AND i.indisprimary AND i.indkey::text = a.attnum::text)
    UNION ALL
    SELECT 3, c.oid::regclass::text, 'it has columns of softdelete but is not registered: rows that were deleted are seen again',
           format('SELECT softdelete_register(%L)', c.oid::regclass)
    FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
    WHERE d.classoid = 'pg_class'::regclass AND d.description = 'softdelete: the deletion that took the row last'
      AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT EXISTS (SELECT FROM guard g WHERE g.rel = c.oid)
)
SELECT CASE f.rank WHEN 1 THEN 'error' WHEN 2 THEN 'warning' ELSE 'info' END, f.object, f.problem, f.remedy
FROM finding f ORDER BY f.rank, f.object COLLATE "C", f.problem COLLATE "C"
$check$;
COMMENT ON FUNCTION softdelete_check() IS
'what should be looked after: severity (error: rows are refused, lost or shown that should not be; warning; info), object, problem, and remedy: the command to run. Without error and warning all is well. Reads the tables that the caller may read whole.';

REVOKE ALL ON ALL TABLES IN SCHEMA softdelete FROM PUBLIC;
GRANT SELECT ON softdelete.deletions, softdelete.events, softdelete.tables TO PUBLIC;
GRANT SELECT (id, checked_at, ok) ON softdelete.backup_check TO PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA softdelete FROM PUBLIC;

SELECT softdelete.warn_if_not_preloaded();
