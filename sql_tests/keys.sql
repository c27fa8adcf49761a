-- naming rows: value, text, ROW, JSON, arrays; and what does not fit
CREATE SCHEMA keys;
SET search_path = keys, public;

CREATE TABLE i (id bigint PRIMARY KEY);
CREATE TABLE t (id text PRIMARY KEY);
CREATE TABLE d (id date PRIMARY KEY);
CREATE TABLE u (id uuid PRIMARY KEY);
CREATE DOMAIN code AS varchar(8) CHECK (VALUE <> '');
CREATE TABLE m (id code PRIMARY KEY);
CREATE TABLE ar (id int[] PRIMARY KEY);
CREATE TABLE j (id jsonb PRIMARY KEY);
CREATE TABLE two (b text, "A b" int, PRIMARY KEY ("A b", b));
CREATE TABLE nokey (x int);
INSERT INTO i SELECT g FROM generate_series(1, 9) g;
INSERT INTO t VALUES ('x'), ('{"a": 1}'), ('');
INSERT INTO d VALUES ('2020-01-02');
INSERT INTO u VALUES ('00000000-0000-0000-0000-000000000001');
INSERT INTO m VALUES ('abc');
INSERT INTO ar VALUES ('{1,2}'), ('{3}');
INSERT INTO j VALUES ('{"a": 1}'), ('[1]');
INSERT INTO two VALUES ('x', 1), ('y', 1), ('x', 2), ('it''s', 3);
INSERT INTO nokey VALUES (1);
SELECT relation FROM (VALUES ('i'), ('t'), ('d'), ('u'), ('m'), ('ar'), ('j'), ('two'), ('nokey')) v(n), softdelete_register(n::regclass);
DELETE FROM i; DELETE FROM t; DELETE FROM d; DELETE FROM u; DELETE FROM m; DELETE FROM ar; DELETE FROM j; DELETE FROM two; DELETE FROM nokey;

SELECT softdelete_undelete('i', 1), softdelete_undelete('i', 2::bigint), softdelete_undelete('i', '3'), softdelete_undelete('i', 4::smallint), softdelete_undelete('i', 5.0::numeric(2, 0));
SELECT softdelete_undelete('i', ARRAY[6, 7]), softdelete_undelete('i', ARRAY['8', '9']);
SELECT softdelete_undelete('t', 'x'), softdelete_undelete('t', '{"a": 1}'), softdelete_undelete('t', ''::varchar);
SELECT softdelete_undelete('d', '2020-01-02'::date);
SELECT softdelete_undelete('u', '00000000-0000-0000-0000-000000000001');
SELECT softdelete_undelete('m', 'abc'::code);
SELECT softdelete_undelete('ar', ARRAY[1, 2]), softdelete_undelete('ar', '{3}');
SELECT softdelete_undelete('j', '{"a": 1}'::jsonb), softdelete_undelete('j', '[1]');
SELECT softdelete_undelete('two', ROW(1, 'x')), softdelete_undelete('two', '{"A b": 1, "b": "y"}'), softdelete_undelete('two', '{"b": "x", "A b": "2"}'::json), softdelete_undelete('two', '{"b": "it''s", "A b": 3}'::jsonb);
SELECT (SELECT count(*) FROM i) AS i, (SELECT count(*) FROM t) AS t, (SELECT count(*) FROM two) AS two;
PREPARE param(text) AS SELECT softdelete_undelete('i', $1);
EXECUTE param('1');

-- what does not fit
SELECT softdelete_undelete('i', 'abc');
SELECT softdelete_undelete('i', 5.5);
SELECT softdelete_undelete('i', ROW(1, 2));
SELECT softdelete_undelete('i', 99);
SELECT softdelete_undelete('i', ARRAY[1, 99]);
SELECT softdelete_undelete('i', NULL);
SELECT softdelete_undelete('i', NULL::int);
SELECT softdelete_undelete('i', ARRAY[1, NULL]);
SELECT softdelete_undelete('i', ARRAY[]::int[]);
SELECT softdelete_undelete(NULL, 1);
SELECT softdelete_undelete('two', 1);
SELECT softdelete_undelete('two', 'x');
SELECT softdelete_undelete('two', ROW(1, NULL::text));
SELECT softdelete_undelete('two', '{"A b": 1}');
SELECT softdelete_undelete('two', '{"A b": 1, "c": 2}');
SELECT softdelete_undelete('two', '{"A b": 1, "b": null}');
SELECT softdelete_undelete('two', '{"A b": 1, ');
SELECT softdelete_undelete('two', '[1, 2]'::jsonb);
SELECT softdelete_undelete('nokey', 1);
SELECT softdelete_undelete('pg_class', 1);
SELECT softdelete_undelete(0, 1);
SELECT softdelete_undelete_deletion(NULL);
SELECT softdelete_undelete_deletion(-1);
-- the keyless table comes back by its deletion
SELECT softdelete_undelete_deletion(max(id)) FROM softdelete.deletions;
SELECT x, active FROM nokey;

SET client_min_messages = warning;
SET softdelete.enabled = off;
DROP SCHEMA keys CASCADE;
