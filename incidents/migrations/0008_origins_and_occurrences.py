"""Alerts know which incident a merge took them from, silences which occurrence of maintenance they are."""

import django.db.models.deletion
from django.db import migrations, models

from core import revisions

FILL = """
    UPDATE incidents_silence SET occurrence_at = starts_at WHERE maintenance_id IS NOT NULL
"""


def watch_again(apps, schema_editor):
    """Changing a constraint makes SQLite copy the table, without its triggers."""
    vendor = schema_editor.connection.vendor
    if vendor != "sqlite":
        return
    with schema_editor.connection.cursor() as cursor:
        for statement in revisions.watch(vendor, "incidents_silence", "intake"):
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [("incidents", "0007_lean_paging")]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="origin",
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text="Where it goes back to when merged incidents are taken apart; none: never merged.", null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="incidents.incident"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("origin__isnull", False)), fields=["origin"], name="incidents_alert_origin"),
        ),
        migrations.RunPython(migrations.RunPython.noop, watch_again),
        migrations.RemoveConstraint(model_name="silence", name="incidents_silence_once_per_occurrence"),
        migrations.AddField(
            model_name="silence",
            name="occurrence_at",
            field=models.DateTimeField(blank=True, editable=False, help_text="When that occurrence was planned to begin, whatever became of the silence.", null=True),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="silence",
            constraint=models.UniqueConstraint(fields=("maintenance", "occurrence_at"), name="incidents_silence_once_per_occurrence"),
        ),
        migrations.RunPython(watch_again, migrations.RunPython.noop),
    ]
