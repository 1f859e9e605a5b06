"""From burn rates and budgets to alerts, through the one intake."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Q
from django.urls import reverse

from incidents.models import Alert, Severity
from incidents.services import intake
from incidents.services.intake import AlertSignal
from slo.domain.burn_alerts import Share, Urgency, tiers_for
from slo.domain.figures import STATES, Figures, Round
from slo.domain.judging import NAMES
from slo.domain.plans import Method
from slo.domain.state import State
from slo.models import BudgetPolicy, Slo

SOURCE = "slo"
# One alert pages and ends with its tiers; what burns on slowly is another, for days perhaps, and
# must not keep the next outage from calling.
BURN, SLOW_BURN, BUDGET, AT_RISK = "burn", "slow-burn", "budget", "at-risk"
# Users notice one outage, however many objectives and rules see it: one incident of a service.
SYMPTOMS = "symptoms"
_GROUPS = {BURN: SYMPTOMS, SLOW_BURN: SLOW_BURN, BUDGET: BUDGET, AT_RISK: BUDGET}
STANDARD = BudgetPolicy()
# A firing alert says its newest figures so often; in between it only speaks when they matter.
REPEAT = timedelta(minutes=5)


def announce(found: Round, *, now: datetime) -> None:
    """Open, refresh or resolve burn alerts and exhausted-budget alerts: those that need it.

    Alerts of SLOs that were switched off or deleted end.
    """
    firing = {alert.dedup_key: alert for alert in Alert.objects.firing().filter(source=SOURCE)}
    spent = [STATES.index(State.EXHAUSTED), STATES.index(State.AT_RISK)]
    speaking = (found.tiers > 0) | np.isin(found.states, spent)
    if not firing and not speaking.any():
        return
    slugs = {key.rpartition(":")[0] for key in firing}
    judged = Slo.objects.enabled()
    concerned = judged.filter(Q(pk__in=found.ids[speaking].tolist()) | Q(slug__in=slugs))
    kept = set(concerned.values_list("slug", flat=True)) if firing else set()
    signals = [
        AlertSignal(SOURCE, key, firing=False)
        for key in firing
        if key.rpartition(":")[0] not in kept
    ]
    policies = BudgetPolicy.objects.in_bulk()
    raised: dict[int, list[str]] = {}
    for pk, slug, policy in concerned.order_by("pk").values_list("pk", "slug", "policy_id"):
        figures = found.get(pk)
        if figures is None:
            continue
        open_ = {kind: firing.get(f"{slug}:{kind}") for kind in _GROUPS}
        policy_ = policies.get(policy, STANDARD)
        for kind, holds in _news(figures, policy_, open_, now=now):
            if holds:
                raised.setdefault(pk, []).append(kind)
            else:
                signals.append(AlertSignal(SOURCE, f"{slug}:{kind}", firing=False))
    said = list(_said(raised, found))
    repeated = _told_already([signal for _, signal in said if signal.dedup_key not in firing])
    signals += [
        signal
        for figures, signal in said
        if repeated.get(signal.dedup_key, figures.state_since) <= figures.state_since
    ]
    intake.receive_all(signals, now=now)


def _said(
    raised: Mapping[int, Sequence[str]], found: Round
) -> Iterator[tuple[Figures, AlertSignal]]:
    slos = Slo.objects.filter(pk__in=raised).order_by("pk").select_related("sli__service")
    for slo in slos.prefetch_related("versions"):
        figures = found.get(slo.pk)
        assert figures is not None
        for kind in raised[slo.pk]:
            signal = _budget_signal if kind in _BUDGET_ALERTS else _burn_signal
            yield figures, signal(kind, slo, figures)


def _news(
    figures: Figures, policy: BudgetPolicy, open_: Mapping[str, Alert | None], *, now: datetime
) -> Iterator[tuple[str, bool]]:
    """Yield the kinds of alerts that there is something to say of, and whether each holds.

    Lack of data ends nothing.
    """
    yield from _burn_news(figures, open_, now=now)
    if figures.state is not State.NO_DATA:
        yield from _budget_news(figures.state, policy, open_, now=now)


def _burn_news(
    figures: Figures, open_: Mapping[str, Alert | None], *, now: datetime
) -> Iterator[tuple[str, bool]]:
    share, holding = figures.share, None
    if share is not None:
        holding = SLOW_BURN if share.urgency is Urgency.TICKET else BURN
        burning = open_[holding]
        is_same = burning is not None and burning.facts.get("window") == NAMES[share.long]
        if not is_same or _is_due(burning, now=now):
            yield holding, True
    if figures.is_frozen:
        return
    if open_[BURN] is not None and holding != BURN:
        yield BURN, False
    # The fast tiers inhibit the slow ones: those neither speak nor end meanwhile.
    if open_[SLOW_BURN] is not None and holding is None:
        yield SLOW_BURN, False


def _told_already(signals: Iterable[AlertSignal]) -> dict[str, datetime]:
    """Return when the newest alert on a budget was opened, of those that are about to be again.

    An exhausted budget stays so for weeks: it is said once, not again because it was resolved.
    """
    on_budgets = [signal for signal in signals if signal.group_key == BUDGET]
    if not on_budgets:
        return {}
    earlier = Alert.objects.filter(
        service__in={signal.service for signal in on_budgets},
        source=SOURCE,
        dedup_key__in={signal.dedup_key for signal in on_budgets},
    )
    return dict(earlier.order_by("opened_at").values_list("dedup_key", "opened_at"))


def _budget_news(
    state: State, policy: BudgetPolicy, open_: Mapping[str, Alert | None], *, now: datetime
) -> Iterator[tuple[str, bool]]:
    asked = {BUDGET: policy.pages_when_exhausted, AT_RISK: policy.tickets_when_at_risk}
    for kind, (raised_in, _, _) in _BUDGET_ALERTS.items():
        if state is raised_in and asked[kind]:
            if _is_due(open_[kind], now=now):
                yield kind, True
        elif open_[kind] is not None:
            yield kind, False


def _burn_signal(kind: str, slo: Slo, figures: Figures) -> AlertSignal:
    share = figures.share
    assert share is not None
    name = NAMES[share.long]
    rate = figures.burn_rate(name) or 0.0
    threshold = threshold_of(slo, share)
    judged = figures.windows[name]
    return AlertSignal(
        source=SOURCE,
        dedup_key=f"{slo.slug}:{kind}",
        firing=True,
        severity=severity(slo, share),
        title=f"{slo.name}: burns its error budget {rate:.1f} × too fast ({name})",
        service=slo.sli.service,
        detail=(
            f"Over the last {name} the budget was spent {rate:.1f} times faster than allowed; the"
            f" alert begins at {threshold:.3g}. {budget_left(slo, figures)}"
        ),
        url=reverse("slo:slo", args=[slo.slug]),
        group_key=_GROUPS[kind],
        facts={
            "window": name,
            "burn_rate": rate,
            "threshold": threshold,
            "watermark": figures.watermark.isoformat(),
            "good": judged.good // judged.unit,
            "total": judged.total // judged.unit,
        },
    )


def _budget_signal(kind: str, slo: Slo, figures: Figures) -> AlertSignal:
    _, severity_, words = _BUDGET_ALERTS[kind]
    return AlertSignal(
        source=SOURCE,
        dedup_key=f"{slo.slug}:{kind}",
        firing=True,
        severity=severity_,
        title=f"{slo.name}: the error budget is {words}",
        service=slo.sli.service,
        detail=budget_left(slo, figures),
        url=reverse("slo:slo", args=[slo.slug]),
        group_key=_GROUPS[kind],
        facts={
            "good": figures.good,
            "total": figures.total,
            "watermark": figures.watermark.isoformat(),
        },
    )


# What each alert on a budget is raised for.
_BUDGET_ALERTS = {
    BUDGET: (State.EXHAUSTED, Severity.P1, "exhausted"),
    AT_RISK: (State.AT_RISK, Severity.P3, "at risk"),
}


def _is_due(alert: Alert | None, *, now: datetime) -> bool:
    return alert is None or now - alert.last_seen_at >= REPEAT


def threshold_of(slo: Slo, share: Share) -> float:
    """Return the burn rate from which the tier of `share` holds."""
    tiers = tiers_for(slo.objective, slo.period)
    return float(next(tier.threshold for tier in tiers if tier.share == share))


def budget_left(slo: Slo, figures: Figures) -> str:
    """Say what is left of the budget, in words."""
    if figures.budget_remaining is None:
        return "There is no data to tell how much of the budget is left."
    left = f"{figures.budget_remaining * 100:.1f}".replace("-", "−")
    return (
        f"{left} % of the budget of {slo.window_name} is left: {figures.bad:,} bad of"
        f" {figures.allowed:,.1f} allowed {unit_of(figures)}.{_how_long(figures)}"
    )


def _how_long(figures: Figures) -> str:
    """Say how long the budget lasts; nothing where it is spent, or nobody can tell."""
    if figures.state is State.EXHAUSTED:
        return ""
    if figures.lasts is not None:
        return f" At the pace of the last hour it lasts {in_words(figures.lasts)}."
    return " At the pace of the last hour it lasts." if figures.never_exhausts else ""


def in_words(length: timedelta) -> str:
    """Return a length of time by its two greatest units: 2 d 3 h, 4 h 10 min, 7 min."""
    minutes = int(length / timedelta(minutes=1))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def unit_of(figures: Figures) -> str:
    """Say what the method counts."""
    return "events" if figures.method is Method.OCCURRENCES else "minutes"


def severity(slo: Slo, share: Share) -> Severity:
    """Return how bad a tier is: paging tiers P1 (the fastest P0 on tier 0 and 1), tickets P2, P3."""
    if share.urgency is Urgency.TICKET:
        return Severity.P2 if share.long <= timedelta(days=1) else Severity.P3
    fastest = share.long <= timedelta(hours=1)
    return Severity.P0 if fastest and slo.sli.service.tier <= 1 else Severity.P1
