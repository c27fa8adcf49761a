-- softdelete_report(): one HTML page; well-formed, escaped, complete, and for anybody.
SET client_min_messages = error;
CREATE SCHEMA "Report";
SET search_path = "Report", public;
\pset format unaligned
\pset tuples_only on
-- where the server has no libxml, the page is not looked at
CREATE FUNCTION well_formed(page text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM xmlparse(document page);
    RETURN true;
EXCEPTION WHEN feature_not_supported THEN
    RETURN true;
END $$;
CREATE FUNCTION times(page text, what text) RETURNS int LANGUAGE sql AS
'SELECT (length(page) - length(replace(page, what, ''''))) / length(what)';
-- what a section says, without markup
CREATE FUNCTION section(page text, id text) RETURNS text LANGUAGE sql AS
$$SELECT btrim(regexp_replace(regexp_replace(substr(page, strpos(page, '<section id="' || id || '"')), '</section>.*', ''), '<[^>]*>', ' ', 'g'))$$;

-- the parts are there, even when there is nothing to say
CREATE TEMP TABLE page AS SELECT softdelete_report() AS page;
SELECT well_formed(page), page LIKE E'<!DOCTYPE html>\n<html lang="en">%</html>\n' FROM page;
SELECT m[1] FROM page, regexp_matches(page, '<h2[^>]*>([^<]*)', 'g') m WHERE m[1] <> 'Foreign keys as a list';
SELECT strpos(page, current_database()) > 0, strpos(page, 'As of ' || to_char(current_date, 'YYYY-MM-DD')) > 0 FROM page;
-- nothing is fetched from anywhere, and no script runs but ours
SELECT count(*) FROM page, regexp_matches(page, '(https?:|src=|@import|url\([^#])', 'g');
SELECT times(page, '<script') FROM page;
SELECT strpos(page, 'script-src ''sha256-' || encode(sha256(convert_to(substring(page FROM '<script>(.*)</script>'), 'UTF8')), 'base64') || '''') > 0 FROM page;

-- tables, keys, and what is not covered
CREATE TABLE customers (id text PRIMARY KEY, email text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id text REFERENCES customers ON DELETE CASCADE);
CREATE TABLE notes (id int PRIMARY KEY, customer_id text REFERENCES customers ON DELETE SET NULL);
CREATE TABLE circle_a (id int PRIMARY KEY, b int, self int REFERENCES circle_a ON DELETE CASCADE);
CREATE TABLE circle_b (id int PRIMARY KEY, a int REFERENCES circle_a ON DELETE CASCADE);
ALTER TABLE circle_a ADD FOREIGN KEY (b) REFERENCES circle_b ON DELETE CASCADE;
CREATE INDEX ON orders (customer_id);
SELECT count(*) FROM softdelete_register('customers', retention := '90 days');
SELECT count(*) FROM softdelete_register('circle_a');
CREATE TABLE sessions (id int PRIMARY KEY, customer_id text REFERENCES customers ON DELETE CASCADE);
SELECT softdelete_unregister('sessions');
SELECT well_formed(softdelete_report());
SELECT regexp_matches(softdelete_report(), '<tr><th scope="row"><span class="schema">("?Report"?|&quot;Report&quot;).</span><span class="name">([^<]*)</span></th><td><span class="badge ([a-z]*)">', 'g');
SELECT regexp_matches(softdelete_report(), '<g class="node ([a-z]*)"[^>]*><title>&quot;Report&quot;.([a-z_]*): ', 'g');
SELECT m FROM regexp_matches(softdelete_report(), '<g class="edge ([a-z]*)"[^>]*><title>([^<]*)</title>', 'g') m WHERE m[2] ~ 'Report';
SELECT strpos(softdelete_report(), 'SELECT softdelete_register(&#39;&quot;Report&quot;.sessions&#39;)') > 0;

-- no table is drawn over another, and none outside the drawing
WITH box AS (
    SELECT b.no, b.m[1]::int AS x, b.m[2]::int AS y, b.m[3]::int AS w, b.m[4]::int AS h
    FROM regexp_matches(softdelete.graph_svg(), '<rect class="box" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', 'g') WITH ORDINALITY b (m, no)
)
SELECT count(*) > 5, count(*) FILTER (WHERE EXISTS (SELECT FROM box o WHERE o.no <> b.no AND box(point(o.x, o.y), point(o.x + o.w, o.y + o.h))
                                                                             && box(point(b.x, b.y), point(b.x + b.w, b.y + b.h)))),
       bool_and(b.x + b.w < s.m[1]::int AND b.y + b.h < s.m[2]::int)
FROM box b, regexp_matches(softdelete.graph_svg(), 'viewBox="0 0 (\d+) (\d+)"') s (m);

-- the recycle bin: who, why, what, and the command
INSERT INTO customers VALUES ('ada', 'ada@x'), ('bob', 'bob@x');
INSERT INTO orders VALUES (1, 'ada'), (2, 'ada');
SET softdelete.actor = 'Ada of support';
SET softdelete.reason = 'she asked for it';
DELETE FROM customers WHERE id = 'ada';
-- the first row, without id and time
CREATE FUNCTION bin() RETURNS text LANGUAGE sql AS
$$SELECT regexp_replace(regexp_replace(regexp_replace(substring(substr(page, strpos(page, '<section id="bin"')), '<tbody>\n(.*?)</tr>'),
                                       '</td><td[^>]*>', ' | ', 'g'), '<[^>]*>', ' ', 'g'), '^.*?\| [-0-9]{10} [:0-9]{8} \|', '')
  FROM softdelete_report() page$$;
SELECT btrim(replace(bin(), current_user, 'USER'));
SELECT section(softdelete_report(), 'days') ~ ('on the busiest day.*' || to_char(current_date, 'YYYY-MM-DD') || ': [1-9]');
SELECT count(softdelete_undelete('customers', 'ada', cascade := true));
SELECT btrim(replace(bin(), current_user, 'USER'));

-- whatever is written anywhere is text, not markup
SET softdelete.actor = '<script>alert("actor")</script>';
SET softdelete.reason = $$"'><img src=x onerror=alert(1)>&lt;
]]> next line$$;
CREATE TABLE "<script>alert('&')</script>" (id int PRIMARY KEY, "</svg>" int, "b""></title><script>" text UNIQUE);
ALTER TABLE "<script>alert('&')</script>" ADD CONSTRAINT "</title></svg><script>" FOREIGN KEY ("</svg>") REFERENCES "<script>alert('&')</script>" ON DELETE CASCADE;
SELECT count(*) FROM softdelete_register($$"<script>alert('&')</script>"$$, flag := '<b>', partial_unique := false);
INSERT INTO "<script>alert('&')</script>" VALUES (1);
DELETE /* </code><script> */ FROM "<script>alert('&')</script>" WHERE '<script>' <> E'\x01]]>';
INSERT INTO customers VALUES ('<script>"key"&');
DELETE FROM customers WHERE id LIKE '<%';
TRUNCATE page;
INSERT INTO page SELECT softdelete_report();
SELECT well_formed(page), times(page, '<script'), times(page, '</script'), times(page, '<img'), times(page, '</svg>') = times(page, '<svg ') FROM page;
SELECT times(page, '&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;') > 9, strpos(page, '<b>&lt;script&gt;alert(&quot;actor&quot;)&lt;/script&gt;</b>') > 0,
       strpos(page, '&quot;&#39;&gt;&lt;img src=x onerror=alert(1)&gt;&amp;lt;') > 0 FROM page;
