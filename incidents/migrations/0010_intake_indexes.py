"""Indexes that the intake asks for, and none that a longer one makes needless."""

import django.db.models.deletion
import incidents.domain.lifecycle
from django.conf import settings
from django.db import migrations, models

# Columns whose every search a longer index of theirs serves.
COVERED = (
    ("alertlogentry", "alert_id"),
    ("attempt", "page_id"),
    ("changeevent", "service_id"),
    ("deadline", "incident_id"),
    ("escalationrun", "incident_id"),
    ("inboundevent", "integration_id"),
    ("incident", "service_id"),
    ("page", "incident_id"),
    ("page", "person_id"),
    ("timelineentry", "incident_id"),
)


def drop(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        for model, column in COVERED:
            table = f"incidents_{model}"
            found = connection.introspection.get_constraints(cursor, table)
            for name, about in found.items():
                if about["columns"] == [column] and about["index"] and not about["unique"]:
                    cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
        if connection.vendor == "postgresql":
            # The index of a unique text for patterns; nobody looks for parts of a key.
            found = connection.introspection.get_constraints(cursor, "incidents_page")
            for name in found:
                if name.startswith("incidents_page_key_") and name.endswith("_like"):
                    cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")


def create(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for model, column in COVERED:
            cursor.execute(
                f"CREATE INDEX incidents_{model}_{column} ON incidents_{model} ({column})"
            )


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0001_initial'),
        ('incidents', '0009_timeline_guard'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # SQLite would make the tables anew, without the triggers and views that stand on them.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop, create)],
            state_operations=[
                migrations.AlterField(
                    model_name='alertlogentry',
                    name='alert',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='log', to='incidents.alert'),
                ),
                migrations.AlterField(
                    model_name='attempt',
                    name='page',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tries', to='incidents.page'),
                ),
                migrations.AlterField(
                    model_name='changeevent',
                    name='service',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='catalog.service'),
                ),
                migrations.AlterField(
                    model_name='deadline',
                    name='incident',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deadlines', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='escalationrun',
                    name='incident',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='inboundevent',
                    name='integration',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='incidents.integration'),
                ),
                migrations.AlterField(
                    model_name='incident',
                    name='service',
                    field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='incidents', to='catalog.service'),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='incident',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='person',
                    field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to=settings.AUTH_USER_MODEL),
                ),
                migrations.AlterField(
                    model_name='timelineentry',
                    name='incident',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='timeline', to='incidents.incident'),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('sender_at__isnull', False), ('state', 'resolved')), fields=['integration', 'dedup_key'], name='incidents_alert_ended'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('status__in', [incidents.domain.lifecycle.Status['ACKNOWLEDGED'], incidents.domain.lifecycle.Status['MITIGATED'], incidents.domain.lifecycle.Status['TRIGGERED'], 'merged'])), fields=['group'], name='incidents_incident_of_group'),
        ),
    ]
