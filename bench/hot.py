"""What share of soft deletes is HOT, by fillfactor and indexes: hot.py OPERATIONS

A table of orders lives through a mix, each operation a transaction of its own: three of
five insert, one updates and one deletes a row, old or new at random.  Autovacuum does not
run; pages are pruned as they are read.  HOT is counted for the deletions alone.  Works in
the server that the environment names; writes a table to standard output.
"""
import sys

import psycopg2

operations = int(sys.argv[1])
connection = psycopg2.connect("")
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("CREATE SCHEMA hot")
cursor.execute("SET search_path = hot, public")
cursor.execute("""
CREATE PROCEDURE live(operations int, INOUT deletions bigint, INOUT hot bigint, INOUT spent float) LANGUAGE plpgsql AS $$
DECLARE
    newest bigint := (SELECT max(id) FROM orders);
    before bigint;
    rows bigint;
    start timestamptz;
    target bigint;
BEGIN
    deletions := 0; hot := 0; spent := 0;
    PERFORM setseed(0.5);
    FOR i IN 1..operations LOOP
        target := 1 + floor(random() * newest);
        IF i % 5 < 3 THEN
            newest := newest + 1;
            INSERT INTO orders (id, customer, note) VALUES (newest, i % 500, repeat('x', 60));
        ELSIF i % 5 = 3 THEN
            UPDATE orders SET status = 'sent' WHERE id = target;
        ELSE
            before := pg_stat_get_xact_tuples_hot_updated('orders'::regclass);
            start := clock_timestamp();
            DELETE FROM orders WHERE id = target;
            GET DIAGNOSTICS rows = ROW_COUNT;
            spent := spent + extract(epoch FROM clock_timestamp() - start);
            deletions := deletions + rows;
            hot := hot + pg_stat_get_xact_tuples_hot_updated('orders'::regclass) - before;
        END IF;
        COMMIT;
    END LOOP;
END$$""")

BASE = "CREATE INDEX ON orders (customer)"
VARIANTS = [
    ("fillfactor 100", 100, BASE, False),
    ("fillfactor 90", 90, BASE, False),
    ("fillfactor 80", 80, BASE, False),
    ("fillfactor 70", 70, BASE, False),
    ("fillfactor 80, index on (customer) WHERE active", 80, "CREATE INDEX ON orders (customer) WHERE active", False),
    ("fillfactor 80, index on (deletion_id)", 80, BASE + "; CREATE INDEX ON orders (deletion_id)", False),
    ("fillfactor 80, a partial unique key", 80, BASE, True),
]

print("| table | soft deletes | HOT | per deletion | table and indexes afterwards |")
print("| --- | --- | --- | --- | --- |")
for name, fillfactor, indexes, unique in VARIANTS:
    cursor.execute("SELECT softdelete_unregister(c.oid, 'purge') FROM pg_class c WHERE c.oid = to_regclass('orders')")
    cursor.execute("DROP TABLE IF EXISTS orders")
    cursor.execute(f"""CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, status text, number text
                       {'UNIQUE' if unique else ''}, note text) WITH (fillfactor = {fillfactor})""")
    cursor.execute("SELECT count(*) FROM softdelete_register('orders')")
    cursor.execute(indexes)
    cursor.execute("INSERT INTO orders (id, customer, note) SELECT i, i % 500, repeat('x', 60) FROM generate_series(1, 10000) i")
    cursor.execute("VACUUM ANALYZE orders")
    cursor.execute("CALL live(%s, 0, 0, 0)", (operations,))
    deletions, hot, spent = cursor.fetchone()
    cursor.execute("SELECT pg_total_relation_size('orders') / 1024")
    print(f"| {name} | {deletions} | {100 * hot / deletions:.0f} % | {spent / deletions * 1e6:.0f} us "
          f"| {cursor.fetchone()[0]} kB |", flush=True)
