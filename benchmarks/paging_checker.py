"""Judges a paging drill from outside: by journals and evidence views, never by the engine's state.

What the sender of alerts, the receivers of messages and whoever acknowledged wrote down is one
side; the views `ev_*` are the other. Every rule names what breaks it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["Evidence", "Message", "PageRow", "Sent", "Verdict", "judge"]

# A message that was being sent while somebody acknowledged may still arrive.
IN_FLIGHT = timedelta(seconds=10)


@dataclass(frozen=True)
class Sent:
    """An alert that the portal thanked for: its key, and when."""

    key: str
    at: datetime


@dataclass(frozen=True)
class Message:
    """What a receiver got.

    Args:
        key: Of the page.
        at: When.
        incident: Number.
        cycle: Of the incident.
        step: 1 is the first.
        target: Whom.
        reason: Why.
        is_repeat: Whether it said that it may be the second time.
        alerts: Keys of the alerts it names.
    """

    key: str
    at: datetime
    incident: int
    cycle: int
    step: int
    target: str
    reason: str
    is_repeat: bool
    alerts: tuple[str, ...]


@dataclass(frozen=True)
class PageRow:
    """A row of `ev_page`."""

    key: str
    incident: int
    cycle: int
    step: int
    target: str
    channel: str
    state: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class Evidence:
    """All that is known about a drill.

    Args:
        sent: Alerts answered 2xx.
        received: Messages, in the order of their arrival.
        acknowledged: Incidents that somebody was told are acknowledged.
        answers: Incident → target → when they were told that their answer counts.
        tried: Incident → targets who answered, whether they were told anything or not.
        receipts: `ev_receipt.ext_id`.
        incidents: `ev_incident`: number → when it was acknowledged, None when never.
        pages: `ev_page`.
        attempts: `ev_attempt`: key → outcomes in order, "" for one that never ended.
        steps: Whom step 1, 2 … of the ladder calls.
        needed: How many must answer before calling stops.
    """

    sent: Sequence[Sent]
    received: Sequence[Message]
    acknowledged: frozenset[int]
    answers: Mapping[int, Mapping[str, datetime]]
    tried: Mapping[int, Collection[str]]
    receipts: frozenset[str]
    incidents: Mapping[int, datetime | None]
    pages: Sequence[PageRow]
    attempts: Mapping[str, Sequence[str]]
    steps: Sequence[Sequence[str]]
    needed: int = 1


@dataclass
class Verdict:
    """What is wrong, by rule; empty lists are rules that hold."""

    broken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every rule holds."""
        return not any(self.broken.values())

    def rule(self, name: str, subjects: int, found: Iterable[str]) -> None:
        """Judge one rule."""
        self.checked[name] = subjects
        self.broken[name] += found


def judge(evidence: Evidence) -> Verdict:
    """Return which promises were kept."""
    verdict = Verdict()
    verdict.rule("alerts-are-stored", len(evidence.sent), _lost(evidence))
    verdict.rule("alerts-page-somebody", len(evidence.sent), _silent(evidence))
    verdict.rule("acknowledgements-are-kept", len(evidence.acknowledged), _unkept(evidence))
    verdict.rule("as-many-answer-as-are-needed", len(evidence.tried), _miscounted(evidence))
    verdict.rule("no-step-is-skipped", len(evidence.incidents), _skipped(evidence))
    verdict.rule("no-step-is-doubled", len(evidence.pages), _doubled(evidence))
    verdict.rule("repeats-are-marked", len(evidence.received), _unmarked(evidence))
    verdict.rule(
        "nobody-is-paged-after-an-acknowledgement", len(evidence.received), _late(evidence)
    )
    verdict.rule("nobody-who-answered-is-called-again", len(evidence.received), _again(evidence))
    verdict.rule("what-is-sent-arrived", len(evidence.pages), _unarrived(evidence))
    verdict.rule("what-arrived-is-known", len(evidence.received), _unknown(evidence))
    verdict.rule("every-attempt-ended", len(evidence.attempts), _unended(evidence))
    return verdict


def _lost(e: Evidence) -> Iterable[str]:
    return (alert.key for alert in e.sent if alert.key not in e.receipts)


def _silent(e: Evidence) -> Iterable[str]:
    named = {key for message in e.received for key in message.alerts}
    return (alert.key for alert in e.sent if alert.key not in named)


