"""What should have been called by now, worked out from who was called: for the auditor.

The timeline says when a level was called last, the ladder what follows it and how long after. What an
escalation itself notes as due is not asked, only whether it can be true at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Exists, F, Q, QuerySet, Subquery
from django.db.models import OuterRef as Outer

from incidents.domain.lifecycle import Status
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import EscalationRun, Incident, LadderSnapshot, Page, TimelineEntry
from incidents.services.escalation import WAITING_FOR, due_at, plan_of
from incidents.services.pages import FALLBACK
from oncall.domain.escalations import Ladder, Phase, ladder_from, next_position
from oncall.queries.policies import policy_for

__all__ = [
    "ENDED_EARLY",
    "LONGEST_PAUSE",
    "NOT_BEGUN",
    "OVERDUE",
    "SLEEPS_ON",
    "after_the_last_call",
    "overdue_calls",
]

OVERDUE = "The next level is overdue."
ENDED_EARLY = "Its escalation ended although not everybody was called."
SLEEPS_ON = "Its snooze has ended, and nobody was called."
NOT_BEGUN = "Nobody is told that it lasts."
NEVER_LOOKED_AT = "A page would be looked at much too late."
State = EscalationRun.State
# No page is put off for longer: by a lease, by the pause after a failure, by the minute of its way.
LONGEST_PAUSE = timedelta(minutes=10)
_MOST = 200
# Walks that are looked at in one minute; of more, others in the next one.
_AT_A_TIME = 20_000


@dataclass(frozen=True)
class _Walk:
    """A run that should be calling people, and what is known of who was called.

    Args:
        incident: Its number.
        severity: Of the incident.
        state: Of the run.
        due_at: Of its next step, as it says itself.
        ladder: Its ladder.
        hours: Working hours as the snapshot has them.
        since: From when on the next level is waited for: the last call, a new severity, the beginning.
        called: Level and loop of the last call; None: nobody was called yet.
    """

    incident: int
    severity: str
    state: str
    due_at: datetime
    ladder: Ladder
    hours: Mapping[str, Any]
    since: datetime
    called: tuple[int, int] | None


def overdue_calls(*, now: datetime, patience: timedelta) -> Iterator[tuple[int, str]]:
    """Return incidents for which somebody should have been called, and what is wrong with them."""
    yield from _walks_that_stand(now, patience)
    yield from _asleep(now, patience)
    yield from _not_begun(now, patience)
    yield from _put_off(now, patience)


def after_the_last_call(run: EscalationRun) -> tuple[int, int]:
    """Return loop and position of what follows the last call, past the last step where nothing does."""
    calls = TimelineEntry.objects.filter(
        incident=run.incident_id, act="call", at__gte=run.started_at
    )
    called = _called(calls.order_by("at", "pk").values_list("facts", flat=True).last())
    if called is None:
        return 0, 0
    ladder, _ = _ladder(run.snapshot_id)
    following = _following(ladder, *called)
    return following[:2] if following else (called[1], len(ladder.steps))


def _walks_that_stand(now: datetime, patience: timedelta) -> Iterator[tuple[int, str]]:
    for walk in _walks(now):
        if walk.state == State.RUNNING:
            if _is_beyond_its_ladder(walk, now) or _is_overdue(walk, now - patience):
                yield walk.incident, OVERDUE
        elif walk.since <= now - patience and _has_more(walk):
            yield walk.incident, ENDED_EARLY


def _walks(now: datetime) -> Iterator[_Walk]:
    waiting = Q()
    for phase, status in WAITING_FOR.items():
        waiting |= Q(phase=phase, incident__status=status)
    entries = TimelineEntry.objects.filter(
        incident=Outer("incident_id"), at__gte=Outer("started_at"), at__lte=now
    ).order_by("-at", "-pk")
    calls, turns = entries.filter(act="call"), entries.filter(act="severity")
    runs = (
        EscalationRun.objects.filter(waiting, cycle=F("incident__cycle"))
        .filter(Q(state=State.RUNNING) | Q(state=State.EXHAUSTED, phase=Phase.UNACKNOWLEDGED))
        .exclude(incident__status=Status.ACKNOWLEDGED, incident__snoozed_until__isnull=False)
    )
    if (parts := -(-runs.count() // _AT_A_TIME)) > 1:
        runs = runs.alias(part=F("incident_id") % parts).filter(
            part=int(now.timestamp() // 60) % parts
        )
    rows = (
        runs.annotate(
            called_at=Subquery(calls.values("at")[:1]),
            facts=Subquery(calls.values("facts")[:1]),
            turned_at=Subquery(turns.values("at")[:1]),
        )
        .order_by("incident_id")
        .values_list(
            "incident_id", "incident__severity", "state", "due_at", "snapshot_id", "facts",
            "started_at", "called_at", "turned_at",
        )
    )  # fmt: skip
    for incident, severity, state, due, snapshot, facts, *moments in rows.iterator(2000):
        since = max(at for at in moments if at is not None)
        ladder, hours = _ladder(snapshot)
        yield _Walk(incident, severity, state, due, ladder, hours, since, _called(facts))


@lru_cache(maxsize=256)
def _ladder(digest: str) -> tuple[Ladder, Mapping[str, Any]]:
    content = LadderSnapshot.objects.get(pk=digest).content
    return ladder_from(content), content.get("hours") or {}


def _called(facts: Mapping[str, Any] | None) -> tuple[int, int] | None:
    return (facts["level"], facts["loop"]) if facts else None


def _following(ladder: Ladder, level: int, loop: int) -> tuple[int, int, timedelta] | None:
    """Return what follows the call of a level: loop, position and the wait; None: nothing."""
    positions = [number for number, step in enumerate(ladder.steps) if step.level == level]
    return next_position(ladder, loop, positions[-1]) if positions else None


def _is_overdue(walk: _Walk, since: datetime) -> bool:
    """Return whether what follows the last call should have been called by then."""
    if walk.called is None or not walk.ladder.steps:
        return False
    following = _following(walk.ladder, *walk.called)
    if following is None:
        return False
    _, position, pause = following
    step = walk.ladder.steps[position]
    return due_at(walk.hours, step, pause, now=walk.since) <= since


def _is_beyond_its_ladder(walk: _Walk, now: datetime) -> bool:
    """Return whether a step is due later than any level of its ladder can be."""
    steps = walk.ladder.steps
    if not steps:
        return False
    longest = max(walk.ladder.repeat_after, steps[-1].after)
    slowest = next((step for step in steps if step.in_working_hours), steps[-1])
    return walk.due_at > due_at(walk.hours, slowest, longest, now=now) + LONGEST_PAUSE


def _has_more(walk: _Walk) -> bool:
    """Return whether somebody is left to call by a walk that has ended."""
    if walk.severity in AT_LEAST_ONCE:
        entries = TimelineEntry.objects.filter(incident=walk.incident, act=FALLBACK)
        return not entries.exists()
    return walk.called is not None and _following(walk.ladder, *walk.called) is not None


def _asleep(now: datetime, patience: timedelta) -> Iterator[tuple[int, str]]:
    """Return incidents that sleep on although their snooze is over."""
    rows = Incident.objects.filter(
        status=Status.ACKNOWLEDGED, snoozed_until__lte=now - patience
    ).order_by("pk")
    return ((pk, SLEEPS_ON) for pk in rows.values_list("pk", flat=True)[:_MOST])


def _not_begun(now: datetime, patience: timedelta) -> Iterator[tuple[int, str]]:
    """Return acknowledged incidents that last, and of which nobody will be told.

    By policies that are as they were when somebody answered.
    """
    known: dict[tuple[int | None, str], datetime | None] = {}
    for incident in _without_a_run(now - patience).select_related("service")[:_MOST]:
        key = incident.service_id, incident.severity
        if key not in known:
            known[key] = _calls_since(incident, now)
        since = known[key]
        if since is not None and since <= (incident.acknowledged_at or now):
            yield incident.pk, NOT_BEGUN


def _without_a_run(since: datetime) -> QuerySet[Incident]:
    runs = EscalationRun.objects.filter(
        incident=Outer("pk"), cycle=Outer("cycle"), phase=Phase.UNRESOLVED
    )
    return Incident.objects.filter(
        ~Exists(runs),
        status=Status.ACKNOWLEDGED,
        snoozed_until=None,
        acknowledged_at__lte=since,
        severity__in=AT_LEAST_ONCE,
    ).order_by("pk")


def _calls_since(incident: Incident, now: datetime) -> datetime | None:
    """Return since when an incident's policy calls people who last; None: it does not."""
    policy = policy_for(incident.service)
    plan = plan_of(policy, incident.severity, Phase.UNRESOLVED, day=now.date())
    return policy.updated_at if policy is not None and plan is not None else None


def _put_off(now: datetime, patience: timedelta) -> Iterator[tuple[int, str]]:
    """Return incidents with a page that is long due, and that no pager will look at for long."""
    rows = Page.objects.filter(
        state__in=Page.OPEN,
        due_at__lte=now - patience,
        look_at__gt=now + LONGEST_PAUSE,
        incident__status=Status.TRIGGERED,
        cycle=F("incident__cycle"),
    )
    found = rows.order_by("incident").values_list("incident", flat=True).distinct()[:_MOST]
    return ((pk, NEVER_LOOKED_AT) for pk in found)
