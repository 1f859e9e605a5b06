"""When the person on call changes, and whose handoff that is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.reach import is_within_reach
from oncall.domain.spans import Span
from oncall.models import Handoff, Schedule
from oncall.queries.rotas import shifts

__all__ = ["Change", "change_at", "changes_around"]

_BACK, _AHEAD = timedelta(days=35), timedelta(days=35)


@dataclass(frozen=True)
class Change:
    """One person on call follows another.

    Args:
        at: When.
        outgoing: Id of the user who goes; None where nobody was on call.
        incoming: Id of the user who comes; None where nobody is.
        since: When the shift that ends had begun.
    """

    at: datetime
    outgoing: int | None
    incoming: int | None
    since: datetime


def changes_around(schedule: Schedule, now: datetime) -> list[Change]:
    """Return the last change before an instant and the next one after it, as far as there are."""
    found = _changes(schedule, Span(now - _BACK, now + _AHEAD))
    before = [change for change in found if change.at <= now]
    after = [change for change in found if change.at > now]
    return [*before[-1:], *after[:1]]


def change_at(schedule: Schedule, at: datetime) -> Change | None:
    """Return the change at an instant, as it is planned now or was signed."""
    if not is_within_reach(at):
        return None
    # Databases refuse offsets that Python takes.
    at = at.astimezone(UTC)
    signed = Handoff.objects.filter(schedule=schedule, at=at).first()
    found = next((c for c in _changes(schedule, Span(at - _BACK, at + _AHEAD)) if c.at == at), None)
    if signed is None:
        return found
    since = found.since if found else at - timedelta(days=7)
    return Change(at, signed.outgoing_id, signed.incoming_id, since)


def _changes(schedule: Schedule, window: Span) -> list[Change]:
    """Return the changes strictly within a window, oldest first."""
    found: list[Change] = []
    person, since = None, window.start
    edge = window.start
    for shift in shifts(schedule, window):
        if shift.span.start > edge and person is not None:
            found.append(Change(edge, person, None, since))
            person, since = None, edge
        if shift.person != person:
            found.append(Change(shift.span.start, person, shift.person, since))
            person, since = shift.person, shift.span.start
        edge = shift.span.end
    if edge < window.end and person is not None:
        found.append(Change(edge, person, None, since))
    return [change for change in found if window.start < change.at < window.end]
