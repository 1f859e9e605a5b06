"""What was known at an instant, and what is counted for it now."""

from datetime import datetime

from core.clock import floor_minute
from slo.domain.figures import Round as RoundFigures
from slo.domain.state import State
from slo.models import Round
from slo.queries import plans, rounds

FIRST_YEAR = 1971


def known_at(instant: datetime) -> RoundFigures | None:
    """Return the figures that the portal had at `instant`, None before its first round.

    Rounds are kept by the minute for three hours, by the hour for 35 days and by the day for ever:
    the newest kept one that was evaluated by then answers.
    """
    row = (
        Round.objects.filter(evaluated_at__lte=instant)
        .order_by("-evaluated_at", "-watermark")
        .first()
    )
    return row.figures() if row else None


def counted_at(instant: datetime) -> RoundFigures:
    """Return the figures for windows that end at `instant`, with all data that has come since.

    What was known then gives the states their past: at risk ends later than it begins.
    """
    found = known_at(instant)
    judged = plans.load()
    for plan in judged:
        before = found.get(plan.pk) if found else None
        plan.state = before.state if before else State.NO_DATA
        plan.state_since = before.state_since if before else None
    return rounds.evaluate(judged, floor_minute(instant))
