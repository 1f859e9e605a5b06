"""The receipt of an alert: what it was taken for, what held it back, and which incident it went into."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from incidents.domain import flapping
from incidents.domain.receipts import Part, Receipt, Ruling, Verdict, clock, span, times
from incidents.domain.sender_words import Judged, Word

__all__ = ["Alert", "FirstCall", "Holder", "Home", "Raise", "Sender", "receipt_of"]


class Sender(Struct, frozen=True):
    """The integration through which an alert came, and how it judged it.

    Args:
        name: Of the integration.
        kind: Its format, as pages call it.
        word: What the sender said; None: it is no longer known.
        is_request_kept: Whether the request that opened it is still stored.
        today: What that word means by what is configured today.
        changed_at: When the integration was changed last, where that was after the alert opened.
        is_mapped: Whether the word is found by a mapping, which may have been changed, too.
    """

    name: str
    kind: str
    word: Word | None = None
    is_request_kept: bool = False
    today: Judged | None = None
    changed_at: datetime | None = None
    is_mapped: bool = False


class Holder(Struct, frozen=True):
    """A silence that holds an alert back, or did.

    Args:
        number: Of the silence.
        comment: Why, by who made it; "" where it was deleted.
        ends_at: When it ends, or ended; None where that is not known any more.
        is_maintenance: Whether it is of planned work.
        changed_at: When it was changed last, where that was after the alert opened.
        released_at: When it let the alert go; None while it holds.
    """

    number: int
    comment: str = ""
    ends_at: datetime | None = None
    is_maintenance: bool = False
    changed_at: datetime | None = None
    released_at: datetime | None = None


class Raise(Struct, frozen=True):
    """A change of the incident in the moment in which a report of the alert came.

    Args:
        at: When.
        text: As the timeline has it.
        others: How many other alerts came into the incident in that moment.
        cycle: Which calling began with it; None: none did.
    """

    at: datetime
    text: str
    others: int = 0
    cycle: int | None = None


class FirstCall(Struct, frozen=True):
    """Who was called first for an incident after an alert came into it."""

    name: str
    channel: str
    at: datetime


class Home(Struct, frozen=True):
    """The incident that an alert belongs to.

    Args:
        number: Of it.
        is_known: Whether whoever asks may know more of it than its number.
        opened_at: When it began.
        title: In a sentence.
        joined_at: When the timeline has the alert come into it as another one; None: it has no such entry.
        is_same_group: Whether the incident was opened for the alert's group.
        origin: Of which incident it was before a merge; None: of none.
        parted: From which incident a person split it off, and who that was; None: nobody did.
        is_flapping: Whether the incident is marked as coming and going.
        held_until: Until when it waits to resolve.
        raises: What came of it at once.
        first_call: Who was called; None: nobody.
    """

    number: int
    is_known: bool
    opened_at: datetime
    title: str = ""
    joined_at: datetime | None = None
    is_same_group: bool = True
    origin: int | None = None
    parted: tuple[str, str] | None = None
    is_flapping: bool = False
    held_until: datetime | None = None
    raises: tuple[Raise, ...] = ()
    first_call: FirstCall | None = None


class Alert(Struct, frozen=True, kw_only=True):
    """An alert as it is stored.

    Args:
        number: Of it.
        source: Who says so.
        severity: The worst that it was reported with.
        pages: Whether anybody is called for it.
        group_key: What belongs together, as its sender said.
        dedup_key: Same key while firing: same alert.
        count: How often it was reported; 0: only its end was.
        opened_at: When it came.
        last_seen_at: When it was reported last.
        resolved_at: When it ended; None while it fires.
        sender_at: The sender's clock at the newest event that was applied.
        openings: How often the condition opened within the time that flapping is judged by, this time included.
        is_own: Whether no sender is behind it, but the portal.
        sender: Who said how bad it is; None: the portal itself.
        holder: What holds it back, or held it.
        home: Its incident.
    """

    number: int
    source: str
    severity: str
    pages: bool
    group_key: str
    dedup_key: str
    count: int
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None = None
    sender_at: datetime | None = None
    openings: int = 1
    is_own: bool = True
    sender: Sender | None = None
    holder: Holder | None = None
    home: Home | None = None


def receipt_of(alert: Alert) -> Receipt:
    """Return why an alert called somebody, or nobody."""
    came = tuple(_came(alert))
    held = tuple(_held(alert))
    went = tuple(_went(alert))
    parts = (
        Part("What came", came),
        Part("What could hold it back", held),
        Part("Where it went", went),
    )
    return Receipt(_answer(alert), tuple(part for part in parts if part.verdicts))


def _answer(alert: Alert) -> str:
    if alert.home is None:
        return f"Nobody was called, because {_why_nowhere(alert)}."
    home, day = alert.home, alert.opened_at
    if not home.is_known:
        return f"It belongs to #{home.number}, of which you may know no more than that."
    anew = next((each for each in home.raises if each.cycle), None)
    into = "joined" if home.joined_at else "opened" if home.is_same_group else "belongs to"
    if anew is not None:
        return f"It {into} #{home.number} and made it worse at {clock(anew.at, day)}, so people were called anew."
    if home.joined_at and not alert.holder:
        return f"Nobody was called for it alone, because it joined #{home.number}, which was open already."
    if home.first_call is None:
        return f"It {into} #{home.number}, for which no message has gone out since it came."
    call = home.first_call
    return (
        f"It {into} #{home.number}, for which {call.name} was called by {call.channel}"
        f" at {clock(call.at, day)}."
    )


def _why_nowhere(alert: Alert) -> str:
    if alert.count == 0:
        return "its end was heard before its beginning"
    if not alert.pages:
        return "it only informs"
    if alert.holder is not None:
        until = alert.holder.ends_at
        kind = "maintenance" if alert.holder.is_maintenance else "silence"
        return f"{kind} holds it back{f' until {clock(until, alert.opened_at)}' if until else ''}"
    return "it is in no incident; why is not recorded"


def _came(alert: Alert) -> Iterator[Verdict]:
    yield _judged(alert)
    if alert.pages:
        text = "It is meant to call people."
        yield Verdict("informs_only", Ruling.NO_EFFECT, text, facts={"pages": True})
    else:
        text = "None of its reports is meant to call anybody: it is kept and shown."
        yield Verdict("informs_only", Ruling.NOT_CALLED, text, alert.opened_at, {"pages": False})
    yield _repeated(alert)
    if (late := _late(alert)) is not None:
        yield late


def _judged(alert: Alert) -> Verdict:
    sender, severity = alert.sender, alert.severity
    facts: dict[str, Any] = {"source": alert.source, "severity": severity}
    if sender is None:
        text = f"The portal's own ({alert.source}) says {severity}; its figures are with the alert."
        return Verdict("severity", Ruling.DECIDED, text, alert.opened_at, facts)
    facts |= {"integration": sender.name, "kind": sender.kind}
    if sender.word is None:
        kept = (
            "has no word that could be read again"
            if sender.is_request_kept
            else "is no longer kept"
        )
        text = (
            f"It was taken for {severity}. The sender's word is not recorded: the request {kept}."
        )
        return Verdict("severity", Ruling.NOT_RECORDED, text, alert.opened_at, facts)
    said = f"said “{sender.word.word}”" if sender.word.word else "said no word for how bad it is"
    said += f" with the label “priority” {sender.word.label}" if sender.word.label else ""
    said += ", as its mapping of today reads it" if sender.is_mapped and sender.changed_at else ""
    facts |= {"word": sender.word.word, "priority": sender.word.label}
    worst = f"{severity}{', the worst of its reports' if alert.count > 1 else ''}"
    text = f"{sender.name} ({sender.kind}) {said}; it was taken for {worst}"
    return _by_which(alert, sender, text, facts)


def _by_which(alert: Alert, sender: Sender, text: str, facts: dict[str, Any]) -> Verdict:
    today = sender.today
    if sender.changed_at is None and today is not None and _fits(alert, today):
        facts["by"] = today.rule
        return Verdict("severity", Ruling.DECIDED, f"{text}, {today.rule}.", alert.opened_at, facts)
    text = f"{text}. By which rule is not recorded"
    if sender.changed_at is not None:
        text += f": the integration was changed at {clock(sender.changed_at)}"
    if today is not None:
        meaning = today.severity if today.pages else "nobody is called"
        text += f". As it is configured today the word means: {meaning}, {today.rule}"
    return Verdict("severity", Ruling.NOT_RECORDED, f"{text}.", alert.opened_at, facts)


def _fits(alert: Alert, today: Judged) -> bool:
    """Return whether what a word means is what was stored; of several reports only the worst is."""
    if alert.count > 1:
        return alert.severity <= today.severity
    return (alert.severity, alert.pages) == (today.severity, today.pages)


def _repeated(alert: Alert) -> Verdict:
    facts = {"count": alert.count, "dedup_key": alert.dedup_key}
    if alert.count < 2:
        text = "No other report of it came while it fired."
        return Verdict("duplicate", Ruling.NO_EFFECT, text, facts=facts)
    text = (
        f"Reported {times(alert.count)} under one key, last at"
        f" {clock(alert.last_seen_at, alert.opened_at)}: the repeats were counted, and opened nothing."
    )
    return Verdict("duplicate", Ruling.NOT_CALLED, text, alert.last_seen_at, facts)


def _late(alert: Alert) -> Verdict | None:
    if alert.count == 0:
        text = "Its end came first. Its beginning, which is older, opens nothing any more."
        facts = {"sender_at": alert.sender_at.isoformat() if alert.sender_at else None}
        return Verdict("late", Ruling.NOT_CALLED, text, alert.opened_at, facts)
    if alert.sender_at is None:
        return None
    text = (
        f"By the sender's clock the newest report that was applied is of"
        f" {clock(alert.sender_at, alert.opened_at)}; what is older changes nothing."
    )
    facts = {"sender_at": alert.sender_at.isoformat()}
    return Verdict("late", Ruling.NO_EFFECT, text, facts=facts)


def _held(alert: Alert) -> Iterator[Verdict]:
    if not alert.pages or alert.count == 0:
        return
    holder = alert.holder
    if holder is None:
        text = "No silence and no maintenance that is recorded held it back."
        yield Verdict("silence", Ruling.NO_EFFECT, text)
        return
    rule = "maintenance" if holder.is_maintenance else "silence"
    facts = {
        "silence": holder.number,
        "ends_at": holder.ends_at.isoformat() if holder.ends_at else None,
    }
    named = f"{rule.capitalize()} {holder.number}"
    named += f" (“{holder.comment}”)" if holder.comment else ", which was deleted since,"
    if holder.released_at is not None:
        text = f"{named} held it back until {clock(holder.released_at, alert.opened_at)}; from then on it could call."
        yield Verdict(rule, Ruling.PUT_OFF, text, holder.released_at, facts)
        return
    until = f" until {clock(holder.ends_at, alert.opened_at)}" if holder.ends_at else ""
    text = f"{named} holds it back{until}{_ended(alert, holder.ends_at)}."
    if holder.changed_at is not None:
        text += f" It was changed at {clock(holder.changed_at, alert.opened_at)}; what it was before is not recorded."
    yield Verdict(rule, Ruling.NOT_CALLED, text, alert.opened_at, facts)


def _ended(alert: Alert, ends_at: datetime | None) -> str:
    """Return when an alert ended that is held back until then."""
    if alert.resolved_at is None or ends_at is None:
        return ""
    before = " before" if alert.resolved_at <= ends_at else ""
    return f"; the alert ended{before}, at {clock(alert.resolved_at, alert.opened_at)}"


def _went(alert: Alert) -> Iterator[Verdict]:
    home = alert.home
    if home is None:
        return
    if not home.is_known:
        text = f"It is part of #{home.number} now, of which you may know no more."
        yield Verdict("incident", Ruling.DECIDED, text, facts={"incident": home.number})
        return
    yield _grouped(alert, home)
    if home.origin is not None:
        text = f"It came by a merge: before, it was of #{home.origin}."
        yield Verdict("merge", Ruling.DECIDED, text, facts={"origin": home.origin})
    yield from _raised(alert, home)
    yield _restless(alert, home)


def _grouped(alert: Alert, home: Home) -> Verdict:
    own = alert.is_own and bool(alert.group_key)
    key = alert.group_key or alert.dedup_key
    by = (
        "what the portal itself finds wrong with a service in one outage is one incident"
        if own
        else f"alerts of one sender and service with the group key “{_short(key)}” are one incident"
    )
    facts = {"incident": home.number, "group_key": key, "joined": home.joined_at is not None}
    if home.joined_at is not None:
        text = f"It joined #{home.number}, which was open since {clock(home.opened_at, alert.opened_at)}: {by}."
        return Verdict("incident", Ruling.NOT_CALLED, text, home.joined_at, facts)
    if home.is_same_group:
        text = f"No incident of its group was open, so it opened #{home.number}: {by}."
        return Verdict("incident", Ruling.DECIDED, text, home.opened_at, facts)
    if home.parted is not None:
        whence, who = home.parted
        text = f"{who} split it off from {whence}, as #{home.number}."
        return Verdict("incident", Ruling.DECIDED, text, home.opened_at, facts)
    text = f"It is in #{home.number}, which was opened for another group, or by a person who split it off or merged it."
    return Verdict("incident", Ruling.DECIDED, text, facts=facts)


def _short(key: str) -> str:
    return key if len(key) <= 60 else f"{key[:59]}…"


def _raised(alert: Alert, home: Home) -> Iterator[Verdict]:
    for each in home.raises:
        more = f"{each.others} other alert{'s' if each.others > 1 else ''} as bad"
        others = f", in one moment with {more}" if each.others else ""
        anew = (
            f" Calling {each.cycle} began with it."
            if each.cycle
            else " Nobody was called anew for that."
        )
        text = f"When it was reported{others}: {each.text}{anew}"
        ruling = Ruling.CALLED if each.cycle else Ruling.DECIDED
        facts = {"cycle": each.cycle, "others": each.others}
        yield Verdict("made_worse", ruling, text, each.at, facts)
    if not home.raises and home.joined_at is not None:
        text = "It made the incident no worse, so it called nobody anew."
        yield Verdict("made_worse", Ruling.NO_EFFECT, text, home.joined_at)


def _restless(alert: Alert, home: Home) -> Verdict:
    within = span(flapping.WINDOW)
    facts: dict[str, Any] = {"openings": alert.openings, "is_flapping": home.is_flapping}
    if home.is_flapping:
        text = (
            f"#{home.number} is marked as flapping; this condition opened {times(alert.openings)} within {within}."
            f" It resolves only after {span(flapping.HOLD)} without."
        )
        return Verdict("flapping", Ruling.DECIDED, text, facts=facts)
    opened = f"The condition opened {times(alert.openings)} within {within}"
    text = f"{opened}: it is not flapping."
    if alert.openings >= flapping.OPENINGS:
        text = f"{opened}; #{home.number} is not marked as flapping."
    if home.held_until is not None:
        text += f" #{home.number} waits to resolve until {clock(home.held_until, alert.opened_at)}: its sender's hold-off."
        facts["held_until"] = home.held_until.isoformat()
    return Verdict("flapping", Ruling.NO_EFFECT, text, facts=facts)
