"""Judging all SLOs at an instant from what the slices say now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from slo.domain import rounds
from slo.domain.figures import Round
from slo.domain.plans import Plan
from slo.domain.windows import Window
from slo.queries import adjustments, exhaustions
from slo.queries.slices import SliceReader


def evaluate(plans: Sequence[Plan], watermark: datetime) -> Round:
    """Return the figures and states of `plans` at `watermark`: one query for all windows.

    Args:
        plans: From `slo.queries.plans.load`.
        watermark: End of the last measured minute.
    """
    windows = rounds.windows_of(plans, watermark)
    reader = SliceReader()
    prefixes = reader.prefixes(rounds.edges(plans, windows))
    corrected: dict[int, tuple[Plan, list[Window]]] = {}
    for plan in plans:
        if plan.is_adjusted or plan.is_composite:
            for leaf in plan.leaves():
                if leaf.is_adjusted:
                    _, asked = corrected.setdefault(leaf.pk, (leaf, []))
                    asked += rounds.pieces(plan, windows[plan.rule])
    found = rounds.evaluate(
        plans,
        windows,
        prefixes,
        watermark=watermark,
        deltas=adjustments.sums(corrected) if corrected else {},
    )
    return replace(found, exhausts=exhaustions.of(plans, found, reader))
