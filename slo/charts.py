"""What the SLO page draws, from slices."""

from datetime import timedelta

from core.charts import Axis, Chart, Series, Threshold, line_chart
from slo.domain.counts import Judged, error_budget
from slo.domain.plans import Method
from slo.domain.windows import Version, Window, split_by_version
from slo.models import Slo
from slo.queries import SliceReader, counts_of

MINUTE = timedelta(minutes=1)
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


def sli_chart(slo: Slo, reader: SliceReader, window: Window) -> Chart:
    """Return the share of good events over time; unmeasured stretches are gaps."""
    step = step_for(window)
    points = [
        (start, float(counts.ratio) if counts.ratio is not None else None)
        for start, counts in reader.series(
            slo.sli.slot, aligned(window, step), step, Method(slo.method)
        )
    ]
    objective = float(slo.objective)
    worst = min((value for _, value in points if value is not None), default=objective)
    floor = max(0.0, min(worst, objective) - (1 - min(worst, objective)) * 0.5)
    return line_chart(
        id="sli",
        title="Share of good events",
        series=[Series("good events", points)],
        y=Axis(unit="%", minimum=floor, maximum=1.0),
        thresholds=[Threshold(objective, f"objective {objective * 100:g} %")],
    )


def budget_chart(slo: Slo, reader: SliceReader, window: Window) -> Chart:
    """Return how the budget of the window was spent: what was left after each step.

    The budget is the whole window's, so the last point is the figure on top of the page.
    """
    step = step_for(window)
    # Not aligned: the first and the last step must be the window's own, to the minute.
    pieces = reader.series(slo.sli.slot, window, step, Method(slo.method))
    versions = [version.as_domain() for version in slo.versions.all()]
    allowed = float(error_budget(judge(slo, reader, window, versions)).allowed)
    points = []
    bad = 0
    for start, counts in pieces:
        bad += counts.bad
        known = counts.measured > 0 and allowed > 0
        points.append((min(start + step, window.end), 1 - bad / allowed if known else None))
    return line_chart(
        id="budget",
        title="Error budget left",
        series=[Series("budget left", points, kind="area")],
        y=Axis(unit="%", minimum=min([0.0, *(v for _, v in points if v is not None)]), maximum=1.0),
        thresholds=[Threshold(0.0, "exhausted")],
    )


def judge(slo: Slo, reader: SliceReader, window: Window, versions: list[Version]) -> list[Judged]:
    """Return the window's counts by the objective that was in force."""
    parts = split_by_version(window, versions)
    sums = reader.sums([part for _, part in parts])
    slot = slo.sli.slot
    return [
        Judged(objective, counts_of(block, slot, Method(slo.method)))
        for (objective, _), block in zip(parts, sums, strict=True)
    ]


def recent_errors(
    slos: list[Slo], reader: SliceReader, window: Window, step: timedelta
) -> dict[int, list[float | None]]:
    """Return each SLO's share of good events per step, by its id, for sparklines."""
    starts = []
    at = window.start
    while at < window.end:
        starts.append(at)
        at += step
    blocks = reader.sums([Window(start, min(start + step, window.end)) for start in starts])
    found: dict[int, list[float | None]] = {}
    for slo in slos:
        ratios = [counts_of(block, slo.sli.slot, Method(slo.method)).ratio for block in blocks]
        found[slo.pk] = [float(ratio) if ratio is not None else None for ratio in ratios]
    return found
