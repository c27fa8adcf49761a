-- softdelete_graph(): the foreign-key graph of registered tables and their neighbours, for Graphviz.
SET client_min_messages = error;
CREATE SCHEMA "Graph";
SET search_path = "Graph", public;
\pset format unaligned
\pset tuples_only on
CREATE VIEW lines AS SELECT line FROM unnest(string_to_array(softdelete_graph(), E'\n')) line WHERE line ~ 'Graph';

-- nothing is registered: a graph without nodes
SELECT * FROM lines;
SELECT softdelete_graph() LIKE E'digraph softdelete {\n%}\n';

-- each kind of table and of foreign key
CREATE TABLE company (id int PRIMARY KEY, part_of int REFERENCES company ON DELETE CASCADE);
CREATE TABLE team (id int PRIMARY KEY, company_id int REFERENCES company ON DELETE CASCADE, lead int);
CREATE TABLE person (id int PRIMARY KEY, team_id int REFERENCES team ON DELETE CASCADE);
ALTER TABLE team ADD FOREIGN KEY (lead) REFERENCES person ON DELETE SET NULL;
CREATE TABLE session (id int PRIMARY KEY, person_id int REFERENCES person ON DELETE CASCADE);
CREATE TABLE invoice (id int PRIMARY KEY, company_id int REFERENCES company, person_id int DEFAULT 0 REFERENCES person ON DELETE SET DEFAULT);
CREATE TABLE contract (company_id int REFERENCES company ON DELETE RESTRICT);
CREATE TABLE country (id int PRIMARY KEY);
ALTER TABLE company ADD country_id int REFERENCES country ON DELETE CASCADE;
CREATE TABLE far_away (id int PRIMARY KEY, invoice_id int REFERENCES invoice ON DELETE CASCADE);
CREATE TABLE alone (id int PRIMARY KEY);
SELECT count(*) FROM softdelete_register('company', exclude := '{session}');
SELECT count(*) FROM softdelete_register('alone');
SELECT * FROM lines;

-- not covered: ON DELETE CASCADE to a table that is not registered
CREATE TABLE note (id int PRIMARY KEY, person_id int REFERENCES person ON DELETE CASCADE);
SELECT softdelete_unregister('note');
SELECT * FROM lines WHERE line ~ 'note';
SELECT count(*) FROM softdelete_register('note');
SELECT * FROM lines WHERE line ~ 'note';

-- partitions stand for their root, in either role
CREATE TABLE event (id int, day int, team_id int REFERENCES team ON DELETE CASCADE, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);
ALTER TABLE event_2 ADD CONSTRAINT one_partition FOREIGN KEY (team_id) REFERENCES team ON DELETE SET NULL;
CREATE TABLE guest (id int PRIMARY KEY, event_id int, day int, FOREIGN KEY (event_id, day) REFERENCES event ON DELETE CASCADE);
SELECT count(*) FROM softdelete_register('company');
SELECT * FROM lines WHERE line ~ 'event|guest';

-- names are quoted for SQL and for Graphviz
CREATE TABLE "a\b ""c"" & <d>
e" (id int PRIMARY KEY);
CREATE TABLE plain (id int CONSTRAINT "f\g ""h"" & <i>
j" REFERENCES "a\b ""c"" & <d>
e" ON DELETE CASCADE);
SELECT count(*) FROM softdelete_register(E'"a\\b ""c"" & <d>\ne"');
SELECT * FROM lines WHERE line ~ '<';

-- anybody may ask, whatever his search_path
CREATE ROLE regress_looker;
SET ROLE regress_looker;
SET search_path = public;
SELECT count(*) > 20 FROM unnest(string_to_array(softdelete_graph(), E'\n')) line WHERE line ~ 'Graph';
RESET ROLE;

SET softdelete.enabled = off;
DROP SCHEMA "Graph" CASCADE;
DROP ROLE regress_looker;
