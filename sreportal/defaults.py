"""What `manage.py bootstrap` puts into a database: the first admin, the schedule, defaults."""

import json
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from accounts.models import User
from accounts.roles import Role
from core import bootstrap
from sreportal.schedule import SCHEDULE, Tick

WRITTEN = "sreportal-every-s"


@transaction.atomic
def create_first_admin() -> str | None:
    """Create the user `admin` when there is no user at all.

    Returns:
        The generated password, which is stored nowhere in clear; None when somebody exists.
    """
    if User.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser("admin", "", password, role=Role.ADMIN)
    return password


@transaction.atomic
def sync_schedule(schedule: tuple[Tick, ...] = SCHEDULE) -> None:
    """Write the schedule into the database; an interval that an admin has edited stays.

    A row's headers carry the interval written here last: a row that runs at another was edited.
    """
    rows = {
        row.name: row
        for row in PeriodicTask.objects.select_related("interval")
        if WRITTEN in json.loads(row.headers)
    }
    wanted = {tick.name for tick in schedule}
    changed = [_write(tick, rows.get(tick.name)) for tick in schedule]
    gone = PeriodicTask.objects.filter(pk__in=[r.pk for n, r in rows.items() if n not in wanted])
    if gone.delete()[0] or any(changed):
        PeriodicTasks.update_changed()


def _write(tick: Tick, row: PeriodicTask | None) -> bool:
    """Create or update the row of one tick, and return whether that changed anything."""
    wanted: dict[str, str | int] = {"task": tick.task, "description": tick.reason}
    if row is None or not _was_edited(row):
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=tick.every_s, period=IntervalSchedule.SECONDS
        )
        wanted |= {
            "interval_id": interval.pk,
            # A tick that found no worker in time is dropped: the next one does its work as well.
            "expire_seconds": tick.every_s,
            "headers": json.dumps({WRITTEN: tick.every_s}),
        }
    if row is None:
        _, created = PeriodicTask.objects.get_or_create(name=tick.name, defaults=wanted)
        return bool(created)
    if all(getattr(row, name) == value for name, value in wanted.items()):
        return False
    PeriodicTask.objects.filter(pk=row.pk).update(**wanted)
    return True


def _was_edited(row: PeriodicTask) -> bool:
    written = timedelta(seconds=json.loads(row.headers)[WRITTEN])
    return row.interval is None or bool(row.interval.schedule.run_every != written)


def apply(*, now: datetime) -> str | None:
    """Do all of it, and return the first admin's password if one was made."""
    password = create_first_admin()
    sync_schedule()
    bootstrap.run(now=now)
    return password
