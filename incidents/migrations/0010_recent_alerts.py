"""Alerts that ended are found by their condition and when they began, so that flapping is seen."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("incidents", "0009_heartbeat_identity")]

    operations = [
        migrations.RemoveIndex(model_name="alert", name="incidents_alert_ended"),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("state", "resolved")), fields=["dedup_key", "integration", "opened_at"], name="incidents_alert_ended"),
        ),
    ]
