"""What asking a source brings, and how it fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slo.domain.pulled import Reading
from slo.domain.windows import Window
from slo.models import Sli

__all__ = [
    "Answer",
    "AnswerTooWide",
    "QueryRefused",
    "SourceFailed",
    "Wanted",
    "gather",
    "minutes_of",
]

MINUTE = timedelta(minutes=1)
# Minutes asked for at once: an hour of samples fits into an answer, and a failure costs no more.
CHUNK = timedelta(hours=1)
Wanted = Sequence[tuple[Sli, Window]]


class SourceFailed(Exception):
    """The source gave no answer; asked again later it may."""


class QueryRefused(Exception):
    """The source does not understand a query, or cannot answer it: its minutes are gaps."""


class AnswerTooWide(Exception):
    """The answer was larger than what is read; fewer minutes may fit."""


@dataclass
class Answer:
    """What is known of one SLI now.

    Args:
        readings: By start of the minute.
        until: Every minute before it was answered.
        error: Why it ends there; empty when everything was answered.
    """

    until: datetime
    readings: dict[datetime, Reading] = field(default_factory=dict)
    error: str = ""


def gather(
    window: Window,
    read: Callable[[Window], dict[datetime, Reading]],
    refused: Callable[[str], Reading],
) -> Answer:
    """Read a window chunk by chunk, oldest first, as far as the source answers.

    Args:
        window: Whole minutes.
        read: Returns the readings of a chunk.
        refused: Makes the reading of minutes whose query was refused, from the reason.
    """
    answer = Answer(until=window.start)
    while answer.until < window.end:
        chunk = Window(answer.until, min(answer.until + CHUNK, window.end))
        try:
            answer.readings |= _narrowing(chunk, read)
        except QueryRefused as error:
            answer.readings |= dict.fromkeys(minutes_of(chunk), refused(str(error)))
        except SourceFailed as error:
            answer.error = str(error)
            return answer
        answer.until = chunk.end
    return answer


def _narrowing(
    chunk: Window, read: Callable[[Window], dict[datetime, Reading]]
) -> dict[datetime, Reading]:
    try:
        return read(chunk)
    except AnswerTooWide as error:
        if chunk.minutes <= 1:
            raise QueryRefused(f"{error} Narrow the query.") from error
    middle = chunk.start + MINUTE * (chunk.minutes // 2)
    halves = (Window(chunk.start, middle), Window(middle, chunk.end))
    return {minute: found for half in halves for minute, found in _narrowing(half, read).items()}


def minutes_of(window: Window) -> list[datetime]:
    """Return the starts of the minutes of a window."""
    return [window.start + MINUTE * step for step in range(window.minutes)]
