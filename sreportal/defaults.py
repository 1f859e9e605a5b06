"""What `manage.py bootstrap` puts into a database: the first admin, the schedule, defaults."""

import json
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.services.tokens import create_token, revoke_token
from core import bootstrap
from sreportal.schedule import SCHEDULE, Tick

WRITTEN = "sreportal-every-s"
DEMONSTRATION = "Demonstration traffic"


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
def demonstration_token(*, now: datetime) -> str:
    """Make the token of this start's demonstration traffic and revoke those of earlier starts.

    Returns:
        The token, owned by the first active admin; "" when there is none.
    """
    owner = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk").first()
    if owner is None:
        return ""
    for earlier in ApiToken.objects.filter(name=DEMONSTRATION, revoked_at=None):
        revoke_token(earlier, now=now, actor="portal")
    scopes = ["read", "write"]
    _, token = create_token(user=owner, name=DEMONSTRATION, scopes=scopes, now=now, actor="portal")
    return token


@transaction.atomic
def sync_schedule(schedule: tuple[Tick, ...] = SCHEDULE) -> None:
    """Write the schedule into the database; an interval that an admin has edited stays.

    A row's headers carry the interval written here last: a row that runs at another was edited.
    """
    rows = {
        row.name: row
        for row in PeriodicTask.objects.select_related("interval")
        if _written(row) is not None
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


def _written(row: PeriodicTask) -> int | None:
    """Return the interval in seconds that was written last; None where the row is none of ours."""
    try:
        headers = json.loads(row.headers)
    except ValueError:
        return None
    seconds = headers.get(WRITTEN) if isinstance(headers, dict) else None
    return seconds if isinstance(seconds, int) else None


def _was_edited(row: PeriodicTask) -> bool:
    written = timedelta(seconds=_written(row) or 0)
    return row.interval is None or bool(row.interval.schedule.run_every != written)


def apply(*, now: datetime) -> str | None:
    """Do all of it, and return the first admin's password if one was made."""
    password = create_first_admin()
    sync_schedule()
    bootstrap.run(now=now)
    return password
