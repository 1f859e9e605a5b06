"""How each of the last ninety days was, by what objectives count: a few queries for any number of them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from core.clock import floor_minute
from slo.domain.blocks import DAY, start_of
from slo.domain.judging import Judgement, Reading, judge
from slo.domain.plans import Method, Plan
from slo.domain.rounds import pieces
from slo.domain.windows import Window
from slo.models import Round, Slo
from slo.queries import SliceReader, adjustments, plans
from statuspage.domain.bars import DAYS, Bar, tone_of

__all__ = ["of"]

_ONE = timedelta(days=1)


def of(slos: Collection[Slo], *, now: datetime) -> dict[int, list[Bar]]:
    """Return the bars of each SLO by its id, the oldest day first, today until what is measured.

    Args:
        slos: With their SLIs.
        now: The present.
    """
    if not slos:
        return {}
    windows = _days(_measured_until(now), today=start_of(DAY, now))
    judged = plans.of_each(slos)
    reading = _reading(list(judged.values()), windows)
    return {pk: [_bar(plan, window, reading) for window in windows] for pk, plan in judged.items()}


def _measured_until(now: datetime) -> datetime:
    newest = Round.objects.order_by("-watermark").values_list("watermark", flat=True).first()
    return min(newest or floor_minute(now), floor_minute(now))


def _days(until: datetime, *, today: datetime) -> list[Window]:
    """Return the days as windows; of one that is not measured to its end, the part that is."""
    starts = (today - _ONE * back for back in range(DAYS - 1, -1, -1))
    return [Window(start, max(start, min(start + _ONE, until))) for start in starts]


def _reading(judged: Sequence[Plan], windows: Sequence[Window]) -> Reading:
    parts = {part for plan in judged for part in pieces(plan, windows)}
    adjusted = {leaf.pk for plan in judged for leaf in plan.leaves() if leaf.is_adjusted}
    prefixes = SliceReader().prefixes({at for part in parts for at in (part.start, part.end)})
    wanted = {pk: list(parts) for pk in adjusted}
    return Reading(prefixes, adjustments.of(wanted) if wanted else {})


def _bar(plan: Plan, window: Window, reading: Reading) -> Bar:
    if window.start >= window.end:
        return Bar(window.start.date(), tone_of(is_known=False, burn_rate=None))
    found: Judgement = judge(plan, window, reading)
    return Bar(
        day=window.start.date(),
        tone=tone_of(is_known=found.is_known, burn_rate=found.burn_rate),
        good=found.good // found.unit,
        total=found.total // found.unit,
        unit="events" if plan.method is Method.OCCURRENCES else "minutes",
        coverage=found.covered,
    )
