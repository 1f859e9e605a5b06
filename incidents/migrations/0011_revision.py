"""Every write to what decides how alerts are taken gives the revision `intake` another token."""

from django.db import migrations

from core.revisions import lift, watch

TABLES = (
    "incidents_integration", "incidents_responsetarget", "incidents_silence",
    "oncall_escalationpolicy", "oncall_holiday", "oncall_holidaycalendar", "oncall_leveltarget", "oncall_policylevel",
    "oncall_servicepolicy", "oncall_timing",
)  # fmt: skip


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for table in TABLES:
            for statement in watch(vendor, table, "intake"):
                cursor.execute(statement)


def remove(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for table in TABLES:
            for statement in lift(vendor, table):
                cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ("incidents", "0010_intake_indexes"),
        ("oncall", "0004_holidays"),
        ("core", "0005_revision"),
    ]

    operations = [migrations.RunPython(install, remove)]
