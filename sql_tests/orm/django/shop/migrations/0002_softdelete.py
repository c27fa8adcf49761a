"""Registers every table of the application, those of many-to-many fields too.

A migration of its own, after the one that makes the tables: it alters them.
Django's foreign keys say NO ACTION, so registering one table does not reach
the next: all are named.  Going back leaves them registered, and the extension
where it is: django.contrib.postgres.operations.CreateExtension would drop it.
"""
import os

from django.db import migrations


def register(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for model in apps.get_app_config("shop").get_models(include_auto_created=True):
            table = schema_editor.quote_name(model._meta.db_table)
            cursor.execute("SELECT softdelete_register(%s)", [table])


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    # the twin, in which DELETE is a DELETE, has neither extension nor registration
    operations = [] if os.environ.get("MODE") == "real" else [
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS softdelete", migrations.RunSQL.noop),
        migrations.RunPython(register, migrations.RunPython.noop),
        # SET_DEFAULT is done by Django; undelete knows the default by this
        migrations.RunSQL("ALTER TABLE shop_order ALTER agent_id SET DEFAULT 1",
                          "ALTER TABLE shop_order ALTER agent_id DROP DEFAULT"),
    ]
