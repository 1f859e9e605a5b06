"""Whether releases of a service are held, why, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from catalog.models import Service
from slo.domain.burn_alerts import Urgency
from slo.domain.figures import Figures
from slo.domain.judging import Reading
from slo.domain.plans import Plan
from slo.domain.recovery import recovers_at
from slo.domain.state import State
from slo.domain.windows import Window
from slo.models import BudgetPolicy, FreezeOverride, Slo
from slo.queries import adjustments, figures, plans
from slo.queries.slices import SliceReader

HOUR = timedelta(hours=1)
STANDARD = BudgetPolicy(slug="standard", name="Standard")
_FREEZES = {
    BudgetPolicy.Freeze.NEVER: frozenset[State](),
    BudgetPolicy.Freeze.EXHAUSTED: frozenset({State.EXHAUSTED}),
    BudgetPolicy.Freeze.AT_RISK: frozenset({State.EXHAUSTED, State.AT_RISK}),
}


@dataclass(frozen=True)
class Holder:
    """An objective whose budget holds the releases.

    Args:
        slo: The objective.
        figures: Its newest figures.
        until: When it lets go if no further event is bad; None when that cannot be told.
    """

    slo: Slo
    figures: Figures
    until: datetime | None

    @property
    def sentence(self) -> str:
        """Why, in words."""
        left = self.figures.budget_remaining
        share = "" if left is None else f" ({left * 100:.1f} % left)".replace("-", "−")
        state = "is exhausted" if self.figures.state is State.EXHAUSTED else "is at risk"
        return f"{self.slo.slug}: the error budget of {self.slo.window_name} {state}{share}"


@dataclass(frozen=True)
class Freeze:
    """Whether releases of a service are held.

    Args:
        frozen: Whether.
        because: Why, in words; None when nothing holds them and nobody decided.
        until: When it ends by itself; None when that cannot be told or nothing is held.
        as_of: Watermark of the figures; None before the first.
        override: Somebody's decision that holds now.
        holders: Objectives whose budgets ask for it, whatever was decided.
    """

    frozen: bool
    because: str | None
    until: datetime | None
    as_of: datetime | None
    override: FreezeOverride | None
    holders: list[Holder]


def of(service: Service, *, now: datetime) -> Freeze:
    """Return whether the releases of `service` are held at `now`.

    A service without figures is not held: nothing says that a budget is spent.
    """
    override = active_override(service, now=now)
    found = figures.newest()
    as_of = found.watermark if found else None
    holders = _holders(service) if found else []
    if override is not None:
        verb = "held" if override.frozen else "released"
        who = override.owner.username if override.owner else "somebody who is gone"
        because = f"{verb} by {who}: {override.reason}"
        return Freeze(override.frozen, because, override.expires_at, as_of, override, holders)
    if not holders:
        return Freeze(False, None, None, as_of, None, [])
    because = "; ".join(holder.sentence for holder in holders)
    ends = [holder.until for holder in holders]
    until = None if None in ends else max(end for end in ends if end is not None)
    return Freeze(True, because, until, as_of, None, holders)


def active_override(service: Service, *, now: datetime) -> FreezeOverride | None:
    """Return the newest decision about `service` that holds at `now`."""
    rows = FreezeOverride.objects.filter(service=service, ended_at=None, expires_at__gt=now)
    return rows.select_related("owner").first()


def _holders(service: Service) -> list[Holder]:
    slos = Slo.objects.enabled().filter(sli__service=service).select_related("policy")
    found: dict[int, tuple[Slo, Figures]] = {}
    for slo in figures.attach(list(slos)):
        policy = slo.policy or STANDARD
        holds = _FREEZES[BudgetPolicy.Freeze(policy.freeze_when)]
        if slo.status is not None and slo.status.state in holds:
            found[slo.pk] = (slo, slo.status)
    if not found:
        return []
    known = {plan.pk: plan for plan in plans.load() if plan.pk in found}
    return [
        Holder(slo, status, _until(slo.policy or STANDARD, status, known[pk]))
        for pk, (slo, status) in found.items()
        if pk in known
    ]


def _until(policy: BudgetPolicy, status: Figures, plan: Plan) -> datetime | None:
    if plan.is_composite:
        return None
    if not plan.rule.days:
        return plan.rule.next_period(status.watermark)
    own = status.own
    left = policy.as_domain().recovered_above
    if BudgetPolicy.Freeze(policy.freeze_when) is BudgetPolicy.Freeze.AT_RISK:
        left = policy.as_domain().healthy_from
    bearable = (1 - Fraction(left)) * own.allowed
    window = Window(status.window_start, status.watermark)
    budget = recovers_at(
        _bad_by_hour(plan, window), bearable=bearable, step=HOUR, length=plan.rule.length
    )
    burning = status.share
    if burning is None or burning.urgency is not Urgency.PAGE:
        return budget
    # The burn rate's short window is the first to have no bad event left.
    calm = status.watermark + burning.long / 12
    return calm if budget is None else max(budget, calm)


def _bad_by_hour(plan: Plan, window: Window) -> list[tuple[datetime, Fraction]]:
    parts = []
    start = window.start
    while start < window.end:
        parts.append(Window(start, min(start + HOUR, window.end)))
        start += HOUR
    deltas = adjustments.of({plan.pk: parts}) if plan.is_adjusted else {}
    edges = [window.start, *(part.end for part in parts)]
    reading = Reading(SliceReader().prefixes(edges), deltas)
    return [(part.start, Fraction(reading.counted(plan, part).counts.bad)) for part in parts]
