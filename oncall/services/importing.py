"""Taking over people, schedules, overrides and policies that another tool exported.

Everything is done and, for a dry run, taken back, so that a plan is what would really happen. What
somebody is missing from is refused as a whole: a rotation without one of its people would call the
others on wrong days.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from accounts.models import User
from accounts.roles import Role
from accounts.services.users import create_user
from core.audit import Who
from core.errors import DomainError
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.services.contacts import add_method
from oncall.domain.escalations import Phase
from oncall.domain.exports.documents import (
    Export,
    ImportedLayer,
    ImportedOverride,
    ImportedPerson,
    ImportedPolicy,
    ImportedSchedule,
    ImportedStep,
)
from oncall.models import EscalationPolicy, Override, Schedule
from oncall.models.schedules import PAGES
from oncall.services.policies import save_policy
from oncall.services.schedules import save_override, save_schedule

__all__ = ["Item", "Outcome", "import_export"]

MOST_LEVELS, MOST_LOOPS = 9, 20
SEVERITIES = ("P0", "P1", "P2", "P3")


@dataclass(frozen=True)
class Item:
    """What becomes of one thing.

    Args:
        kind: user, contact_method, schedule, override or policy.
        name: What it is called.
        action: create, change, same, match, skip or refuse.
        slug: What it is called here.
        changes: What differs from what is stored.
        lost: What of it is not carried, in sentences.
        reason: Why it is refused or skipped.
    """

    kind: str
    name: str
    action: str
    slug: str = ""
    changes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "slug": self.slug or None,
            "changes": list(self.changes),
            "lost": list(self.lost),
            "reason": self.reason or None,
        }


@dataclass
class Outcome:
    """What became of an export.

    Args:
        items: In the order in which they were done.
        unmatched: Names of people who have no account here.
        lost: Parts that could not even be read.
    """

    items: list[Item] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    lost: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all of it was carried, and everybody is known."""
        refused = any(item.action == "refuse" for item in self.items)
        return not (refused or self.unmatched or self.lost)


