"""Where several must answer, the first answer is a response, but calling goes on: two instants."""

from django.db import migrations, models

DROP = "DROP VIEW ev_incident"
VIEW = "CREATE VIEW ev_incident AS SELECT id, opened_at, {} AS acked_at, resolved_at FROM incidents_incident"
# Whoever is still being called for the first time has had a part of the answers at most.
FILL = """
    UPDATE incidents_incident SET calling_ended_at = responded_at
    WHERE NOT (status = 'triggered' AND cycle = 1)
"""


class Migration(migrations.Migration):

    dependencies = [("incidents", "0004_page_keys")]

    operations = [
        migrations.RunSQL(DROP, VIEW.format("responded_at")),
        migrations.AddField(
            model_name="incident",
            name="calling_ended_at",
            field=models.DateTimeField(blank=True, editable=False, help_text="First time that nobody else had to be called: enough had acknowledged, or it was over.", null=True),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(VIEW.format("calling_ended_at"), DROP),
    ]
