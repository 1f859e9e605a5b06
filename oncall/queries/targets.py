"""From the targets of a step to people and channels, at the moment it fires."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F

from accounts.models import User
from notifications.models import ContactMethod
from oncall.models import Schedule
from oncall.queries.rotas import shift_at

__all__ = ["Called", "Through", "called_by"]

Row = User | ContactMethod


class Through(NamedTuple):
    """By which target of a step somebody is called.

    Args:
        kind: schedule, person, team, role or channel.
        name: Of the schedule, team or role; "" where the target is they themselves.
        shift: What has them on call of a schedule: the name of its layer, or `OVERRIDE`; else "".
    """

    kind: str
    name: str = ""
    shift: str = ""


OVERRIDE = "override"


@dataclass(frozen=True)
class Called:
    """Whom a step calls.

    Args:
        people: Active, each once, in the order of the targets.
        channels: Of teams.
        missing: Why somebody who should have been called was not, in words.
        through: By which targets, for the person or channel of each of them.
    """

    people: tuple[User, ...] = ()
    channels: tuple[ContactMethod, ...] = ()
    missing: tuple[str, ...] = ()
    through: tuple[tuple[Row, Through], ...] = ()


def called_by(targets: Sequence[Mapping[str, Any]], at: datetime) -> Called:
    """Return whom `targets` (`{"kind", "id"}`) call at an instant.

    Dedup comes after schedules and overrides were looked up, so nobody is called twice who is on
    two of them.
    """
    people: dict[int, User] = {}
    channels: dict[int, ContactMethod] = {}
    missing: list[str] = []
    through: list[tuple[Row, Through]] = []
    for target in targets:
        found = _ANSWERS[target["kind"]](target["id"], at)
        if isinstance(found, str):
            missing.append(found)
            continue
        for row, name, shift in found:
            if isinstance(row, ContactMethod):
                channels[row.pk] = row
            elif row.is_active:
                people[row.pk] = row
            else:
                missing.append(f"{row} is no longer active.")
                continue
            through.append((row, Through(target["kind"], name, shift)))
    if not targets:
        missing.append("The level has no targets.")
    return Called(tuple(people.values()), tuple(channels.values()), tuple(missing), tuple(through))


# Each with the target's name and the shift, or why there is nobody.
Found = Sequence[tuple[Row, str, str]] | str


def _schedule(pk: int, at: datetime) -> Found:
    schedule = Schedule.objects.with_rota().filter(pk=pk).first()
    if schedule is None:
        return "A schedule that it names was deleted."
    shift = shift_at(schedule, at)
    found = User.objects.filter(pk=shift.person).first() if shift is not None else None
    if found is None or shift is None:
        return f"Nobody is on call of {schedule}."
    by = OVERRIDE if shift.layer is None else schedule.layers.all()[shift.layer].name
    return [(found, schedule.name, by)]


def _person(pk: int, at: datetime) -> Found:
    found = User.objects.filter(pk=pk).first()
    return [(found, "", "")] if found else "A person that it names was deleted."


def _team(pk: int, at: datetime) -> Found:
    members = User.objects.filter(teams=pk, is_active=True).annotate(team=F("teams__name"))
    found = [(member, member.team, "") for member in members.order_by("pk")]
    return found or "A team that it names has no active members."


def _role(role: str, at: datetime) -> Found:
    found = [
        (each, role, "") for each in User.objects.filter(role=role, is_active=True).order_by("pk")
    ]
    return found or f"Nobody who is active has the role {role}."


def _channel(pk: int, at: datetime) -> Found:
    found = ContactMethod.objects.filter(pk=pk).first()
    if found is None:
        return "A channel that it names was deleted."
    return [(found, "", "")] if found.is_usable else f"{found} is not verified, or switched off."


_ANSWERS: Mapping[str, Callable[[Any, datetime], Found]] = {
    "schedule": _schedule,
    "person": _person,
    "team": _team,
    "role": _role,
    "channel": _channel,
}
