"""The receipt of an incident: who was called when and why, who was not, and what would be next."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from incidents.domain.incident_origins import origins_of
from incidents.domain.level_receipts import (
    Walk,
    call_of,
    left_over,
    of_level,
    of_next_level,
    of_walk,
)
from incidents.domain.page_reasons import TO_FALLBACK, is_news
from incidents.domain.page_receipts import (
    Entry,
    Message,
    channel_name,
    reason_of,
    verdict_of,
)
from incidents.domain.receipts import Part, Receipt, Ruling, Verdict, clock, in_a_row

__all__ = ["Answer", "Due", "Incident", "Released", "receipt_of"]

# Begins to call people anew; of several in one moment the first of these says why.
_BEGINS = ("unacknowledge", "urgent_alert", "severity", "reopen", "unmerge", "split_off", "open")
_DEADLINES = {
    "snooze_ends": "Nobody is called until {at}, when the snooze ends; then whoever is on call is.",
    "ack_timeout": "At {at} whoever works on it is asked whether they still do.",
    "ack_lapse": "Without a sign of whoever acknowledged it, people are called from the beginning at {at}.",
    "auto_resolve": "It resolves at {at}, unless an alert fires again.",
}
_ENDS = frozenset({"acknowledge", "snooze", "mitigate", "resolve"})
_MOST_NAMED = 3
# Of what fell in one moment what came of what: levels call people, who then answer.
_RANKS = {
    "policy": 0, "escalate": 0, "assign": 0, "still_on_it": 0, "severity": 0,
    "level": 1, "not_reached": 2, "answered_already": 2, "fallback": 2, "message": 3,
}  # fmt: skip
_OF_LEVELS = range(1, 4)
_LAST = 6


class Answer(Struct, frozen=True):
    """One of several answers that an incident waits for."""

    cycle: int
    actor: str
    at: datetime


class Due(Struct, frozen=True):
    """A moment at which something about an incident is due."""

    kind: str
    at: datetime


class Released(Struct, frozen=True):
    """A silence that held back what the incident is about, until then."""

    silence: int
    comment: str
    at: datetime


class Incident(Struct, frozen=True, kw_only=True):
    """An incident as it is stored, with all that says who was called.

    Args:
        unreached: Why nobody could be called, as it is marked with it.
        merged_into: In which it lives on.
        entries: What happened, oldest first, without what alerts did.
        messages: Pages, in the order in which they were made.
        is_whole: Whether these are all, not just the newest.
    """

    number: int
    status: str
    is_open: bool
    opened_at: datetime
    severity: str
    unreached: str = ""
    merged_into: int | None = None
    is_flapping: bool = False
    entries: tuple[Entry, ...] = ()
    messages: tuple[Message, ...] = ()
    walks: tuple[Walk, ...] = ()
    answers: tuple[Answer, ...] = ()
    dues: tuple[Due, ...] = ()
    released: tuple[Released, ...] = ()
    is_whole: bool = True


def receipt_of(incident: Incident, *, now: datetime) -> Receipt:
    """Return why people were called for an incident, and others were not.

    Args:
        incident: As it is stored.
        now: The present.
    """
    parts = [Part("How it began", tuple(_began(incident)))]
    begun = _beginnings(incident)
    entries = _entries_by(incident, begun)
    parts += [
        Part(
            f"Calling {cycle}, from {clock(at, incident.opened_at)}",
            tuple(_calling(incident, cycle, entries[cycle])),
        )
        for cycle, at in begun.items()
    ]
    parts.append(Part("What is next", tuple(_next(incident, now))))
    found = tuple(part for part in parts if part.verdicts)
    return Receipt(_answer(incident, now), found, incident.is_whole)


def _answer(incident: Incident, now: datetime) -> str:
    out = [m for m in incident.messages if m.sent_at is not None and not is_news(m.reason)]
    if not out:
        return f"Nobody was called, because {_why_nobody(incident, now)}."
    out.sort(key=lambda message: (message.sent_at or now, message.created_at))
    first, *_ = out
    lead = "" if incident.is_whole else "Of the newest calls: "
    others = list(dict.fromkeys(m.name for m in out if m.name != first.name))
    text = f"{lead}{_called(first, incident.opened_at)} because {_lowered(_why(first, incident))}"
    if others:
        named = others[:_MOST_NAMED]
        more = len(others) - len(named)
        names = in_a_row([*named, f"{more} others"] if more else named)
        text += f"; then {names}"
    return f"{text}."


def _called(message: Message, day: datetime) -> str:
    assert message.sent_at is not None
    return f"{message.name} was called by {channel_name(message.channel)} at {clock(message.sent_at, day)}"


def _why(message: Message, incident: Incident) -> str:
    return reason_of(message, call_of(message, incident.entries))


def _lowered(text: str) -> str:
    """Return a sentence as the second half of another one."""
    return text if text[:1] == "L" and text[1:2].isdigit() else text[:1].lower() + text[1:]


def _why_nobody(incident: Incident, now: datetime) -> str:
    if incident.status == "merged":
        return f"it was merged into #{incident.merged_into} before a message went out"
    calls = [message for message in incident.messages if not is_news(message.reason)]
    if calls:
        return _why_none_out(calls, incident.opened_at, now)
    if incident.unreached:
        said = _lowered(incident.unreached.rstrip("."))
        return ": ".join(filter(None, (said, in_a_row(_missing(incident, besides=said)))))
    end = next(
        (e for e in incident.entries if e.act in {"acknowledge", "snooze", "mitigate", "resolve"}),
        None,
    )
    if end is not None:
        words = {"resolve": "it was resolved", "mitigate": "users no longer noticed it"}
        said = words.get(end.act, f"{end.actor} had taken it on")
        return f"{said} at {clock(end.at, incident.opened_at)}, before anybody was due"
    walk = next((walk for walk in incident.walks if walk.state == "running"), None)
    if walk is not None and walk.due_at > now:
        return f"the first level is not due before {clock(walk.due_at, incident.opened_at)}"
    return "no pager has fired the first level yet" if walk is not None else "why is not recorded"


def _missing(incident: Incident, *, besides: str) -> list[str]:
    """Return who could not be called, of the first few, as the calls of levels say it."""
    calls = (entry.facts for entry in incident.entries if entry.act == "call")
    found = [
        str(each).rstrip(".")
        for facts in calls
        if isinstance(missing := facts.get("missing"), list)
        for each in missing
    ]
    return [each for each in dict.fromkeys(found) if each.lower() not in besides.lower()][
        :_MOST_NAMED
    ]


def _why_none_out(calls: Sequence[Message], day: datetime, now: datetime) -> str:
    states = {message.state for message in calls}
    if "sending" in states:
        return "the first message is being sent"
    if "waiting" in states:
        soonest = min(m.look_at for m in calls if m.state == "waiting")
        if soonest < now:
            return f"no pager has sent what was due at {clock(soonest, day)}"
        return f"no message is due before {clock(soonest, day)}"
    if "uncertain" in states:
        return "no message is known to have gone out"
    if "failed" not in states:
        return "it was answered, or over, before a message went out"
    if states == {"failed"}:
        return "every message failed"
    return "every message that was tried failed, and the others were taken back"


def _beginnings(incident: Incident) -> dict[int, datetime]:
    """Return when each calling began: its first walk, or its first message where no walk of it is there."""
    found: dict[int, datetime] = {}
    for begun in (
        [(message.cycle, message.created_at) for message in incident.messages],
        [(walk.cycle, walk.started_at) for walk in incident.walks],
    ):
        # Of each the earliest.
        found |= dict(sorted(begun, key=lambda each: each[1], reverse=True))
    return dict(sorted(found.items()))


def _entries_by(incident: Incident, begun: Mapping[int, datetime]) -> dict[int, list[Entry]]:
    """Return what happened in each calling: from when it began until a later one did."""
    found: dict[int, list[Entry]] = {cycle: [] for cycle in begun}
    first = next(iter(begun), None)
    until: datetime | None = None
    for cycle, since in reversed([*begun.items()]):
        found[cycle] = [
            entry
            for entry in incident.entries
            if (cycle == first or entry.at >= since) and (until is None or entry.at < until)
        ]
        until = since if until is None else min(since, until)
    return found


def _began(incident: Incident) -> Iterator[Verdict]:
    day = incident.opened_at
    opening = next((entry for entry in incident.entries if entry.act == "open"), None)
    if opening is not None:
        text = f"Opened by {opening.actor}: {opening.text}"
        yield Verdict("opened", Ruling.DECIDED, text, opening.at)
    elif not incident.is_whole:
        text = f"Opened at {clock(day)}; by whom is too long ago to be shown here."
        yield Verdict("opened", Ruling.DECIDED, text, day)
    for each in incident.released:
        why = f" (“{each.comment}”)" if each.comment else ""
        text = f"Silence {each.silence}{why} had held back what it is about until then."
        yield Verdict("silence", Ruling.PUT_OFF, text, each.at, {"silence": each.silence})
    yield from origins_of(incident.entries)
    if incident.is_flapping:
        text = "What it is about comes and goes: that changes when it resolves, not who is called."
        yield Verdict("flapping", Ruling.NO_EFFECT, text)
    if incident.merged_into is not None:
        text = f"It lives on in #{incident.merged_into}: nobody is called for this one any more."
        merge = next((entry for entry in incident.entries if entry.act == "merge"), None)
        yield Verdict("merged", Ruling.NOT_CALLED, text, merge.at if merge else None)


def _calling(incident: Incident, cycle: int, entries: Sequence[Entry]) -> Iterator[Verdict]:
    walks = [walk for walk in incident.walks if walk.cycle == cycle]
    messages = [message for message in incident.messages if message.cycle == cycle]
    if (cause := _cause(entries, walks)) is not None:
        yield cause
    found = [verdict for walk in walks for verdict in of_walk(walk, incident.entries)]
    for entry in entries:
        found += _of_entry(entry, incident, walks)
    ends = _ends(incident) if messages else []
    for message in messages:
        call = call_of(message, incident.entries)
        found.append(verdict_of(message, call, ends))
    # What fell in one moment stays in its order: the level, then whom it called.
    yield from sorted(found, key=lambda verdict: _order(verdict, messages))


def _ends(incident: Incident) -> list[Entry]:
    """Return what took back the messages that waited: enough answers, the end, or another calling."""
    anew = _anew(incident)
    # Of a severity that is not urgent people may be left alone who were called before.
    stopped = {walk.ended_at for walk in incident.walks if walk.state == "stopped"}
    return [
        entry
        for entry in incident.entries
        if (entry.act in {*_ENDS, "merge"} and not _is_in_part(entry))
        or (entry.act in _BEGINS and entry.at in anew)
        or (entry.act == "severity" and entry.at in stopped)
    ]


def _anew(incident: Incident) -> set[datetime]:
    return {walk.started_at for walk in incident.walks if walk.phase == "unacknowledged"}


def _order(verdict: Verdict, messages: Sequence[Message]) -> tuple[datetime, int, int, int]:
    """Return where a verdict stands: in the moment of its decision, before what followed from it.

    A level that reaches nobody is followed by the next one in the same moment, so each is beside
    whom it called.
    """
    key = verdict.facts.get("page")
    message = next((each for each in messages if each.key == key), None)
    at = verdict.at if message is None else message.created_at
    assert at is not None
    is_last = (message is not None and is_news(message.reason)) or verdict.facts.get(
        "phase"
    ) == "unresolved"
    rank = _LAST if is_last else _RANKS.get(verdict.rule, _LAST - 1)
    level = verdict.facts.get("level") or 0 if rank in _OF_LEVELS else 0
    return (at, min(_OF_LEVELS), level, rank) if level else (at, rank, 0, 0)


def _cause(entries: Sequence[Entry], walks: Sequence[Walk]) -> Verdict | None:
    first = next((walk for walk in walks if walk.phase == "unacknowledged"), None)
    if first is None or first.cycle == 1:
        return None
    at = first.started_at
    found = {entry.act: entry for entry in entries if entry.at == at and entry.act in _BEGINS}
    entry = next((found[act] for act in _BEGINS if act in found), None)
    if entry is None:
        return Verdict(
            "called_anew", Ruling.NOT_RECORDED, "Why people were called anew is not recorded.", at
        )
    is_worse = any(act in found for act in ("urgent_alert", "severity"))
    words = {
        "unacknowledge": "what came in is worse" if is_worse else "nobody works on it any more",
        "severity": "it became worse while nobody had taken it on",
        "reopen": f"{entry.actor} reopened it",
        "unmerge": f"{entry.actor} made it one of its own again",
    }
    said = filter(None, ("People were called anew", words.get(entry.act), entry.text.rstrip(".")))
    return Verdict("called_anew", Ruling.DECIDED, f"{': '.join(said)}.", at, {"act": entry.act})


def _of_entry(entry: Entry, incident: Incident, walks: Sequence[Walk]) -> Iterator[Verdict]:
    if entry.act == "call":
        yield from of_level(entry, walks, incident.entries)
    elif entry.act == "fallback":
        yield Verdict("fallback", _fallback_ruling(entry, incident), entry.text, entry.at)
    elif entry.act in _ENDS:
        yield _ended(entry, incident, walks)
    elif entry.act == "severity" and all(entry.at != walk.started_at for walk in walks):
        left = left_over(entry, walks)
        text = f"{entry.text} Who was called already was not called again for it."
        text += f" Nobody else{left} was called." if left else ""
        yield Verdict("severity", Ruling.NOT_CALLED if left else Ruling.DECIDED, text, entry.at)
    elif entry.act in {"escalate", "still_on_it", "assign"}:
        words = {
            "escalate": f"{entry.actor} had the next level called at once.",
            "assign": f"{entry.actor} gave it: {entry.text}",
        }
        yield Verdict(entry.act, Ruling.DECIDED, words.get(entry.act, entry.text), entry.at)


def _fallback_ruling(entry: Entry, incident: Incident) -> Ruling:
    of_moment = [
        m for m in incident.messages if m.created_at == entry.at and m.reason in TO_FALLBACK
    ]
    if any(message.sent_at is not None for message in of_moment):
        return Ruling.CALLED
    is_open = any(message.state in {"waiting", "sending", "uncertain"} for message in of_moment)
    return Ruling.DECIDED if is_open else Ruling.NOT_CALLED


def _ended(entry: Entry, incident: Incident, walks: Sequence[Walk]) -> Verdict:
    if entry.act == "acknowledge" and _is_on_it(entry, incident):
        if any(walk.started_at == entry.at for walk in walks):
            text = f"{entry.actor} acknowledged, which ended the snooze."
            return Verdict("acknowledge", Ruling.DECIDED, text, entry.at)
        text = f"{entry.actor} acknowledged once more: it was answered already."
        return Verdict("acknowledge", Ruling.NO_EFFECT, text, entry.at)
    if _is_in_part(entry):
        text = f"{entry.actor} answered: {entry.text}"
        return Verdict("quorum", Ruling.NO_EFFECT, text, entry.at)
    said = entry.text.rstrip(".")
    done = {
        "acknowledge": "acknowledged",
        "snooze": f"snoozed it {said[:1].lower()}{said[1:]}",
        "mitigate": "said that users no longer notice it",
        "resolve": f"resolved it{f' ({said})' if said else ''}",
    }[entry.act]
    cycle = walks[0].cycle if walks else 0
    of_quorum = [a for a in incident.answers if a.cycle == cycle and a.at <= entry.at]
    is_answer = entry.act == "acknowledge"
    quorum = (
        f", the {len(of_quorum)} that were asked for having answered"
        if entry.act in {"acknowledge", "snooze"} and len(of_quorum) > 1
        else ""
    )
    # Others are, while it is not resolved.
    is_followed = is_answer and any(walk.phase == "unresolved" for walk in walks)
    want = " for want of an answer" if is_followed else ""
    text = f"{entry.actor} {done}{quorum}: nobody else{left_over(entry, walks)} was called{want}."
    facts = {"answers": [answer.actor for answer in of_quorum]}
    return Verdict(entry.act, Ruling.NOT_CALLED, text, entry.at, facts)


def _is_on_it(entry: Entry, incident: Incident) -> bool:
    """Return whether somebody had taken it on already when another acknowledgement came."""
    anew = _anew(incident)
    before = [
        e
        for e in incident.entries
        if e.at < entry.at and (e.act in _ENDS or (e.act in _BEGINS and e.at in anew))
    ]
    last = before[-1] if before else None
    return last is not None and last.act in {"acknowledge", "snooze"} and not _is_in_part(last)


def _is_in_part(entry: Entry) -> bool:
    """Return whether an answer was not enough."""
    return entry.act == "acknowledge" and bool(entry.text)


def _next(incident: Incident, now: datetime) -> Iterator[Verdict]:
    if not incident.is_open:
        goes_on = (
            f"It goes on as #{incident.merged_into}."
            if incident.merged_into
            else "Nothing: it is over."
        )
        yield Verdict("next", Ruling.NEXT, goes_on)
        return
    found = [
        of_next_level(walk, incident.opened_at, now=now)
        for walk in incident.walks
        if walk.state == "running"
    ]
    for due in incident.dues:
        if due.kind in _DEADLINES:
            text = _DEADLINES[due.kind].format(at=clock(due.at, incident.opened_at))
            found.append(Verdict(due.kind, Ruling.NEXT, text, due.at))
    yield from found or [Verdict("next", Ruling.NEXT, "Nobody else is called.")]
