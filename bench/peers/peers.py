"""Soft delete as others do it, on the same tables: what a deletion and a query cost.

    peers.py PARENTS [ROUNDS]

Three levels: each parent has 10 children with 10 grandchildren each.  Works in the server
that the environment names, in a schema for each way; each deletion is one transaction that
is rolled back, the tables are vacuumed after it.  Writes a table to standard output:
milliseconds, medians over the rounds, in which the ways take turns.

Programs for which the database is only a store (paranoia on ActiveRecord, Django) run as
clients, see paranoia.rb and django_collector.py; they write lines "measurement milliseconds".
"""
import os
import statistics
import subprocess
import sys
import time

import psycopg2

parents = int(sys.argv[1])
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
here = os.path.dirname(os.path.abspath(__file__))
connection = psycopg2.connect("")
connection.autocommit = True
cursor = connection.cursor()

TABLES = """
CREATE TABLE p (id bigint PRIMARY KEY, name text NOT NULL{0});
CREATE TABLE c (id bigint PRIMARY KEY, p_id bigint NOT NULL REFERENCES p ON DELETE CASCADE, name text NOT NULL{0});
CREATE INDEX ON c (p_id);
CREATE TABLE g (id bigint PRIMARY KEY, c_id bigint NOT NULL REFERENCES c ON DELETE CASCADE, name text NOT NULL{0});
CREATE INDEX ON g (c_id);
"""
FLAG = ", active boolean NOT NULL DEFAULT true"

TRIGGERS = """
CREATE FUNCTION del_p() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE p SET active = false WHERE id = OLD.id; DELETE FROM c WHERE p_id = OLD.id AND active; RETURN NULL; END$$;
CREATE FUNCTION del_c() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE c SET active = false WHERE id = OLD.id; DELETE FROM g WHERE c_id = OLD.id AND active; RETURN NULL; END$$;
CREATE FUNCTION del_g() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE g SET active = false WHERE id = OLD.id; RETURN NULL; END$$;
CREATE TRIGGER del BEFORE DELETE ON p FOR EACH ROW EXECUTE FUNCTION del_p();
CREATE TRIGGER del BEFORE DELETE ON c FOR EACH ROW EXECUTE FUNCTION del_c();
CREATE TRIGGER del BEFORE DELETE ON g FOR EACH ROW EXECUTE FUNCTION del_g();
"""

# children first, while their parents can still be found among the rows to be deleted
RULES = """
CREATE RULE del AS ON DELETE TO g DO INSTEAD UPDATE g SET active = false WHERE id = OLD.id AND active;
CREATE RULE del AS ON DELETE TO c DO INSTEAD (
    UPDATE g SET active = false WHERE c_id = OLD.id AND active;
    UPDATE c SET active = false WHERE id = OLD.id AND active);
CREATE RULE del AS ON DELETE TO p DO INSTEAD (
    UPDATE g SET active = false FROM c WHERE g.c_id = c.id AND c.p_id = OLD.id AND g.active;
    UPDATE c SET active = false WHERE p_id = OLD.id AND active;
    UPDATE p SET active = false WHERE id = OLD.id AND active);
"""

VIEWS = """
CREATE VIEW vp AS SELECT id, name FROM p WHERE active;
CREATE VIEW vc AS SELECT id, p_id, name FROM c WHERE active;
CREATE VIEW vg AS SELECT id, c_id, name FROM g WHERE active;
CREATE FUNCTION del_p() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE p SET active = false WHERE id = OLD.id; DELETE FROM vc WHERE p_id = OLD.id; RETURN OLD; END$$;
CREATE FUNCTION del_c() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE c SET active = false WHERE id = OLD.id; DELETE FROM vg WHERE c_id = OLD.id; RETURN OLD; END$$;
CREATE FUNCTION del_g() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE g SET active = false WHERE id = OLD.id; RETURN OLD; END$$;
CREATE TRIGGER del INSTEAD OF DELETE ON vp FOR EACH ROW EXECUTE FUNCTION del_p();
CREATE TRIGGER del INSTEAD OF DELETE ON vc FOR EACH ROW EXECUTE FUNCTION del_c();
CREATE TRIGGER del INSTEAD OF DELETE ON vg FOR EACH ROW EXECUTE FUNCTION del_g();
"""

POLICIES = "".join(f"""
ALTER TABLE {t} ENABLE ROW LEVEL SECURITY;
CREATE POLICY live ON {t} FOR SELECT USING (active);
GRANT SELECT ON {t} TO bench_user;
""" for t in "pcg")

BY_HAND = {
    "one row": "UPDATE g SET active = false WHERE id = 77 AND active",
    "tree": """UPDATE g SET active = false FROM c WHERE g.c_id = c.id AND c.p_id = 7 AND g.active;
               UPDATE c SET active = false WHERE p_id = 7 AND active;
               UPDATE p SET active = false WHERE id = 7 AND active""",
    "all": """UPDATE g SET active = false WHERE active; UPDATE c SET active = false WHERE active;
              UPDATE p SET active = false WHERE active""",
    "read": "SELECT g.id, c.name FROM g JOIN c ON c.id = g.c_id WHERE g.id = {} AND g.active AND c.active",
}
AS_DELETE = {
    "one row": "DELETE FROM g WHERE id = 77",
    "tree": "DELETE FROM p WHERE id = 7",
    "all": "DELETE FROM p",
    "read": "SELECT g.id, c.name FROM g JOIN c ON c.id = g.c_id WHERE g.id = {}",
}
BY_FLAG = dict(AS_DELETE, read=BY_HAND["read"])
BY_VIEW = {
    "one row": "DELETE FROM vg WHERE id = 77",
    "tree": "DELETE FROM vp WHERE id = 7",
    "all": "DELETE FROM vp",
    "read": "SELECT g.id, c.name FROM vg g JOIN vc c ON c.id = g.c_id WHERE g.id = {}",
}

