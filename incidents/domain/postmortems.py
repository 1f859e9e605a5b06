"""The life of a postmortem as a table, its sections, and of which incidents one is asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = [
    "DEFAULTS",
    "LONGEST_SECTION",
    "LONGEST_TIME",
    "NEEDED",
    "SECTIONS",
    "SHORTEST_TIME",
    "TRANSITIONS",
    "Action",
    "Demand",
    "Impossible",
    "Merged",
    "Section",
    "Status",
    "digest",
    "merged",
    "next_status",
]

LONGEST_SECTION = 50_000
# How long may be given to write one.
SHORTEST_TIME, LONGEST_TIME = timedelta(hours=1), timedelta(days=365)


class Status(StrEnum):
    """Where a postmortem stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"


class Action(StrEnum):
    """What can be done to one."""

    EDIT = "edit"
    ASK = "ask"
    APPROVE = "approve"
    SEND_BACK = "send_back"
    PUBLISH = "publish"
    REOPEN = "reopen"


TRANSITIONS: dict[tuple[Status, Action], Status] = {
    (Status.DRAFT, Action.EDIT): Status.DRAFT,
    (Status.DRAFT, Action.ASK): Status.IN_REVIEW,
    (Status.IN_REVIEW, Action.APPROVE): Status.IN_REVIEW,
    (Status.IN_REVIEW, Action.SEND_BACK): Status.DRAFT,
    (Status.IN_REVIEW, Action.PUBLISH): Status.PUBLISHED,
    (Status.PUBLISHED, Action.REOPEN): Status.DRAFT,
}
# Why something cannot be done to one that stands so, and what can.
_WAY_ON = {
    Status.DRAFT: "It is a draft: ask for a review first.",
    Status.IN_REVIEW: "It is in review: send it back to change it.",
    Status.PUBLISHED: "It is published: reopen it first.",
}


class Impossible(ValueError):
    """The postmortem stands where this cannot be done; the message says what can."""


def next_status(status: Status, action: Action) -> Status:
    """Return where a postmortem stands after `action`.

    Raises:
        Impossible: The table has no such transition.
    """
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        raise Impossible(_WAY_ON[status]) from None


@dataclass(frozen=True)
class Section:
    """One part of a postmortem.

    Args:
        name: Of its field.
        heading: Above it.
        hint: What belongs there.
    """

    name: str
    heading: str
    hint: str


SECTIONS = (
    Section("summary", "Summary", "What happened, in a few sentences for those who were not there."),
    Section("impact", "Impact", "Who noticed what, for how long, and how many they were."),
    Section("root_cause", "Root cause", "Why it could happen: of the system, not of a person."),
    Section("trigger", "Trigger", "What set it off on this day."),
    Section("detection", "Detection", "How it was noticed, and how soon."),
    Section("timeline", "Timeline", "What happened when, in UTC."),
    Section("went_well", "What went well", "What to keep."),
    Section("went_badly", "What went badly", "What to change, and where it was luck."),
    Section("lessons", "Lessons", "What others should know before it happens to them."),
    Section("budget_cost", "Error budget", "What it took of the error budgets."),
    Section("page_log", "Page log", "Who was called, when, by what, and what came of it."),
)  # fmt: skip
# Without these nobody learns anything from it: a review is not asked for.
NEEDED = ("impact", "root_cause", "trigger", "lessons")


@dataclass(frozen=True)
class Demand:
    """Whether incidents of one severity ask for a postmortem.

    Args:
        is_required: Whether they stay open until one is published.
        within: From the resolution to the publication; calendar days, as a working day is another
            one in each country.
        since: Of what was resolved before then, none is asked for; None: of all.
    """

    is_required: bool
    within: timedelta
    since: datetime | None = None

    def is_asked_for(self, resolved_at: datetime | None) -> bool:
        """Return whether an incident that was resolved then asks for one; one that is not over does not."""
        if not self.is_required or resolved_at is None:
            return False
        return self.since is None or resolved_at >= self.since

    def due_at(self, resolved_at: datetime | None, agreed_at: datetime | None) -> datetime | None:
        """Return when one is due; None where none is asked for, or the incident is not over.

        Args:
            resolved_at: When the incident was resolved.
            agreed_at: Another time than the policy's, where somebody agreed on one.
        """
        if resolved_at is None or not self.is_asked_for(resolved_at):
            return None
        return agreed_at or resolved_at + self.within


_WEEK = timedelta(days=7)
DEFAULTS: Mapping[str, Demand] = {
    "P0": Demand(True, _WEEK),
    "P1": Demand(True, _WEEK),
    "P2": Demand(False, _WEEK),
    "P3": Demand(False, _WEEK),
}


@dataclass(frozen=True)
class Merged:
    """What two people wrote at the same time.

    Args:
        changes: What is to be written: what only the one changed who saves now.
        crossed: Names of what both changed, each to something else.
    """

    changes: dict[str, str]
    crossed: tuple[str, ...]


def digest(text: str) -> str:
    """Return what tells a text from others, short enough to be sent along with a form."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def merged(stored: Mapping[str, str], seen: Mapping[str, str], given: Mapping[str, str]) -> Merged:
    """Return what of `given` is to be written where others may have written meanwhile.

    Args:
        stored: Texts as they are now.
        seen: Digests of the texts that the writer began with; one that is missing counts as not seen.
        given: Texts as the writer leaves them.
    """
    changes: dict[str, str] = {}
    crossed = []
    for name, text in given.items():
        now = stored[name]
        if text == now or digest(text) == seen.get(name):
            continue
        if seen.get(name) == digest(now):
            changes[name] = text
        else:
            crossed.append(name)
    return Merged(changes, tuple(crossed))
