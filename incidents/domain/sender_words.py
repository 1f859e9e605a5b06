"""The word by which a sender said how bad it is, read again from the request as it was stored."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from incidents.domain.events import Act, Reading
from incidents.domain.formats import amazon_sns, opsgenie, pagerduty
from incidents.domain.formats.context import Context
from incidents.domain.formats.registry import WEBHOOKS
from incidents.domain.payloads import Unreadable, decode
from incidents.domain.severities import BY_KIND, Verdict, judge

__all__ = ["Judged", "Kept", "Word", "judged_by", "word_in"]

_NOTHING: Mapping[str, Any] = {}
_UNREADABLE = (Unreadable, ValueError, TypeError, KeyError)


class Kept(Struct, frozen=True):
    """A request as it was stored, and the format of its integration.

    Args:
        kind: Of the integration.
        address: Path without the key.
        content_type: Of the body.
        headers: Those that are kept.
        body: As it came.
        mapping: Expressions of the generic format.
    """

    kind: str
    address: str
    content_type: str
    headers: Mapping[str, str]
    body: bytes
    mapping: Mapping[str, Any]


class Word(Struct, frozen=True):
    """How a sender said how bad it is.

    Args:
        kind: By whose meanings it is judged: those of the integration, or of what came through it.
        word: Its word, "" when it said none.
        label: What a label `priority` said.
    """

    kind: str
    word: str
    label: str = ""


class Judged(Struct, frozen=True):
    """What a word means, and by which rule.

    Args:
        severity: P0 to P3.
        pages: Whether anybody is called for it.
        rule: Of the label, of the integration's own map, or of its kind.
    """

    severity: str
    pages: bool
    rule: str


class _Heard(str):
    """A severity that remembers of which word it was made."""

    __slots__ = ("word",)
    word: Word


class _Listening(Context):
    """Has readers hand on, with the severity of an event, the word for it."""

    def judge(self, word: str, labels: Mapping[str, str] = _NOTHING) -> Verdict:
        severity, pages = super().judge(word, labels)
        heard = _Heard(severity)
        heard.word = Word(self.kind, word, labels.get("priority", ""))
        return heard, pages


def word_in(kept: Kept, dedup_key: str) -> Word | None:
    """Return what a stored request said of how bad the condition of a key is.

    None where it says nothing of that condition that can be read, or its format has no such word.
    """
    context = _Listening(kept.kind, mapping=kept.mapping, headers=kept.headers)
    try:
        reading = _read(kept, context)
    except _UNREADABLE:
        return None
    opening = [event for event in reading.events if event.act is Act.TRIGGER]
    # What named no key got one that its request does not have.
    of_key = [event for event in opening if event.dedup_key == dedup_key] or opening
    severity = of_key[-1].severity if of_key and (of_key != opening or len(opening) == 1) else ""
    return severity.word if isinstance(severity, _Heard) else None


def _read(kept: Kept, context: Context) -> Reading:
    said = decode(kept.body, kept.content_type)
    if kept.kind == "opsgenie":
        return opsgenie.read_create(said, context, fresh_key="")
    if kept.kind == "amazon_sns":
        return amazon_sns.read(amazon_sns.envelope(said), context)
    if "/create_event" in kept.address:
        return pagerduty.read_v1(said, context, fresh_key="")
    if kept.address.rstrip("/").endswith("/enqueue"):
        return pagerduty.read_v2(said, context, fresh_key="")
    return WEBHOOKS[kept.kind](said, context)


def judged_by(word: Word, edited: Mapping[str, str]) -> Judged:
    """Return what a word means by a map, and by which rule; see `severities.judge`."""
    kind, labels, said = word.kind, {"priority": word.label}, word.word.lower()
    severity, pages = judge(kind, word.word, labels=labels, edited=edited)
    meanings = {judge(kind, word.word, labels=labels, edited={said: each}) for each in ("P2", "P3")}
    if len(meanings) == 1:
        # Whatever a map says: the label counts.
        return Judged(severity, pages, "by its label “priority”")
    if said in edited:
        return Judged(severity, pages, "by the integration's own map")
    if said in BY_KIND.get(kind, _NOTHING):
        return Judged(severity, pages, "as senders of its kind mean it")
    return Judged(severity, pages, "as every word that no map has")