# name: columns of the tables, what is made beside them, statements, role
WAYS = {
    "softdelete": ("", "SELECT count(*) FROM softdelete_register('p')", AS_DELETE, None),
    "hand-written UPDATEs": (FLAG, "", BY_HAND, None),
    "PL/pgSQL BEFORE DELETE triggers": (FLAG, TRIGGERS, BY_FLAG, None),
    "rules": (FLAG, RULES, BY_FLAG, None),
    "views with INSTEAD OF triggers": (FLAG, VIEWS, BY_VIEW, None),
    "row security (reading; the owner deletes by hand)": (
        FLAG, POLICIES, dict(BY_HAND, read=AS_DELETE["read"]), "bench_user"),
    "hard DELETE (nothing kept)": ("", "", AS_DELETE, None),
}


def run(sql):
    cursor.execute(sql)
    return cursor.fetchall() if cursor.description else None


def available(extension):
    return run(f"SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'")[0][0] == 1


if available("periods"):
    run("CREATE EXTENSION periods CASCADE")
    WAYS["periods (system versioning: history tables)"] = ("", "".join(
        f"SELECT periods.add_system_time_period('{t}'); SELECT periods.add_system_versioning('{t}');"
        for t in "pcg"), AS_DELETE, None)
if available("table_log"):
    run("CREATE EXTENSION table_log")
    WAYS["table_log (log tables by triggers)"] = ("", "".join(
        f"""CREATE TABLE {t}_log (LIKE {t}, trigger_mode varchar(10), trigger_tuple varchar(5),
                trigger_changed timestamptz, trigger_id bigserial PRIMARY KEY);
            CREATE TRIGGER log AFTER DELETE ON {t} FOR EACH ROW EXECUTE FUNCTION table_log('{t}_log');"""
        for t in "pcg"), AS_DELETE, None)

run("CREATE ROLE bench_user")
names = {}
for number, (name, (columns, before, statements, role)) in enumerate(list(WAYS.items())):
    schema = names[name] = f"peer_{number}"
    run(f"CREATE SCHEMA {schema}")
    run(f"GRANT USAGE ON SCHEMA {schema} TO bench_user")
    run(f"SET search_path = {schema}, public")
    run(TABLES.format(columns))
    try:
        if before:
            run(before)
    except psycopg2.Error as error:
        print(f"{name}: left out: {str(error).splitlines()[0]}")
        del WAYS[name]
        continue
    run(f"INSERT INTO p (id, name) SELECT i, 'parent ' || i FROM generate_series(1, {parents}) i")
    run(f"INSERT INTO c (id, p_id, name) SELECT i, (i - 1) / 10 + 1, 'child ' || i FROM generate_series(1, {parents * 10}) i")
    run(f"INSERT INTO g (id, c_id, name) SELECT i, (i - 1) / 10 + 1, 'grandchild ' || i "
        f"FROM generate_series(1, {parents * 100}) i")
    run("VACUUM ANALYZE p, c, g")

MEASUREMENTS = ("one row", "tree", "all", "read")
samples = {(name, m): [] for name in WAYS for m in MEASUREMENTS}


def measure(name, measurement):
    statements, role = WAYS[name][2:]
    run(f"SET search_path = {names[name]}, public")
    # where policies hide deleted rows, an UPDATE that hides one is refused: only the owner can
    if role and measurement == "read":
        run(f"SET ROLE {role}")
    statement = statements[measurement]
    if measurement == "read":
        start = time.perf_counter()
        for i in range(1, 201):
            run(statement.format(i))
        spent = (time.perf_counter() - start) / 200
    else:
        run("BEGIN")
        start = time.perf_counter()
        run(statement)
        spent = time.perf_counter() - start
        run("ROLLBACK")
    run("RESET ROLE")
    if measurement == "all":
        run("VACUUM p, c, g")
    return spent * 1000


for turn in range(-1, rounds):
    order = list(WAYS) if turn % 2 else list(WAYS)[::-1]
    for measurement in MEASUREMENTS:
        for name in order:
            repeats = 1 if measurement in ("all", "read") else 10
            spent = statistics.median(measure(name, measurement) for _ in range(repeats))
            if turn >= 0:
                samples[name, measurement].append(spent)

rows = {name: [statistics.median(samples[name, m]) for m in MEASUREMENTS] for name in WAYS}


def client(name, program):
    """Runs a program; what it measures in its own way is put into the table."""
    result = subprocess.run(program, cwd=here, capture_output=True, text=True)
    if result.returncode != 0:
        print(f"{name}: left out: {(result.stderr.strip().splitlines() or ['no reason'])[-1][:200]}")
        return
    values = dict(line.split("\t") for line in result.stdout.splitlines() if "\t" in line)
    rows[name] = [float(values[m]) if m in values else None for m in MEASUREMENTS]


client("paranoia on ActiveRecord, its own tables", ["ruby", "paranoia.rb", str(parents)])
client("Django's collector, on softdelete's tables", [sys.executable, "django_collector.py", str(parents)])

total = parents * 111
print(f"| way | one row (ms) | a tree of 111 rows (ms) | {total:,} rows (ms) | a live row with its parent (ms) |")
print("| --- | --- | --- | --- | --- |")
for name, values in rows.items():
    print("| " + " | ".join([name] + ["-" if v is None else f"{v:.3g}" if v < 100 else f"{v:.0f}" for v in values]) + " |")
