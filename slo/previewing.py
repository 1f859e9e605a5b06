"""What the admin shows of a change before it is saved."""

from typing import NamedTuple

from core.charts import Axis, Chart, Series, Threshold, line_chart
from slo.domain.replay import Replay
from slo.domain.state import State
from slo.queries import previews
from slo.queries.previews import Preview


class Row(NamedTuple):
    """One figure, by the SLO as it is and by the change."""

    label: str
    present: str
    proposed: str


def comparison(found: Preview) -> list[Row]:
    """Return the figures of both, in words."""
    told = [_figures(found.present), _figures(found.proposed)]
    return [Row(label, told[0][label], told[1][label]) for label in told[0]]


def _figures(replay: Replay) -> dict[str, str]:
    last, hours = replay.hours[-1], replay.hours_in
    judged = last.judgement
    left = judged.remaining
    bad, allowed = float(judged.bad / judged.unit), float(judged.allowed / judged.unit)
    return {
        "Budget left now": "no data" if left is None else _percent(float(left)),
        "Bad of allowed now": f"{bad:,.0f} of {allowed:,.1f}",
        "State now": last.state.replace("_", " "),
        "Hours exhausted": f"{hours[State.EXHAUSTED]:,}",
        "Hours at risk": f"{hours[State.AT_RISK]:,}",
        "Hours without data": f"{hours[State.NO_DATA]:,}",
        "Pages": f"{replay.pages:,}",
        "Tickets": f"{replay.tickets:,}",
        "Minutes with a burn alert": f"{replay.alert_minutes:,}",
    }


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %".replace("-", "−")


def comparison_chart(found: Preview) -> Chart:
    """Return what was left of the budget day by day, by both."""
    present, proposed = list(previews.daily(found.present)), list(previews.daily(found.proposed))
    lowest = min([0.0, *(left for _, left in [*present, *proposed] if left is not None)])
    return line_chart(
        id="preview",
        title="Error budget left, last 90 days",
        series=[
            Series("as it is", present),
            Series("with the change", proposed, dashed=True),
        ],
        y=Axis(unit="%", minimum=lowest, maximum=1.0),
        thresholds=[Threshold(0.0, "exhausted")],
    )
