"""Time and memory as things grow: tables, share of deleted rows, depth, width, transactions.

    growth.py SIZE DIRECTORY

SIZE: "small" or "full".  Works in the server that the environment names (PGHOST), in
a schema of its own for each measurement, and writes one SVG for each into DIRECTORY,
and to standard output the table from which they are drawn.

Every point is the median of several runs; what is measured is rolled back or undone, so
that all runs find the same state.
"""
import os
import statistics
import sys
import time

import psycopg2

from plot import plot

small = sys.argv[1] == "small"
directory = sys.argv[2]
connection = psycopg2.connect("")
connection.autocommit = True
cursor = connection.cursor()


def run(sql, *arguments):
    cursor.execute(sql, arguments or None)
    return cursor.fetchall() if cursor.description else None


def milliseconds(sql):
    start = time.perf_counter()
    run(sql)
    return (time.perf_counter() - start) * 1000


def rolled_back(sql, runs=5, before=None):
    """Median milliseconds of a statement that is rolled back."""
    times = []
    for _ in range(runs):
        run("BEGIN")
        if before:
            run(before)
        times.append(milliseconds(sql))
        run("ROLLBACK")
    return statistics.median(times)


def fresh_schema(name):
    run(f"CREATE SCHEMA {name}")
    run(f"SET search_path = {name}, public")


def show(title, unit, series):
    """series: name -> [(x, value)]"""
    names = list(series)
    print(f"\n{title} ({unit})\n")
    print("| " + " | ".join([title.split(" by ")[-1]] + names) + " |")
    print("|" + " --- |" * (len(names) + 1))
    for i, (x, _) in enumerate(series[names[0]]):
        values = [dict(series[n]).get(x) for n in names]
        print("| " + " | ".join([f"{x:g}"] + ["" if v is None else f"{v:.3g}" for v in values]) + " |")
    sys.stdout.flush()


def draw(file, title, x_label, unit, series):
    with open(os.path.join(directory, file), "w") as svg:
        svg.write(plot(title, x_label, unit, series))


TREE = """
CREATE TABLE p (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE c (id bigint PRIMARY KEY, p_id bigint NOT NULL REFERENCES p ON DELETE CASCADE, name text NOT NULL);
CREATE INDEX ON c (p_id);
CREATE TABLE g (id bigint PRIMARY KEY, c_id bigint NOT NULL REFERENCES c ON DELETE CASCADE, name text NOT NULL);
CREATE INDEX ON g (c_id);
"""


def fill_tree(parents):
    run(f"INSERT INTO p SELECT i, 'parent ' || i FROM generate_series(1, {parents}) i")
    run(f"INSERT INTO c SELECT i, (i - 1) / 10 + 1, 'child ' || i FROM generate_series(1, {parents * 10}) i")
    run(f"INSERT INTO g SELECT i, (i - 1) / 10 + 1, 'grandchild ' || i FROM generate_series(1, {parents * 100}) i")


