"""From what a source answered to slices: counts where it answered, gaps with a reason elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from operator import ge, gt, le, lt

from slo.domain.blocks import GAP, Slice
from slo.domain.counters import MOST

__all__ = ["Reading", "compare", "gap", "of_counts", "of_value"]

_COMPARISONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "lt": lt,
    "lte": le,
    "gt": gt,
    "gte": ge,
}


@dataclass(frozen=True)
class Reading:
    """The slice of one minute, and for a gap the reason.

    Args:
        slice: What is written.
        reason: Why there is a gap, for people.
        is_insane: Whether the source answered what cannot be.
    """

    slice: Slice
    reason: str = ""
    is_insane: bool = False


def gap(reason: str) -> Reading:
    """Return a gap: nobody knows what happened in this minute."""
    return Reading(GAP, reason)


def of_counts(*, total: int | None, part: int | None, is_bad: bool) -> Reading:
    """Return the reading of two counters; None is a counter that has no data in the minute.

    A minute without data of all events is a gap. So is one without data of the good events: to
    call all of them bad would page somebody for a typing error. A counter of bad events that is
    not there is 0, because client libraries make it at the first error; that all events were
    counted shows that its target was there.

    Args:
        total: All valid events.
        part: The good ones, or the bad ones.
        is_bad: Whether `part` counts the bad ones.
    """
    if total is None:
        return gap("The source has no data of all events (total_query).")
    if part is None and not is_bad:
        return gap("The source has no data of the good events (good_query).")
    if total > MOST:
        return Reading(GAP, "The source counted more events than can be.", is_insane=True)
    found = part or 0
    counted = total - found if is_bad else found
    if not 0 <= counted <= total:
        said = f"{found} {'bad' if is_bad else 'good'}"
        reason = f"The source counted {said} of {total} events; the queries do not fit together."
        return Reading(GAP, reason, is_insane=True)
    return Reading(Slice(counted, total))


def of_value(value: Fraction | None, comparison: str, threshold: Fraction) -> Reading:
    """Return the reading of a minute that is good or bad as a whole.

    Args:
        value: What was measured; None is no data.
        comparison: lt, lte, gt or gte.
        threshold: What it is compared with.
    """
    if value is None:
        return gap("The source has no value (value_query).")
    return Reading(Slice(int(compare(value, comparison, threshold)), 1))


def compare(value: Fraction, comparison: str, threshold: Fraction) -> bool:
    """Return whether the value meets the condition, exactly."""
    return _COMPARISONS[comparison](value, threshold)
