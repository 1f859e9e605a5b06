"""What the page had before subscribers heard of maintenance is no news: nobody is sent all of it at once.

Of what is still to come its beginning and end are told as ever; of what goes on nothing more is.
"""

from datetime import timedelta

from django.db import migrations
from django.db.models import Q

from core.clock import now as present
from core.recurrence import starts

# So far ahead the page looked; what is later is news when it stands there.
AHEAD = timedelta(days=30)


def note(apps, schema_editor):
    """Note as told, without a message to anybody, what the page showed."""
    now = present()
    said = apps.get_model("statuspage", "PublicMaintenance")
    parts = apps.get_model("statuspage", "Component")
    told = apps.get_model("statuspage", "MaintenanceAnnouncement")
    shown = parts.objects.filter(is_shown=True, shows_maintenance=True, service__isnull=False)
    rows = apps.get_model("incidents", "Maintenance").objects.filter(
        Q(ends_at__gt=now) | ~Q(rule=""),
        cancelled_at=None,
        starts_at__lt=now + AHEAD,
        service__in=shown.values("service"),
    )
    for row in rows.exclude(pk__in=said.objects.filter(is_shown=False).values("maintenance")):
        told.objects.bulk_create(
            [
                told(maintenance=row, occurrence_at=at, ends_at=ends_at, kind=kind, at=now)
                for at, ends_at in _known(row, now)
                for kind in (("scheduled", "started", "completed") if at <= now else ("scheduled",))
            ],
            ignore_conflicts=True,
        )


def _known(row, now):
    """Return what happens once, and of what repeats the occurrences that go on: each is news of its own."""
    length = row.ends_at - row.starts_at
    if not row.rule:
        return [(row.starts_at, row.ends_at)]
    try:
        begun = list(starts(row.rule, row.starts_at, row.timezone, now - length, now))
    except ValueError:
        return []
    return [(at, at + length) for at in begun if at + length > now]


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0016_call_decisions'),
        ('statuspage', '0002_maintenance_notices'),
    ]

    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
