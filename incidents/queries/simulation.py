"""Who would be called when, if it came at some moment and nobody answered: nothing is sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.models import Service
from notifications.queries.rules import plan_for
from oncall.domain.escalations import Phase, Step, after_working_time, next_position
from oncall.models import EscalationPolicy
from oncall.queries.policies import ladder_of, policy_for
from oncall.queries.targets import called_by

__all__ = ["Call", "simulate"]

_MOST = 200


@dataclass(frozen=True)
class Call:
    """One message that would go out.

    Args:
        at: When.
        level: 1 to 9; 0 is the fallback contact.
        loop: 1 is the first.
        person: Username, or the channel's name; "" where nobody is there.
        channel: By what; "" where there is no verified way.
        note: What is wrong, if anything.
    """

    at: datetime
    level: int
    loop: int
    person: str
    channel: str
    note: str = ""


def simulate(
    service: Service, severity: str, at: datetime
) -> tuple[EscalationPolicy | None, list[Call]]:
    """Return the policy of a service and all calls of its ladder, were nobody to answer.

    Methods that a person has today are assumed to be theirs then too.
    """
    policy = policy_for(service)
    ladder = ladder_of(policy, severity, Phase.UNACKNOWLEDGED) if policy else None
    if policy is None or ladder is None:
        return policy, [Call(at, 0, 1, "", "", "No policy calls anybody: the fallback contact is.")]
    loop, position = 0, 0
    due = _due(policy, ladder.steps[0], ladder.steps[0].after, at)
    calls: list[Call] = []
    while len(calls) < _MOST:
        step = ladder.steps[position]
        found = list(_calls(step, loop, due))
        calls += found
        following = next_position(ladder, loop, position)
        if following is None:
            return policy, calls
        loop, position, wait = following
        # Where nobody is there, the next level is called at once.
        reached = any(call.channel for call in found)
        due = _due(policy, ladder.steps[position], wait, due) if reached else due
    return policy, calls


def _due(policy: EscalationPolicy, step: Step, wait: timedelta, start: datetime) -> datetime:
    if step.in_working_hours:
        return after_working_time(start, wait, policy.working_hours)
    return start + wait


def _calls(step: Step, loop: int, at: datetime) -> Iterator[Call]:
    called = called_by(step.targets, at)
    for person in called.people:
        plan = plan_for(person, step.urgency, at)
        for planned in plan:
            yield Call(planned.at, step.level, loop + 1, person.username, planned.method.kind)
        if not plan:
            note = "No verified way; the account's email address is tried."
            yield Call(at, step.level, loop + 1, person.username, "", note)
    for channel in called.channels:
        yield Call(at, step.level, loop + 1, str(channel), channel.kind)
    for missing in called.missing:
        yield Call(at, step.level, loop + 1, "", "", missing)