def import_export(
    export: Export,
    *,
    actor: Who,
    now: datetime,
    dry_run: bool = False,
    create_users: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> Outcome:
    """Carry an export over; importing it again changes only what differs.

    Args:
        export: What was read.
        actor: Who imports.
        now: The present.
        dry_run: Only say what would happen.
        create_users: Make responders of people who have no account, where an address is known.
        aliases: Email address, user name or key there → user name here.
    """
    with transaction.atomic():
        work = _Import(export, actor, now, create_users, aliases or {})
        work.run()
        if dry_run:
            transaction.set_rollback(True)
    return work.outcome


class _Missing(Exception):
    """Somebody or something that is referred to is not here."""


class _Import:
    def __init__(
        self,
        export: Export,
        actor: Who,
        now: datetime,
        create_users: bool,
        aliases: Mapping[str, str],
    ) -> None:
        self._export, self._actor, self._now = export, actor, now
        self._create_users, self._aliases = create_users, aliases
        self._people: dict[str, User] = {}
        self._names = {person.key: person.name for person in export.people}
        self._schedules: dict[str, Schedule] = {}
        self.outcome = Outcome(lost=export.lost)

    def run(self) -> None:
        """Do all of it."""
        for person in self._export.people:
            self._take_person(person)
        self._each("schedule", self._export.schedules, self._take_schedule)
        self._each("override", self._export.overrides, self._take_override)
        self._each("policy", self._export.policies, self._take_policy)

    def _each(self, kind: str, rows: Iterable[Any], take: Callable[[Any], Item]) -> None:
        for row in rows:
            name = str(getattr(row, "name", "") or getattr(row, "schedule", ""))
            try:
                with transaction.atomic():
                    item = take(row)
            except (_Missing, DomainError) as error:
                item = Item(kind, name, "refuse", reason=str(error))
            self.outcome.items.append(item)

    # People

    def _take_person(self, person: ImportedPerson) -> None:
        found, action = self._match(person), "match"
        if found is None and self._create_users and person.email:
            found, action = self._made(person), "create"
        if found is None:
            self.outcome.unmatched.append(person.email or person.username or person.name)
            return
        self._people[person.key] = found
        self.outcome.items.append(Item("user", person.name, action, found.username))
        for way in person.ways:
            self._take_way(found, Kind(way.kind), way.address, way.label)

    def _match(self, person: ImportedPerson) -> User | None:
        for given in (person.email, person.username, person.key):
            if given and given in self._aliases:
                return User.objects.filter(username=self._aliases[given]).first()
        if person.email and (known := User.objects.filter(email__iexact=person.email).first()):
            return known
        return User.objects.filter(username=person.username).first() if person.username else None

    def _made(self, person: ImportedPerson) -> User | None:
        wanted = slugify(person.username or person.email.partition("@")[0]) or "person"
        taken = set(User.objects.filter(username__startswith=wanted).values_list("username"))
        name, number = wanted, 1
        while (name,) in taken:
            number += 1
            name = f"{wanted}{number}"
        first, _, last = person.name.partition(" ")
        fields = {"timezone": person.zone} if person.zone else {}
        try:
            with transaction.atomic():
                return create_user(
                    username=name,
                    email=person.email,
                    first_name=first[:150],
                    last_name=last[:150],
                    role=Role.RESPONDER,
                    now=self._now,
                    actor=self._actor,
                    **fields,
                )
        except DomainError as error:
            item = Item("user", person.name, "refuse", reason=str(error))
            self.outcome.items.append(item)
            return None

    def _take_way(self, person: User, kind: Kind, address: str, label: str) -> None:
        known = {m.address for m in ContactMethod.objects.filter(person=person, kind=kind)}
        name = f"{person}: {kind.label}"
        if address in known:
            self.outcome.items.append(Item("contact_method", name, "same"))
            return
        try:
            with transaction.atomic():
                add_method(
                    person=person, kind=kind, label=label, address=address, actor=self._actor,
                    now=self._now,
                )  # fmt: skip
        except DomainError as error:
            self.outcome.items.append(Item("contact_method", name, "refuse", reason=str(error)))
            return
        lost = ("It counts once its owner has verified it.",)
        self.outcome.items.append(Item("contact_method", name, "create", lost=lost))

    def _person(self, key: str) -> User:
        if key not in self._people:
            raise _Missing(f"{self._names.get(key, key)} has no account here.")
        return self._people[key]

    # Schedules

    def _take_schedule(self, given: ImportedSchedule) -> Item:
        if given.refused:
            raise _Missing(given.refused)
        slug = _slug(given.name)
        stored = Schedule.objects.with_rota().filter(slug=slug).first()
        fields = {
            "slug": slug,
            "name": given.name[:120],
            "timezone": given.zone,
            "description": given.description,
        }
        layers = [self._layer(layer) for layer in given.layers]
        changes = _schedule_changes(stored, fields, layers)
        if stored is None or changes:
            stored = save_schedule(
                stored or Schedule(), fields=fields, layers=layers, actor=self._actor, now=self._now
            )
        self._schedules[given.key] = stored
        action = "create" if changes is None else "change" if changes else "same"
        return Item("schedule", given.name, action, slug, tuple(changes or ()), given.lost)

    def _layer(self, given: ImportedLayer) -> dict[str, Any]:
        return {
            "name": given.name[:120],
            "first_on": given.first,
            "handover_at": given.handover,
            "unit": str(given.unit),
            "every": given.every,
            "until": given.until,
            "people": [self._person(key) for key in given.people],
            "restrictions": [
                {"begins": rule.begins, "ends": rule.ends, "weekdays": sorted(rule.weekdays)}
                for rule in given.restrictions
            ],
        }

    def _take_override(self, given: ImportedOverride) -> Item:
        schedule = self._schedules.get(given.schedule)
        if schedule is None:
            raise _Missing("Its schedule is not carried.")
        person = self._person(given.person) if given.person else None
        name = f"{schedule.name}: {person or 'nobody'} from {given.starts_at:%Y-%m-%d %H:%M} UTC"
        if given.ends_at <= self._now:
            return Item("override", name, "skip", schedule.slug, reason="It is over.")
        fields = {
            "schedule": schedule,
            "person": person,
            "starts_at": given.starts_at,
            "ends_at": given.ends_at,
        }
        if Override.objects.filter(**fields).exists():
            return Item("override", name, "same", schedule.slug)
        save_override(
            Override(), fields={**fields, "reason": "Imported"}, actor=self._actor, now=self._now
        )
        return Item("override", name, "create", schedule.slug)

    # Policies

    def _take_policy(self, given: ImportedPolicy) -> Item:
        if given.refused:
            raise _Missing(given.refused)
        steps = given.steps
        if not 1 <= len(steps) <= MOST_LEVELS:
            raise _Missing(f"It has {len(steps)} steps; a policy has 1 to {MOST_LEVELS} levels.")
        slug, lost = _slug(given.name), list(given.lost)
        if given.loops > MOST_LOOPS:
            lost.append(f"It repeated {given.loops} times; here it does so {MOST_LOOPS} times.")
        fields = {
            "slug": slug,
            "name": given.name[:120],
            "description": given.description,
            "loops": min(given.loops, MOST_LOOPS),
            "repeat_after": max(given.repeat_after, timedelta(minutes=1)),
        }
        levels = [self._level(number, step) for number, step in enumerate(steps, 1)]
        timings = _timings(steps)
        stored = EscalationPolicy.objects.filter(slug=slug).first()
        changes = _policy_changes(stored, fields, levels, timings)
        if stored is None or changes:
            save_policy(
                stored or EscalationPolicy(),
                fields=fields,
                levels=levels,
                timings=timings,
                services=None,
                actor=self._actor,
                now=self._now,
            )
        action = "create" if changes is None else "change" if changes else "same"
        return Item("policy", given.name, action, slug, tuple(changes or ()), tuple(lost))

    def _level(self, number: int, step: ImportedStep) -> dict[str, Any]:
        targets: list[dict[str, User | Schedule]] = []
        for kind, key in step.targets:
            if kind == "person":
                targets.append({"person": self._person(key)})
            elif key in self._schedules:
                targets.append({"schedule": self._schedules[key]})
            else:
                raise _Missing(f"Step {number} calls a schedule that is not carried.")
        return {"number": number, "name": f"Level {number}", "mode": step.mode, "targets": targets}


def _slug(name: str) -> str:
    slug = slugify(name)[:63].strip("-") or "imported"
    # Some words are pages of the portal.
    return f"imported-{slug}" if slug in PAGES else slug


def _timings(steps: Sequence[ImportedStep]) -> list[dict[str, Any]]:
    return [
        {
            "phase": str(Phase.UNRESOLVED if step.until_resolved else Phase.UNACKNOWLEDGED),
            "severity": severity,
            "level": number,
            "after": step.after,
            "urgency": "high",
            "in_working_hours": False,
        }
        for severity in SEVERITIES
        for number, step in enumerate(steps, 1)
    ]


def _schedule_changes(
    stored: Schedule | None, fields: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]
) -> list[str] | None:
    """Return what differs from what is stored; None where nothing is."""
    if stored is None:
        return None
    found = [name for name, value in fields.items() if getattr(stored, name) != value]
    names = ("name", "first_on", "handover_at", "unit", "every", "until")
    have = [
        {
            **{name: getattr(layer, name) for name in names},
            "people": [m.person_id for m in sorted(layer.members.all(), key=lambda m: m.position)],
            "restrictions": [
                {"begins": rule.begins, "ends": rule.ends, "weekdays": sorted(rule.weekdays)}
                for rule in layer.restrictions.all()
            ],
        }
        for layer in stored.layers.all()
    ]
    want = [
        {
            **layer,
            "people": [person.pk for person in layer["people"]],
            "restrictions": sorted(layer["restrictions"], key=lambda rule: rule["begins"]),
        }
        for layer in layers
    ]
    return [*found, *(["layers"] if have != want else [])]


def _policy_changes(
    stored: EscalationPolicy | None,
    fields: Mapping[str, Any],
    levels: Sequence[Mapping[str, Any]],
    timings: Sequence[Mapping[str, Any]],
) -> list[str] | None:
    if stored is None:
        return None
    found = [name for name, value in fields.items() if getattr(stored, name) != value]
    have = [
        (level.number, level.mode, [(t.kind, t.target_id) for t in level.targets.all()])
        for level in stored.levels.prefetch_related("targets")
    ]
    want = [
        (
            level["number"],
            level["mode"],
            [(kind, row.pk) for target in level["targets"] for kind, row in target.items()],
        )
        for level in levels
    ]
    keys = ("phase", "severity", "level", "after", "urgency", "in_working_hours")
    have_timings = sorted(tuple(getattr(row, key) for key in keys) for row in stored.timings.all())
    want_timings = sorted(tuple(row[key] for key in keys) for row in timings)
    if have != want:
        found.append("levels")
    if have_timings != want_timings:
        found.append("timings")
    return found
