"""Escalation policies as arithmetic: which level is called when, and what comes after the last one.

An escalation runs over a ladder of steps. The policy is snapshotted when it begins, so that editing
a policy changes nothing for who is being called already; who stands behind a schedule is looked up
when a step fires.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from core.walltime import instant, local_date

__all__ = [
    "DEFAULT_TIMINGS",
    "Ladder",
    "Phase",
    "Step",
    "Timing",
    "Urgency",
    "WorkingHours",
    "after_working_time",
    "carried_over",
    "in_order",
    "ladder_from",
    "next_position",
]

DAY = timedelta(days=1)
_SEARCHED = timedelta(days=3653)


class Phase(StrEnum):
    """What an escalation waits for."""

    UNACKNOWLEDGED = "unacknowledged"
    UNRESOLVED = "unresolved"


class Urgency(StrEnum):
    """Which of a person's notification rules apply."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True)
class Timing:
    """When one level is called for one severity.

    Args:
        level: 1 to 9; L1 is whoever is on call.
        after: From the beginning of the phase.
        urgency: Which rules of a person apply.
        in_working_hours: Whether only working time counts.
    """

    level: int
    after: timedelta
    urgency: Urgency = Urgency.HIGH
    in_working_hours: bool = False


def _minutes(*pairs: tuple[int, int]) -> tuple[Timing, ...]:
    return tuple(Timing(level, timedelta(minutes=after)) for level, after in pairs)


# The operations guide's matrix; a policy may change every cell of it.
DEFAULT_TIMINGS: Mapping[tuple[Phase, str], tuple[Timing, ...]] = {
    (Phase.UNACKNOWLEDGED, "P0"): _minutes((1, 0), (2, 5), (3, 15), (4, 30)),
    (Phase.UNACKNOWLEDGED, "P1"): _minutes((1, 0), (2, 15), (3, 60), (4, 240)),
    (Phase.UNACKNOWLEDGED, "P2"): (
        Timing(1, timedelta()),
        Timing(2, timedelta(hours=4), in_working_hours=True),
    ),
    (Phase.UNACKNOWLEDGED, "P3"): (
        Timing(1, timedelta(), Urgency.LOW),
        Timing(2, timedelta(hours=24), Urgency.LOW),
    ),
    (Phase.UNRESOLVED, "P0"): _minutes((2, 60), (3, 120), (4, 240)),
    (Phase.UNRESOLVED, "P1"): _minutes((2, 120), (3, 240), (4, 480)),
}


@dataclass(frozen=True)
class WorkingHours:
    """When people work, by the wall clock of a zone; on holidays nobody does."""

    zone: ZoneInfo
    begins: time = time(9)
    ends: time = time(17)
    weekdays: frozenset[int] = frozenset(range(5))
    holidays: Container[date] = frozenset()

    def __post_init__(self) -> None:
        if self.begins >= self.ends or not self.weekdays:
            raise ValueError("working hours begin before they end, on at least one day")


@dataclass(frozen=True)
class Step:
    """One rung: whom to call, and when.

    Args:
        level: 1 to 9.
        after: From the beginning of the ladder.
        urgency: Which rules of a person apply.
        in_working_hours: Whether only working time counts.
        targets: Whom, as `{"kind": …, "id": …}`.
        mode: "all" of them, or "round_robin": the next one of them each time.
        acknowledgements: How many people must answer, once it was called, before calling stops.
    """

    level: int
    after: timedelta
    urgency: Urgency
    in_working_hours: bool
    targets: tuple[Mapping[str, Any], ...]
    mode: str = "all"
    acknowledgements: int = 1

    @property
    def is_in_turn(self) -> bool:
        """Whether each time another one of several is called."""
        return self.mode == "round_robin" and len(self.targets) > 1


