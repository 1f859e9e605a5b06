"""Views by which anyone can check with SQL what was promised about paging."""

from django.db import migrations

VIEWS = {
    "ev_receipt": "SELECT id, ext_id, received_at FROM incidents_inboundevent",
    "ev_incident": """
        SELECT id, opened_at, responded_at AS acked_at, resolved_at FROM incidents_incident
    """,
    "ev_page": """
        SELECT key, incident_id, cycle, step, target, channel, due_at, created_at, state, attempts
        FROM incidents_page
    """,
    "ev_attempt": """
        SELECT p.key, a.number AS n, a.started_at, a.ended_at, a.outcome, a.owner
        FROM incidents_attempt a JOIN incidents_page p ON p.id = a.page_id
    """,
    "ev_tick": "SELECT process, at, monotonic FROM core_processheartbeat",
}


class Migration(migrations.Migration):

    replaces = [("incidents", "0003_receipts"), ("incidents", "0006_evidence")]

    dependencies = [("incidents", "0001_models"), ("core", "0001_models")]

    operations = [
        migrations.RunSQL(f"CREATE VIEW {name} AS {query}", f"DROP VIEW {name}")
        for name, query in VIEWS.items()
    ]
