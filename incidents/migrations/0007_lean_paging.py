"""Firing a step and opening an incident write less: see ADR 0019.

Rows refer to what is stored with them, or locked, by whoever writes them; PostgreSQL no longer looks
for each of it again at every commit. A ladder is stored once, not with every walk up it.
"""

import hashlib
import json

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

UNCHECKED = {
    "incidents_alert": ("incident_id",),
    "incidents_alertlogentry": ("alert_id", "event_id"),
    "incidents_deadline": ("incident_id",),
    "incidents_escalationrun": ("incident_id",),
    "incidents_page": ("incident_id", "method_id", "person_id", "run_id"),
    "incidents_timelineentry": ("incident_id",),
}
DROPPED = (
    "incidents_page_method_id_07df8ff4",
    "incidents_page_run_id_57dc45b6",
    "incidents_page_of_incident",
)


def lean(apps, schema_editor):
    """Change constraints and indexes; SQLite keeps what only copying a table would take away."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        for name in DROPPED:
            cursor.execute(f"DROP INDEX IF EXISTS {name}")
        if connection.vendor != "postgresql":
            cursor.execute("CREATE UNIQUE INDEX incidents_page_key_once ON incidents_page (incident_id, key)")
            return
        for table, columns in UNCHECKED.items():
            for name, found in connection.introspection.get_constraints(cursor, table).items():
                is_alone = table == "incidents_page" and found["unique"] and found["columns"] == ["key"]
                if is_alone or (found["foreign_key"] and found["columns"][0] in columns):
                    quoted = connection.ops.quote_name(name)
                    cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {quoted}")
        cursor.execute(
            "ALTER TABLE incidents_page ADD CONSTRAINT incidents_page_key_once UNIQUE (incident_id, key)"
        )


def share(apps, schema_editor):
    """Store each ladder once."""
    run = apps.get_model("incidents", "EscalationRun")
    ladder = apps.get_model("incidents", "LadderSnapshot")
    left = run.objects.filter(snapshot=None)
    for held in list(left.values_list("held", flat=True).distinct()):
        digest = _stored(ladder, held)
        left.filter(held=held).update(snapshot=digest)
    # What does not equal itself, e.g. for how a database reads numbers.
    for pk, held in list(left.values_list("pk", "held")):
        left.filter(pk=pk).update(snapshot=_stored(ladder, held))


def _stored(ladder, held):
    canonical = json.dumps(held, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    ladder.objects.get_or_create(digest=digest, defaults={"content": held})
    return digest


def part(apps, schema_editor):
    """Give each walk its ladder back."""
    for run in apps.get_model("incidents", "EscalationRun").objects.select_related("snapshot"):
        run.held = run.snapshot.content
        run.save(update_fields=["held"])


class Migration(migrations.Migration):

    dependencies = [
        ("incidents", "0006_lean_indexes"),
        ("notifications", "0001_models"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LadderSnapshot",
            fields=[
                ("digest", models.CharField(help_text="Of what it holds.", max_length=64, primary_key=True, serialize=False)),
                ("content", models.JSONField()),
            ],
        ),
        migrations.RenameField("escalationrun", "snapshot", "held"),
        migrations.AddField(
            model_name="escalationrun",
            name="snapshot",
            field=models.ForeignKey(null=True, db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="incidents.laddersnapshot"),
        ),
        migrations.RunPython(share, part),
        migrations.AlterField(
            model_name="escalationrun",
            name="snapshot",
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="incidents.laddersnapshot"),
        ),
        migrations.RemoveField("escalationrun", "held"),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(lean)],
            state_operations=[
                migrations.RemoveIndex(model_name="page", name="incidents_page_of_incident"),
                migrations.AlterField(
                    model_name='alert',
                    name='incident',
                    field=models.ForeignKey(blank=True, db_constraint=False, help_text='What it belongs to; none while it informs only, or is silenced.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='alertlogentry',
                    name='alert',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='log', to='incidents.alert'),
                ),
                migrations.AlterField(
                    model_name='alertlogentry',
                    name='event',
                    field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='log', to='incidents.inboundevent'),
                ),
                migrations.AlterField(
                    model_name='deadline',
                    name='incident',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deadlines', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='escalationrun',
                    name='incident',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='incident',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='incidents.incident'),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='key',
                    field=models.CharField(max_length=64),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='method',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to='notifications.contactmethod'),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='person',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to=settings.AUTH_USER_MODEL),
                ),
                migrations.AlterField(
                    model_name='page',
                    name='run',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to='incidents.escalationrun'),
                ),
                migrations.AlterField(
                    model_name='timelineentry',
                    name='incident',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='timeline', to='incidents.incident'),
                ),
                migrations.AddConstraint(
                    model_name="page",
                    constraint=models.UniqueConstraint(fields=("incident", "key"), name="incidents_page_key_once"),
                ),
            ],
        ),
    ]
