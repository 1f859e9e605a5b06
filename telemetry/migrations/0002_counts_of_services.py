"""On PostgreSQL a trigger takes the minute counts away with their service; see `MinuteCount`.

A foreign key would be looked up for every row: a third of what the database does for a merge. SQLite
has one writer at a time, who sees which services exist.
"""

from django.db import migrations

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


def install(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TRIGGER)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(NO_TRIGGER)


class Migration(migrations.Migration):

    replaces = [("telemetry", "0006_counts_of_held_services")]

    dependencies = [("telemetry", "0001_models"), ("catalog", "0001_initial")]

    operations = [migrations.RunPython(install, remove)]
