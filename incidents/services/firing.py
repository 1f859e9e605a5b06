"""Firing steps of escalations: many in one transaction, decided together where they are alike.

Whom a step calls depends on where a walk stands, not on whose it is: of five hundred walks that
stand in the same place it is decided once. A batch holds the locks of its incidents and what it
decides is of the moment it holds them; an acknowledgement waits for the lock, and then finds pages
that it takes back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import transaction

from core import bulk
from core.alike import update_alike
from incidents.domain.page_reasons import FALLBACK
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import EscalationRun, Incident, LadderSnapshot, TimelineEntry
from incidents.queries.quorum import people_who_answered
from incidents.services import pages
from incidents.services.call_decisions import Line, write_lines
from incidents.services.claims import Queue
from incidents.services.escalation import REASONS, WAITING_FOR, due_at
from incidents.services.pages import Calls, Place, Way, Ways, ways_in_words
from incidents.services.step_calls import Call, StepCalls
from incidents.services.turns import take_turns
from incidents.services.undelivered import NOBODY, unheard
from oncall.domain.escalations import Ladder, Phase, Step, ladder_from, next_position

__all__ = ["COLUMNS", "Claimed", "fire", "fire_due", "queue"]

State = EscalationRun.State
_PLACE = ("cycle", "phase", "loop", "position", "snapshot_id")
COLUMNS = ("id", "incident_id", "claims", *_PLACE)
_OF_INCIDENT = ("cycle", "status", "severity")
_ALIKE = [*(f"own.{name}" for name in _PLACE), *(f"other.{name}" for name in _OF_INCIDENT)]


class Claimed(NamedTuple):
    """A run as it was claimed: columns of its row.

    Args:
        run: Its number.
        incident: Number of the incident.
        claims: Since a step last fired, this one included.
        cycle: Of the incident when the run began.
        phase: What it waits for.
        loop: 0 is the first.
        position: Of the step that is due.
        snapshot: Digest of the ladder.
        look_at: When the claim runs out; changed by whoever changes what is due.
    """

    run: int
    incident: int
    claims: int
    cycle: int
    phase: str
    loop: int
    position: int
    snapshot: str
    look_at: datetime

    @classmethod
    def of(cls, row: Sequence[Any], look_at: datetime) -> "Claimed":
        """Return what a claim of `COLUMNS` gave."""
        return cls(*row, look_at)  # type: ignore[call-arg]


class _Standing(NamedTuple):
    """Where a walk stands, and its incident."""

    cycle: int
    phase: str
    loop: int
    position: int
    snapshot: str
    incident_cycle: int
    status: str
    severity: str


class _Case(NamedTuple):
    """All that a step depends on.

    Args:
        at: Where the walk stands.
        turn: Whose turn it is in a round robin.
        answered: People who answered already, where one answer is not enough.
        is_unheard: Whether no message of it got out, or still may, where that counts.
    """

    at: _Standing
    turn: int
    answered: frozenset[int]
    is_unheard: bool = False


@dataclass
class _Outcome:
    """What a step does, for each walk in `of`.

    Args:
        run: What changes of it.
        calls: From where, and how somebody is reached.
        lines: Of the timeline.
        unreached: Why nobody is called, where that is so.
        of: Incident and run of each.
    """

    run: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[Place, Way]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    unreached: str = ""
    of: list[tuple[int, int]] = field(default_factory=list)


def queue() -> Queue:
    """Return the queue of steps, as a pager looks at it."""
    return Queue(EscalationRun, "state = 'running'", COLUMNS)


def fire_due(steps: Queue, *, now: datetime, limit: int) -> int:
    """Fire steps that are due and were never claimed, all or none; those of held incidents wait.

    Args:
        steps: Looks at them.
        now: The present; next steps are counted from it, not from when these were due.
        limit: Most of them.

    Returns:
        How many.
    """
    with transaction.atomic():
        taken = steps.take(now=now, limit=limit, beside=Incident, by="incident_id", alike=_ALIKE)
        places = [_Standing(*where) for where, _, _ in taken]
        batch = _Batch(now)
        batch.look_up_answers(
            {at.snapshot for at in places},
            [each for _, _, incidents in taken for each in incidents],
        )
        batch.take_turns([(at, len(runs)) for at, (_, runs, _) in zip(places, taken, strict=True)])
        for at, (_, runs, incidents) in zip(places, taken, strict=True):
            batch.decide(at, list(zip(incidents, runs, strict=True)))
        batch.write()
    return sum(len(runs) for _, runs, _ in taken)


def fire(claims: Sequence[Claimed], *, now: datetime, wait: bool = True) -> list[Claimed]:
    """Fire the steps that are claimed and set when the next ones are, all or none.

    Args:
        claims: As they were claimed together, at most one of an incident and phase.
        now: As for `fire_due`.
        wait: Whether to wait for incidents that another holds.

    Returns:
        Those that were left alone, because another holds their incident.
    """
    with transaction.atomic():
        held = _locked([claim.incident for claim in claims], wait=wait)
        mine = [claim for claim in claims if claim.incident in held]
        places: dict[_Standing, list[tuple[int, int]]] = {}
        for claim in mine:
            at = _Standing(*claim[3:8], *held[claim.incident])
            places.setdefault(at, []).append((claim.incident, claim.run))
        batch = _Batch(now)
        batch.look_up_answers({claim.snapshot for claim in mine}, list(held))
        batch.take_turns([(at, len(of)) for at, of in places.items()])
        for at, of in places.items():
            batch.decide(at, of)
        if mine:
            batch.write(mine[0].look_at)
    return [claim for claim in claims if claim.incident not in held]


def _locked(incidents: Sequence[int], *, wait: bool) -> Mapping[int, tuple[int, str, str]]:
    rows = Incident.objects.filter(pk__in=incidents).order_by("pk")
    rows = rows.select_for_update(of=("self",), skip_locked=not wait)
    return {row[0]: row[1:] for row in rows.values_list("pk", *_OF_INCIDENT)}


@lru_cache(maxsize=1024)
def _ladder(digest: str) -> tuple[Ladder, Mapping[str, Any], str]:
    """Return steps, working hours and whose they are; what a digest stands for never changes."""
    stored = LadderSnapshot.objects.get(pk=digest).content
    # Ladders of before have no policy: those share their turns with themselves only.
    return ladder_from(stored), stored.get("hours") or {}, stored.get("policy", digest)


def _in_turn(at: _Standing) -> tuple[str, int] | None:
    """Return policy and level of the round robin that a walk stands at, if it is one."""
    ladder, _, policy = _ladder(at.snapshot)
    step = ladder.steps[at.position] if at.position < len(ladder.steps) else None
    return (policy, step.level) if step is not None and step.is_in_turn else None


class _Batch:
    """What the steps of one instant do, decided first and written at the end."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._answered: dict[tuple[int, int], set[int]] = {}
        self._ways = Ways(now)
        self._steps = StepCalls(self._ways)
        self._outcomes: list[_Outcome] = []
        self._taken: dict[tuple[str, int], Iterator[int]] = {}

    def look_up_answers(self, snapshots: set[str], incidents: Sequence[int]) -> None:
        """Learn who has answered already, where one answer is not enough."""
        if any(step.acknowledgements > 1 for each in snapshots for step in _ladder(each)[0].steps):
            self._answered = people_who_answered(incidents)

    def take_turns(self, places: Iterable[tuple[_Standing, int]]) -> None:
        """Take the turns of all round robins that walks stand at, once.

        Args:
            places: Where walks stand, and how many there.
        """
        wanted: dict[tuple[str, int], int] = {}
        for at, count in places:
            if (name := _in_turn(at)) is not None:
                wanted[name] = wanted.get(name, 0) + count
        # In one order: others take them as well.
        self._taken = {
            name: iter(take_turns(*name, count)) for name, count in sorted(wanted.items())
        }

    def decide(self, at: _Standing, of: list[tuple[int, int]]) -> None:
        """Decide what the steps of walks do that stand in one place.

        Args:
            at: The place.
            of: Incident and run of each.
        """
        cases: dict[_Case, list[tuple[int, int]]] = {}
        name, turns = _in_turn(at), self._turns(at)
        nobody = self._unheard(at, of, turns)
        if turns == 1 and not self._answered and not nobody:
            cases[_Case(at, 0, frozenset())] = of
        else:
            for incident, run in of:
                turn = next(self._taken[name]) % turns if name else 0
                answered = frozenset(self._answered.get((incident, at.incident_cycle), ()))
                case = _Case(at, turn, answered, run in nobody)
                cases.setdefault(case, []).append((incident, run))
        for case, own in cases.items():
            outcome = self._decided(case)
            outcome.of = own
            self._outcomes.append(outcome)

    def write(self, look_at: datetime | None = None) -> None:
        """Write all of it; a run that another pager fired meanwhile is left as it is.

        Args:
            look_at: When the claims run out; runs that anybody changed since are left, too.
        """
        held = [(number, of) for number, each in enumerate(self._outcomes) for of in each.of]
        late = pages.late_by([run for _, (_, run) in held], now=self._now)
        changes = [each.run for each in self._outcomes]
        matching = {"was_loop": "loop", "was_position": "position", "was_snapshot": "snapshot_id"}
        if look_at is not None:
            changes = [{**run, "was_look_at": look_at} for run in changes]
            matching["was_look_at"] = "look_at"
        fired = update_alike(
            EscalationRun,
            changes,
            [number for number, _ in held],
            [run for _, (_, run) in held],
            matching=matching,
            only_if="incidents_escalationrun.state = 'running'",
        )
        if len(fired) < len(held):
            for each in self._outcomes:
                each.of = [(incident, run) for incident, run in each.of if run in fired]
        self._write_pages(late)
        self._write_timeline()
        bulk.update_rows(
            Incident,
            [
                {"id": incident, "unreached": each.unreached[:500], "updated_at": self._now}
                for each in self._outcomes
                if each.unreached
                for incident, _ in each.of
            ],
        )

    def _write_pages(self, late: Mapping[int, timedelta]) -> None:
        calls = [
            Calls(place, way, of, since)
            for each in self._outcomes
            for since, of in pages.as_late(each.of, late)
            for place, way in each.calls
        ]
        pages.insert(calls, now=self._now)

    def _write_timeline(self) -> None:
        write_lines(
            [
                (line, [incident for incident, _ in each.of])
                for each in self._outcomes
                for line in each.lines
            ]
        )

    def _turns(self, at: _Standing) -> int:
        """Return how many take turns at a step; 1 where all are called."""
        return len(_ladder(at.snapshot)[0].steps[at.position].targets) if _in_turn(at) else 1

    def _unheard(self, at: _Standing, of: list[tuple[int, int]], turns: int) -> set[int]:
        """Return the walks of which no message got out, or still may, where the step depends on it."""
        ladder = _ladder(at.snapshot)[0]
        last = len(ladder.steps) - 1
        if last < 0 or at.position < last:
            return set()
        if at.position == last:
            step, known_as = ladder.steps[last], (at.snapshot, last)
            calls = [self._steps.of(step, turn, known_as=known_as) for turn in range(turns)]
            if all(call.reached for call in calls):
                return set()
        is_followed = at.position == last and at.loop + 1 < ladder.loops
        return unheard(of, loop=at.loop if is_followed else None)

    def _decided(self, case: _Case) -> _Outcome:
        at = case.at
        found, phase = _Outcome(), Phase(at.phase)
        if at.cycle != at.incident_cycle or not _is_wanted(phase, at.status):
            self._ends(found, at, State.STOPPED)
            return found
        ladder, hours, _ = _ladder(at.snapshot)
        if not ladder.steps:
            self._ends(found, at, State.EXHAUSTED)
            self._fall_back(found, at, "No escalation policy calls anybody for it.")
            return found
        if at.position >= len(ladder.steps):
            # The last level has had its time.
            self._ends(found, at, State.EXHAUSTED)
            self._fall_back(found, at, NOBODY if case.is_unheard else _too_few(case))
            return found
        step = ladder.steps[at.position]
        call = self._steps.of(step, case.turn, known_as=(at.snapshot, at.position))
        self._take_up(found, case, call, step)
        following = next_position(ladder, at.loop, at.position)
        if following is None:
            self._is_through(found, case, call, ladder)
            return found
        loop, position, pause = following
        due = due_at(hours, ladder.steps[position], pause, now=self._now)
        if call.reached:
            self._goes_on(found, at, loop, position, due)
        elif loop == at.loop:
            self._goes_on(found, at, loop, position, self._now)
        else:
            # The next level at once, but all of them again only after the pause.
            self._goes_on(found, at, loop, position, due)
            if case.is_unheard:
                self._fall_back(found, at, NOBODY)
        return found

    def _take_up(self, found: _Outcome, case: _Case, call: Call, step: Step) -> None:
        at = case.at
        place = Place(
            at.incident_cycle,
            at.severity,
            REASONS[Phase(at.phase)],
            loop=at.loop,
            step=at.position + 1,
            level=step.level,
            urgency=step.urgency,
        )
        found.calls += [(place, way) for way in call.ways if way.person not in case.answered]
        answered = sorted({way.target for way in call.ways if way.person in case.answered})
        where = {"step": place.step, "phase": at.phase, "cycle": at.cycle, "answered": answered}
        facts = {"level": step.level, "loop": at.loop}
        found.lines.append(Line(self._entry("call", call.text), facts, {**call.facts, **where}))
        if call.missing and not call.reached:
            found.unreached = " ".join(call.missing)

    def _is_through(self, found: _Outcome, case: _Case, call: Call, ladder: Ladder) -> None:
        """Go on after the last step; nobody reached, or nobody answers, is not the end."""
        at = case.at
        if call.reached and at.severity in AT_LEAST_ONCE:
            self._goes_on(found, at, at.loop, len(ladder.steps), self._now + ladder.repeat_after)
            return
        self._ends(found, at, State.EXHAUSTED)
        nobody = not call.reached and case.is_unheard
        if nobody or at.severity in AT_LEAST_ONCE:
            self._fall_back(found, at, NOBODY if nobody else _too_few(case))

    def _fall_back(self, found: _Outcome, at: _Standing, why: str) -> None:
        """Call the fallback contact; where somebody has answered, the levels are all there are."""
        if at.phase != Phase.UNACKNOWLEDGED:
            return
        ways, whom = self._ways.of_fallback()
        place = Place(at.incident_cycle, at.severity, FALLBACK, loop=at.loop, step=at.position + 1)
        found.calls += [(place, way) for way in ways]
        entry = self._entry(FALLBACK, f"{why} Fallback contact: {whom}.")
        found.lines.append(Line(entry, {}, {"ways": ways_in_words(ways, now=self._now)}))
        found.unreached = why

    def _goes_on(
        self, found: _Outcome, at: _Standing, loop: int, position: int, due: datetime
    ) -> None:
        self._change(found, at, State.RUNNING, {"loop": loop, "position": position}, due)

    def _ends(self, found: _Outcome, at: _Standing, state: State) -> None:
        stays = {"loop": at.loop, "position": at.position}
        self._change(found, at, state, stays, self._now)

    def _change(
        self,
        found: _Outcome,
        at: _Standing,
        state: State,
        place: Mapping[str, int],
        due: datetime,
    ) -> None:
        # Every step ends a walk or moves it on, so where it stood says whether it was done.
        found.run = {
            "was_loop": at.loop,
            "was_position": at.position,
            "was_snapshot": at.snapshot,
            "state": state,
            **place,
            "due_at": due,
            "look_at": due,
            "claims": 0,
            "fired_at": self._now,
            "ended_at": None if state == State.RUNNING else self._now,
        }

    def _entry(self, act: str, text: str) -> dict[str, Any]:
        return {
            "at": self._now,
            "kind": TimelineEntry.Kind.ESCALATION,
            "act": act,
            "actor": "portal",
            "text": text,
        }


def _too_few(case: _Case) -> str:
    return f"Everybody was called, {'too few' if case.answered else 'nobody'} answered."


def _is_wanted(phase: Phase, status: str) -> bool:
    return status == WAITING_FOR[phase]
