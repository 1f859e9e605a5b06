"""What is asked of incident analytics, read from an address: page, list, API and CSV read it alike."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo

from django.http import QueryDict

from accounts.models import User
from core.errors import InvalidInput
from core.reach import BEYOND, instant_from, is_within_reach
from core.walltime import instant
from core.zones import zone_of
from incidents.models import Severity
from incidents.queries.analytics import Question

__all__ = ["DAYS", "LONGEST", "NAMES", "USUAL", "bound", "period_from", "question_from"]

NAMES = ("from", "to", "team", "service", "severity")
DAYS = ("7", "30", "90")
LONGEST = timedelta(days=400)
USUAL = timedelta(days=30)
_MINUTE = timedelta(minutes=1)


def question_from(
    query: QueryDict, user: User, *, now: datetime, usual: timedelta = USUAL
) -> Question:
    """Return what the query parameters `from`, `to`, `team`, `service` and `severity` ask for.

    Args:
        query: A day as a bound is the reader's; that of `to` is in the period.
        user: Who asks.
        now: The present; the period ends with this minute unless `to` is given.
        usual: How long the period is unless `from` is given.

    Raises:
        InvalidInput: A bound is none, the period is empty or longer than `LONGEST`, there is no such
            severity, or a parameter is given twice.
    """
    _refuse_repeated(query)
    zone = zone_of(user)
    since, until = period_from(query, zone, now=now, usual=usual)
    if not is_within_reach(since - (until - since)):
        raise InvalidInput(BEYOND, field="from")
    severity = query.get("severity", "")
    if severity and severity not in Severity.values:
        raise InvalidInput(f"Choose one of {', '.join(Severity.values)}.", field="severity")
    team, service = (query.get(name, "").strip() for name in ("team", "service"))
    return Question(user, since, until, zone, team, service, severity)


def period_from(
    query: Mapping[str, str], zone: tzinfo, *, now: datetime, usual: timedelta = USUAL
) -> tuple[datetime, datetime]:
    """Return begin and end of the period that `from` and `to` ask for; the end is not in it.

    Args:
        query: The query parameters.
        zone: Whose midnights a day begins and ends with.
        now: The present; the period ends with this minute unless `to` is given.
        usual: How long the period is unless `from` is given.

    Raises:
        InvalidInput: A bound is none, or the period is empty or longer than `LONGEST`.
    """
    this_minute = now.replace(second=0, microsecond=0)
    until = bound(query, "to", zone) or this_minute + _MINUTE
    since = bound(query, "from", zone) or until - usual
    if not since < until <= since + LONGEST:
        message = f"The period ends after it begins, within {LONGEST.days} days."
        raise InvalidInput(message, field="to" if query.get("to") else "from")
    return since, until


def bound(query: Mapping[str, str], name: str, zone: tzinfo) -> datetime | None:
    """Return the instant that a bound names, None where it is not given.

    Args:
        query: The query parameters.
        name: `from` or `to`.
        zone: Whose midnights a day begins and ends with.

    Raises:
        InvalidInput: It is neither a day nor an instant, or out of reach.
    """
    asked = query.get(name, "").strip()
    if not asked:
        return None
    day = _day(asked)
    found = day or instant_from(asked)
    if found is None:
        message = "Use a day such as 2026-12-24, or an instant such as 2026-12-24T09:00:00Z."
        raise InvalidInput(message, field=name)
    if not is_within_reach(found):
        raise InvalidInput(BEYOND, field=name)
    if day is None:
        return found if isinstance(found, datetime) else None
    return instant(day + timedelta(days=name == "to"), time(), zone)


def _day(asked: str) -> date | None:
    try:
        return date.fromisoformat(asked)
    except ValueError:
        return None


def _refuse_repeated(query: QueryDict) -> None:
    message = "Give it once: only one value is read."
    twice = [name for name in NAMES if len(query.getlist(name)) > 1]
    if twice:
        raise InvalidInput(message, fields={name: [message] for name in twice})
