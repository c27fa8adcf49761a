from django.db import migrations, models


def tidy(apps, schema_editor):
    tags = apps.get_model("shop", "Tag").objects.using(schema_editor.connection.alias)
    tags.filter(name="obsolete").delete()


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_softdelete")]
    operations = [
        migrations.AddField("tag", "colour", models.CharField(default="", max_length=40)),
        migrations.RunPython(tidy, migrations.RunPython.noop),
    ]
