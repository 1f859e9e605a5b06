"""What the database itself watches over.

The timeline refuses everything but INSERT, and attempts stay as they ended. Every write to what
decides how alerts are taken gives the revision `intake` another token.
"""

from django.db import migrations

from core import append_only, revisions

TIMELINE = "incidents_timelineentry"
ATTEMPTS = "incidents_attempt"
WATCHED = (
    "incidents_integration", "incidents_responsetarget", "incidents_silence",
    "oncall_escalationpolicy", "oncall_holiday", "oncall_holidaycalendar", "oncall_leveltarget", "oncall_policylevel",
    "oncall_servicepolicy", "oncall_timing",
)  # fmt: skip


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for statement in append_only.guard(vendor, TIMELINE):
            cursor.execute(statement)
        for statement in append_only.guard(vendor, ATTEMPTS, ended="ended_at"):
            cursor.execute(statement)
        for table in WATCHED:
            for statement in revisions.watch(vendor, table, "intake"):
                cursor.execute(statement)


def remove(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for table in WATCHED:
            for statement in revisions.lift(vendor, table):
                cursor.execute(statement)
        for table in (ATTEMPTS, TIMELINE):
            for statement in append_only.lift(vendor, table):
                cursor.execute(statement)


class Migration(migrations.Migration):

    replaces = [
        ("incidents", "0009_timeline_guard"),
        ("incidents", "0011_revision"),
        ("incidents", "0012_acknowledgements"),
    ]

    dependencies = [
        ("incidents", "0002_evidence"),
        ("oncall", "0001_models"),
        ("core", "0001_models"),
    ]

    operations = [migrations.RunPython(install, remove)]