SELECT softdelete.html(E'<a href="x">\'&amp;\x01\x1f\n'), softdelete.html('') = '', softdelete.html(NULL) IS NULL;

-- the caller sees no more than he may
RESET softdelete.actor;
RESET softdelete.reason;
INSERT INTO customers VALUES ('the secret key');
DELETE FROM customers WHERE id = 'the secret key';
ANALYZE orders;
SELECT live_rows, deleted_rows FROM softdelete.tables WHERE relation = 'orders'::regclass;
CREATE ROLE regress_looker;
SELECT times(softdelete_report(), 'the secret key');
GRANT USAGE ON SCHEMA "Report" TO regress_looker;
SET ROLE regress_looker;
SELECT well_formed(softdelete_report()), times(softdelete_report(), 'the secret key'), strpos(softdelete_report(), 'seen by regress_looker') > 0;
SELECT btrim(regexp_replace(replace(bin(), session_user, 'USER'), '[0-9]+\)', 'ID)'));
SELECT live_rows, deleted_rows FROM softdelete.tables WHERE relation = 'orders'::regclass;
SELECT strpos(section(softdelete_report(), 'tables'), '?') > 0, strpos(softdelete_report(), 'orders: rows not known') > 0;
BEGIN READ ONLY;
SELECT well_formed(softdelete_report());
COMMIT;
RESET ROLE;

SET softdelete.enabled = off;
DROP SCHEMA "Report" CASCADE;
DROP ROLE regress_looker;
-- the log names tables that are gone
RESET softdelete.enabled;
SELECT softdelete_report() LIKE '%</html>%';
