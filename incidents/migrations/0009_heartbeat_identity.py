"""Heartbeats are found by what their senders call them; their names are for people.

A start is kept beside the end of the run before it, from which the next one is due all the same.
Of an integration, what its sender says and what is said of its heartbeats are alerts of two sources.
"""

from django.db import migrations, models


FIRING = "incidents_alert_one_firing_of_integration"


def fill(apps, schema_editor):
    """Find each by its name, as before, and as its integration's own where it is named like that."""
    model = apps.get_model("incidents", "Heartbeat")
    taken = set()
    rows = model.objects.select_related("integration")
    for heartbeat in sorted(rows, key=lambda each: (each.name != each.name.strip(), each.pk)):
        key = heartbeat.name.strip()
        if not key or (heartbeat.integration_id, key) in taken:
            # Signs of this name are another's from now on; nothing is missing when it is silent.
            key, heartbeat.is_paused = heartbeat.name, True
        taken.add((heartbeat.integration_id, key))
        heartbeat.sender_key = key
        heartbeat.is_own = heartbeat.name == heartbeat.integration.name[:100]
        if heartbeat.last_sign == "start":
            heartbeat.started_at = heartbeat.last_sign_at
        else:
            heartbeat.ended_at = heartbeat.last_sign_at
        heartbeat.save(update_fields=["sender_key", "is_own", "is_paused", "started_at", "ended_at"])


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0008_origins_and_occurrences'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="alert", name=FIRING),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(condition=models.Q(("integration__isnull", False), ("state", "firing")), fields=("integration", "dedup_key", "source"), name=FIRING),
        ),
        migrations.RemoveConstraint(
            model_name='heartbeat',
            name='incidents_heartbeat_name_once',
        ),
        migrations.AddField(
            model_name='heartbeat',
            name='is_own',
            field=models.BooleanField(default=False, editable=False, help_text='Signs that name nothing but the integration are its.'),
        ),
        migrations.AddField(
            model_name='heartbeat',
            name='sender_key',
            field=models.CharField(blank=True, default='', help_text='What its sender calls it, e.g. the slug in the address; empty: as its name now.', max_length=100),
        ),
        migrations.AddField(
            model_name='heartbeat',
            name='ended_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Last success or failure.', null=True),
        ),
        migrations.AddField(
            model_name='heartbeat',
            name='started_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='First start since then.', null=True),
        ),
        migrations.AddField(
            model_name='heartbeat',
            name='told',
            field=models.JSONField(blank=True, default=dict, editable=False, help_text='What its sender is told of it again.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='heartbeat',
            constraint=models.UniqueConstraint(condition=models.Q(('sender_key', ''), _negated=True), fields=('integration', 'sender_key'), name='incidents_heartbeat_key_once', violation_error_message='There is a heartbeat of this name already.'),
        ),
        migrations.AddConstraint(
            model_name='heartbeat',
            constraint=models.UniqueConstraint(condition=models.Q(('is_own', True)), fields=('integration',), name='incidents_heartbeat_own_once'),
        ),
    ]