@dataclass(frozen=True)
class Ladder:
    """The steps of one phase for one severity.

    Args:
        steps: In the order in which they fire.
        loops: How often it runs through all of them, at least once.
        repeat_after: From the last step to the first one of the next loop.
    """

    steps: tuple[Step, ...]
    loops: int = 1
    repeat_after: timedelta = timedelta(minutes=30)

    def wait_before(self, position: int) -> timedelta:
        """Return how long after the step before it a step fires; the first one waits for itself."""
        if position == 0:
            return self.steps[0].after
        return self.steps[position].after - self.steps[position - 1].after

    def acknowledgements_after(self, loop: int, position: int) -> int:
        """Return how many people must answer once the steps before this one were called."""
        called = self.steps if loop else self.steps[:position]
        return max((step.acknowledgements for step in called), default=1)

    def to_json(self) -> dict[str, Any]:
        """Return what `ladder_from` reads."""
        return {
            "loops": self.loops,
            "repeat_after_s": self.repeat_after.total_seconds(),
            "steps": [
                {
                    "level": step.level,
                    "after_s": step.after.total_seconds(),
                    "urgency": str(step.urgency),
                    "in_working_hours": step.in_working_hours,
                    "targets": [dict(target) for target in step.targets],
                    "mode": step.mode,
                    "acknowledgements": step.acknowledgements,
                }
                for step in self.steps
            ],
        }


def ladder_from(snapshot: Mapping[str, Any]) -> Ladder:
    """Return the ladder that `Ladder.to_json` wrote."""
    return Ladder(
        steps=tuple(
            Step(
                level=step["level"],
                after=timedelta(seconds=step["after_s"]),
                urgency=Urgency(step["urgency"]),
                in_working_hours=step["in_working_hours"],
                targets=tuple(step["targets"]),
                mode=step["mode"],
                acknowledgements=step.get("acknowledgements", 1),
            )
            for step in snapshot["steps"]
        ),
        loops=snapshot["loops"],
        repeat_after=timedelta(seconds=snapshot["repeat_after_s"]),
    )


def next_position(ladder: Ladder, loop: int, position: int) -> tuple[int, int, timedelta] | None:
    """Return what follows a step: loop, position and the wait from now; None after the last one.

    Args:
        ladder: With at least one step.
        loop: 0 is the first one.
        position: Of the step that fired, 0 is the first one.
    """
    if position + 1 < len(ladder.steps):
        return loop, position + 1, ladder.wait_before(position + 1)
    if loop + 1 < ladder.loops:
        return loop + 1, 0, ladder.repeat_after
    return None


def carried_over(
    old: Ladder, new: Ladder, loop: int, position: int
) -> tuple[int, int, timedelta] | None:
    """Return where a walk up one ladder goes on up another: loop, position and the wait.

    At the first level that it has not called; where the new ladder loops as well, in this loop.
    The wait counts from when a step last fired. None: all levels were called, and nothing follows.

    Args:
        old: The ladder so far, with at least one step.
        new: The other one.
        loop: 0 is the first one.
        position: In the old ladder, of the step that would fire next.
    """
    fired = old.steps[:position] if loop < new.loops else old.steps
    called = {step.level for step in fired}
    first = next((n for n, step in enumerate(new.steps) if step.level not in called), None)
    if first is None:
        return next_position(new, loop, len(new.steps) - 1)
    return loop, first, new.wait_before(first) if first or not loop else new.repeat_after


def after_working_time(start: datetime, wait: timedelta, hours: WorkingHours) -> datetime:
    """Return when `wait` of working time has passed since `start`.

    Nothing to wait for is at once, whatever the hour. Where ten years have not enough working time,
    all time counts.
    """
    if wait <= timedelta():
        return start
    first = day = local_date(start, hours.zone)
    left = wait
    while day < first + _SEARCHED:
        if day.weekday() in hours.weekdays and day not in hours.holidays:
            begins = max(instant(day, hours.begins, hours.zone), start)
            ends = instant(day, hours.ends, hours.zone)
            if begins < ends:
                if left <= ends - begins:
                    return begins + left
                left -= ends - begins
        day += DAY
    return start + wait


def in_order(timings: Iterable[Timing]) -> list[Timing]:
    """Return timings in the order in which they fire; of two at once the lower level is first."""
    return sorted(timings, key=lambda timing: (timing.after, timing.level))
