"""Who answered where several must, and attempts that the database keeps as they ended."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.append_only import guard, lift

TABLE = "incidents_attempt"


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in guard(schema_editor.connection.vendor, TABLE, ended="ended_at"):
            cursor.execute(statement)


def remove(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in lift(schema_editor.connection.vendor, TABLE):
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ("incidents", "0011_revision"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Acknowledgement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cycle", models.PositiveIntegerField()),
                ("actor", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("incident", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="acknowledgements", to="incidents.incident")),
                ("person", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "ordering": ["at", "pk"],
                "constraints": [models.UniqueConstraint(fields=("incident", "cycle", "actor"), name="incidents_acknowledged_once")],
            },
        ),
        migrations.RunPython(install, remove),
    ]
