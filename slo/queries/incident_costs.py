"""What an incident took of the error budgets of its service, for its postmortem."""

from datetime import datetime, timedelta

from incidents.models import Incident
from incidents.queries.budget_costs import BudgetCost
from slo.domain.judging import Reading
from slo.domain.plans import OWN, Method, Plan
from slo.domain.windows import Window
from slo.models import Slo
from slo.queries import SliceReader, figures, ledgers, plans

__all__ = ["costs_of"]

_MOST = 50


def costs_of(incident: Incident) -> list[BudgetCost]:
    """Return what an incident took of each budget of its service, by the present ledgers.

    Composites spend what their members do, and are left out.
    """
    if incident.service_id is None:
        return []
    rows = Slo.objects.enabled().filter(sli__service=incident.service_id).select_related("sli")
    found = [(slo, plans.of(slo)) for slo in rows.order_by("name", "pk")[:_MOST]]
    own = [(slo, plan) for slo, plan in found if not plan.is_composite]
    figures.attach([slo for slo, _ in own])
    return [_cost(incident, slo, plan) for slo, plan in own]


def _cost(incident: Incident, slo: Slo, plan: Plan) -> BudgetCost:
    unit = "events" if plan.method is Method.OCCURRENCES else "minutes"
    if slo.status is None:
        return BudgetCost(slo.name, None, unit, None, None, None)
    watermark = slo.status.round.watermark
    window = plan.rule.windows(watermark)[OWN]
    bad, share = _took(incident, slo, plan, watermark, window)
    return BudgetCost(slo.name, bad, unit, share, window.start, window.end)


def _took(
    incident: Incident, slo: Slo, plan: Plan, watermark: datetime, window: Window
) -> tuple[float | None, float | None]:
    """Return bad events and their share of the budget; both are None where nothing was measured."""
    span = _span(incident, window)
    if span is None or not _is_measured(plan, span):
        return None, None
    spent = ledgers.of(slo, watermark, plan)
    key = f"incident:{incident.pk}"
    row = next((row for row in spent.rows if row.entry.key == key), None)
    if row is None:
        return 0.0, 0.0 if spent.judgement.allowed else None
    share = row.entry.share
    return row.bad, None if share is None else float(share)


def _span(incident: Incident, window: Window) -> Window | None:
    """Return when the incident took something, in whole minutes; None where the window has not all of it."""
    ended: datetime = incident.mitigated_at or incident.resolved_at or window.end
    start = incident.opened_at.replace(second=0, microsecond=0)
    # A minute that has begun counts, as the ledger has it.
    last = ended.replace(second=0, microsecond=0)
    end = min(last if last == ended else last + timedelta(minutes=1), window.end)
    return Window(start, end) if window.start <= start < end else None


def _is_measured(plan: Plan, span: Window) -> bool:
    """Return whether anything was measured while the incident lasted: silence is no data."""
    reading = Reading(SliceReader().prefixes([span.start, span.end]), {})
    return reading.counted(plan, span).counts.total > 0
