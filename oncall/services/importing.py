"""Taking over people, teams, schedules, overrides and policies that another tool exported.

What somebody is missing from is refused as a whole: a rotation without one of its people would call
the others on wrong days. Importing again changes only what differs.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from accounts.models import User
from catalog.models import RESERVED_SLUGS, Team
from catalog.services.teams import create_team
from core.audit import Who
from core.errors import DomainError
from core.locking import lock_in_order
from oncall.domain.escalations import Phase
from oncall.domain.exports.documents import (
    Export,
    ImportedLayer,
    ImportedOverride,
    ImportedPolicy,
    ImportedSchedule,
    ImportedStep,
    ImportedTeam,
)
from oncall.domain.exports.slugs import NAMELESS, distinct_slugs
from oncall.models import EscalationPolicy, Override, Schedule
from oncall.models.schedules import PAGES
from oncall.services.importing_outcome import Item, Missing, Outcome, why
from oncall.services.importing_people import People
from oncall.services.policies import save_policy
from oncall.services.schedules import save_override, save_schedule

__all__ = ["import_export", "slug_of"]

MOST_LEVELS, MOST_LOOPS = 9, 20
SEVERITIES = ("P0", "P1", "P2", "P3")
_REPLACED = "It is here already: what was made or edited here is replaced."


def import_export(
    export: Export,
    *,
    actor: Who,
    now: datetime,
    create_users: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> Outcome:
    """Carry people, teams, schedules, overrides and policies over, all in one transaction.

    Args:
        export: What was read.
        actor: Who imports.
        now: The present.
        create_users: Make responders of people who have no account, where an address is known.
        aliases: Email address, user name or key there → user name here.
    """
    with transaction.atomic():
        work = _Import(export, actor, now, create_users, aliases or {})
        work.run()
    return work.outcome


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
        self._schedules: dict[str, Schedule] = {}
        self._teams: dict[str, Team] = {}
        self._schedule_slugs = _slugs(export.schedules, Schedule)
        self._policy_slugs = _slugs(export.policies, EscalationPolicy)
        self._team_slugs = _slugs(export.teams, Team, RESERVED_SLUGS)
        self.outcome = Outcome(lost=export.lost)
        self._people = People(self.outcome, actor, now, create_users=create_users, aliases=aliases)

    def run(self) -> None:
        """Do all of it."""
        # Whatever it may change, before anything is changed and told, so that nobody waits for a row that
        # is held by whoever waits for the audit.
        self._people.hold(self._export.people)
        lock_in_order(Schedule.objects.filter(slug__in=self._schedule_slugs.values()))
        lock_in_order(EscalationPolicy.objects.filter(slug__in=self._policy_slugs.values()))
        for person in self._export.people:
            self._people.take(person)
        self._each("team", self._export.teams, self._take_team)
        self._each("schedule", self._export.schedules, self._take_schedule)
        self._each("override", self._export.overrides, self._take_override)
        self._each("policy", self._export.policies, self._take_policy)

    def _each(self, kind: str, rows: Iterable[Any], take: Callable[[Any], Item]) -> None:
        for row in rows:
            name = str(getattr(row, "name", "") or getattr(row, "schedule", ""))
            try:
                with transaction.atomic():
                    item = take(row)
            except (Missing, DomainError) as error:
                item = Item(kind, name, "refuse", reason=why(error))
            self.outcome.items.append(item)

    # Teams

    def _take_team(self, given: ImportedTeam) -> Item:
        """Make a team that is not here; one that is stays as it is, since members know of its services."""
        if given.refused:
            raise Missing(given.refused)
        slug, lost = self._team_slugs[given.key, given.name], list(given.lost)
        people = [self._people.account_of(key) for key in dict.fromkeys(given.members)]
        stored = Team.objects.filter(slug=slug).first()
        action = "match" if stored else "create"
        if stored is None:
            values = {"slug": slug, "name": given.name[:120], "description": given.description}
            stored = create_team(values=values, members=people, now=self._now, actor=self._actor)
        else:
            here = set(stored.members.values_list("pk", flat=True))
            if missing := sorted(user.username for user in people if user.pk not in here):
                lost.append(f"Not in the team here, and not called with it: {', '.join(missing)}.")
        self._teams[given.key] = stored
        return Item("team", given.name, action, slug, lost=tuple(lost))

    # Schedules

    def _take_schedule(self, given: ImportedSchedule) -> Item:
        if given.refused:
            raise Missing(given.refused)
        slug = self._schedule_slugs[given.key, given.name]
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
        lost = (*given.lost, *([_REPLACED] if changes else []))
        return Item("schedule", given.name, action, slug, tuple(changes or ()), lost)

    def _layer(self, given: ImportedLayer) -> dict[str, Any]:
        return {
            "name": given.name[:120],
            "first_on": given.first,
            "handover_at": given.handover,
            "unit": str(given.unit),
            "every": given.every,
            "until": given.until,
            "people": [self._people.account_of(key) for key in given.people],
            "restrictions": [
                {"begins": rule.begins, "ends": rule.ends, "weekdays": sorted(rule.weekdays)}
                for rule in given.restrictions
            ],
        }

    def _take_override(self, given: ImportedOverride) -> Item:
        schedule = self._schedules.get(given.schedule)
        if schedule is None:
            raise Missing("Its schedule is not carried.")
        person = self._people.account_of(given.person) if given.person else None
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
            Override(),
            fields={**fields, "reason": "Imported"},
            actor=self._actor,
            now=self._now,
            is_history=True,
        )
        return Item("override", name, "create", schedule.slug)

    # Policies

    def _take_policy(self, given: ImportedPolicy) -> Item:
        if given.refused:
            raise Missing(given.refused)
        steps = given.steps
        if not 1 <= len(steps) <= MOST_LEVELS:
            raise Missing(f"It has {len(steps)} steps; a policy has 1 to {MOST_LEVELS} levels.")
        slug, lost = self._policy_slugs[given.key, given.name], list(given.lost)
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
            stored = save_policy(
                stored or EscalationPolicy(),
                fields=fields,
                levels=levels,
                timings=timings,
                services=None,
                actor=self._actor,
                now=self._now,
            )
        self.outcome.policies[given.key] = stored
        lost += [_REPLACED] if changes else []
        action = "create" if changes is None else "change" if changes else "same"
        return Item("policy", given.name, action, slug, tuple(changes or ()), tuple(lost))

    def _level(self, number: int, step: ImportedStep) -> dict[str, Any]:
        targets: list[dict[str, User | Schedule | Team]] = []
        for kind, key in step.targets:
            if kind == "person":
                targets.append({"person": self._people.account_of(key)})
            elif (row := (self._teams if kind == "team" else self._schedules).get(key)) is not None:
                targets.append({kind: row})
            else:
                raise Missing(f"Step {number} calls a {kind} that is not carried.")
        return {"number": number, "name": f"Level {number}", "mode": step.mode, "targets": targets}


def _slugs(
    given: Iterable[ImportedSchedule | ImportedPolicy | ImportedTeam],
    model: type[Schedule | EscalationPolicy | Team],
    pages: Collection[str] = PAGES,
) -> dict[tuple[str, str], str]:
    things = [(each.key, each.name) for each in given]
    held = dict(model.objects.values_list("slug", "name"))
    return distinct_slugs(things, lambda name: slug_of(name, pages), held)


def slug_of(name: str, pages: Collection[str]) -> str:
    """Return a name as a slug; `pages` are words that are pages of the portal."""
    slug = slugify(name.replace("_", "-"))[:63].strip("-") or NAMELESS
    return f"imported-{slug}" if slug in pages else slug


def _timings(steps: Sequence[ImportedStep]) -> list[dict[str, Any]]:
    return [
        {
            "phase": str(phase),
            "severity": severity,
            "level": number,
            "after": step.after,
            "urgency": "high",
            "in_working_hours": False,
        }
        for severity in SEVERITIES
        for number, step in enumerate(steps, 1)
        for phase in _phases(step)
    ]


def _phases(step: ImportedStep) -> Iterator[Phase]:
    """Yield until when a step calls; what is called at once has been when somebody acknowledges."""
    yield Phase.UNACKNOWLEDGED
    if step.until_resolved and step.after:
        yield Phase.UNRESOLVED


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
