"""What a receipt says of one message to one person or channel: why it went out, or why it did not."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from incidents.domain.page_reasons import (
    FALLBACK,
    STILL_ON_IT,
    TAKEN,
    TO_FALLBACK,
    is_news,
    offered_role,
)
from incidents.domain.receipts import (
    NAMES_OF_CHANNELS,
    Ruling,
    Verdict,
    clock,
    in_a_row,
    instant_of,
    span,
)

__all__ = [
    "Entry",
    "Message",
    "Try",
    "channel_name",
    "reason_of",
    "through_words",
    "verdict_of",
]

# What goes out so much after it was due was held up by something.
_IN_TIME = timedelta(seconds=5)
# One way takes a message so often, and a pager looks at it soon.
_PAUSE = timedelta(seconds=60) + _IN_TIME
# What the end of calling takes back; what asks or tells one person stays longer.
_OF_CALLING = {"escalation", FALLBACK}
_ANSWERS = ("acknowledge", "snooze", "mitigate")
# What others do takes none of these back, as they are about it.
_OUTLIVES = {"unresolved": {"acknowledge"}, TAKEN: {*_ANSWERS, "resolve"}}


class Entry(Struct, frozen=True):
    """What happened, as the timeline has it.

    Args:
        at: When.
        act: What was done.
        actor: Who.
        text: In words, as far as whoever asks may know.
        facts: For programs.
    """

    at: datetime
    act: str
    actor: str
    text: str
    facts: Mapping[str, Any]


class Try(Struct, frozen=True):
    """One attempt at sending."""

    number: int
    at: datetime
    outcome: str
    problem: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """A page as it is stored; see `incidents.models.Page`.

    Args:
        name: Whom, as people call them.
        has_method: Whether it goes by a contact method; else by the address of the account, or by a
            method that was removed since.
        with_others: Numbers of the other incidents that were in the same message.
        tries: All attempts, the first one first.
    """

    key: str
    cycle: int
    loop: int
    step: int
    level: int
    name: str
    target: str
    channel: str
    reason: str
    urgency: str
    state: str
    created_at: datetime
    due_at: datetime
    look_at: datetime
    method: int | None = None
    sent_at: datetime | None = None
    is_repeat: bool = False
    problem: str = ""
    with_others: tuple[int, ...] = ()
    tries: tuple[Try, ...] = ()


def channel_name(channel: str) -> str:
    """Return a way as sentences say it."""
    return NAMES_OF_CHANNELS.get(channel, channel)


def verdict_of(message: Message, call: Entry | None, ends: Sequence[Entry]) -> Verdict:
    """Return why a message went out, waits, or was taken back.

    Args:
        message: The page.
        call: The entry of the timeline in whose moment it was made, with what decided then.
        ends: Entries of what ended calling, or began it anew, oldest first.
    """
    way = _way(message, call)
    ruling, what, at = _STATES.get(message.state, _waits)(message, way, ends)
    text = " ".join(filter(None, (what, f"{reason_of(message, call)}.", _by(message, way, call))))
    facts: dict[str, Any] = {
        "page": message.key,
        "state": message.state,
        "target": message.target,
        "channel": message.channel,
        "level": message.level,
        "loop": message.loop + 1,
        "reason": message.reason,
        "urgency": message.urgency,
        "due_at": message.due_at.isoformat(),
        "attempts": len(message.tries),
        "with_incidents": list(message.with_others),
        "through": _through(message, call),
        "rule_after_s": way.get("after_s") if way else None,
        "is_verified": way.get("method") is not None if way else None,
    }
    return Verdict("message", ruling, text, at, facts)


Said = tuple[Ruling, str, datetime | None]


def _went_out(message: Message, way: Mapping[str, Any] | None, _ends: Sequence[Entry]) -> Said:
    assert message.sent_at is not None
    is_told = is_news(message.reason)
    verb = "was told" if is_told else "was called"
    day = message.created_at
    text = f"{message.name} {verb} by {channel_name(message.channel)} at {clock(message.sent_at, day)}."
    if message.with_others:
        numbers = in_a_row(f"#{number}" for number in message.with_others)
        text += f" One message named {numbers} as well."
    if message.is_repeat:
        text += " It was a repeat: the first send was uncertain."
    text += _held_up(message, way) + _failed_tries(message)
    return Ruling.NO_EFFECT if is_told else Ruling.CALLED, text, message.sent_at


def _held_up(message: Message, way: Mapping[str, Any] | None) -> str:
    """Return what is known of why a message went out later than it was made."""
    assert message.sent_at is not None
    if message.due_at < message.created_at:
        late, day = message.created_at - message.due_at, message.created_at
        return f" It was due at {clock(message.due_at, day)}, and made {span(late)} later: no pager fired it before."
    if way is not None and way.get("is_quiet"):
        return " Quiet hours had put it off until then."
    waited = message.sent_at - message.due_at
    if waited < _IN_TIME or len(message.tries) > 1:
        return ""
    held = (
        "one message a minute goes one way"
        if message.with_others and waited <= _PAUSE
        else "whether its way was taken by another message, or pagers were behind, is not recorded"
    )
    return f" It waited {span(waited)}: {held}."


def _failed_tries(message: Message) -> str:
    failed = [each for each in message.tries if each.problem]
    if not failed:
        return ""
    which = "the first" if failed[0] is message.tries[0] else f"number {failed[0].number}"
    return f" {len(message.tries)} attempts; {which} failed: {failed[0].problem}"


def _waits(message: Message, way: Mapping[str, Any] | None, _ends: Sequence[Entry]) -> Said:
    until, day = clock(message.look_at, message.created_at), message.created_at
    whom = f"{message.name}, by {channel_name(message.channel)}"
    if message.tries:
        why = f"is tried again at {until}: {message.problem or 'the attempt before was cut'}"
    elif way is not None and way.get("is_quiet"):
        why = f"is put off until {until} by their quiet hours"
    elif message.look_at > message.due_at >= message.created_at:
        why = f"is held back until {until}: one message a minute goes one way, for all that waits"
    elif message.due_at > message.created_at:
        why = f"only if nobody has answered by {clock(message.due_at, day)}"
    else:
        why = f"waits for a pager since {clock(message.due_at, day)}"
    return Ruling.PUT_OFF, f"{whom}: {why}.", message.look_at


def _is_sent(message: Message, _way: Mapping[str, Any] | None, _ends: Sequence[Entry]) -> Said:
    text = f"{message.name}, by {channel_name(message.channel)}: it is being sent."
    return Ruling.PUT_OFF, text, message.look_at


def _was_taken_back(message: Message, way: Mapping[str, Any] | None, ends: Sequence[Entry]) -> Said:
    verb = "told" if is_news(message.reason) else "called"
    whom = f"{message.name} was not {verb} by {channel_name(message.channel)}"
    if message.due_at > message.created_at:
        quiet = way is not None and way.get("is_quiet")
        whom += f", which was {'put off by quiet hours until' if quiet else 'to be at'} {clock(message.due_at, message.created_at)}"
    if message.problem == "They have answered.":
        return Ruling.NOT_CALLED, f"{whom}: they had answered before.", None
    if message.reason.startswith(STILL_ON_IT):
        shown = "they had shown that they are, or it was over, before it went out."
        return Ruling.NOT_CALLED, f"{whom}: {shown}", None
    end = _end_of(message, ends)
    if end is None:
        return Ruling.NOT_CALLED, f"{whom}: {message.problem or 'why is not recorded.'}", None
    text = f"{whom}: {_taken_back_by(end, message.created_at)} before it went out."
    return Ruling.NOT_CALLED, text, end.at


def _end_of(message: Message, ends: Sequence[Entry]) -> Entry | None:
    """Return what took a message back; None where that is not in the timeline."""
    if offered_role(message.reason):
        return None
    others: set[str] = set()
    if message.reason not in _OF_CALLING:
        others = _OUTLIVES.get(message.reason, {*_ANSWERS})
    # What fell in the moment in which it was made made it.
    return next(
        (each for each in ends if each.at > message.created_at and each.act not in others), None
    )


def _taken_back_by(entry: Entry, day: datetime) -> str:
    at = clock(entry.at, day)
    words = {
        "acknowledge": f"{entry.actor} acknowledged at {at}",
        "snooze": f"{entry.actor} snoozed it at {at}",
        "mitigate": f"{entry.actor} said at {at} that users no longer notice it",
        "resolve": f"it was resolved by {entry.actor} at {at}",
        "merge": f"it was merged at {at}",
        "severity": f"the severity changed at {at}",
    }
    return words.get(entry.act, f"people were called anew at {at}")


def _failed(message: Message, _way: Mapping[str, Any] | None, _ends: Sequence[Entry]) -> Said:
    tries = len(message.tries)
    count = f" after {tries} attempts" if tries > 1 else ""
    text = f"{message.name} was not reached by {channel_name(message.channel)}{count}: {message.problem}"
    return Ruling.NOT_CALLED, text, message.tries[-1].at if message.tries else None


def _is_uncertain(message: Message, _way: Mapping[str, Any] | None, _ends: Sequence[Entry]) -> Said:
    text = (
        f"Whether {message.name} was called by {channel_name(message.channel)} is not known:"
        f" {message.problem}"
    )
    return Ruling.NOT_RECORDED, text, message.tries[-1].at if message.tries else None


_STATES = {
    "sent": _went_out,
    "waiting": _waits,
    "sending": _is_sent,
    "cancelled": _was_taken_back,
    "failed": _failed,
    "uncertain": _is_uncertain,
}


def reason_of(message: Message, call: Entry | None) -> str:
    """Return why somebody is called, without a full stop: by which level, or which other reason."""
    if message.reason in {"escalation", "unresolved"}:
        return _by_level(message, call)
    if role := offered_role(message.reason):
        return f"They are asked to take the role {role}"
    if message.reason == TAKEN:
        return "Who was called hears that somebody else has answered, or that it is over"
    if message.reason in TO_FALLBACK:
        why = call.text.partition(" Fallback contact:")[0].rstrip(".") if call is not None else ""
        return f"They are the fallback contact{f': {why}' if why else ''}"
    if message.reason.startswith("assigned"):
        return "It was given to them"
    if message.reason.startswith(STILL_ON_IT):
        return "They had answered, and were asked whether they are still on it"
    return f"Reason: {message.reason}"


def _by_level(message: Message, call: Entry | None) -> str:
    through = _through(message, call)
    if not through:
        return f"L{message.level} calls them; by which target is not recorded"
    words = in_a_row(through_words(each, message.name) for each in through)
    return f"L{message.level} calls {words}"


def through_words(through: Mapping[str, Any], name: str) -> str:
    """Return a target as it stood when it was looked up, and what made it this person."""
    kind, called, shift = through["kind"], through["of"], through["shift"]
    if kind == "schedule":
        by = "by an override" if shift == "override" else f"by the layer “{shift}”"
        return f"the schedule “{called}”, of which {name} was on call {by}"
    if kind == "team":
        return f"the team “{called}”, of which {name} was a member"
    if kind == "role":
        return f"everybody with the role {called}, which {name} had"
    return "that channel" if kind == "channel" else f"{name} by name"


def _through(message: Message, call: Entry | None) -> list[dict[str, Any]]:
    if call is None:
        return []
    found = [each for each in call.facts.get("called") or () if each["whom"] == message.target]
    return [{name: each[name] for name in ("kind", "of", "shift")} for each in found]


def _way(message: Message, call: Entry | None) -> Mapping[str, Any] | None:
    """Return the way as it was looked up when the message was made; None where that is not recorded."""
    ways = (call.facts.get("ways") or ()) if call is not None else ()
    own = [
        each
        for each in ways
        if (each["whom"], each["channel"]) == (message.target, message.channel)
    ]
    own = [each for each in own if each["method"] in (message.method, None)] or own
    at_that_time = [each for each in own if instant_of(each["at"]) == message.due_at]
    found: Mapping[str, Any] | None = next(iter(at_that_time or own), None)
    return found


def _by(message: Message, way: Mapping[str, Any] | None, call: Entry | None) -> str:
    """Return by which rule of the person this way was taken."""
    if not message.target.startswith("user:"):
        return ""
    if way is None:
        return (
            "By which of their rules is not recorded." if call is not None or message.level else ""
        )
    if way["method"] is None:
        return "They had no verified way: the email address of their account was tried, which nobody has verified."
    if way["after_s"] is None:
        return f"No rule of theirs for {message.urgency} urgency named a way: every verified one was used at once."
    after = timedelta(seconds=way["after_s"])
    when = f"{span(after)} after the call" if after else "at once"
    return f"Their rule for {message.urgency} urgency has this way, which was verified, {when}."
