"""Whom a step of an escalation calls, and how: looked up once for all walks that stand there."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incidents.services.pages import Way, Ways, ways_in_words
from notifications.models import ContactMethod
from oncall.domain.escalations import Step
from oncall.queries.targets import Called, called_by

__all__ = ["Call", "StepCalls"]

_Targets = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Call:
    """Whom a step calls.

    Args:
        ways: How they are reached.
        text: For the timeline.
        missing: Who should have been called and was not, in words.
        reached: Whether it reaches anybody by a way of their own.
        facts: By which target and in which ways, for the timeline: what decided it changes.
    """

    ways: tuple[Way, ...]
    text: str
    missing: tuple[str, ...]
    reached: bool
    facts: Mapping[str, Any] = field(default_factory=dict)


class StepCalls:
    """Whom the steps of one instant call.

    Args:
        ways: How people are reached at that instant.
    """

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._known: dict[Hashable, Call] = {}

    def of(self, step: Step, turn: int, *, known_as: Hashable) -> Call:
        """Return whom a step calls.

        Args:
            step: The step.
            turn: Whose turn it is in a round robin; whoever cannot be reached is passed over.
            known_as: Tells the step from others.
        """
        key = known_as, turn
        if key not in self._known:
            self._known[key] = self._looked_up(step, turn)
        return self._known[key]

    def _looked_up(self, step: Step, turn: int) -> Call:
        if not step.is_in_turn:
            return self._of_targets(step, step.targets)
        in_turn = (*step.targets[turn:], *step.targets[:turn])
        call = first = self._of_targets(step, in_turn[:1])
        passed: list[str] = []
        for target in in_turn[1:]:
            if call.reached:
                break
            passed += call.missing
            call = self._of_targets(step, (target,))
        if not call.reached:
            return first
        text = " ".join([call.text, *passed])
        missing = (*call.missing, *passed)
        return Call(call.ways, text, missing, True, {**call.facts, "missing": missing})

    def _of_targets(self, step: Step, targets: _Targets) -> Call:
        called = called_by(targets, self._ways.now)
        people = [(each, *self._ways.of_person(each, step.urgency)) for each in called.people]
        ways = [self._ways.of_channel(channel) for channel in called.channels]
        ways += [way for _, own, _ in people for way in own]
        mute = [person for person, _, is_reachable in people if not is_reachable]
        missing = [*called.missing, *(f"{one} has no verified way to be reached." for one in mute)]
        reached = bool(called.channels) or len(mute) < len(people)
        named = [person for person, own, is_reachable in people if own or is_reachable]
        whom = ", ".join(map(str, (*named, *called.channels))) or "nobody"
        text = " ".join([f"L{step.level}: {whom}.", *missing])
        facts = {
            "level": step.level,
            "urgency": step.urgency,
            "missing": missing,
            "is_reached": reached,
            "called": _called_in_words(called),
            "ways": ways_in_words(ways, now=self._ways.now),
            "mute": [f"user:{person.username}" for person in mute],
        }
        return Call(tuple(ways), text, tuple(missing), reached, facts)


def _called_in_words(called: Called) -> list[dict[str, Any]]:
    return [
        {
            "whom": f"channel:{row.pk}"
            if isinstance(row, ContactMethod)
            else f"user:{row.username}",
            "name": str(row),
            "kind": through.kind,
            "of": through.name,
            "shift": through.shift,
        }
        for row, through in called.through
    ]
