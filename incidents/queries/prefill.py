"""What a postmortem begins with: what is stored of its incident, as Markdown. Nothing is guessed."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.db.models import Q

from core.markdown_text import escaped
from core.templatetags.portal import duration, number, percent
from incidents.models import Alert, Incident, Page, TimelineEntry
from incidents.queries.budget_costs import BudgetCost, costs_of
from incidents.queries.told import alerts_for_all, timeline_for_all

__all__ = ["prefilled"]

NO_DATA = "No data."
# Room is left for what people write in between.
_LONGEST = 40_000
_MOST_ALERTS = 20
# What has sections of its own, or says nothing of the incident.
_KINDS = TimelineEntry.Kind
_LEFT_OUT = (_KINDS.PAGE, _KINDS.TIMER)
_OF_LATER = Q(act__startswith="action_item_") | Q(act__startswith="postmortem_")


def prefilled(incident: Incident) -> dict[str, str]:
    """Return what is known of the sections of an incident's postmortem, by their names.

    Of private services but the incident's own it tells only that there is something: whoever may
    know of the incident reads it.
    """
    return {
        "summary": _paragraphs(incident.summary),
        "impact": _impact(incident),
        "detection": _detection(incident),
        "timeline": _timeline(incident),
        "budget_cost": _budget_cost(costs_of(incident)),
        "page_log": _page_log(incident),
    }


def _paragraphs(text: str) -> str:
    lines = filter(None, map(escaped, text.splitlines()))
    return "\n\n".join(lines)[:_LONGEST]


def _impact(incident: Incident) -> str:
    lines = [
        f"Opened: {_at(incident.opened_at)}",
        f"Users no longer noticed it: {_at(incident.mitigated_at)}",
        f"Resolved: {_at(incident.resolved_at)}",
        f"Duration: {_since_opening(incident, incident.resolved_at)}",
        f"Service: {escaped(incident.service.name) if incident.service else 'none'}",
    ]
    others = alerts_for_all(incident).exclude(service=incident.service_id)
    names = others.filter(service__isnull=False).order_by("service__name")
    if also := list(names.values_list("service__name", flat=True).distinct()[:_MOST_ALERTS]):
        lines.append(f"Alerts also of: {', '.join(map(escaped, also))}")
    return _listed(lines)


def _detection(incident: Incident) -> str:
    alerts = alerts_for_all(incident).order_by("opened_at", "pk")
    first = alerts.first()
    if first is not None:
        by = first.integration.name if first.integration else first.source
        noticed = f"By an alert of {escaped(by)}, {_at(first.opened_at)}: {escaped(first.title)}"
    elif Alert.objects.filter(incident=incident).exists():
        noticed = "By an alert of a private service."
    else:
        opened = incident.timeline.filter(kind=_KINDS.OPENED).first()
        noticed = f"Declared by {escaped(opened.actor)}." if opened else NO_DATA
    lines = [
        f"Noticed: {noticed}",
        f"Alerts: {number(alerts.count())}",
        f"Time to answer: {_since_opening(incident, incident.responded_at)}",
    ]
    return _listed(lines)


def _timeline(incident: Incident) -> str:
    entries = timeline_for_all(incident).exclude(kind__in=_LEFT_OUT).exclude(_OF_LATER)
    entries = entries.order_by("at", "pk")
    return _cut(map(_entry, entries.iterator(chunk_size=500)))


def _entry(entry: TimelineEntry) -> str:
    told: str = entry.told  # type: ignore[attr-defined]
    said = f": {escaped(told)}" if told else ""
    return f"{_at(entry.at)} · {escaped(entry.get_act_display())}{said} ({escaped(entry.actor)})"


def _page_log(incident: Incident) -> str:
    pages = incident.pages.select_related("person").order_by("created_at", "pk")
    return _cut(map(_call, pages.iterator(chunk_size=500))) or "Nobody was called."


def _call(page: Page) -> str:
    whom = page.person.username if page.person else page.target.removeprefix("user:")
    level = f"L{page.level}" if page.level else page.reason
    outcome = str(page.get_state_display()).lower()
    attempts = f", {page.attempts} attempts" if page.attempts > 1 else ""
    problem = f": {escaped(page.problem)}" if page.problem else ""
    when = page.sent_at or page.due_at
    return (
        f"{_at(when)} · {escaped(whom)} by {escaped(page.channel)} ({escaped(level)}):"
        f" {outcome}{attempts}{problem}"
    )


def _budget_cost(costs: Iterable[BudgetCost]) -> str:
    return _listed(map(_cost, costs)) or NO_DATA


def _cost(cost: BudgetCost) -> str:
    name = escaped(cost.name)
    if cost.bad is None:
        return f"{name}: no data"
    took = f"{name}: {cost.bad:,.10g} bad {cost.unit}"
    share = "it has no budget" if cost.share is None else f"{percent(cost.share)} of its budget"
    return f"{took}, {share} from {_at(cost.start)} to {_at(cost.end)}"


def _at(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "no data"


def _since_opening(incident: Incident, at: datetime | None) -> str:
    return duration(None if at is None else at - incident.opened_at)


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _cut(lines: Iterator[str]) -> str:
    """Return a list as long as a section may be; says how much is left out."""
    kept: list[str] = []
    size = left_out = 0
    for line in lines:
        size += len(line) + 3
        if size <= _LONGEST:
            kept.append(line)
        else:
            left_out += 1
    if left_out:
        kept.append(f"And {number(left_out)} more: the incident's page has all of them.")
    return _listed(kept)