def table_size():
    """One parent with 110 rows below, in tables of growing size."""
    series = {"deletion": [], "undelete": [], "preview": [], "purge of that deletion": [], "registration": []}
    for rows in [10 ** 4, 10 ** 5] + ([] if small else [10 ** 6, 10 ** 7]):
        fresh_schema(f"size_{rows}")
        run(TREE)
        fill_tree(max(rows // 111, 20))
        series["registration"].append((rows, milliseconds("SELECT count(*) FROM softdelete_register('p')")))
        run("VACUUM ANALYZE p, c, g")
        rolled_back("DELETE FROM p WHERE id = 1")
        series["deletion"].append((rows, rolled_back("DELETE FROM p WHERE id = 7", 9)))
        series["undelete"].append((rows, rolled_back("SELECT softdelete_undelete('p', 7, cascade := true)", 9,
                                                     "DELETE FROM p WHERE id = 7")))
        series["preview"].append((rows, rolled_back("SELECT count(*) FROM softdelete_preview('p', 7)", 9)))
        run("DELETE FROM p WHERE id = 8")
        series["purge of that deletion"].append((rows, rolled_back("SELECT softdelete_purge('0 seconds', 'p')", 3)))
        run("SELECT softdelete_undelete('p', 8, cascade := true)")
    show("One parent with 110 rows below by rows in the tables", "ms", series)
    draw("growth-size.svg", "One parent with 110 rows below", "rows in the tables", "ms", series)


def deleted_share():
    """Queries and deletion while more and more of the rows are deleted, the live ones staying the same."""
    live = 10 ** 4 if small else 10 ** 5
    series = {"live row by key": [], "live rows by an index": [], "deletion": [], "count of live rows": []}
    for share in (0, 20, 50, 80, 90, 95):
        fresh_schema(f"share_{share}")
        run("CREATE TABLE t (id bigint PRIMARY KEY, customer int NOT NULL, name text NOT NULL)")
        run("SELECT count(*) FROM softdelete_register('t')")
        run("CREATE INDEX ON t (customer) WHERE active")
        total = live * 100 // (100 - share)
        run(f"INSERT INTO t (id, customer, name) SELECT i, i %% {live // 100}, 'row ' || i "
            f"FROM generate_series(1, {total}) i".replace("%%", "%"))
        run(f"DELETE FROM t WHERE id > {live}")
        run("VACUUM ANALYZE t")
        series["live row by key"].append((share, rolled_back("SELECT count(*) FROM generate_series(1, 2000) i "
                                                             "JOIN LATERAL (SELECT * FROM t WHERE t.id = i OFFSET 0) x ON true") / 2))
        series["live rows by an index"].append((share, rolled_back(
            "SELECT sum(length(name)) FROM generate_series(1, 50) i "
            "JOIN LATERAL (SELECT * FROM t WHERE customer = i OFFSET 0) x ON true") * 20))
        series["deletion"].append((share, rolled_back("DELETE FROM t WHERE id <= 1000")))
        series["count of live rows"].append((share, rolled_back("SELECT count(*) FROM t")))
    units = {"live row by key": "live row by key (us)", "live rows by an index": "live rows by an index (us)",
             "deletion": "deletion of 1,000 rows (ms)", "count of live rows": "count of live rows (ms)"}
    series = {units[k]: v for k, v in series.items()}
    show("Share of deleted rows by per cent", "see head", series)
    draw("growth-share.svg", "Share of deleted rows, the number of live ones staying the same",
         "deleted rows, per cent", "", series)


def mostly_deleted():
    """Live queries on a table of 95 % deleted rows, with the indexes that softdelete_check() names, and on one without."""
    live = 10 ** 4 if small else 10 ** 5
    fresh_schema("mostly_deleted")
    for table, rows in ("deleted", 20 * live), ("live", live):
        run(f"CREATE TABLE {table} (id bigint PRIMARY KEY, customer int NOT NULL, name text NOT NULL)")
        run(f"CREATE INDEX ON {table} (customer)")
        run(f"SELECT count(*) FROM softdelete_register('{table}')")
        run(f"INSERT INTO {table} (id, customer, name) SELECT i * {20 * live // rows}, i * {20 * live // rows} / 20 % {live // 100}, "
            f"'row ' || i FROM generate_series(1, {rows}) i")
    run("DELETE FROM deleted WHERE id % 20 <> 0")
    run("VACUUM ANALYZE deleted")
    for (command,) in run("SELECT remedy FROM softdelete_check() WHERE object ~ 'deleted$' AND problem ~ 'indexes over live rows'"):
        run(command)
    run("VACUUM ANALYZE deleted")
    run("VACUUM ANALYZE live")
    queries = {
        "2,000 rows by key": "SELECT count(*) FROM generate_series(1, 2000) i JOIN LATERAL (SELECT * FROM {t} WHERE id = i * 20 OFFSET 0) x ON true",
        "5,000 rows by an index": "SELECT sum(length(name)) FROM generate_series(1, 50) i "
                                  "JOIN LATERAL (SELECT * FROM {t} WHERE customer = i OFFSET 0) x ON true",
        "the first 100 by an index": "SELECT * FROM {t} ORDER BY customer LIMIT 100",
        "count of all": "SELECT count(*) FROM {t}",
        "all rows": "SELECT sum(length(name)) FROM {t}",
    }
    print("\n95 per cent deleted, and live rows alone (ms)\n\n| query | 95 per cent deleted | live rows alone | ratio |\n| --- | --- | --- | --- |")
    for name, query in queries.items():
        times = {"deleted": [], "live": []}
        for _ in range(11):
            for table in times:
                times[table].append(milliseconds(query.format(t=table)))
        ratio = statistics.median(d / l for d, l in zip(times["deleted"], times["live"]))
        print(f"| {name} | {statistics.median(times['deleted']):.3g} | {statistics.median(times['live']):.3g} | {ratio:.2f} |")
    sys.stdout.flush()


def depth():
    series = {"deletion": [], "undelete": [], "preview": [], "memory of the deletion (MB)": []}
    for levels in [1, 10, 100, 1000] + ([] if small else [10 ** 4, 10 ** 5]):
        fresh_schema(f"depth_{levels}")
        run("CREATE TABLE t (id bigint PRIMARY KEY, parent bigint REFERENCES t ON DELETE CASCADE)")
        run("CREATE INDEX ON t (parent)")
        run("SELECT count(*) FROM softdelete_register('t')")
        run(f"INSERT INTO t (id, parent) SELECT i, nullif(i - 1, 0) FROM generate_series(1, {levels}) i")
        run("VACUUM ANALYZE t")
        runs = 3 if levels <= 1000 else 1
        rolled_back("DELETE FROM t WHERE id = 1", 1)
        series["deletion"].append((levels, rolled_back("DELETE FROM t WHERE id = 1", runs)))
        series["undelete"].append((levels, rolled_back("SELECT softdelete_undelete('t', 1, cascade := true)", runs,
                                                       "DELETE FROM t WHERE id = 1")))
        series["preview"].append((levels, rolled_back("SELECT count(*) FROM softdelete_preview('t', 1)", runs)))
        series["memory of the deletion (MB)"].append((levels, memory_of("DELETE FROM t WHERE id = 1")))
    show("A chain of rows by levels", "ms", series)
    draw("growth-depth.svg", "A chain of rows, each below the one before", "levels", "ms", series)


PEAK = "SELECT substring(pg_read_file('/proc/self/status') FROM 'VmPeak:\\s+(\\d+)')::bigint"


def memory_of(sql):
    """Megabytes by which the peak of a new session's address space grows with a statement."""
    with_session = psycopg2.connect("")
    session = with_session.cursor()
    schema = run("SHOW search_path")[0][0]
    session.execute(f"SET search_path = {schema}")
    session.execute("DELETE FROM t WHERE id = 0")    # libraries, catalogs, plans
    session.execute(PEAK)
    before = session.fetchone()[0]
    session.execute(sql)
    session.execute(PEAK)
    after = session.fetchone()[0]
    with_session.rollback()
    with_session.close()
    return (after - before) / 1024 + 0.1


def width():
    series = {"deletion": [], "undelete": [], "preview": []}
    for keys in (1, 10, 50, 200):
        fresh_schema(f"width_{keys}")
        run("CREATE TABLE p (id bigint PRIMARY KEY)")
        for k in range(keys):
            run(f"CREATE TABLE c{k} (id bigint PRIMARY KEY, p_id bigint REFERENCES p ON DELETE CASCADE)")
            run(f"CREATE INDEX ON c{k} (p_id)")
        run("SELECT count(*) FROM softdelete_register('p')")
        run("INSERT INTO p SELECT generate_series(1, 100)")
        for k in range(keys):
            run(f"INSERT INTO c{k} SELECT i, i FROM generate_series(1, 100) i")
        run("ANALYZE")
        rolled_back("DELETE FROM p WHERE id = 1", 2)
        series["deletion"].append((keys, rolled_back("DELETE FROM p WHERE id = 2", 7)))
        series["undelete"].append((keys, rolled_back("SELECT softdelete_undelete('p', 2, cascade := true)", 5,
                                                     "DELETE FROM p WHERE id = 2")))
        series["preview"].append((keys, rolled_back("SELECT count(*) FROM softdelete_preview('p', 2)", 5)))
    show("One row below each foreign key by foreign keys", "ms", series)
    draw("growth-width.svg", "One row below each foreign key", "foreign keys", "ms", series)


def transaction():
    series = {"deletions": [], "memory (MB)": []}
    for deletions in [1, 10, 100, 1000, 10 ** 4] + ([] if small else [10 ** 5, 10 ** 6]):
        fresh_schema(f"long_{deletions}")
        run("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
        run("SELECT count(*) FROM softdelete_register('t')")
        run(f"INSERT INTO t (id, name) SELECT i, 'row' FROM generate_series(1, {deletions}) i")
        run("VACUUM ANALYZE t")
        loop = f"DO $$BEGIN FOR i IN 1..{deletions} LOOP DELETE FROM t WHERE id = i; END LOOP; END$$"
        series["deletions"].append((deletions, rolled_back(loop, 3 if deletions < 10 ** 5 else 1)))
        series["memory (MB)"].append((deletions, memory_of(loop)))
    show("One transaction by deletions in it", "ms", series)
    draw("growth-transaction.svg", "Single deletions in one transaction", "deletions", "ms", series)


for measure in (table_size, deleted_share, mostly_deleted, depth, width, transaction):
    measure()
