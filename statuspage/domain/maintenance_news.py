"""What subscribers are told of maintenance, and when: each occurrence once, repetitions not too often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["SPARSE", "STALE_AFTER", "Lead", "News", "is_crowded", "is_sudden", "news_due"]

# Nobody is told by email of what is older: a worker that was away for days floods no mailbox.
STALE_AFTER = timedelta(days=1)
# Of what repeats more often than daily some occurrences are told and the rest stand on the page. A bit
# less than a day, so that a daily one at another hour on the day that clocks change is told each day.
SPARSE = timedelta(hours=20)
# Deployments plan what they do a moment before, perhaps many a day: nobody can prepare for it.
SUDDEN = timedelta(hours=1)


class News(StrEnum):
    """What there is to tell of an occurrence."""

    SCHEDULED = "scheduled"
    REMINDER = "reminder"
    STARTED = "started"
    COMPLETED = "completed"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        """The news in a word or two."""
        return "In progress" if self is News.STARTED else self.capitalize()


@dataclass(frozen=True)
class Lead:
    """How long before maintenance begins it is told.

    Args:
        repeated: Of each occurrence of what repeats; what happens once is told as soon as it is public.
        reminder: Once more before the beginning; none where it is zero.
    """

    repeated: timedelta
    reminder: timedelta


def news_due(
    starts_at: datetime,
    ends_at: datetime,
    *,
    is_repeated: bool,
    told: Mapping[News, datetime],
    lead: Lead,
    now: datetime,
) -> News | None:
    """Return what is to be told of an occurrence now; None: nothing.

    Its end is told only to those who may know that it was to begin.

    Args:
        starts_at: When it begins.
        ends_at: When it ends, or ended.
        is_repeated: Whether it is one of several.
        told: What was told of it, and when.
        lead: How long before.
        now: The present.
    """
    if ends_at <= now:
        is_news = bool(told) and now - ends_at < STALE_AFTER
        return News.COMPLETED if is_news and not told.keys() & _ENDS else None
    if starts_at <= now:
        is_news = News.STARTED not in told and now - starts_at < STALE_AFTER
        return News.STARTED if is_news else None
    if News.SCHEDULED not in told:
        is_far = is_repeated and starts_at - now > lead.repeated
        return None if is_far else News.SCHEDULED
    # Who was told just now needs no reminder.
    remind_at = starts_at - lead.reminder
    is_wanted = bool(lead.reminder) and News.REMINDER not in told
    return News.REMINDER if is_wanted and told[News.SCHEDULED] < remind_at <= now else None


def is_crowded(starts_at: datetime, others: Iterable[datetime]) -> bool:
    """Return whether another occurrence of the same maintenance was told that is so near that this is not.

    Args:
        starts_at: Of one of which nothing was told.
        others: When those begin of which something was told.
    """
    return any(abs(starts_at - other) < SPARSE for other in others)


def is_sudden(starts_at: datetime, planned_at: datetime, *, has_words: bool) -> bool:
    """Return whether what happens once stands on the page and is sent to nobody.

    Args:
        starts_at: When it begins.
        planned_at: When it was planned.
        has_words: Whether somebody typed a title or a text for the public: then it is meant to be read.
    """
    return not has_words and starts_at - planned_at < SUDDEN


_ENDS = frozenset({News.COMPLETED, News.CANCELLED})
