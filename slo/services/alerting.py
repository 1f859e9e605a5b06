"""From burn rates and budgets to alerts, through the one intake."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.urls import reverse

from incidents.models import Severity
from incidents.services import intake
from incidents.services.intake import AlertSignal
from slo.domain import burn_alerts
from slo.domain.burn_alerts import Tier, Urgency
from slo.domain.counts import Counts, Judged
from slo.domain.state import MINIMUM_COVERAGE, State, coverage
from slo.domain.windows import BURN_WINDOWS
from slo.models import Slo

if TYPE_CHECKING:
    from slo.services.evaluation import Figures

SOURCE = "slo"
NAMES = {length: name for name, length in BURN_WINDOWS.items()}


def decide(
    slo: Slo,
    burn: dict[str, list[Judged]],
    counts: dict[str, Counts],
    expected: dict[str, int],
) -> tuple[Tier | None, bool]:
    """Return the fastest tier that holds, and whether the decision is frozen for lack of data.

    A fast tier inhibits the slower ones: one SLO has one burn alert. Frozen means that neither
    firing nor resolving is justified: some window is not covered, or had no events.
    """
    frozen = False
    for tier in burn_alerts.tiers_for(slo.objective, slo.period):
        long, short = NAMES[tier.share.long], NAMES[tier.short]
        if not (_known(counts[long], expected[long]) and _known(counts[short], expected[short])):
            frozen = True
            continue
        if burn_alerts.holds(
            tier, long=burn[long], short=burn[short], minimum_events=slo.minimum_events
        ):
            return tier, False
    return None, frozen


def _known(counts: Counts, expected: int) -> bool:
    covered = coverage(measured=counts.measured, expected=expected)
    return counts.total > 0 and covered is not None and covered >= MINIMUM_COVERAGE


def announce(figures: "Figures", *, now: datetime) -> None:
    """Open, refresh or resolve the SLO's burn alert and its exhausted-budget alert."""
    _announce_burn(figures, now=now)
    _announce_budget(figures, now=now)


def _announce_burn(figures: "Figures", *, now: datetime) -> None:
    slo, tier = figures.slo, figures.governing
    if tier is None and figures.frozen:
        return
    if tier is None:
        intake.receive(AlertSignal(SOURCE, f"{slo.slug}:burn", firing=False), now=now)
        return
    name = NAMES[tier.share.long]
    rate = float(figures.burn[name] or 0)
    signal = AlertSignal(
        source=SOURCE,
        dedup_key=f"{slo.slug}:burn",
        firing=True,
        severity=severity(slo, tier),
        title=f"{slo.name}: burns its error budget {rate:.1f} × too fast ({name})",
        service=slo.sli.service,
        detail=(
            f"Over the last {name} the budget was spent {rate:.1f} times faster than allowed; the"
            f" alert begins at {float(tier.threshold):.3g}. {budget_left(figures)}"
        ),
        url=reverse("slo:slo", args=[slo.slug]),
        facts={
            "window": name,
            "burn_rate": rate,
            "threshold": float(tier.threshold),
            "watermark": figures.watermark.isoformat(),
            "good": figures.burn_counts[name].good,
            "total": figures.burn_counts[name].total,
        },
    )
    intake.receive(signal, now=now)


def _announce_budget(figures: "Figures", *, now: datetime) -> None:
    slo = figures.slo
    if figures.state is State.NO_DATA:
        return
    key = f"{slo.slug}:budget"
    if figures.state is not State.EXHAUSTED:
        intake.receive(AlertSignal(SOURCE, key, firing=False), now=now)
        return
    signal = AlertSignal(
        source=SOURCE,
        dedup_key=key,
        firing=True,
        severity=Severity.P1,
        title=f"{slo.name}: the error budget is exhausted",
        service=slo.sli.service,
        detail=budget_left(figures),
        url=reverse("slo:slo", args=[slo.slug]),
        facts={
            "good": figures.counts.good,
            "total": figures.counts.total,
            "watermark": figures.watermark.isoformat(),
        },
    )
    intake.receive(signal, now=now)


def budget_left(figures: "Figures") -> str:
    """Say what is left of the budget, in words."""
    if figures.remaining is None:
        return "There is no data to tell how much of the budget is left."
    bad, allowed = figures.counts.bad, float(figures.allowed)
    left = f"{float(figures.remaining) * 100:.1f}".replace("-", "−")
    return (
        f"{left} % of the budget of {figures.slo.window_name} is left: {bad:,} bad of"
        f" {allowed:,.1f} allowed events."
    )


def severity(slo: Slo, tier: Tier) -> Severity:
    """Return how bad a tier is: paging tiers P1 (the fastest P0 on tier 0 and 1), tickets P2, P3."""
    if tier.share.urgency is Urgency.TICKET:
        return Severity.P2 if tier.share.long <= timedelta(days=1) else Severity.P3
    fastest = tier.share.long <= timedelta(hours=1)
    return Severity.P0 if fastest and slo.sli.service.tier <= 1 else Severity.P1
