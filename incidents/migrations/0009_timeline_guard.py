"""The timeline refuses everything but INSERT, as the audit does."""

from django.db import migrations

from core.append_only import guard, lift

TABLE = "incidents_timelineentry"


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in guard(schema_editor.connection.vendor, TABLE):
            cursor.execute(statement)


def remove(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in lift(schema_editor.connection.vendor, TABLE):
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [("incidents", "0008_maintenance")]

    operations = [migrations.RunPython(install, remove)]
