"""How objectives were kept over a week or a month."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from incidents.models import Alert
from incidents.queries.promises import Kept, kept
from slo.domain.judging import Judgement, Reading, judge
from slo.domain.plans import Plan
from slo.domain.rounds import pieces
from slo.domain.windows import Window
from slo.models import Slo, StateChange
from slo.queries import adjustments, plans
from slo.queries.slices import SliceReader

if TYPE_CHECKING:
    from accounts.models import User

PERIODS = ("week", "month")
SLO_ALERTS = "slo"


@dataclass(frozen=True)
class Line:
    """One objective over the period.

    Args:
        slo: The objective.
        judgement: Of the period, each part by the objective that was in force.
        before: Of the period before, to compare with.
        alerts: Alerts that its burn rates and its budget opened in the period.
        changes: How often its state changed.
    """

    slo: Slo
    judgement: Judgement
    before: Judgement
    alerts: int
    changes: int

    @property
    def sli(self) -> float | None:
        """Share of good events; None without any."""
        return _share(self.judgement)

    @property
    def sli_before(self) -> float | None:
        """The same of the period before."""
        return _share(self.before)

    @property
    def budget_used(self) -> float | None:
        """Share of what the period allowed that was spent; None without events."""
        rate = self.judgement.burn_rate
        return None if rate is None else float(rate)

    @property
    def coverage(self) -> float | None:
        """Share of the expected minutes that were measured."""
        covered = self.judgement.covered
        return None if covered is None else float(covered)

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or `no data` where too little was measured to tell."""
        if not self.judgement.is_known:
            return "no data"
        return "met" if self.judgement.bad <= self.judgement.allowed else "missed"

    @property
    def good(self) -> int:
        """Good events, or minutes by the methods that count slices."""
        return self.judgement.good // self.judgement.unit

    @property
    def total(self) -> int:
        """All of them."""
        return self.judgement.total // self.judgement.unit

    @property
    def bad(self) -> float:
        """Bad ones."""
        return float(self.judgement.bad / self.judgement.unit)

    @property
    def allowed(self) -> float:
        """Bad ones that were allowed."""
        return float(self.judgement.allowed / self.judgement.unit)


def _share(found: Judgement) -> float | None:
    return float(1 - found.bad / found.total) if found.total else None


@dataclass(frozen=True)
class Report:
    """All objectives over one period.

    Args:
        period: `week` or `month`.
        window: The period in UTC, cut at the present for the one that goes on.
        is_complete: Whether the period is over.
        lines: The worst first: missed, without data, met.
        incidents: How the promises about incidents that were opened in it stand.
    """

    period: str
    window: Window
    is_complete: bool
    lines: list[Line]
    incidents: list[Kept]

    @property
    def verdicts(self) -> Counter[str]:
        """How many objectives have each verdict."""
        return Counter(line.verdict for line in self.lines)

    @property
    def previous(self) -> date:
        """A day of the period before."""
        return (self.window.start - timedelta(days=1)).date()

    @property
    def following(self) -> date:
        """The first day of the period after."""
        return bounds(self.period, self.window.start.date()).end.date()


def bounds(period: str, day: date) -> Window:
    """Return the week (from Monday) or month, in UTC, that contains `day`."""
    if period == "week":
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    return Window(_midnight(first), _midnight(after))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def of(user: "User", period: str, day: date, *, watermark: datetime) -> Report:
    """Return the report on the SLOs that `user` may know of.

    Args:
        user: Who asks.
        period: One of `PERIODS`.
        day: Any day of it.
        watermark: End of the last measured minute.
    """
    whole = bounds(period, day)
    window = Window(whole.start, max(whole.start, min(whole.end, watermark)))
    before = bounds(period, whole.start.date() - timedelta(days=1))
    slos = {
        slo.pk: slo for slo in Slo.objects.visible_to(user).enabled().select_related("sli__service")
    }
    judged = [plan for plan in plans.load() if plan.pk in slos]
    reading = _reading(judged, [window, before])
    alerts, changes = _alerts(window), _changes(window)
    lines = [
        Line(
            slos[plan.pk],
            judge(plan, window, reading),
            judge(plan, before, reading),
            alerts[slos[plan.pk].slug],
            changes[plan.pk],
        )
        for plan in judged
    ]
    order = ["missed", "no data", "met"]
    lines.sort(key=lambda line: (order.index(line.verdict), -(line.budget_used or 0.0)))
    incidents = kept(user, window.start, window.end)
    return Report(period, window, whole.end <= watermark, lines, incidents)


def _reading(judged: Iterable[Plan], windows: Sequence[Window]) -> Reading:
    parts: set[Window] = set(windows)
    adjusted: set[int] = set()
    for plan in judged:
        parts |= set(pieces(plan, windows))
        adjusted |= {leaf.pk for leaf in plan.leaves() if leaf.is_adjusted}
    prefixes = SliceReader().prefixes({at for part in parts for at in (part.start, part.end)})
    wanted = {pk: list(parts) for pk in adjusted}
    return Reading(prefixes, adjustments.of(wanted) if wanted else {})


def _alerts(window: Window) -> Counter[str]:
    rows = Alert.objects.filter(
        source=SLO_ALERTS, opened_at__gte=window.start, opened_at__lt=window.end
    )
    return Counter(key.rpartition(":")[0] for key in rows.values_list("dedup_key", flat=True))


def _changes(window: Window) -> Counter[int]:
    rows = StateChange.objects.filter(at__gte=window.start, at__lt=window.end)
    return Counter(rows.values_list("slo_id", flat=True))