def _unkept(e: Evidence) -> Iterable[str]:
    return (f"#{pk}" for pk in sorted(e.acknowledged) if e.incidents.get(pk) is None)


def _miscounted(e: Evidence) -> Iterable[str]:
    """As many answered as the levels asked for that were called by then; one before any was.

    Where the pager stood still the auditor may have called the fallback contact first.
    """
    begun: dict[int, datetime] = {}
    for page in sorted(e.pages, key=lambda page: page.created_at, reverse=True):
        if page.cycle == 1 and page.target in e.steps[0]:
            begun[page.incident] = page.created_at
    for incident, acked_at in e.incidents.items():
        told, tried = len(e.answers.get(incident, ())), len(e.tried.get(incident, ()))
        if acked_at is not None:
            asked = e.needed if incident in begun and begun[incident] <= acked_at else 1
            if tried < asked:
                yield f"#{incident}: acknowledged although {tried} of {asked} answered"
        elif acked_at is None and told >= e.needed:
            yield f"#{incident}: not acknowledged although {told} answered"


def _skipped(e: Evidence) -> Iterable[str]:
    """Unacknowledged: all steps arrived. Acknowledged: there is a page for each step up to the last.

    A page whose send was cut by a crash is not sent again once somebody has answered.
    """
    arrived: dict[int, set[str]] = defaultdict(set)
    for message in e.received:
        if message.reason == "escalation" and message.cycle == 1:
            arrived[message.incident].add(message.target)
    made: dict[int, set[str]] = defaultdict(set)
    for page in e.pages:
        if page.cycle == 1:
            made[page.incident].add(page.target)
    for incident, acked_at in e.incidents.items():
        got = [arrived[incident].issuperset(step) for step in e.steps]
        has = [made[incident].issuperset(step) for step in e.steps]
        if acked_at is None and not all(got):
            missing = [number for number, ok in enumerate(got, 1) if not ok]
            called = sorted(made[incident]) or "nobody"
            yield f"#{incident}: steps {missing} never arrived, called was {called}"
        elif acked_at is not None and has != sorted(has, reverse=True):
            yield f"#{incident}: a step before the last one that was made was not"


def _doubled(e: Evidence) -> Iterable[str]:
    seen: set[tuple[object, ...]] = set()
    for page in e.pages:
        place = (page.incident, page.cycle, page.step, page.target, page.channel)
        if place in seen:
            yield f"#{page.incident} step {page.step} to {page.target} has two pages"
        seen.add(place)


def _unmarked(e: Evidence) -> Iterable[str]:
    """A second message of a key says so, and an attempt before it was cut."""
    count: dict[str, int] = defaultdict(int)
    for message in e.received:
        count[message.key] += 1
        if count[message.key] > 1 and not message.is_repeat:
            yield f"{message.key[:8]} arrived again without saying so"
    for key, times in count.items():
        outcomes = list(e.attempts.get(key, ()))
        if times > 1 and outcomes.count("sent") > 1:
            yield f"{key[:8]} was sent again although the first send was recorded"


def _late(e: Evidence) -> Iterable[str]:
    for message in e.received:
        acked_at = e.incidents.get(message.incident)
        calls = message.reason in {"escalation", "fallback"}
        if calls and acked_at is not None and message.at > acked_at + IN_FLIGHT:
            yield f"#{message.incident}: {message.target}, {message.at - acked_at} after the answer"


def _again(e: Evidence) -> Iterable[str]:
    for message in e.received:
        told_at = e.answers.get(message.incident, {}).get(message.target)
        calls = message.reason == "escalation"
        if calls and told_at is not None and message.at > told_at + IN_FLIGHT:
            yield f"#{message.incident}: {message.target}, {message.at - told_at} after their answer"


def _unarrived(e: Evidence) -> Iterable[str]:
    got = {message.key for message in e.received}
    return (f"{page.key[:8]}" for page in e.pages if page.state == "sent" and page.key not in got)


def _unknown(e: Evidence) -> Iterable[str]:
    known = {page.key for page in e.pages}
    return (message.key[:8] for message in e.received if message.key not in known)


def _unended(e: Evidence) -> Iterable[str]:
    return (key[:8] for key, outcomes in e.attempts.items() if "" in outcomes)
