-- Tables p, c, g of three levels in a schema of their own, loaded and vacuumed.
--
--   psql -v schema=NAME -v kind=KIND -v parents=N -v children=N -v grandchildren=N
--        -v fillfactor=N -f tables.sql
--
-- children: per parent; grandchildren: per child.  kind: "registered", or "plain"
-- for the same tables not registered.  The columns come last and with the same
-- ALTER TABLE in both kinds, before the rows: so the rows are the same byte by byte.

\set QUIET on
\set ON_ERROR_STOP on
SELECT :'kind' = 'registered' AS registered \gset

CREATE SCHEMA :schema;
SET search_path = :schema, public;

CREATE TABLE p (
    id bigint PRIMARY KEY,
    name text NOT NULL
) WITH (fillfactor = :fillfactor);

CREATE TABLE c (
    id bigint PRIMARY KEY,
    p_id bigint NOT NULL REFERENCES p ON DELETE CASCADE,
    name text NOT NULL
) WITH (fillfactor = :fillfactor);
CREATE INDEX ON c (p_id);

CREATE TABLE g (
    id bigint PRIMARY KEY,
    c_id bigint NOT NULL REFERENCES c ON DELETE CASCADE,
    name text NOT NULL
) WITH (fillfactor = :fillfactor);
CREATE INDEX ON g (c_id);

\if :registered
SELECT count(*) AS registered_tables FROM softdelete_register('p') \gset
\else
ALTER TABLE p ADD active boolean NOT NULL DEFAULT true, ADD deletion_id bigint;
ALTER TABLE c ADD active boolean NOT NULL DEFAULT true, ADD deletion_id bigint;
ALTER TABLE g ADD active boolean NOT NULL DEFAULT true, ADD deletion_id bigint;
\endif

INSERT INTO p (id, name)
SELECT i, 'parent number ' || i
FROM generate_series(1, :parents) i;

INSERT INTO c (id, p_id, name)
SELECT i, (i - 1) / :children + 1, 'child number ' || i
FROM generate_series(1, :parents * :children) i;

INSERT INTO g (id, c_id, name)
SELECT i, (i - 1) / :grandchildren + 1, 'grandchild number ' || i
FROM generate_series(1, :parents * :children * :grandchildren) i;

VACUUM ANALYZE p, c, g;
