"""What should have been called by now, worked out from who was called: for the auditor.

The timeline says when a level was called last, the ladder what follows it and how long after. What an
escalation itself notes as due is asked only for whether it can be true. In doubt nothing is found: a
finding wakes people. Where a step is due and a pager is late, that is none of these.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, Q, QuerySet, Subquery
from django.db.models import OuterRef as Outer

from incidents.domain.lifecycle import Status
from incidents.domain.page_reasons import FALLBACK
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import (
    Deadline,
    EscalationRun,
    Incident,
    LadderSnapshot,
    Page,
    TimelineEntry,
)
from incidents.services.escalation import WAITING_FOR, due_at, plan_of
from notifications.models import LONGEST_DELAY
from oncall.domain.escalations import Ladder, Phase, ladder_from, next_position
from oncall.queries.policies import policy_for

__all__ = [
    "ENDED_EARLY",
    "NOT_BEGUN",
    "OVERDUE",
    "SLEEPS_ON",
    "Look",
    "after_the_last_call",
    "asleep",
    "longest_pause",
    "not_begun",
    "put_off",
    "walks_that_stand",
]

OVERDUE = "The next level is overdue."
ENDED_EARLY = "Its escalation ended although not everybody was called."
SLEEPS_ON = "Its snooze has ended, and nobody was called."
NOT_BEGUN = "Nobody is told that it lasts."
NEVER_LOOKED_AT = "A page would be looked at much too late."
State = EscalationRun.State
_MOST = 200
# Walks that are looked at in one turn; of more, others in the next one.
_AT_A_TIME = 20_000
# What changes when the next level is due; an answer does where it ends a snooze.
_TURNS = ("severity", "acknowledge")


@dataclass(frozen=True)
class Look:
    """One look at the incidents.

    Args:
        now: The present.
        patience: What a healthy pager may take.
        only: The incident that is looked at again; None: all.
        turn: Number of the look: of very many walks each looks at others.
    """

    now: datetime
    patience: timedelta
    only: int | None = None
    turn: int = 0

    @property
    def since(self) -> datetime:
        """What was due then should be done by now."""
        return self.now - self.patience

    def incidents(self, **where: Any) -> QuerySet[Incident]:
        """Return incidents that are looked at, in the order of their numbers."""
        rows = Incident.objects.filter(**where)
        return (rows if self.only is None else rows.filter(pk=self.only)).order_by("pk")


def longest_pause() -> timedelta:
    """Return for how long no page is put off: by a lease, after a failure, by the minute of its way."""
    return max(timedelta(minutes=10), timedelta(seconds=settings.PAGE_EVERY_S + 60))


@dataclass(frozen=True)
class _Walk:
    """A run that should be calling people, and what is known of who was called.

    Args:
        incident: Its number.
        state: Of the run.
        due_at: Of its next step, as it says itself.
        ladder: Its ladder.
        hours: Working hours as the snapshot has them.
        called: Level and loop of the last call; None: nobody was called yet.
        began_at: When it began.
        called_at: When that last call was.
        turned_at: When something changed last by which the next level is due at another time.
    """

    incident: int
    state: str
    due_at: datetime
    ladder: Ladder
    hours: Mapping[str, Any]
    called: tuple[int, int] | None
    began_at: datetime
    called_at: datetime | None
    turned_at: datetime | None

    @property
    def since(self) -> datetime:
        """From when on the next level is waited for."""
        moments = (self.began_at, self.called_at, self.turned_at)
        return max(at for at in moments if at is not None)

    @property
    def is_told_by_its_last_call(self) -> bool:
        """Whether what follows is known: since a new severity another ladder, or another place, may hold."""
        is_changed = self.turned_at is not None and (
            self.called_at is None or self.turned_at >= self.called_at
        )
        return self.called is not None and not is_changed


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


def walks_that_stand(look: Look) -> Iterator[tuple[int, str]]:
    """Return incidents whose next level is due much too late, or whose calling ended too early."""
    yield from islice(_overdue(look), _MOST)
    yield from islice(_ended_early(look), _MOST)


def _overdue(look: Look) -> Iterator[tuple[int, str]]:
    # What is due by its own account, a pager fires: it is late, and nothing is wrong with it.
    runs = _runs(look).filter(state=State.RUNNING, due_at__gt=look.since)
    for walk in _walks(runs, look):
        if _is_beyond_its_ladder(walk, look.now) or _is_overdue(walk, look.since):
            yield walk.incident, OVERDUE


def _ended_early(look: Look) -> Iterator[tuple[int, str]]:
    told = TimelineEntry.objects.filter(
        incident=Outer("incident_id"), at__gte=Outer("started_at"), act=FALLBACK
    )
    runs = _runs(look).filter(
        Q(incident__severity__in=AT_LEAST_ONCE) & ~Exists(told)
        | ~Q(incident__severity__in=AT_LEAST_ONCE),
        state=State.EXHAUSTED,
        phase=Phase.UNACKNOWLEDGED,
        ended_at__lte=look.since,
    )
    for walk in _walks(runs, look):
        if walk.is_told_by_its_last_call and walk.called is not None:
            following = _following(walk.ladder, *walk.called)
            if following is not None:
                yield walk.incident, ENDED_EARLY


def _runs(look: Look) -> QuerySet[EscalationRun]:
    waiting = Q()
    for phase, status in WAITING_FOR.items():
        waiting |= Q(phase=phase, incident__status=status)
    runs = EscalationRun.objects.filter(waiting, cycle=F("incident__cycle")).exclude(
        incident__status=Status.ACKNOWLEDGED, incident__snoozed_until__isnull=False
    )
    return runs if look.only is None else runs.filter(incident=look.only)


def _walks(runs: QuerySet[EscalationRun], look: Look) -> Iterator[_Walk]:
    entries = TimelineEntry.objects.filter(
        incident=Outer("incident_id"), at__gte=Outer("started_at"), at__lte=look.now
    ).order_by("-at", "-pk")
    calls, turns = entries.filter(act="call"), entries.filter(act__in=_TURNS)
    if (parts := -(-runs.count() // _AT_A_TIME)) > 1:
        runs = runs.alias(part=F("incident_id") % parts).filter(part=look.turn % parts)
    rows = (
        runs.annotate(
            called_at=Subquery(calls.values("at")[:1]),
            facts=Subquery(calls.values("facts")[:1]),
            turned_at=Subquery(turns.values("at")[:1]),
        )
        .order_by("incident_id")
        .values_list(
            "incident_id", "state", "due_at", "snapshot_id", "facts", "started_at", "called_at",
            "turned_at",
        )
    )  # fmt: skip
    for incident, state, due, snapshot, facts, *moments in rows.iterator(2000):
        ladder, hours = _ladder(snapshot)
        yield _Walk(incident, state, due, ladder, hours, _called(facts), *moments)


@lru_cache(maxsize=1024)
def _ladder(digest: str) -> tuple[Ladder, Mapping[str, Any]]:
    content = LadderSnapshot.objects.get(pk=digest).content
    return ladder_from(content), content.get("hours") or {}


def _called(facts: Mapping[str, Any] | None) -> tuple[int, int] | None:
    return (facts["level"], facts["loop"]) if facts else None


def _following(ladder: Ladder, level: int, loop: int) -> tuple[int, int, timedelta] | None:
    """Return what follows the call of a level: loop, position and the wait; None: nothing."""
    positions = [number for number, step in enumerate(ladder.steps) if step.level == level]
    if not positions or loop >= ladder.loops:
        return None
    return next_position(ladder, loop, positions[-1])


def _is_overdue(walk: _Walk, since: datetime) -> bool:
    """Return whether what follows the last call should have been called by then."""
    if walk.called is None or not walk.ladder.steps:
        return False
    following = _following(walk.ladder, *walk.called)
    if following is None or not walk.is_told_by_its_last_call:
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
    return walk.due_at > due_at(walk.hours, slowest, longest, now=now) + longest_pause()


def asleep(look: Look) -> Iterator[tuple[int, str]]:
    """Return incidents whose snooze is over, and whose end no pager will look at."""
    ends = Deadline.objects.filter(
        incident=Outer("pk"),
        kind=Deadline.Kind.SNOOZE_ENDS,
        is_open=True,
        due_at__lte=Outer("snoozed_until"),
        look_at__lte=look.now + longest_pause(),
    )
    rows = look.incidents(status=Status.ACKNOWLEDGED, snoozed_until__lte=look.since)
    found = rows.filter(~Exists(ends)).values_list("pk", flat=True)[:_MOST]
    return ((pk, SLEEPS_ON) for pk in found)


def not_begun(look: Look) -> Iterator[tuple[int, str]]:
    """Return acknowledged incidents that last, and of which nobody will be told.

    By policies that are as they were when somebody answered, and called for the service then.
    """
    return islice(_not_begun(look), _MOST)


def _not_begun(look: Look) -> Iterator[tuple[int, str]]:
    runs = EscalationRun.objects.filter(incident=Outer("pk"), cycle=Outer("cycle"))
    rows = (
        look.incidents(
            status=Status.ACKNOWLEDGED,
            snoozed_until=None,
            acknowledged_at__lte=look.since,
            severity__in=AT_LEAST_ONCE,
        )
        .filter(~Exists(runs.filter(phase=Phase.UNRESOLVED)))
        .annotate(by=Subquery(runs.values("policy_name")[:1]))
        .select_related("service")
    )
    known: dict[tuple[int | None, str], tuple[str, datetime] | None] = {}
    for incident in rows.iterator(500):
        key = incident.service_id, incident.severity
        if key not in known:
            known[key] = _calls_since(incident, look.now)
        policy = known[key]
        answered_at = incident.acknowledged_at or look.now
        if policy is not None and policy[0] == incident.by and policy[1] <= answered_at:
            yield incident.pk, NOT_BEGUN


def _calls_since(incident: Incident, now: datetime) -> tuple[str, datetime] | None:
    """Return which policy tells people of what lasts, and since when it is as it is; None: it does not."""
    policy = policy_for(incident.service)
    plan = plan_of(policy, incident.severity, Phase.UNRESOLVED, day=now.date())
    return (policy.name, policy.updated_at) if policy is not None and plan is not None else None


def put_off(look: Look) -> Iterator[tuple[int, str]]:
    """Return incidents with a page that is long due, and that no pager will look at for long."""
    longest = longest_pause()
    # A later rule waits from when the page is made, also where its step was due long before.
    never = Q(attempts__gt=0) | Q(look_at__gt=F("created_at") + LONGEST_DELAY + longest)
    rows = Page.objects.filter(
        never,
        state__in=Page.OPEN,
        due_at__lte=look.since,
        look_at__gt=look.now + longest,
        incident__status=Status.TRIGGERED,
        cycle=F("incident__cycle"),
    )
    if look.only is not None:
        rows = rows.filter(incident=look.only)
    found = rows.order_by("incident").values_list("incident", flat=True).distinct()[:_MOST]
    return ((pk, NEVER_LOOKED_AT) for pk in found)
