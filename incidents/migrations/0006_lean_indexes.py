"""Fewer indexes to write for an alert and its incident, and one that a look-up by key cannot take."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Altering the fields would make SQLite copy the tables, which views look at.
_DROPPED = (
    "incidents_alert_silenced_by_id_76157ece",
    "incidents_incident_assigned_to_id_c1ff8fd4",
    "incidents_incident_integration_id_43b2f67a",
    "incidents_incident_merged_into_id_75509a6d",
)


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0001_initial"),
        ("incidents", "0005_calling_ended"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="alert", name="incidents_alert_firing"),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"DROP INDEX IF EXISTS {name}", migrations.RunSQL.noop)
                for name in _DROPPED
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="alert",
                    name="silenced_by",
                    field=models.ForeignKey(blank=True, db_index=False, help_text="Why nobody is called for it.", null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="alerts", to="incidents.silence"),
                ),
                migrations.AlterField(
                    model_name="incident",
                    name="assigned_to",
                    field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="assigned_incidents", to=settings.AUTH_USER_MODEL),
                ),
                migrations.AlterField(
                    model_name="incident",
                    name="integration",
                    field=models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to="incidents.integration"),
                ),
                migrations.AlterField(
                    model_name="incident",
                    name="merged_into",
                    field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="merged", to="incidents.incident"),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("resolved_at", None)), fields=["severity", "-opened_at"], name="incidents_alert_firing"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("silenced_by__isnull", False)), fields=["silenced_by"], name="incidents_alert_silenced"),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(condition=models.Q(("assigned_to__isnull", False)), fields=["assigned_to"], name="incidents_incident_assigned"),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(condition=models.Q(("merged_into__isnull", False)), fields=["merged_into"], name="incidents_incident_merged"),
        ),
    ]
