"""The audit table refuses everything but INSERT; the view `ev_audit` shows the chain."""

from django.db import migrations

from core.append_only import guard, lift

TABLE = "core_auditentry"
VIEW = """
CREATE VIEW ev_audit AS
SELECT seq, at, actor, act, subject AS object, prev_hash, hash FROM core_auditentry
"""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in guard(schema_editor.connection.vendor, TABLE, key="seq"):
            cursor.execute(statement)
        cursor.execute(VIEW)


def remove(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DROP VIEW ev_audit")
        for statement in lift(schema_editor.connection.vendor, TABLE):
            cursor.execute(statement)


class Migration(migrations.Migration):

    replaces = [("core", "0003_audit_guard")]

    dependencies = [("core", "0001_models")]

    operations = [migrations.RunPython(install, remove)]
