"""Django's collector as a client: django_collector.py PARENTS.

Django does not use ON DELETE CASCADE: it collects what is below, and sends DELETEs.  On tables
registered with softdelete these are soft deletes.  Writes lines "measurement milliseconds"."""
import os
import statistics
import sys
import time

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["PGHOST"],
                           "USER": os.environ["PGUSER"], "NAME": os.environ["PGDATABASE"],
                           "OPTIONS": {"options": "-c search_path=django,public"}}},
    INSTALLED_APPS=["tree"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True)
django.setup()

from django.db import connection, transaction  # noqa: E402

from tree.models import C, G, P  # noqa: E402

parents = int(sys.argv[1])
with connection.cursor() as cursor:
    cursor.execute("CREATE SCHEMA django")
    with connection.schema_editor() as editor:
        for model in (P, C, G):
            editor.create_model(model)
    for table in "pcg":
        cursor.execute(f"SELECT count(*) FROM softdelete_register('{table}')")
    cursor.execute(f"INSERT INTO p (id, name) SELECT i, 'parent ' || i FROM generate_series(1, {parents}) i")
    cursor.execute(f"INSERT INTO c (id, p_id, name) SELECT i, (i - 1) / 10 + 1, 'child' FROM generate_series(1, {parents * 10}) i")
    cursor.execute(f"INSERT INTO g (id, c_id, name) SELECT i, (i - 1) / 10 + 1, 'grandchild' FROM generate_series(1, {parents * 100}) i")
    cursor.execute("ANALYZE")


class Undo(Exception):
    pass


def rolled_back(action):
    try:
        with transaction.atomic():
            start = time.perf_counter()
            action()
            spent = (time.perf_counter() - start) * 1000
            raise Undo
    except Undo:
        return spent


def median(times, action):
    return statistics.median(rolled_back(action) for _ in range(times))


print(f"one row\t{median(10, lambda: G.objects.get(id=77).delete())}")
print(f"tree\t{median(10, lambda: P.objects.get(id=7).delete())}")
print(f"all\t{rolled_back(lambda: P.objects.all().delete())}")
start = time.perf_counter()
for i in range(1, 201):
    list(G.objects.filter(id=i).values_list("id", "c__name"))
print(f"read\t{(time.perf_counter() - start) * 1000 / 200}")
