"""What the SLO page draws, from slices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from math import isnan
from typing import NamedTuple

import numpy as np

from core.charts import Axis, Band, Chart, Marker, Series, Threshold, Tone, line_chart
from slo.domain.burn_alerts import Urgency, tiers_for
from slo.domain.judging import COLUMNS, NAMES, Judgement, Reading, judge
from slo.domain.ledger import Cause
from slo.domain.plans import Method, Plan
from slo.domain.rounds import pieces
from slo.domain.windows import Window
from slo.models import Slo
from slo.queries import SliceReader, adjustments, ledgers

MINUTE = timedelta(minutes=1)
TONES: dict[Cause, Tone] = {
    Cause.INCIDENT: "bad",
    Cause.CHAOS: "warn",
    Cause.DEPLOY: "info",
    Cause.NOTE: "none",
}


class Step(NamedTuple):
    """A part of a window and its judgement."""

    window: Window
    found: Judgement


STEPS = (
    (timedelta(hours=3), MINUTE),
    (timedelta(days=1), 10 * MINUTE),
    (timedelta(days=3), 30 * MINUTE),
    (timedelta(days=8), timedelta(hours=1)),
    (timedelta(days=35), timedelta(hours=6)),
)


def step_for(window: Window) -> timedelta:
    """Return the step that draws `window` in about 150 points on borders that blocks have."""
    length = window.end - window.start
    return next((step for limit, step in STEPS if length <= limit), timedelta(days=1))


def aligned(window: Window, step: timedelta) -> Window:
    """Return the window with its start moved back to a border of `step`."""
    midnight = window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    steps = (window.start - midnight) // step
    return Window(midnight + steps * step, window.end)


@dataclass(frozen=True)
class Marks:
    """What happened while something was measured."""

    bands: list[Band]
    markers: list[Marker]


def marks(slo: Slo, happened: Iterable[ledgers.Source], window: Window) -> Marks:
    """Return incidents, deploys, chaos runs, notes and corrections as charts draw them.

    Args:
        slo: Whose corrections are drawn, too.
        happened: What happened in `window`.
        window: Charts of any part of it leave out what lies outside of theirs.
    """
    bands, markers = [], []
    for found in happened:
        one = found.happening
        tone = TONES[one.cause]
        end = window.end if one.is_open else one.end
        if end is not None and end > one.start:
            bands.append(Band(one.start, end, found.title, tone))
        else:
            markers.append(Marker(one.start, found.title, tone, found.url))
    for correction, span in ledgers.corrected(slo, window):
        bands.append(Band(span.start, span.end, f"Corrected: {correction.reason}", "none"))
    return Marks(bands, markers)


def counted(plan: Plan, reader: SliceReader, window: Window, step: timedelta) -> list[Step]:
    """Return what an SLO counts in steps over `window`, corrected, oldest first."""
    parts, at = [], window.start
    while at < window.end:
        parts.append(Window(at, min(at + step, window.end)))
        at += step
    reading = _reading(plan, reader, parts)
    return [Step(part, judge(plan, part, reading)) for part in parts]


def _reading(plan: Plan, reader: SliceReader, windows: Sequence[Window]) -> Reading:
    parts = [part for window in windows for part in pieces(plan, [window])]
    prefixes = reader.prefixes([at for part in parts for at in (part.start, part.end)])
    wanted = {leaf.pk: parts for leaf in plan.leaves() if leaf.is_adjusted}
    return Reading(prefixes, adjustments.of(wanted) if wanted else {})


def sli_chart(plan: Plan, reader: SliceReader, window: Window, happened: Marks) -> Chart:
    """Return the share of good events over time; unmeasured stretches are gaps."""
    step = step_for(window)
    points = [
        (part.start, float(1 - found.bad / found.total) if found.total else None)
        for part, found in counted(plan, reader, aligned(window, step), step)
    ]
    objective = float(plan.objective_at(window.end))
    worst = min((value for _, value in points if value is not None), default=objective)
    floor = max(0.0, min(worst, objective) - (1 - min(worst, objective)) * 0.5)
    return line_chart(
        id="sli",
        title="Share of good events",
        series=[Series("good events", points)],
        y=Axis(unit="%", minimum=floor, maximum=1.0),
        thresholds=[Threshold(objective, f"objective {objective * 100:g} %")],
        bands=happened.bands,
        markers=happened.markers,
    )


def budget_chart(plan: Plan, reader: SliceReader, window: Window, happened: Marks) -> Chart:
    """Return how the budget of the window was spent: what was left after each step.

    The budget is the whole window's, so the last point is the figure on top of the page. A composite
    has no events that add up: its points are what was left over the window so far.
    """
    step = step_for(window)
    points: list[tuple[datetime, float | None]] = []
    if plan.is_composite:
        ends = [part.end for part, _ in counted(plan, reader, window, step)]
        growing = [Window(window.start, end) for end in ends]
        reading = _reading(plan, reader, growing)
        for part in growing:
            left = judge(plan, part, reading).remaining
            points.append((part.end, None if left is None else float(left)))
    else:
        # Not aligned: the first and the last step must be the window's own, to the minute.
        (whole,) = counted(plan, reader, window, window.end - window.start)
        allowed, bad = whole.found.allowed, Fraction(0)
        for part, found in counted(plan, reader, window, step):
            bad += found.bad
            known = found.measured > 0 and allowed > 0
            points.append((part.end, float(1 - bad / allowed) if known else None))
    return line_chart(
        id="budget",
        title="Error budget left",
        series=[Series("budget left", points, kind="area")],
        y=Axis(unit="%", minimum=min([0.0, *(v for _, v in points if v is not None)]), maximum=1.0),
        thresholds=[Threshold(0.0, "exhausted")],
        bands=happened.bands,
        markers=happened.markers,
    )


def burn_chart(plan: Plan, reader: SliceReader, window: Window, happened: Marks) -> Chart:
    """Return the burn rates of the paging tiers' long windows over time, and where they alert."""
    step = step_for(window)
    tiers = [
        tier
        for tier in tiers_for(plan.objective_at(window.end), plan.rule.length)
        if tier.share.urgency is Urgency.PAGE
    ]
    ends = [at for at in _borders(window, step) if at > window.start]
    series = []
    for tier in tiers:
        windows = [Window(end - tier.share.long, end) for end in ends]
        reading = _reading(plan, reader, windows)
        rates = [judge(plan, one, reading).burn_rate for one in windows]
        points = [
            (end, None if rate is None else float(rate))
            for end, rate in zip(ends, rates, strict=True)
        ]
        series.append(Series(f"over {NAMES[tier.share.long]}", points))
    return line_chart(
        id="burn",
        title="Burn rate",
        series=series,
        y=Axis(unit="", minimum=0.0),
        thresholds=[
            Threshold(float(tier.threshold), f"pages at {float(tier.threshold):.3g} ×")
            for tier in tiers
            if tier.enabled
        ],
        bands=happened.bands,
        markers=happened.markers,
    )


def _borders(window: Window, step: timedelta) -> list[datetime]:
    found, at = [], window.start
    while at < window.end:
        found.append(at)
        at += step
    return [*found, window.end]


def recent_errors(
    slos: list[Slo], reader: SliceReader, window: Window, step: timedelta
) -> dict[int, list[float | None]]:
    """Return each SLO's share of good events per step, by its id, for sparklines."""
    edges = _borders(window, step)
    before = reader.prefixes(edges)
    slots = np.array([slo.sli.slot for slo in slos], dtype=np.int64)
    columns = np.array([COLUMNS[Method(slo.method)] for slo in slos], dtype=np.int64).reshape(-1, 3)
    width = int(slots.max(initial=-1)) + 1
    running = np.stack([before[at].widened(width).counters[:, slots] for at in edges])
    grown, rows = np.diff(running, axis=0), np.arange(len(slos))
    good = grown[:, columns[:, 0], rows]
    total = grown[:, columns[:, 1], rows] * columns[:, 2]
    ratios = np.divide(good, total, out=np.full(good.shape, np.nan), where=total > 0)
    return {
        slo.pk: [None if isnan(ratio) else ratio for ratio in ratios[:, row].tolist()]
        for row, slo in enumerate(slos)
    }
