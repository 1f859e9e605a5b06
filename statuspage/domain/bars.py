"""A component's last ninety days, one bar each.

No data is its own state: a day that nobody measured was neither good nor bad.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import floor

__all__ = ["DAYS", "Bar", "Tone", "stretches", "summary", "tone_of"]

DAYS = 90
# From so many times what the objective allows a day is a bad one, not only one below it.
FAR_BELOW = 10


class Tone(StrEnum):
    """How a day was, as it is coloured."""

    MET = "met"
    BELOW = "below"
    FAR_BELOW = "far_below"
    NO_DATA = "no_data"


@dataclass(frozen=True)
class Bar:
    """One day, from midnight to midnight in UTC.

    Args:
        day: The day.
        tone: How it was.
        good: Good events, or minutes where those are counted.
        total: All of them; 0 is no data.
        unit: What was counted: `requests` or `minutes`.
        coverage: Share of the day's minutes that were measured, of today those until now; None where
            none was expected.
    """

    day: date
    tone: Tone
    good: int = 0
    total: int = 0
    unit: str = "events"
    coverage: Fraction | None = None

    @property
    def ratio(self) -> Fraction | None:
        """Share of good ones; None without data."""
        return Fraction(self.good, self.total) if self.total else None

    @property
    def percent(self) -> str:
        """The share in words, cut and never rounded up: 99.999 % is not 100 %."""
        return "no data" if self.ratio is None else percent_of(self.ratio)

    @property
    def is_known(self) -> bool:
        """Whether it can be told how the day was."""
        return self.tone is not Tone.NO_DATA

    @property
    def is_partial(self) -> bool:
        """Whether a part of the day was not measured."""
        return self.coverage is not None and self.coverage < 1

    @property
    def covered(self) -> str:
        """How much of the day was measured, in words; cut."""
        if not self.coverage:
            return "nothing"
        percent = floor(100 * self.coverage)
        return f"{percent} %" if percent else "less than 1 %"

    @property
    def said(self) -> str:
        """The day in one sentence."""
        day = f"{self.day:%-d %B %Y}"
        if not self.total:
            return f"{day}: no data"
        if not self.is_known:
            return f"{day}: no data, {self.covered} of the day was measured"
        measured = f", {self.covered} of the day measured" if self.is_partial else ""
        return f"{day}: {self.percent}, {self.good:,} of {self.total:,} {self.unit} good{measured}"


def percent_of(ratio: Fraction) -> str:
    """Return a share in percent with two decimals, cut: what is not all is never shown as all."""
    hundredths = floor(ratio * 10_000)
    if hundredths == 10_000:
        return "100 %"
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def tone_of(*, is_known: bool, burn_rate: Fraction | None) -> Tone:
    """Return how a day is coloured.

    Args:
        is_known: Whether there were events, and enough of the day was measured to tell.
        burn_rate: How many times what the objective allows was bad; None without data.
    """
    if not is_known or burn_rate is None:
        return Tone.NO_DATA
    if burn_rate <= 1:
        return Tone.MET
    return Tone.FAR_BELOW if burn_rate >= FAR_BELOW else Tone.BELOW


def summary(bars: Sequence[Bar]) -> str:
    """Return the days in one sentence, those without data named."""
    known = [bar for bar in bars if bar.is_known]
    if not known:
        return f"No data in the last {len(bars)} days"
    share = Fraction(sum(bar.good for bar in known), sum(bar.total for bar in known))
    missing = len(bars) - len(known)
    lacking = f", {_days(missing)} without data" if missing else ""
    return f"{percent_of(share)} good over {_days(len(known))}{lacking}"


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def stretches(bars: Iterable[Bar]) -> dict[Tone, list[int]]:
    """Return the places of the bars of each tone, counted from the oldest."""
    found: dict[Tone, list[int]] = {tone: [] for tone in Tone}
    for place, bar in enumerate(bars):
        found[bar.tone].append(place)
    return found
