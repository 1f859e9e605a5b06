"""PostgreSQL no longer looks up the service of each minute count; see `MinuteCount`.

A foreign key is looked up for every row: a third of what the database did for a merge. SQLite keeps its
own, which costs next to nothing there.
"""

import django.db.models.deletion
from django.db import migrations, models

TRIGGER = """
CREATE FUNCTION telemetry_forget_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM telemetry_minutecount WHERE service_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER telemetry_forget_counts AFTER DELETE ON catalog_service
FOR EACH ROW EXECUTE FUNCTION telemetry_forget_counts();
"""
NO_TRIGGER = """
DROP TRIGGER telemetry_forget_counts ON catalog_service;
DROP FUNCTION telemetry_forget_counts();
"""


class AlterFieldOnPostgresql(migrations.AlterField):
    """Changes the state everywhere, the table on PostgreSQL only."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def install(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TRIGGER)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(NO_TRIGGER)


class Migration(migrations.Migration):

    dependencies = [
        ("telemetry", "0005_imported_logs"),
        ("catalog", "0001_initial"),
    ]

    operations = [
        AlterFieldOnPostgresql(
            model_name="minutecount",
            name="service",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.service",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
