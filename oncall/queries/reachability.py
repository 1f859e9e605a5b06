"""Holes in reachability, found before they matter: who would not be called, when, and why."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from notifications.models import ContactMethod
from oncall.domain.schedules import gaps, overlaps
from oncall.domain.spans import Span
from oncall.models import EscalationPolicy, FallbackContact, LevelTarget, Schedule
from oncall.queries.rotas import shifts_of

__all__ = ["Hole", "holes", "notes"]

# Their answer stops the calls, as anybody's does.
_ONLY_LOOKS = "is a viewer, who can acknowledge by the link of a page and do nothing else."


@dataclass(frozen=True)
class Hole:
    """Something because of which somebody might not be called, or somebody who can do nothing then.

    Args:
        kind: no_policy, empty_policy, empty_level, gap, unreachable, inactive, viewer, no_fallback;
            overlap of a note.
        subject: What it is about, e.g. `schedule:payments`.
        message: What is wrong, in words.
        starts_at: From when, where it has a time.
        ends_at: Until when.
    """

    kind: str
    subject: str
    message: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def holes(*, now: datetime, days: int = 90) -> list[Hole]:
    """Return every hole within so many days, those of policies first."""
    window = Span(now, now + timedelta(days=days))
    reachable = set(
        ContactMethod.objects.usable().exclude(person=None).values_list("person", flat=True)
    )
    return [
        *_of_services(),
        *_of_policies(reachable),
        *_of_schedules(window, reachable),
        *_of_fallback(reachable),
    ]


def notes(*, now: datetime, days: int = 90) -> list[Hole]:
    """Return what is worth a look within so many days, and leaves nobody uncalled.

    That is who is on call of two schedules at once, of those by which somebody is called: each pair
    of schedules and each person once.
    """
    window = Span(now, now + timedelta(days=days))
    schedules = list(Schedule.objects.with_rota().filter(targets__isnull=False).distinct())
    found = shifts_of(schedules, window)
    people = User.objects.in_bulk({shift.person for held in found.values() for shift in held})
    made = []
    for one, other in combinations(schedules, 2):
        spans: dict[int, list[Span]] = defaultdict(list)
        for person, span in overlaps([*found[one.pk], *found[other.pk]]):
            spans[person].append(span)
        for pk, twice in spans.items():
            more = len(twice) - 1
            often = f", and {more} more time{'s' * (more > 1)}" if more else ""
            message = f"{people.get(pk, 'Somebody')} is on call of {other} at the same time{often}."
            name, first = f"schedule:{one.slug}", twice[0]
            made.append(Hole("overlap", name, message, first.start, first.end))
    return made


def _of_services() -> Iterator[Hole]:
    if EscalationPolicy.objects.filter(is_default=True).exists():
        return
    for slug in Service.objects.filter(escalation=None).values_list("slug", flat=True):
        yield Hole("no_policy", f"service:{slug}", "It has no policy, and there is no default one.")


def _of_policies(reachable: set[int]) -> Iterator[Hole]:
    for policy in EscalationPolicy.objects.prefetch_related("levels__targets__person"):
        name = f"policy:{policy.slug}"
        levels = list(policy.levels.all())
        if not levels:
            yield Hole("empty_policy", name, "It has no levels: the fallback contact is called.")
        for level in levels:
            targets = list(level.targets.all())
            if not targets:
                yield Hole("empty_level", name, f"{level} calls nobody.")
            for target in targets:
                yield from _of_target(target, f"{level}: ", name, reachable)


def _of_target(target: LevelTarget, where: str, name: str, reachable: set[int]) -> Iterator[Hole]:
    person = target.person
    if person is not None:
        yield from _of_person(person, where, name, reachable)
    elif target.channel is not None and not target.channel.is_usable:
        yield Hole("unreachable", name, f"{where}{target.channel} is not verified, or off.")
    elif target.team is not None:
        members = target.team.members.filter(is_active=True)
        yield from _of_group(members, f"{where}the team {target.team}", name, reachable)
    elif target.role:
        having = User.objects.filter(role=target.role, is_active=True)
        yield from _of_group(having, f"{where}the role {target.role}", name, reachable)


def _of_group(
    members: QuerySet[User], group: str, name: str, reachable: set[int]
) -> Iterator[Hole]:
    """Of a team or a role, one who can be reached and may act is enough."""
    roles = dict(members.values_list("pk", "role"))
    told = roles.keys() & reachable
    if not roles:
        yield Hole("empty_level", name, f"{group} has nobody who is active.")
    elif not told:
        yield Hole("unreachable", name, f"{group} has nobody with a verified way to be reached.")
    elif all(roles[pk] == Role.VIEWER for pk in told):
        message = f"{group} has only viewers with a verified way to be reached."
        yield Hole("viewer", name, message)


def _of_person(
    person: User, where: str, name: str, reachable: set[int], span: Span | None = None
) -> Iterator[Hole]:
    """Yield why somebody is called in vain, if they are.

    Args:
        person: Who is called.
        where: By what, as the message begins.
        name: What it is about.
        reachable: Who has a verified way.
        span: Of their first turn, where they take turns.
    """
    if not person.is_active:
        kind, message = "inactive", f"{person} is no longer active."
    elif person.pk not in reachable:
        kind, message = "unreachable", f"{person} has no verified way to be reached."
    elif not person.has_role(Role.RESPONDER):
        kind, message = "viewer", f"{person} {_ONLY_LOOKS}"
    else:
        return
    begins, ends = (span.start, span.end) if span else (None, None)
    yield Hole(kind, name, f"{where}{message}", begins, ends)


def _of_schedules(window: Span, reachable: set[int]) -> Iterator[Hole]:
    # Only those that somebody is called by can leave somebody uncalled.
    schedules = list(Schedule.objects.with_rota().filter(targets__isnull=False).distinct())
    found = shifts_of(schedules, window)
    people = User.objects.in_bulk({shift.person for held in found.values() for shift in held})
    for schedule in schedules:
        name = f"schedule:{schedule.slug}"
        for gap in gaps(found[schedule.pk], window):
            yield Hole("gap", name, "Nobody is on call.", gap.start, gap.end)
        first: dict[int, Span] = {}
        for shift in found[schedule.pk]:
            first.setdefault(shift.person, shift.span)
        for pk, span in first.items():
            if (person := people.get(pk)) is not None:
                yield from _of_person(person, "", name, reachable, span)
            else:
                message = "Somebody who was deleted is no longer active."
                yield Hole("inactive", name, message, span.start, span.end)


def _of_fallback(reachable: set[int]) -> Iterator[Hole]:
    rows = list(FallbackContact.objects.select_related("person", "channel"))
    if not rows:
        yield Hole("no_fallback", "fallback", "No fallback contact is set: all admins are called.")
    for row in rows:
        if row.person is not None:
            yield from _of_person(row.person, "", "fallback", reachable)
        elif row.channel is not None and not row.channel.is_usable:
            yield Hole("unreachable", "fallback", f"{row.channel} is not verified, or off.")
