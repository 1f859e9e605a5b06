"""PostgreSQL gives a unique text an index for patterns, too; nobody looks for parts of a page's key."""

from django.db import migrations


def drop(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for name in connection.introspection.get_constraints(cursor, "incidents_page"):
            if name.startswith("incidents_page_key_") and name.endswith("_like"):
                cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")


class Migration(migrations.Migration):

    dependencies = [("incidents", "0003_guards")]

    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
