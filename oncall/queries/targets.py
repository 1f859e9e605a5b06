"""From the targets of a step to people and channels, at the moment it fires."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from notifications.models import ContactMethod
from oncall.models import Schedule
from oncall.queries.rotas import on_call_at

__all__ = ["Called", "called_by"]


@dataclass(frozen=True)
class Called:
    """Whom a step calls.

    Args:
        people: Active, each once, in the order of the targets.
        channels: Of teams.
        missing: Why somebody who should have been called was not, in words.
    """

    people: tuple[User, ...] = ()
    channels: tuple[ContactMethod, ...] = ()
    missing: tuple[str, ...] = ()


def called_by(targets: Sequence[Mapping[str, Any]], at: datetime) -> Called:
    """Return whom `targets` (`{"kind", "id"}`) call at an instant.

    Dedup comes after schedules and overrides were looked up, so nobody is called twice who is on
    two of them.
    """
    people: dict[int, User] = {}
    channels: dict[int, ContactMethod] = {}
    missing: list[str] = []
    for target in targets:
        found = _ANSWERS[target["kind"]](target["id"], at)
        if isinstance(found, str):
            missing.append(found)
            continue
        for row in found:
            if isinstance(row, ContactMethod):
                channels[row.pk] = row
            elif row.is_active:
                people[row.pk] = row
            else:
                missing.append(f"{row} is no longer active.")
    if not targets:
        missing.append("The level has no targets.")
    return Called(tuple(people.values()), tuple(channels.values()), tuple(missing))


Found = Sequence[User | ContactMethod] | str


def _schedule(pk: int, at: datetime) -> Found:
    schedule = Schedule.objects.with_rota().filter(pk=pk).first()
    if schedule is None:
        return "A schedule that it names was deleted."
    person = on_call_at([schedule], at)[schedule.pk]
    found = User.objects.filter(pk=person).first() if person is not None else None
    return [found] if found else f"Nobody is on call of {schedule}."


def _person(pk: int, at: datetime) -> Found:
    found = User.objects.filter(pk=pk).first()
    return [found] if found else "A person that it names was deleted."


def _team(pk: int, at: datetime) -> Found:
    found = list(User.objects.filter(teams=pk, is_active=True).order_by("pk"))
    return found or "A team that it names has no active members."


def _role(role: str, at: datetime) -> Found:
    found = list(User.objects.filter(role=role, is_active=True).order_by("pk"))
    return found or f"Nobody who is active has the role {role}."


def _channel(pk: int, at: datetime) -> Found:
    found = ContactMethod.objects.filter(pk=pk).first()
    if found is None:
        return "A channel that it names was deleted."
    return [found] if found.is_usable else f"{found} is not verified, or switched off."


_ANSWERS: Mapping[str, Callable[[Any, datetime], Found]] = {
    "schedule": _schedule,
    "person": _person,
    "team": _team,
    "role": _role,
    "channel": _channel,
}
