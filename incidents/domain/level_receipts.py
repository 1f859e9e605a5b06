"""What a receipt says of the levels of an escalation: whom each called, and why nobody else."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from incidents.domain.page_reasons import TO_FALLBACK
from incidents.domain.page_receipts import Entry, Message
from incidents.domain.receipts import Ruling, Verdict, clock, in_a_row, span
from oncall.domain.escalations import Ladder

__all__ = ["Walk", "call_of", "left_over", "of_level", "of_next_level", "of_walk"]

# Of phases, what is waited for.
_WAITS_FOR = {"unacknowledged": "somebody acknowledges", "unresolved": "it is resolved"}
_STILL = {
    "unacknowledged": "nobody who was enough had answered",
    "unresolved": "it was not resolved",
}
_OF_PHASE = {"escalation": "unacknowledged", "unresolved": "unresolved"}
# Longer than a pager takes.
_LATE = timedelta(seconds=10)


class Walk(Struct, frozen=True):
    """An escalation as it is stored; see `incidents.models.EscalationRun`.

    Args:
        ladder: The policy as it was when the walk began, or the severity changed last.
    """

    cycle: int
    phase: str
    policy: str
    ladder: Ladder
    loop: int
    position: int
    state: str
    started_at: datetime
    due_at: datetime
    ended_at: datetime | None = None


def of_walk(walk: Walk, entries: Sequence[Entry]) -> Iterator[Verdict]:
    """Yield by which policy it calls, and how it ended."""
    facts = {"policy": walk.policy, "phase": walk.phase, "loops": walk.ladder.loops}
    if not walk.ladder.steps:
        named = f"“{walk.policy}” calls nobody for it" if walk.policy else "There was no policy"
        text = f"{named}: the fallback contact is all there is."
        yield Verdict("policy", Ruling.NOT_CALLED, text, walk.started_at, facts)
    else:
        is_changed = any(e.act == "severity" and _is_within(walk, e.at) for e in entries)
        text = f"{_ladder_words(walk, is_changed)}, until {_WAITS_FOR[walk.phase]}."
        if is_changed:
            text += " The severity changed since: these are the times as of the last change."
        yield Verdict("policy", Ruling.DECIDED, text, walk.started_at, facts)
    if walk.state == "exhausted" and walk.ended_at is not None and walk.ladder.steps:
        text = f"Every level was called, and {_STILL[walk.phase]}."
        yield Verdict("everybody_called", Ruling.NOT_CALLED, text, walk.ended_at)
    if walk.state == "quarantined" and walk.ended_at is not None:
        text = "The escalation failed five times and was set aside: the fallback contact was called instead."
        yield Verdict("set_aside", Ruling.NOT_CALLED, text, walk.ended_at)


def _is_within(walk: Walk, at: datetime) -> bool:
    return walk.started_at < at and (walk.ended_at is None or at < walk.ended_at)


def _ladder_words(walk: Walk, is_changed: bool) -> str:
    steps = in_a_row(
        f"L{step.level} {f'after {span(step.after)}' if step.after else 'at once'}"
        f"{' of working time' if step.in_working_hours and step.after else ''}"
        for step in walk.ladder.steps
    )
    loops = f", {walk.ladder.loops} times" if walk.ladder.loops > 1 else ""
    then = "the severity changed last" if is_changed else "calling began"
    return f"“{walk.policy}”, as it was when {then}, calls {steps}{loops}"


def of_level(
    entry: Entry, walks: Sequence[Walk], entries: Sequence[Entry] = ()
) -> Iterator[Verdict]:
    """Yield whom a level called, and why others of it were not."""
    facts = entry.facts
    level, loop = facts.get("level"), facts.get("loop")
    if not isinstance(level, int) or not isinstance(loop, int):
        yield Verdict("level", Ruling.NOT_RECORDED, entry.text, entry.at)
        return
    phase = facts.get("phase", "unacknowledged")
    walk = next((walk for walk in walks if walk.phase == phase), None)
    if walk is not None and any(
        e.act == "severity" and e.at > entry.at and _is_within(walk, e.at) for e in entries
    ):
        # The ladder that it was called by is not kept.
        walk = None
    loops = f" of {walk.ladder.loops}" if walk is not None else ""
    missing = facts.get("missing") or ()
    # Earlier versions kept who was missing, not whether anybody was reached.
    is_reached = facts.get("is_reached", True)
    where = f"L{level} was due in loop {loop + 1}{loops}"
    text = f"{where}, and called {_called_by(entry)}"
    if not is_reached:
        text += " No verified way led to anybody"
        text += ", so the next level followed at once." if _is_followed(facts, walk) else "."
    kept = {
        name: facts[name]
        for name in ("level", "loop", "step", "urgency", "called")
        if name in facts
    }
    yield Verdict(
        "level", Ruling.DECIDED if is_reached else Ruling.NOT_CALLED, text, entry.at, kept
    )
    for why in missing:
        text = f"L{level}: {why}"
        yield Verdict("not_reached", Ruling.NOT_CALLED, text, entry.at, {"level": level})
    for whom in facts.get("answered") or ():
        named = next((c["name"] for c in facts.get("called") or () if c["whom"] == whom), whom)
        text = f"L{level}: {named} was left out, having answered already."
        yield Verdict(
            "answered_already", Ruling.NOT_CALLED, text, entry.at, {"level": level, "whom": whom}
        )


def _called_by(entry: Entry) -> str:
    """Return whom a level called, with a full stop."""
    facts = entry.facts
    if answered := facts.get("answered"):
        ways = {way["whom"] for way in facts.get("ways") or ()} - {*answered}
        called = (each["name"] for each in facts.get("called") or () if each["whom"] in ways)
        return f"{', '.join(dict.fromkeys(called)) or 'nobody'}."
    whom = entry.text.partition(":")[2]
    for why in facts.get("missing") or ():
        whom = whom.replace(why, "")
    return whom.strip() or "nobody."


def _is_followed(facts: Mapping[str, Any], walk: Walk | None) -> bool:
    """Return whether another level comes in the same loop: all of them again only after a pause."""
    return walk is not None and facts.get("step", 0) < len(walk.ladder.steps)


def left_over(entry: Entry, walks: Sequence[Walk]) -> str:
    """Return which levels a walk did not come to any more, because of an answer."""
    walk = next((w for w in walks if w.state == "stopped" and w.ended_at == entry.at), None)
    if walk is None or walk.loop or walk.position >= len(walk.ladder.steps):
        return ""
    left = in_a_row(f"L{step.level}" for step in walk.ladder.steps[walk.position :])
    return f" of {left}"


def of_next_level(walk: Walk, day: datetime, *, now: datetime) -> Verdict:
    """Return whom a walk that goes on calls next; times of `day` are said without it."""
    steps, at = walk.ladder.steps, clock(walk.due_at, day)
    whom = (
        f"L{steps[walk.position].level}" if walk.position < len(steps) else "The fallback contact"
    )
    until = f"unless {_WAITS_FOR[walk.phase]} before"
    text = f"{whom} is called at {at}, {until}."
    if walk.due_at < now - _LATE:
        text = f"{whom} was due at {at}, and no pager has called yet."
    facts = {"loop": walk.loop, "position": walk.position}
    return Verdict("next", Ruling.NEXT, text, walk.due_at, facts)


def call_of(message: Message, entries: Sequence[Entry]) -> Entry | None:
    """Return the entry of the moment in which a page was made, by what calls so."""
    act = "fallback" if message.reason in TO_FALLBACK else "call"
    phase = _OF_PHASE.get(message.reason)
    if act == "call" and phase is None:
        return None
    for entry in entries:
        if entry.at != message.created_at or entry.act != act:
            continue
        facts = entry.facts
        where = facts.get("level"), facts.get("loop"), facts.get("phase", phase)
        if act == "fallback" or where == (message.level, message.loop, phase):
            return entry
    return None
