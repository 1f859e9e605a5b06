"""Calendars of holidays: written here, with their audit."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from core import audit
from core.audit import Who
from core.changes import differing
from core.errors import Conflict, InvalidInput
from core.locking import as_stored, locked, store
from oncall.models import Holiday, HolidayCalendar
from oncall.services.cleaning import clean

__all__ = ["delete_calendar", "save_calendar"]

MOST_DAYS = 1000


@transaction.atomic
def save_calendar(
    calendar: HolidayCalendar,
    *,
    fields: Mapping[str, Any],
    days: Sequence[Mapping[str, Any]] | None,
    actor: Who,
    now: datetime,
) -> HolidayCalendar:
    """Create or change a calendar; given days replace those it had, None leaves them.

    What is as it was is neither written nor told.

    Args:
        calendar: New or stored.
        fields: `slug`, `name`, `country`, `subdivision`.
        days: Each with `on`, `name`, `is_worked`.
        actor: Who.
        now: When.

    Raises:
        InvalidInput: Names what is wrong.
        NotFound: It was deleted meanwhile.
    """
    is_new = calendar.pk is None
    calendar = as_stored(calendar)
    fields = differing(calendar, fields)
    if days is not None and not is_new and _told(days) == _told(calendar.days.values()):
        days = None
    if not (is_new or fields or days is not None):
        return calendar
    for name, value in fields.items():
        setattr(calendar, name, value)
    clean(calendar)
    store(calendar, fields)
    changes = {name: str(value) for name, value in fields.items()}
    if days is not None:
        _replace_days(calendar, days)
        changes["days"] = str(_told(days))[:2000]
    act = "holidays.created" if is_new else "holidays.changed"
    audit.record(act=act, subject=calendar, actor=actor, now=now, changes=changes)
    return calendar


@transaction.atomic
def delete_calendar(calendar: HolidayCalendar, *, actor: Who, now: datetime) -> None:
    """Delete a calendar that nothing follows.

    Raises:
        Conflict: A schedule or policy does.
        NotFound: It was deleted already.
    """
    calendar = locked(calendar, to_delete=True)
    if calendar.schedules.exists() or calendar.policies.exists():
        raise Conflict("A schedule or policy follows it; give that another calendar first.")
    name = audit.subject_name(calendar)
    calendar.delete()
    audit.record(act="holidays.deleted", subject=name, actor=actor, now=now)


def _told(days: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return days as the audit tells them."""
    return sorted(
        f"{day['on']} {day.get('name', '')}{' (worked)' if day.get('is_worked') else ''}"
        for day in days
    )


def _replace_days(calendar: HolidayCalendar, days: Sequence[Mapping[str, Any]]) -> None:
    if len(days) > MOST_DAYS or len({given["on"] for given in days}) != len(days):
        raise InvalidInput(f"Up to {MOST_DAYS} days, each once.", field="days")
    calendar.days.all().delete()
    for number, given in enumerate(days):
        day = Holiday(calendar=calendar, **given)
        clean(day, within=f"days[{number}]", without=["calendar"])
        day.save(force_insert=True)
