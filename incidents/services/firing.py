"""Firing steps of escalations: many in one transaction, each decided by itself.

A batch locks its incidents, looks again at each, decides, and writes all of it in a statement a
table: what was looked up for one, whom a level calls for instance, holds for the others of the same
instant. An acknowledgement waits for the lock, and then finds pages that it takes back.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from core import bulk
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import EscalationRun, Incident, Page, TimelineEntry
from incidents.queries.quorum import people_who_answered
from incidents.services import pages
from incidents.services.escalation import REASONS, WAITING_FOR, due_at
from incidents.services.pages import FALLBACK, Place, Way, Ways
from oncall.domain.escalations import Ladder, Phase, Step, ladder_from, next_position
from oncall.queries.targets import called_by

__all__ = ["COLUMNS", "Claimed", "fire"]

State = EscalationRun.State


class Claimed(NamedTuple):
    """A run as it was claimed: columns of its row.

    Args:
        run: Its number.
        incident: Number of the incident.
        cycle: Of the incident when the run began.
        phase: What it waits for.
        loop: 0 is the first.
        position: Of the step that is due.
        claims: Since a step last fired, this one included.
        snapshot: The ladder, JSON.
        look_at: When the claim runs out; changed by whoever changes what is due.
    """

    run: int
    incident: int
    cycle: int
    phase: str
    loop: int
    position: int
    claims: int
    snapshot: str
    look_at: datetime

    @classmethod
    def of(cls, row: Sequence[Any], look_at: datetime) -> "Claimed":
        """Return what a claim of `COLUMNS` gave."""
        return cls(*row, look_at)  # type: ignore[call-arg]


COLUMNS = ("id", "incident_id", "cycle", "phase", "loop", "position", "claims", "snapshot")


class _Locked(NamedTuple):
    """What is asked of a locked incident."""

    pk: int
    cycle: int
    status: str
    severity: str


@dataclass(frozen=True)
class _Call:
    """Whom a step calls.

    Args:
        ways: How they are reached.
        text: For the timeline.
        missing: Who should have been called and was not, in words.
        reached: Whether it reaches anybody.
    """

    ways: tuple[Way, ...]
    text: str
    missing: tuple[str, ...]
    reached: bool


def fire(claims: Sequence[Claimed], *, now: datetime, wait: bool = True) -> list[Claimed]:
    """Fire the steps that are due and set when the next ones are, all or none.

    Args:
        claims: As they were claimed, at most one of an incident and phase.
        now: The present; next steps are counted from it, not from when these were due.
        wait: Whether to wait for incidents that another holds.

    Returns:
        Those that were left alone, because another holds their incident.
    """
    with transaction.atomic():
        held = _locked([claim.incident for claim in claims], wait=wait)
        batch = _Batch(now)
        batch.look_up_answers(claims)
        for claim in claims:
            if incident := held.get(claim.incident):
                batch.decide(claim, incident)
        batch.write()
    return [claim for claim in claims if claim.incident not in held]


def _locked(incidents: Sequence[int], *, wait: bool) -> Mapping[int, _Locked]:
    rows = Incident.objects.filter(pk__in=incidents).order_by("pk")
    lock = rows.select_for_update(of=("self",), skip_locked=not wait)
    return {row[0]: _Locked(*row) for row in lock.values_list("pk", "cycle", "status", "severity")}


class _Batch:
    """What the steps of one instant do, decided first and written at the end."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._answered: Collection[tuple[int, int, int | None]] = frozenset()
        self._ways = Ways(now)
        self._ladders: dict[str, tuple[Ladder, Mapping[str, Any]]] = {}
        self._calls: dict[tuple[str, int, int], _Call] = {}
        self._runs: list[dict[str, Any]] = []
        self._pages: dict[int, list[dict[str, Any]]] = {}
        self._timeline: dict[int, list[dict[str, Any]]] = {}
        self._unreached: dict[int, tuple[int, str]] = {}

    def look_up_answers(self, claims: Sequence[Claimed]) -> None:
        """Learn who has answered already, where one answer is not enough."""
        several = [
            claim.incident
            for claim in claims
            if any(step.acknowledgements > 1 for step in self._ladder(claim.snapshot)[0].steps)
        ]
        if several:
            self._answered = people_who_answered(several)

    def decide(self, claim: Claimed, incident: _Locked) -> None:
        """Decide what the step of one run does."""
        phase = Phase(claim.phase)
        self._pages[claim.run], self._timeline[claim.run] = [], []
        if claim.cycle != incident.cycle or not _is_wanted(phase, incident):
            self._ends(claim, State.STOPPED)
            return
        ladder, hours = self._ladder(claim.snapshot)
        if not ladder.steps:
            self._ends(claim, State.EXHAUSTED)
            self._fall_back(claim, incident, "No escalation policy calls anybody for it.")
            return
        if claim.position >= len(ladder.steps):
            # The last level has had its time.
            self._ends(claim, State.EXHAUSTED)
            self._fall_back(claim, incident, self._too_few(incident))
            return
        call = self._call(claim, incident, ladder.steps[claim.position])
        self._take_up(claim, incident, call, ladder.steps[claim.position])
        following = next_position(ladder, claim.loop, claim.position)
        if following is None:
            self._is_through(claim, incident, call, ladder)
        else:
            loop, position, pause = following
            at = due_at(hours, ladder.steps[position], pause, now=self._now)
            self._goes_on(claim, loop, position, at if call.reached else self._now)

    def write(self) -> None:
        """Write all of it; a run that somebody changed since it was claimed is left as it is."""
        fired = bulk.update_rows(
            EscalationRun,
            self._runs,
            matching={"look_before": "look_at"},
            only_if="state = 'running'",
        )
        made = [page for run in fired for page in self._pages[run]]
        pages.insert(made)
        bulk.insert_rows(TimelineEntry, [entry for run in fired for entry in self._timeline[run]])
        bulk.update_rows(
            Incident,
            [
                {"id": incident, "unreached": why[:500], "updated_at": self._now}
                for run, (incident, why) in self._unreached.items()
                if run in fired
            ],
        )

    def _ladder(self, snapshot: str) -> tuple[Ladder, Mapping[str, Any]]:
        if snapshot not in self._ladders:
            stored = json.loads(snapshot)
            self._ladders[snapshot] = ladder_from(stored), stored.get("hours") or {}
        return self._ladders[snapshot]

    def _call(self, claim: Claimed, incident: _Locked, step: Step) -> _Call:
        """Return whom a step calls: of a round robin the next one, by the incident's number."""
        turn = 0
        if step.mode == "round_robin" and step.targets:
            turn = (incident.pk + incident.cycle) % len(step.targets)
        known = claim.snapshot, claim.position, turn
        if known not in self._calls:
            targets = step.targets
            if step.mode == "round_robin" and targets:
                targets = (targets[turn],)
            self._calls[known] = self._looked_up(step, targets)
        return self._calls[known]

    def _looked_up(self, step: Step, targets: Sequence[Mapping[str, Any]]) -> _Call:
        called = called_by(targets, self._now)
        missing, reached = list(called.missing), bool(called.channels)
        ways = [self._ways.of_channel(channel) for channel in called.channels]
        for person in called.people:
            own, is_reachable = self._ways.of_person(person, step.urgency)
            ways += own
            reached = reached or is_reachable
            if not is_reachable:
                missing.append(f"{person} has no verified way to be reached.")
        whom = ", ".join(map(str, (*called.people, *called.channels))) or "nobody"
        text = " ".join([f"L{step.level}: {whom}.", *missing])
        return _Call(tuple(ways), text, tuple(missing), reached)

    def _take_up(self, claim: Claimed, incident: _Locked, call: _Call, step: Step) -> None:
        place = Place(
            incident.pk,
            incident.cycle,
            incident.severity,
            REASONS[Phase(claim.phase)],
            run=claim.run,
            loop=claim.loop,
            step=claim.position + 1,
            level=step.level,
            urgency=step.urgency,
        )
        self._pages[claim.run] += [
            place.page(way, now=self._now)
            for way in call.ways
            if (incident.pk, incident.cycle, way.person) not in self._answered
        ]
        facts = {"level": step.level, "loop": claim.loop, "missing": call.missing}
        self._tell(claim, "call", call.text, facts)
        if call.missing and not call.reached:
            self._unreached[claim.run] = incident.pk, " ".join(call.missing)

    def _is_through(self, claim: Claimed, incident: _Locked, call: _Call, ladder: Ladder) -> None:
        """Go on after the last step; nobody reached, or nobody answers, is not the end."""
        if call.reached and incident.severity in AT_LEAST_ONCE:
            after = self._now + ladder.repeat_after
            self._goes_on(claim, claim.loop, len(ladder.steps), after)
            return
        self._ends(claim, State.EXHAUSTED)
        earlier = Page.objects.filter(run=claim.run).exclude(reason=FALLBACK)
        nobody = not call.reached and not earlier.exists()
        if nobody or incident.severity in AT_LEAST_ONCE:
            why = "Nobody could be called." if nobody else self._too_few(incident)
            self._fall_back(claim, incident, why)

    def _too_few(self, incident: _Locked) -> str:
        of_now = incident.pk, incident.cycle
        some = any(answer[:2] == of_now for answer in self._answered)
        return f"Everybody was called, {'too few' if some else 'nobody'} answered."

    def _fall_back(self, claim: Claimed, incident: _Locked, why: str) -> None:
        ways, whom = self._ways.of_fallback()
        place = Place(
            incident.pk,
            incident.cycle,
            incident.severity,
            FALLBACK,
            run=claim.run,
            loop=claim.loop,
            step=claim.position + 1,
        )
        self._pages[claim.run] += [place.page(way, now=self._now) for way in ways]
        self._tell(claim, FALLBACK, f"{why} Fallback contact: {whom}.", {})
        self._unreached[claim.run] = incident.pk, why

    def _goes_on(self, claim: Claimed, loop: int, position: int, at: datetime) -> None:
        self._change(claim, State.RUNNING, loop=loop, position=position, at=at)

    def _ends(self, claim: Claimed, state: State) -> None:
        self._change(claim, state, loop=claim.loop, position=claim.position, at=self._now)

    def _change(
        self, claim: Claimed, state: State, *, loop: int, position: int, at: datetime
    ) -> None:
        self._runs.append(
            {
                "id": claim.run,
                "look_before": claim.look_at,
                "state": state,
                "loop": loop,
                "position": position,
                "due_at": at,
                "look_at": at,
                "claims": 0,
                "fired_at": self._now,
                "ended_at": None if state == State.RUNNING else self._now,
            }
        )

    def _tell(self, claim: Claimed, act: str, text: str, facts: Mapping[str, Any]) -> None:
        self._timeline[claim.run].append(
            {
                "incident_id": claim.incident,
                "at": self._now,
                "kind": TimelineEntry.Kind.ESCALATION,
                "act": act,
                "actor": "portal",
                "text": text,
                "facts": facts,
            }
        )


def _is_wanted(phase: Phase, incident: _Locked) -> bool:
    return incident.status == WAITING_FOR[phase]
