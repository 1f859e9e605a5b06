"""The view `ev_receipt`: every request of a known key, as promised to SQL readers."""

from django.db import migrations

VIEW = "CREATE VIEW ev_receipt AS SELECT id, ext_id, received_at FROM incidents_inboundevent"


class Migration(migrations.Migration):

    dependencies = [("incidents", "0002_integrations")]

    operations = [migrations.RunSQL(VIEW, "DROP VIEW ev_receipt")]
