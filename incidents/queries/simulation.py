"""Who would be called when, if it came at some moment and nobody answered: nothing is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import User
from catalog.models import Service
from incidents.domain.severities import AT_LEAST_ONCE
from notifications.domain.kinds import Kind
from notifications.queries.rules import goes_out_at, plan_for
from oncall.domain.escalations import Phase, Step, Urgency, after_working_time, next_position
from oncall.models import EscalationPolicy
from oncall.queries.fallbacks import fallback_people
from oncall.queries.policies import ladder_of, policy_for
from oncall.queries.targets import called_by

__all__ = ["Call", "simulate"]

_MOST = 200
_TO_ACCOUNT = "No verified way; the account's email address is tried."
_NOBODY = "Nobody could be called: the fallback contact is."


@dataclass(frozen=True)
class Call:
    """One message that would go out.

    Args:
        at: When.
        level: 1 to 9; 0 is the fallback contact.
        loop: 1 is the first.
        person: Username, or the channel's name; "" where nobody is there.
        channel: By what; "" where nothing goes out.
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
        return policy, list(_fall_back(at, 1, "No policy calls anybody: the fallback contact is."))
    loop, position = 0, 0
    due = _due(policy, ladder.steps[0], ladder.steps[0].after, at)
    calls: list[Call] = []
    while len(calls) < _MOST:
        found, reached = _step(ladder.steps[position], loop + 1, due)
        following = next_position(ladder, loop, position)
        if following is None:
            after = due + ladder.repeat_after if reached else due
            return policy, calls + found + _at_the_end(severity, calls, after, loop + 1, reached)
        earlier, calls = calls, calls + found
        this, (loop, position, wait) = loop, following
        if not reached and loop == this:
            # Where nobody is there, the next level is called at once.
            continue
        if not reached and not any(_counts(call) for call in earlier if call.loop == loop):
            calls += _fall_back(due, loop, _NOBODY)
        due = _due(policy, ladder.steps[position], wait, due)
    return policy, calls


def _due(policy: EscalationPolicy, step: Step, wait: timedelta, start: datetime) -> datetime:
    if step.in_working_hours:
        return after_working_time(start, wait, policy.working_hours)
    return start + wait


def _step(step: Step, loop: int, at: datetime) -> tuple[list[Call], bool]:
    """Return the calls of a step, and whether they reach anybody by a way that is theirs."""
    called = called_by(step.targets, at)
    reached = bool(called.channels)
    turn = ""
    if step.is_in_turn:
        turn = f"One of {len(step.targets)} in turn."
    calls = []
    for person in called.people:
        ways, is_reachable = _ways_to(person, step.urgency, at)
        reached = reached or is_reachable
        calls += [
            Call(when, step.level, loop, person.username, kind, note or turn)
            for when, kind, note in ways
        ]
    calls += [
        Call(at, step.level, loop, str(channel), channel.kind, turn) for channel in called.channels
    ]
    return calls + [Call(at, step.level, loop, "", "", why) for why in called.missing], reached


def _ways_to(
    person: User, urgency: str, at: datetime
) -> tuple[list[tuple[datetime, str, str]], bool]:
    """Return when and by what a person is called and what is wrong, and whether that counts."""
    plan = plan_for(person, urgency, at)
    if plan:
        return [(planned.at, planned.method.kind, "") for planned in plan], True
    if person.email:
        (when,) = goes_out_at(person, urgency, [timedelta()], at)
        return [(when, Kind.EMAIL, _TO_ACCOUNT)], False
    return [(at, "", "No verified way, and no email address of the account.")], False


def _counts(call: Call) -> bool:
    """Return whether a call may be heard: an account's address may be nobody's."""
    return bool(call.channel) and call.note != _TO_ACCOUNT


def _at_the_end(
    severity: str, earlier: Sequence[Call], at: datetime, loop: int, reached: bool
) -> list[Call]:
    """Return the calls after the last step: nobody reached, or nobody answered, is not the end."""
    if not reached and not any(_counts(call) for call in earlier if call.level):
        return list(_fall_back(at, loop, _NOBODY))
    if severity in AT_LEAST_ONCE:
        return list(_fall_back(at, loop, "Everybody was called: the fallback contact is, too."))
    return []


def _fall_back(at: datetime, loop: int, why: str) -> Iterator[Call]:
    people, channels = fallback_people()
    for channel in channels:
        yield Call(at, 0, loop, str(channel), channel.kind, why)
    for person in people:
        for when, kind, note in _ways_to(person, Urgency.HIGH, at)[0]:
            yield Call(when, 0, loop, person.username, kind, f"{why} {note}".strip())
    if not people and not channels:
        yield Call(at, 0, loop, "", "", f"{why} There is nobody, either.")
