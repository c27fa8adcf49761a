/* sql/softdelete--1.0--1.1.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION softdelete UPDATE TO '1.1'" to load this file. \quit

--
-- What can be looked at
--

CREATE FUNCTION softdelete.graph_keys()
RETURNS TABLE (parent regclass, child regclass, constraint_name name, action text, state text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $keys$
WITH registered AS (
    SELECT DISTINCT COALESCE(pg_partition_root(g.tgrelid), g.tgrelid)::oid AS rel FROM pg_trigger g
    WHERE g.tgfoid = 'softdelete.softdelete_guard'::regproc AND g.tgname = 'softdelete_guard'
), excluded AS (
    SELECT DISTINCT COALESCE(pg_partition_root(g.tgrelid), g.tgrelid)::oid AS rel FROM pg_trigger g
    WHERE g.tgfoid = 'softdelete.softdelete_guard'::regproc AND g.tgname = 'softdelete_excluded'
), fkey AS (                    -- as they were declared; a partition's stand for its root
    SELECT k.conname, k.confdeltype, COALESCE(pg_partition_root(k.confrelid), k.confrelid)::oid AS parent,
           COALESCE(pg_partition_root(k.conrelid), k.conrelid)::oid AS child
    FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conparentid = 0 AND COALESCE(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
)
SELECT k.parent::regclass, k.child::regclass, k.conname,
       CASE k.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default'
                          WHEN 'r' THEN 'restrict' ELSE 'no action' END,
       CASE WHEN p.rel IS NULL THEN 'outside'
            WHEN k.confdeltype IN ('n', 'd') THEN 'unlink'
            WHEN k.confdeltype <> 'c' THEN 'refuse'
            WHEN c.rel IS NOT NULL THEN 'cascade'
            WHEN x.rel IS NOT NULL THEN 'excluded'
            ELSE 'uncovered' END
FROM fkey k LEFT JOIN registered p ON p.rel = k.parent LEFT JOIN registered c ON c.rel = k.child
     LEFT JOIN excluded x ON x.rel = k.child
WHERE p.rel IS NOT NULL OR c.rel IS NOT NULL
ORDER BY k.parent::regclass::text COLLATE "C", k.child::regclass::text COLLATE "C", k.conname COLLATE "C"
$keys$;
COMMENT ON FUNCTION softdelete.graph_keys() IS
'foreign keys of which one side is registered, and what becomes of a DELETE in the parent: cascade (goes with it), excluded (really goes), uncovered (refused: ON DELETE CASCADE, not registered), unlink (reference journalled), refuse; outside: the parent is not registered';

CREATE FUNCTION softdelete.graph_tables()
RETURNS TABLE (relation regclass, state text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $tables$
SELECT t.rel::regclass,
       (ARRAY['registered', 'excluded', 'uncovered', 'neighbour'])[min(t.rank)]
FROM (SELECT COALESCE(pg_partition_root(g.tgrelid), g.tgrelid)::oid AS rel,
             CASE g.tgname WHEN 'softdelete_guard' THEN 1 ELSE 2 END AS rank
      FROM pg_trigger g
      WHERE g.tgfoid = 'softdelete.softdelete_guard'::regproc AND g.tgname IN ('softdelete_guard', 'softdelete_excluded')
      UNION ALL
      SELECT k.child::oid, CASE k.state WHEN 'uncovered' THEN 3 ELSE 4 END FROM softdelete.graph_keys() k
      UNION ALL
      SELECT k.parent::oid, 4 FROM softdelete.graph_keys() k) t
GROUP BY t.rel
ORDER BY t.rel::regclass::text COLLATE "C"
$tables$;
COMMENT ON FUNCTION softdelete.graph_tables() IS
'registered tables and those that a foreign key connects to one: registered, excluded, uncovered (a cascade would reach it and is refused) or neighbour';

CREATE FUNCTION softdelete_graph() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $graph$
WITH quoted AS (                -- & begins an entity in a label
    SELECT t.relation, t.state,
           '"' || replace(replace(replace(t.relation::text, '\', '\\'), '"', '\"'), E'\n', '\n') || '"' AS id
    FROM softdelete.graph_tables() t
)
SELECT concat_ws(E'\n',
    'digraph softdelete {',
    '    graph [rankdir=LR, nodesep=0.25, ranksep=1.2, fontname="sans-serif"];',
    '    node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11];',
    '    edge [fontname="sans-serif", fontsize=9];',
    (SELECT string_agg(format('    %s [label=%s, %s];', q.id,
                              replace(left(q.id, -1), '&', '&amp;') ||
                              CASE q.state WHEN 'excluded' THEN '\nexcluded' WHEN 'uncovered' THEN '\nNOT COVERED'
                                           WHEN 'neighbour' THEN '\nnot registered' ELSE '' END || '"',
                              CASE q.state WHEN 'registered' THEN 'color="#2e7d4f", fillcolor="#dff2e6"'
                                           WHEN 'excluded' THEN 'color="#9a6700", fillcolor="#fff1cc"'
                                           WHEN 'uncovered' THEN 'color="#c62828", fillcolor="#fbdada", penwidth=3'
                                           ELSE 'color="#6b7280", fillcolor="#f1f3f5"' END),
                       E'\n' ORDER BY q.relation::text COLLATE "C")
     FROM quoted q),
    (SELECT string_agg(format('    %s -> %s [label=%s, %s];', p.id, c.id,
                              '"' || replace(replace(replace(replace(k.constraint_name, '\', '\\'), '"', '\"'), E'\n', '\n'), '&', '&amp;') ||
                              '\non delete ' || k.action || '"',
                              CASE k.state WHEN 'cascade' THEN 'color="#2e7d4f"'
                                           WHEN 'excluded' THEN 'color="#9a6700", style=dashed'
                                           WHEN 'uncovered' THEN 'color="#c62828", fontcolor="#c62828", penwidth=3'
                                           WHEN 'unlink' THEN 'color="#1f5fa8", style=dotted'
                                           WHEN 'refuse' THEN 'color="#6b7280", arrowhead=tee'
                                           ELSE 'color="#9ca3af", style=dashed' END),
                       E'\n' ORDER BY p.relation::text COLLATE "C", c.relation::text COLLATE "C", k.constraint_name COLLATE "C")
     FROM softdelete.graph_keys() k JOIN quoted p ON p.relation = k.parent JOIN quoted c ON c.relation = k.child),
    '}') || E'\n'
$graph$;
COMMENT ON FUNCTION softdelete_graph() IS
'the foreign-key graph of registered tables and their neighbours, for Graphviz (DOT): an edge leads from the parent to the child, the way that a DELETE goes, and names the constraint and its action; green is covered, yellow excluded, red not covered (ON DELETE CASCADE to a table that is not registered)';

CREATE FUNCTION softdelete.html(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$SELECT replace(replace(replace(replace(replace(regexp_replace(value, '[\x01-\x08\x0b\x0c\x0e-\x1f]', '?', 'g'),
            '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')$$;
COMMENT ON FUNCTION softdelete.html(text) IS
'a text for HTML, SVG and their attributes; control characters, which XML cannot have, become question marks';

CREATE FUNCTION softdelete.html_count(value bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$SELECT COALESCE(to_char(value, 'FM999,999,999,999,999,999,990'), '?')$$;
COMMENT ON FUNCTION softdelete.html_count(bigint) IS
'a number of rows for people; a question mark where it is null';

CREATE FUNCTION softdelete.html_name(rel regclass) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$SELECT COALESCE((SELECT '<span class="schema">' || softdelete.html(quote_ident(n.nspname)) || '.</span><span class="name">' ||
                             softdelete.html(quote_ident(c.relname)) || '</span>'
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = rel),
                     softdelete.html(rel::text))$$;
COMMENT ON FUNCTION softdelete.html_name(regclass) IS
'name of a table as HTML, its schema less prominent';

CREATE FUNCTION softdelete.graph_svg() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $svg$
-- Layers from left to right by longest path, cascades before other keys where there are circles; a key that spans several
-- layers gets a waypoint in each one between. Order within a layer by barycentre of the neighbours, then places by the same.
DECLARE
    node_height CONSTANT float8 := 46;
    n int;                      -- tables; items are tables, then waypoints
    n_edges int;
    n_items int;
    names text[]; labels text[]; subs text[]; states text[];
    e_from int[]; e_to int[]; e_state text[]; e_title text[];
    e_a int[]; e_b int[]; e_reversed boolean[];     -- the same from left to right
    in_all int[]; in_cascade int[]; out_all int[]; out_cascade int[];
    linked boolean[]; done boolean[]; layer int[]; source boolean[]; looped boolean[];
    seg_a int[] := '{}'; seg_b int[] := '{}'; seg_edge int[] := '{}';
    port_a float8[]; port_b float8[];
    pos float8[]; y float8[]; size float8[]; wish float8[]; down float8[]; up float8[];
    items int[];
    x float8[] := '{}'; widths float8[] := '{}';
    n_layers int := 0; best int; score float8; best_score float8; previous int; sweep int; l int; i int; j int; k int; e int;
    forward boolean; width float8; height float8; far float8; top float8; col float8; row_no int;
    path text[]; edges_svg text := ''; nodes_svg text := ''; cx float8; what text;
BEGIN
    SELECT count(*)::int, array_agg(t.relation::text ORDER BY t.no), array_agg(s.label ORDER BY t.no), array_agg(t.state ORDER BY t.no),
           array_agg(CASE t.state
                     WHEN 'registered' THEN CASE WHEN r.live_rows IS NULL THEN 'rows not known'
                                                 ELSE softdelete.html_count(r.live_rows) || ' live, ' || softdelete.html_count(r.deleted_rows) || ' deleted' END
                     WHEN 'excluded' THEN 'excluded: rows really go'
                     WHEN 'uncovered' THEN 'NOT COVERED'
                     ELSE 'not registered' END ORDER BY t.no),
           array_agg(false)
    INTO n, names, labels, states, subs, linked
    FROM softdelete.graph_tables() WITH ORDINALITY t (relation, state, no)
         LEFT JOIN softdelete.tables r ON r.relation = t.relation
         JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace m ON m.oid = c.relnamespace
         CROSS JOIN LATERAL (SELECT CASE m.nspname WHEN 'public' THEN '' ELSE quote_ident(m.nspname) || '.' END || quote_ident(c.relname) AS label) s;
    IF n = 0 THEN
        RETURN '';
    END IF;
    SELECT count(*)::int,
           COALESCE(array_agg(array_position(names, g.parent::text) ORDER BY g.no), '{}'),
           COALESCE(array_agg(array_position(names, g.child::text) ORDER BY g.no), '{}'),
           COALESCE(array_agg(g.state ORDER BY g.no), '{}'),
           COALESCE(array_agg(format(CASE g.state WHEN 'uncovered' THEN 'NOT COVERED: ' ELSE '' END || '%s to %s, %s: ON DELETE %s',
                                     g.parent, g.child, g.constraint_name, upper(g.action)) ORDER BY g.no), '{}')
    INTO n_edges, e_from, e_to, e_state, e_title
    FROM softdelete.graph_keys() WITH ORDINALITY g (parent, child, constraint_name, action, state, no);
    e_a := e_from; e_b := e_to; e_reversed := array_fill(false, ARRAY[n_edges]);
    in_all := array_fill(0, ARRAY[n]); in_cascade := in_all; out_all := in_all; out_cascade := in_all; layer := in_all;
    done := linked; looped := linked; source := array_fill(true, ARRAY[n]);
    FOR e IN 1..n_edges LOOP
        i := e_from[e]; j := e_to[e];
        IF i = j THEN
            looped[i] := true;
            CONTINUE;
        END IF;
        linked[i] := true; linked[j] := true;
        out_all[i] := out_all[i] + 1; in_all[j] := in_all[j] + 1;
        IF e_state[e] IN ('cascade', 'excluded', 'uncovered') THEN
            out_cascade[i] := out_cascade[i] + 1; in_cascade[j] := in_cascade[j] + 1;
        END IF;
    END LOOP;

    -- layers: always the table that most of the rest hangs below; what still leads to it is drawn against the stream
    FOR k IN 1..n LOOP
        best := 0;
        FOR i IN 1..n LOOP
            CONTINUE WHEN done[i] OR NOT linked[i];
            score := CASE WHEN in_all[i] = 0 THEN -1e9 WHEN in_cascade[i] = 0 THEN -1e6
                          ELSE 1000 * (in_cascade[i] - out_cascade[i]) END + in_all[i] - out_all[i];
            IF best = 0 OR score < best_score THEN
                best := i; best_score := score;
            END IF;
        END LOOP;
        EXIT WHEN best = 0;
        done[best] := true;
        FOR e IN 1..n_edges LOOP
            i := e_from[e]; j := e_to[e];
            CONTINUE WHEN i = j;
            IF i = best AND NOT done[j] THEN
                in_all[j] := in_all[j] - 1;
                IF e_state[e] IN ('cascade', 'excluded', 'uncovered') THEN in_cascade[j] := in_cascade[j] - 1; END IF;
            ELSIF j = best AND NOT done[i] THEN
                e_a[e] := j; e_b[e] := i; e_reversed[e] := true;
                out_all[i] := out_all[i] - 1;
                IF e_state[e] IN ('cascade', 'excluded', 'uncovered') THEN out_cascade[i] := out_cascade[i] - 1; END IF;
            ELSE
                CONTINUE;
            END IF;
            layer[e_b[e]] := GREATEST(layer[e_b[e]], layer[best] + 1);
            source[e_b[e]] := false;
        END LOOP;
    END LOOP;
    -- tables that nothing leads to stand right before the first that they lead to
    FOR i IN 1..n LOOP
        IF linked[i] AND source[i] THEN
            layer[i] := (SELECT min(layer[s.b]) - 1 FROM unnest(e_a, e_b) s (a, b) WHERE s.a = i AND s.b <> i);
        END IF;
    END LOOP;

    -- waypoints
    n_items := n;
    FOR e IN 1..n_edges LOOP
        CONTINUE WHEN e_a[e] = e_b[e];
        previous := e_a[e];
        FOR l IN layer[e_a[e]] + 1 .. layer[e_b[e]] - 1 LOOP
            n_items := n_items + 1;
            layer[n_items] := l;
            seg_a := seg_a || previous; seg_b := seg_b || n_items; seg_edge := seg_edge || e;
            previous := n_items;
        END LOOP;
        seg_a := seg_a || previous; seg_b := seg_b || e_b[e]; seg_edge := seg_edge || e;
    END LOOP;
    SELECT COALESCE(max(layer[g.i]), -1) + 1 INTO n_layers FROM generate_series(1, n_items) g (i) WHERE g.i > n OR linked[g.i];
    FOR i IN 1..n_items LOOP
        pos[i] := i; y[i] := 0; size[i] := CASE WHEN i <= n THEN node_height ELSE 6 END;
    END LOOP;

    -- order, then places: each sweep looks at the layer before, or behind
    FOR sweep IN 0..23 LOOP
        forward := sweep % 2 = 0;
        FOR k IN 1..n_layers LOOP
            l := CASE WHEN forward THEN k - 1 ELSE n_layers - k END;
            IF sweep < 10 THEN
                SELECT array_agg(o.item ORDER BY o.at, o.item) INTO items
                FROM (SELECT g.i AS item, COALESCE(m.at, pos[g.i]) AS at
                      FROM generate_series(1, n_items) g (i)
                           LEFT JOIN (SELECT CASE WHEN forward THEN s.b ELSE s.a END AS item, avg(pos[CASE WHEN forward THEN s.a ELSE s.b END]) AS at
                                      FROM unnest(seg_a, seg_b) s (a, b) GROUP BY 1) m ON m.item = g.i
                      WHERE layer[g.i] = l AND (g.i > n OR linked[g.i])) o;
                FOR j IN 1..COALESCE(cardinality(items), 0) LOOP
                    pos[items[j]] := j - cardinality(items) / 2.0;
                END LOOP;
                CONTINUE;
            END IF;
            SELECT array_agg(o.item ORDER BY o.pos), array_agg(o.at ORDER BY o.pos) INTO items, wish
            FROM (SELECT g.i AS item, pos[g.i] AS pos, COALESCE(m.at, y[g.i]) AS at
                  FROM generate_series(1, n_items) g (i)
                       LEFT JOIN (SELECT b.item, avg(y[b.other]) AS at
                                  FROM unnest(seg_a, seg_b) s (a, b)
                                       CROSS JOIN LATERAL (VALUES (s.a, s.b, NOT forward OR sweep > 17), (s.b, s.a, forward OR sweep > 17)) b (item, other, counts)
                                  WHERE b.counts GROUP BY 1) m ON m.item = g.i
                  WHERE layer[g.i] = l AND (g.i > n OR linked[g.i])) o;
            down := wish; up := wish;
            FOR j IN 2..COALESCE(cardinality(items), 0) LOOP
                down[j] := GREATEST(wish[j], down[j - 1] + (size[items[j - 1]] + size[items[j]]) / 2 + 16);
            END LOOP;
            FOR j IN REVERSE COALESCE(cardinality(items), 0) - 1 .. 1 LOOP
                up[j] := LEAST(wish[j], up[j + 1] - (size[items[j + 1]] + size[items[j]]) / 2 - 16);
            END LOOP;
            FOR j IN 1..COALESCE(cardinality(items), 0) LOOP
                y[items[j]] := (down[j] + up[j]) / 2;
            END LOOP;
        END LOOP;
    END LOOP;

    -- columns, and the size of it all
    far := 16;
    FOR l IN 0..n_layers - 1 LOOP
        SELECT LEAST(max(GREATEST((length(labels[g.i]) + octet_length(labels[g.i])) * 4.2 + 30, length(subs[g.i]) * 6.2 + 30)), 320) INTO width
        FROM generate_series(1, n) g (i) WHERE linked[g.i] AND layer[g.i] = l;
        x[l + 1] := far; widths[l + 1] := COALESCE(width, 40);
        far := far + widths[l + 1] + 120;
    END LOOP;
    far := GREATEST(far - 90, 300);
    SELECT COALESCE(min(y[g.i] - size[g.i] / 2), 0), COALESCE(max(y[g.i] + size[g.i] / 2), -24) INTO top, height
    FROM generate_series(1, n_items) g (i) WHERE g.i > n OR linked[g.i];
    FOR i IN 1..n_items LOOP
        y[i] := y[i] - top + 24;
    END LOOP;
    height := height - top + 48;

    -- tables without foreign keys to others stand in rows below
    far := CASE WHEN false = ANY (linked) THEN GREATEST(far, 940) ELSE far END;
    col := 16;
    row_no := 0;
    FOR i IN 1..n LOOP
        width := LEAST(GREATEST((length(labels[i]) + octet_length(labels[i])) * 4.2 + 30, length(subs[i]) * 6.2 + 30), 320);
        IF linked[i] THEN
            cx := x[layer[i] + 1]; width := widths[layer[i] + 1]; top := y[i] - node_height / 2;
        ELSE
            IF col > 16 AND col + width + 16 > far THEN
                col := 16; row_no := row_no + 1;
            END IF;
            cx := col; top := height + row_no * (node_height + 24);
            col := col + width + 28;
            y[i] := top + node_height / 2;
        END IF;
        nodes_svg := nodes_svg || format(E'<g class="node %s" data-n="%s"><title>%s: %s</title><rect class="box" x="%s" y="%s" width="%s" height="%s" rx="7"/><rect class="bar" x="%s" y="%s" width="5" height="%s" rx="2.5"/><text class="label" x="%s" y="%s">%s</text><text class="sub" x="%s" y="%s">%s</text></g>\n',
            states[i], i, softdelete.html(names[i]), softdelete.html(subs[i]), round(cx), round(top), round(width), node_height,
            round(cx) + 6, round(top) + 8, node_height - 16, round(cx) + 18, round(top) + 20,
            softdelete.html(CASE WHEN length(labels[i]) > 34 THEN left(labels[i], 32) || '...' ELSE labels[i] END),
            round(cx) + 18, round(top) + 36, softdelete.html(subs[i]));
        IF looped[i] THEN
            FOR e IN 1..n_edges LOOP
                IF e_from[e] = i AND e_to[e] = i THEN
                    edges_svg := edges_svg || format(E'<g class="edge %s" data-a="%s" data-b="%2$s"><title>%s</title><path class="hit" d="%s"/><path d="%4$s" marker-end="url(#sd-%1$s)"/></g>\n',
                        e_state[e], i, softdelete.html(e_title[e]), format('M%s %s c32 -4 26 -42 -18 -16', round(cx + width), round(top + 14)));
                END IF;
            END LOOP;
        END IF;
    END LOOP;
    IF col > 16 THEN
        height := height + (row_no + 1) * (node_height + 24);
    END IF;

    -- where on the side of a table each key begins and ends
    SELECT array_agg(p.a ORDER BY p.n), array_agg(p.b ORDER BY p.n) INTO port_a, port_b
    FROM (SELECT s.n,
                 (row_number() OVER (PARTITION BY s.a ORDER BY y[s.b], s.n) - (count(*) OVER (PARTITION BY s.a) + 1) / 2.0)
                 * LEAST(9, 34.0 / count(*) OVER (PARTITION BY s.a)) AS a,
                 (row_number() OVER (PARTITION BY s.b ORDER BY y[s.a], s.n) - (count(*) OVER (PARTITION BY s.b) + 1) / 2.0)
                 * LEAST(9, 34.0 / count(*) OVER (PARTITION BY s.b)) AS b
          FROM unnest(seg_a, seg_b) WITH ORDINALITY s (a, b, n)) p;
    FOREACH what IN ARRAY ARRAY['outside', 'refuse', 'unlink', 'cascade', 'excluded', 'uncovered'] LOOP
        path := '{}';
        FOR k IN 1..cardinality(seg_a) LOOP
            e := seg_edge[k];
            CONTINUE WHEN e_state[e] <> what;
            i := seg_a[k]; j := seg_b[k];
            IF i <= n THEN
                path := ARRAY[format('M%s %s', round(x[layer[i] + 1] + widths[layer[i] + 1] + CASE WHEN e_reversed[e] THEN 2 ELSE 0 END), round(y[i] + port_a[k]))];
            END IF;
            cx := (x[layer[i] + 1] + widths[layer[i] + 1] + x[layer[j] + 1]) / 2;
            path := path || format('C%s %s %s %s %s %s', round(cx), round(y[i] + CASE WHEN i <= n THEN port_a[k] ELSE 0 END),
                                   round(cx), round(y[j] + CASE WHEN j <= n THEN port_b[k] ELSE 0 END),
                                   round(x[layer[j] + 1] - CASE WHEN j <= n AND NOT e_reversed[e] THEN 2 ELSE 0 END),
                                   round(y[j] + CASE WHEN j <= n THEN port_b[k] ELSE 0 END));
            IF j > n THEN
                path := path || format('H%s', round(x[layer[j] + 1] + widths[layer[j] + 1]));
            ELSE
                edges_svg := edges_svg || format(E'<g class="edge %s" data-a="%s" data-b="%s"><title>%s</title><path class="hit" d="%s"/><path d="%5$s" marker-%s="url(#sd-%1$s)"/></g>\n',
                    what, e_from[e], e_to[e], softdelete.html(e_title[e]), array_to_string(path, ' '), CASE WHEN e_reversed[e] THEN 'start' ELSE 'end' END);
            END IF;
        END LOOP;
    END LOOP;
    RETURN format(E'<svg class="graph%s" role="img" aria-labelledby="sd-graph-title sd-graph-desc" viewBox="0 0 %s %s" width="%2$s" height="%3$s" style="min-width: %spx">\n<title id="sd-graph-title">Foreign keys of registered tables</title>\n<desc id="sd-graph-desc">%s tables, %s foreign keys, %s of them not covered. The table of foreign keys below says the same.</desc>\n<defs>%s</defs>\n%s%s</svg>\n',
        CASE WHEN height > 800 THEN ' tall' END, round(far), round(height), round(LEAST(far, GREATEST(640, far * 0.75))), n, n_edges,
        (SELECT count(*) FROM unnest(e_state) s WHERE s = 'uncovered'),
        (SELECT string_agg(format('<marker id="sd-%s" class="%1$s" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" markerWidth="%s" markerHeight="%2$s" orient="auto-start-reverse"><path d="%s"/></marker>',
                                  s, CASE s WHEN 'uncovered' THEN 13 ELSE 10 END,
                                  CASE s WHEN 'refuse' THEN 'M6 0H9V10H6Z' ELSE 'M0 0L10 5L0 10Z' END), '')
         FROM unnest(ARRAY['outside', 'refuse', 'unlink', 'cascade', 'excluded', 'uncovered']) s),
        edges_svg, nodes_svg);
END
$svg$;
COMMENT ON FUNCTION softdelete.graph_svg() IS
'the foreign-key graph of registered tables and their neighbours as SVG, for softdelete_report(), whose style sheet has its colours; empty without tables';

CREATE FUNCTION softdelete.days_svg(id text, title text, days date[], counts bigint[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $days$
SELECT format(E'<svg class="days" role="img" aria-labelledby="%s-title %1$s-desc" viewBox="0 0 640 170">\n<title id="%1$s-title">%s</title>\n<desc id="%1$s-desc">%s in all, %s on the busiest day</desc>\n<path class="grid" d="M8 24H632"/><text class="axis" x="8" y="18">%4$s</text>\n%s<path class="base" d="M8 144H632"/>\n%s</svg>\n',
              id, softdelete.html(title), softdelete.html_count(sum(d.n)::bigint), softdelete.html_count(max(d.n)),
              string_agg(format(E'<g class="day"><title>%s: %s</title><rect class="hit" x="%s" y="24" width="20.8" height="120"/><rect class="bar" x="%s" y="%s" width="16.8" height="%s"/></g>\n',
                                d.day, softdelete.html_count(d.n), 8 + (d.no - 1) * 20.8, 10 + (d.no - 1) * 20.8,
                                round(144 - h.height, 1), round(h.height, 1)), '' ORDER BY d.no),
              string_agg(format(E'<text class="axis" text-anchor="middle" x="%s" y="162">%s</text>\n', round(18.4 + (d.no - 1) * 20.8, 1), to_char(d.day, 'MM-DD')), '' ORDER BY d.no)
                  FILTER (WHERE d.no % 7 = 2))
FROM (SELECT u.*, max(u.n) OVER () AS most FROM unnest(days, counts) WITH ORDINALITY u (day, n, no)) d
     CROSS JOIN LATERAL (SELECT CASE WHEN d.n > 0 THEN GREATEST(2, 120.0 * d.n / d.most) ELSE 0 END AS height) h
$days$;
COMMENT ON FUNCTION softdelete.days_svg(text, text, date[], bigint[]) IS
'bars for 30 days as SVG, for softdelete_report(): id of the elements, title, days and what to count on each';

CREATE FUNCTION softdelete_report() RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
AS $report$
DECLARE
    style CONSTANT text := $css$
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --text: #1b2430; --soft: #566173; --line: #d8dee7; --code: #eef1f6;
  --good: #1f6f43; --good-fill: #e2f3e8; --warn: #8a5a00; --warn-fill: #fff1cf; --bad: #b3201f; --bad-fill: #fde2e1; --link: #1a5aa6; --plain: #5d6878; --plain-fill: #f0f2f5; }
@media (prefers-color-scheme: dark) { :root { --page: #11161d; --card: #1a212b; --text: #e6eaf0; --soft: #a3afbf; --line: #333e4d; --code: #232c39;
  --good: #6fd39b; --good-fill: #17362a; --warn: #f0c060; --warn-fill: #3a2f14; --bad: #ff8f88; --bad-fill: #4a1f20; --link: #82b7f5; --plain: #98a4b5; --plain-fill: #252d38; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header { max-width: 1440px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; }
h2 { margin: 0 0 6px; font-size: 19px; }
p { margin: 0 0 10px; } section > p:last-child { margin: 0; }
a { color: var(--link); }
.soft, .schema { color: var(--soft); }
nav { margin: 14px 0 0; display: flex; flex-wrap: wrap; gap: 4px 18px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px; margin: 20px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px; margin: 20px 0 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 16px; }
.tiles b { display: block; font-size: 25px; line-height: 1.3; font-weight: 650; }
.tiles .bad { border-color: var(--bad); background: var(--bad-fill); } .tiles .bad b { color: var(--bad); }
.tiles .warn { border-color: var(--warn); background: var(--warn-fill); } .tiles .warn b { color: var(--warn); }
.verdict { margin: 18px 0 0; padding: 12px 16px; border-left: 6px solid var(--good); border-radius: 8px; background: var(--good-fill); font-size: 16px; }
.verdict.warn { border-color: var(--warn); background: var(--warn-fill); } .verdict.bad { border-color: var(--bad); background: var(--bad-fill); }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { text-align: left; color: var(--soft); padding: 0 0 8px; }
th, td { text-align: left; vertical-align: top; padding: 7px 10px; border-bottom: 1px solid var(--line); overflow-wrap: break-word; unicode-bidi: isolate; }
th { white-space: nowrap; color: var(--soft); font-weight: 600; }
tbody th { color: inherit; white-space: normal; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.when { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.free { min-width: 8.5em; max-width: 22em; overflow-wrap: anywhere; }
td.what { min-width: 17em; }
#bin .sql { min-width: 24em; }
td.object, tbody th { min-width: 12em; max-width: 22em; overflow-wrap: anywhere; }
td.problem { min-width: 18em; overflow-wrap: anywhere; }
tr.back td { color: var(--soft); }
.badge { display: inline-block; padding: 1px 9px; border-radius: 99px; border: 1px solid currentColor; font-size: 12.5px; font-weight: 600; white-space: nowrap; color: var(--plain); background: var(--plain-fill); }
.badge.error, .badge.uncovered { color: var(--bad); background: var(--bad-fill); }
.badge.warning, .badge.excluded { color: var(--warn); background: var(--warn-fill); }
.badge.registered, .badge.cascade { color: var(--good); background: var(--good-fill); }
.badge.unlink { color: var(--link); }
.sql { display: flex; gap: 8px; align-items: flex-start; min-width: 17em; }
code { font: 12.5px/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; background: var(--code); border-radius: 6px; padding: 3px 7px; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
button { font: inherit; font-size: 12.5px; color: var(--link); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 2px 9px; cursor: pointer; }
button:hover, button:focus-visible { border-color: var(--link); }
details summary { cursor: pointer; overflow-wrap: anywhere; }
.notes { margin-top: 12px; }
details code { display: block; margin: 6px 0; }
.graph { display: block; height: auto; max-width: 100%; font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.graph text, .days text { fill: var(--text); }
.node .box { fill: var(--plain-fill); stroke: var(--plain); stroke-width: 1.3; } .node .bar { fill: var(--plain); }
.node .label { font-weight: 600; } .graph .sub { font-size: 11px; fill: var(--soft); }
.node.registered .box { fill: var(--good-fill); stroke: var(--good); } .node.registered .bar { fill: var(--good); }
.node.excluded .box { fill: var(--warn-fill); stroke: var(--warn); stroke-dasharray: 6 3; } .node.excluded .bar { fill: var(--warn); }
.node.uncovered .box { fill: var(--bad-fill); stroke: var(--bad); stroke-width: 3; } .node.uncovered .bar { fill: var(--bad); } .graph .uncovered .sub { fill: var(--bad); font-weight: 700; }
.node.neighbour .box { stroke-dasharray: 2 3; }
.edge path { fill: none; stroke: var(--plain); stroke-width: 1.6; } .edge:hover path { stroke-width: 4; }
marker path { fill: var(--plain); }
.edge.cascade path { stroke: var(--good); stroke-width: 2; } marker.cascade path { fill: var(--good); }
.edge.excluded path { stroke: var(--warn); stroke-width: 2; stroke-dasharray: 8 4; } marker.excluded path { fill: var(--warn); }
.edge.uncovered path { stroke: var(--bad); stroke-width: 3.5; } marker.uncovered path { fill: var(--bad); }
.edge.unlink path { stroke: var(--link); stroke-dasharray: 2 4; stroke-width: 2; } marker.unlink path { fill: var(--link); }
.edge.outside path { stroke-dasharray: 5 5; opacity: .7; }
.edge path.hit, .edge:hover path.hit { stroke: transparent; stroke-width: 12; stroke-dasharray: none; }
.dim .edge:not(.lit), .dim .node:not(.lit) { opacity: .18; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 22px; padding: 0; margin: 14px 0 0; font-size: 13.5px; }
.legend svg { width: 46px; height: 12px; vertical-align: middle; margin-right: 6px; overflow: visible; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 20px; }
figure { margin: 0 0 8px; } figcaption { font-weight: 600; margin-bottom: 4px; }
.days { display: block; width: 100%; height: auto; } .days text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--soft); }
.days .bar { fill: var(--link); } .days .hit { fill: transparent; } .day:hover .hit { fill: var(--code); }
.days .grid { stroke: var(--line); stroke-dasharray: 3 4; } .days .base { stroke: var(--plain); }
footer { max-width: 1440px; margin: 0 auto; padding: 0 24px 30px; color: var(--soft); font-size: 13.5px; }
@media print { @page { size: A4 landscape; margin: 12mm; }
  :root { color-scheme: light; --page: #ffffff; --card: #ffffff; --text: #000000; --soft: #444c58; --line: #c4cbd5; --code: #f2f4f7;
    --good: #1f6f43; --good-fill: #e2f3e8; --warn: #8a5a00; --warn-fill: #fff1cf; --bad: #b3201f; --bad-fill: #fde2e1; --link: #1a5aa6; --plain: #5d6878; --plain-fill: #f0f2f5; }
  body { font-size: 11pt; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } nav, button { display: none; }
  main, header, footer { max-width: none; padding-left: 0; padding-right: 0; } section { border: 0; padding: 0; } table { font-size: 9pt; }
  .scroll { overflow: visible; } .graph { min-width: 0 !important; width: auto; max-height: 95mm; } .graph.tall { max-height: 160mm; } tr, figure, .tiles li { break-inside: avoid; } h2, caption, thead { break-after: avoid; } tbody tr:first-child { break-before: avoid; } .sql, #bin .sql, td.free, td.what, td.object, td.problem { min-width: 0; } }
$css$;
    -- without & and <, so that it is XML too
    script CONSTANT text := $js$
document.querySelectorAll('.sql').forEach(function (box) {
  var code = box.querySelector('code'), button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', 'Copy: ' + code.textContent);
  function done() { button.textContent = 'Copied'; setTimeout(function () { button.textContent = 'Copy'; }, 1500); }
  function select() { var range = document.createRange(); range.selectNodeContents(code); var s = getSelection(); s.removeAllRanges(); s.addRange(range);
    if (document.execCommand('copy')) { done(); } }
  button.addEventListener('click', function () {
    if (navigator.clipboard) { navigator.clipboard.writeText(code.textContent).then(done, select); } else { select(); } });
  box.appendChild(button);
});
document.querySelectorAll('.graph .node').forEach(function (node) {
  var graph = node.closest('svg'), n = node.dataset.n;
  node.addEventListener('mouseenter', function () {
    node.classList.add('lit');
    graph.classList.add('dim');
    graph.querySelectorAll('[data-a="' + n + '"], [data-b="' + n + '"]').forEach(function (edge) {
      edge.classList.add('lit');
      graph.querySelectorAll('[data-n="' + edge.dataset.a + '"], [data-n="' + edge.dataset.b + '"]').forEach(function (end) { end.classList.add('lit'); }); }); });
  node.addEventListener('mouseleave', function () {
    graph.classList.remove('dim');
    graph.querySelectorAll('.lit').forEach(function (lit) { lit.classList.remove('lit'); }); });
});
addEventListener('beforeprint', function () {
  document.querySelectorAll('.notes').forEach(function (notes) { notes.open = true; }); });
$js$;
    states CONSTANT jsonb := '{"registered": "registered", "excluded": "excluded", "uncovered": "not covered", "neighbour": "not registered"}';
    effects CONSTANT jsonb := '{"cascade": "deleted with the parent", "excluded": "really deleted with the parent", "uncovered": "not covered: the DELETE is refused", "unlink": "reference overwritten, put back by undelete", "refuse": "refuses while live rows refer", "outside": "nothing soft: the parent is not registered"}';
    n_registered bigint; n_uncovered bigint; live bigint; deleted bigint; at_least text; n_errors bigint; n_warnings bigint; n_findings bigint;
    graph text; findings text; notes text; bin text; n_bin bigint; tables text; keys text; day_rows text; charts text; days date[]; n_deletions bigint[]; n_rows bigint[];
    findings_head CONSTANT text := E'<thead><tr><th scope="col">Severity</th><th scope="col">Object</th><th scope="col">Problem</th><th scope="col">Remedy</th></tr></thead>\n<tbody>\n';
    verdict text;
BEGIN
    graph := softdelete.graph_svg();

    SELECT count(*) FILTER (WHERE t.state = 'registered'), count(*) FILTER (WHERE t.state = 'uncovered'),
           CASE count(r.relation) WHEN 0 THEN 0 ELSE sum(r.live_rows) END, CASE count(r.relation) WHEN 0 THEN 0 ELSE sum(r.deleted_rows) END,
           CASE WHEN count(r.live_rows) > 0 AND count(r.live_rows) < count(r.relation) THEN '&#8805; ' ELSE '' END,
           string_agg(format(E'<tr><th scope="row">%s</th><td><span class="badge %s">%s</span></td><td>%s</td><td class="n">%s</td><td class="n">%s</td><td>%s</td></tr>\n',
                             softdelete.html_name(t.relation), t.state, states ->> t.state, softdelete.html(COALESCE(quote_ident(r.flag_column), '')),
                             CASE WHEN t.state = 'registered' THEN softdelete.html_count(r.live_rows) ELSE '' END,
                             CASE WHEN t.state = 'registered' THEN softdelete.html_count(r.deleted_rows) ELSE '' END,
                             CASE t.state WHEN 'registered' THEN softdelete.html(COALESCE(r.retention::text, 'for ever'))
                                          WHEN 'uncovered' THEN '<div class="sql"><code>' || softdelete.html(format('SELECT softdelete_register(%L);', t.relation)) || '</code></div>'
                                          WHEN 'excluded' THEN 'rows really go' ELSE '' END),
                      '' ORDER BY t.state = 'uncovered' DESC, t.state = 'registered' DESC, t.state, t.relation::text COLLATE "C")
    INTO n_registered, n_uncovered, live, deleted, at_least, tables
    FROM softdelete.graph_tables() t LEFT JOIN softdelete.tables r ON r.relation = t.relation;

    SELECT string_agg(format(E'<tr><td class="object">%s</td><td class="object">%s</td><td class="object">%s</td><td>%s</td><td><span class="badge %s">%s</span></td></tr>\n',
                             softdelete.html_name(k.parent), softdelete.html_name(k.child), softdelete.html(quote_ident(k.constraint_name)),
                             upper(k.action), k.state, effects ->> k.state),
                      '' ORDER BY k.state = 'uncovered' DESC, k.parent::text COLLATE "C", k.child::text COLLATE "C", k.constraint_name COLLATE "C")
    INTO keys FROM softdelete.graph_keys() k;

    SELECT count(*) FILTER (WHERE c.severity = 'error'), count(*) FILTER (WHERE c.severity = 'warning'), count(*),
           string_agg(format(E'<tr><td><span class="badge %s">%1$s</span></td><td class="object">%s</td><td class="problem">%s</td><td><div class="sql"><code>%s</code></div></td></tr>\n',
                             c.severity, softdelete.html(c.object), softdelete.html(c.problem), softdelete.html(c.remedy)), '' ORDER BY c.ordinality) FILTER (WHERE c.severity <> 'info'),
           string_agg(format(E'<tr><td><span class="badge info">info</span></td><td class="object">%s</td><td class="problem">%s</td><td><div class="sql"><code>%s</code></div></td></tr>\n',
                             softdelete.html(c.object), softdelete.html(c.problem), softdelete.html(c.remedy)), '' ORDER BY c.ordinality) FILTER (WHERE c.severity = 'info')
    INTO n_errors, n_warnings, n_findings, findings, notes
    FROM @extschema@.softdelete_check() WITH ORDINALITY c;

    SELECT count(*),
           string_agg(format(E'<tr%s><td class="n">%s</td><td class="when">%s<br/>%s</td><td class="free">%s</td><td class="free">%s</td><td class="free what"><details><summary>%s</summary><code>%s</code>%s</details></td><td class="n">%s</td><td class="n">%s</td><td>%s</td></tr>\n',
                             CASE WHEN d.rows_left = 0 THEN ' class="back"' END,
                             d.id, to_char(d.deleted_at, 'YYYY-MM-DD'), to_char(d.deleted_at, 'HH24:MI:SS'),
                             COALESCE('<b>' || softdelete.html(NULLIF(d.actor, '')) || '</b><br/>', '') || '<span class="soft">role ' || softdelete.html(d.deleted_by)
                             || CASE WHEN d.session_user_name <> d.deleted_by THEN ', logged in as ' || softdelete.html(d.session_user_name) ELSE '' END || '</span>',
                             softdelete.html(COALESCE(d.reason, '')),
                             softdelete.html(COALESCE(CASE WHEN length(d.root) > 90 THEN left(d.root, 88) || ' ...' ELSE d.root END, '?')),
                             softdelete.html(COALESCE(d.statement, 'statement not kept')),
                             (SELECT string_agg(softdelete.html(format('%s: %s', r.key, r.value)), '<br/>' ORDER BY r.key COLLATE "C") FROM jsonb_each_text(d.relations) r),
                             softdelete.html_count(d.row_count), softdelete.html_count(d.rows_left),
                             CASE WHEN d.rows_left = 0 THEN 'nothing left to bring back'
                                  ELSE '<div class="sql"><code>' || softdelete.html(d.undelete) || '</code></div>' END),
                      '' ORDER BY d.id DESC)
    INTO n_bin, bin
    FROM (SELECT * FROM softdelete.deletions v ORDER BY v.id DESC LIMIT 50) d;

    SELECT array_agg(s.day ORDER BY s.day), array_agg(s.n ORDER BY s.day), array_agg(s.row_count ORDER BY s.day),
           string_agg(format('<tr><th scope="row">%s</th><td class="n">%s</td><td class="n">%s</td></tr>', s.day, softdelete.html_count(s.n), softdelete.html_count(s.row_count)), '' ORDER BY s.day DESC)
               FILTER (WHERE s.n > 0)
    INTO days, n_deletions, n_rows, day_rows
    FROM (SELECT g.day::date AS day, count(d.id) AS n, COALESCE(sum(d.row_count), 0)::bigint AS row_count
          FROM generate_series(current_date - 29, current_date, interval '1 day') g (day)
               LEFT JOIN (SELECT v.id, v.deleted_at::date AS day, v.row_count
                          FROM softdelete.deletions v WHERE v.deleted_at >= current_date - 29) d ON d.day = g.day::date
          GROUP BY g.day) s;

    verdict := CASE WHEN n_errors > 0 THEN format('<p class="verdict bad"><strong>%s %s</strong> and %s %s: see <a href="#findings">what should be looked after</a>.</p>',
                                                  n_errors, CASE n_errors WHEN 1 THEN 'error' ELSE 'errors' END, n_warnings, CASE n_warnings WHEN 1 THEN 'warning' ELSE 'warnings' END)
                    WHEN n_warnings > 0 THEN format('<p class="verdict warn"><strong>%s %s</strong>, no errors: see <a href="#findings">what should be looked after</a>.</p>',
                                                    n_warnings, CASE n_warnings WHEN 1 THEN 'warning' ELSE 'warnings' END)
                    WHEN n_registered = 0 THEN '<p class="verdict warn"><strong>No table is registered:</strong> every DELETE is real. Begin with <code>SELECT softdelete_register(''my_table'');</code></p>'
                    ELSE '<p class="verdict"><strong>All is well:</strong> no errors, no warnings.</p>' END;

    RETURN concat(
        E'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n<meta name="viewport" content="width=device-width, initial-scale=1"/>\n',
        '<meta http-equiv="Content-Security-Policy" content="default-src ''none''; base-uri ''none''; form-action ''none''; style-src ''unsafe-inline''; script-src ''sha256-',
        encode(sha256(convert_to(script, 'UTF8')), 'base64'), E'''"/>\n',
        '<title>softdelete: ', softdelete.html(current_database()), E'</title>\n<style>', style, E'</style>\n</head>\n<body>\n<header>\n',
        '<h1>Soft deletes in ', softdelete.html(current_database()), E'</h1>\n',
        '<p class="soft">As of ', to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS'), ', time zone ', softdelete.html(current_setting('TimeZone')), ', seen by ',
        softdelete.html(current_user), '; softdelete ', softdelete.html((SELECT x.extversion FROM pg_extension x WHERE x.extname = 'softdelete')),
        ', PostgreSQL ', softdelete.html(current_setting('server_version')), E'.</p>\n',
        verdict, E'\n<ul class="tiles">\n',
        '<li><b>', softdelete.html_count(n_registered), E'</b>registered tables</li>\n',
        '<li', CASE WHEN n_uncovered > 0 THEN ' class="bad"' END, '><b>', softdelete.html_count(n_uncovered), E'</b>tables not covered</li>\n',
        '<li><b>', at_least, softdelete.html_count(live), E'</b>live rows, estimated</li>\n',
        '<li><b>', at_least, softdelete.html_count(deleted), E'</b>deleted rows, estimated</li>\n',
        '<li><b>', softdelete.html_count((SELECT sum(u.n) FROM unnest(n_deletions) u (n))::bigint), E'</b>deletions in 30 days</li>\n',
        '<li', CASE WHEN n_errors > 0 THEN ' class="bad"' WHEN n_warnings > 0 THEN ' class="warn"' END, '><b>', softdelete.html_count(n_errors + n_warnings), E'</b>errors and warnings</li>\n</ul>\n',
        E'<nav aria-label="Sections"><a href="#graph">Foreign keys</a><a href="#findings">What should be looked after</a><a href="#bin">Recycle bin</a><a href="#days">Deletions over time</a><a href="#tables">Tables</a>',
        CASE WHEN keys IS NOT NULL THEN '<a href="#keys">Foreign keys as a list</a>' END, E'</nav>\n',
        E'</header>\n<main>\n',

        E'<section id="graph" aria-labelledby="graph-h">\n<h2 id="graph-h">What a DELETE reaches</h2>\n',
        CASE WHEN graph = '' THEN '<p>No table is registered yet.</p>'
             ELSE E'<p class="soft">An arrow leads from a table to one that refers to it: the way that a DELETE goes. Point at an arrow for its constraint, at a table for its arrows.</p>\n'
                  || '<div class="scroll" role="region" tabindex="0" aria-labelledby="graph-h">' || graph || E'</div>\n<ul class="legend" aria-label="Legend">'
                  || (SELECT string_agg(format('<li><svg class="graph-key" viewBox="0 0 46 12" aria-hidden="true"><g class="edge %s"><path d="M0 6H44" marker-end="url(#sd-%1$s)"/></g></svg>%s</li>', l.key, l.says), '' ORDER BY l.n)
                      FROM (VALUES (1, 'cascade', 'ON DELETE CASCADE: deleted with the parent'), (2, 'uncovered', '<strong>not covered</strong>: CASCADE to a table that is not registered, the DELETE is refused'),
                                   (3, 'excluded', 'CASCADE to an excluded table: really deleted'), (4, 'unlink', 'SET NULL or SET DEFAULT: put back by undelete'),
                                   (5, 'refuse', 'RESTRICT or NO ACTION: refuses'), (6, 'outside', 'from a table that is not registered')) l (n, key, says)
                      WHERE EXISTS (SELECT FROM softdelete.graph_keys() k WHERE k.state = l.key))
                  || '</ul>' END,
        E'\n</section>\n',

        E'<section id="findings" aria-labelledby="findings-h">\n<h2 id="findings-h">What should be looked after</h2>\n',
        CASE WHEN n_findings = 0 THEN '<p>Nothing: <code>softdelete_check()</code> has no findings.</p>'
             ELSE concat(
                 CASE WHEN findings IS NULL THEN '<p>No errors and no warnings.</p>'
                      ELSE E'<div class="scroll" role="region" tabindex="0" aria-labelledby="findings-h"><table>\n<caption>Errors and warnings of softdelete_check(), with the command that mends each</caption>\n'
                           || findings_head || findings || '</tbody></table></div>' END,
                 CASE WHEN notes IS NOT NULL THEN
                      format(E'<details class="notes"%s><summary>%s for your information</summary><div class="scroll" role="region" tabindex="0" aria-labelledby="findings-h"><table>\n<caption>What softdelete_check() has to say besides</caption>\n',
                             CASE WHEN n_errors + n_warnings = 0 THEN ' open="open"' END, n_findings - n_errors - n_warnings)
                      || findings_head || notes || '</tbody></table></div></details>' END) END,
        E'\n</section>\n',

        E'<section id="bin" aria-labelledby="bin-h">\n<h2 id="bin-h">Recycle bin</h2>\n',
        CASE WHEN n_bin = 0 THEN '<p>Nothing has been deleted yet.</p>'
             ELSE E'<div class="scroll" role="region" tabindex="0" aria-labelledby="bin-h"><table>\n<caption>'
                  || CASE WHEN n_bin = 50 THEN 'The latest 50 deletions' ELSE 'All deletions' END
                  || E', with the command that brings each back</caption>\n<thead><tr><th scope="col" class="n">Id</th><th scope="col">When</th><th scope="col">Who</th><th scope="col">Reason</th><th scope="col">What</th>'
                  || E'<th scope="col" class="n">Rows</th><th scope="col" class="n">Still deleted</th><th scope="col">To bring it back</th></tr></thead>\n<tbody>\n'
                  || bin || '</tbody></table></div>' END,
        E'\n</section>\n',

        E'<section id="days" aria-labelledby="days-h">\n<h2 id="days-h">Deletions over time</h2>\n',
        CASE WHEN day_rows IS NULL THEN '<p>Nothing has been deleted in the last 30 days.</p>'
             ELSE E'<div class="charts"><figure><figcaption>Deletions a day</figcaption>\n' || softdelete.days_svg('sd-deletions', 'Deletions a day, last 30 days', days, n_deletions)
                  || E'</figure><figure><figcaption>Rows deleted a day</figcaption>\n' || softdelete.days_svg('sd-rows', 'Rows deleted a day, last 30 days', days, n_rows)
                  || E'</figure></div>\n<details><summary>As a table</summary><table>\n<caption>Days of the last 30 on which something was deleted</caption>\n<thead><tr><th scope="col">Day</th><th scope="col" class="n">Deletions</th><th scope="col" class="n">Rows</th></tr></thead>\n<tbody>'
                  || day_rows || '</tbody></table></details>' END,
        E'\n</section>\n',

        E'<section id="tables" aria-labelledby="tables-h">\n<h2 id="tables-h">Tables</h2>\n',
        CASE WHEN tables IS NULL THEN '<p>No table is registered yet.</p>'
             ELSE E'<div class="scroll" role="region" tabindex="0" aria-labelledby="tables-h"><table>\n<caption>Registered tables and those that a foreign key connects to one; rows as estimated by the last ANALYZE, ? where there was none or you may not read the table</caption>\n'
                  || E'<thead><tr><th scope="col">Table</th><th scope="col">State</th><th scope="col">Flag</th><th scope="col" class="n">Live</th><th scope="col" class="n">Deleted</th><th scope="col">Deleted rows are kept, or what to do</th></tr></thead>\n<tbody>\n'
                  || tables || '</tbody></table></div>' END,
        E'\n</section>\n',

        CASE WHEN keys IS NOT NULL THEN
             E'<section id="keys" aria-labelledby="keys-h">\n<h2 id="keys-h">Foreign keys as a list</h2>\n<div class="scroll" role="region" tabindex="0" aria-labelledby="keys-h"><table>\n<caption>The foreign keys of the graph, and what a DELETE in the parent does</caption>\n'
             || E'<thead><tr><th scope="col">Parent</th><th scope="col">Refers to it</th><th scope="col">Constraint</th><th scope="col">ON DELETE</th><th scope="col">What happens</th></tr></thead>\n<tbody>\n'
             || keys || E'</tbody></table></div>\n</section>\n' END,
        E'</main>\n<footer>Made by softdelete_report(). It shows what the role that made it may read.</footer>\n<script>', script, E'</script>\n</body>\n</html>\n');
END
$report$;
COMMENT ON FUNCTION softdelete_report() IS
'an HTML page that needs nothing else: the foreign-key graph of registered tables with what is covered and what is not, the findings of softdelete_check(), the latest 50 deletions with the commands that bring them back, deletions over 30 days, tables. Shows what the caller may read; reads tables as softdelete_check() does. psql -Atc "SELECT softdelete_report()" -o report.html';
