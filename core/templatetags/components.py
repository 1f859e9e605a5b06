"""The portal's components, as tags that every template has without `{% load %}`.

Each draws the template of its name in `templates/components/`. `docs/ui.md` shows them all.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.core.paginator import Page
from django.forms import BoundField, CheckboxInput, Form

from core import charts

register = template.Library()

_OK, _WARN, _BAD, _INFO, _NONE = "ok", "warn", "bad", "info", "none"
STATES: dict[str, tuple[str, str]] = {
    "healthy": (_OK, "Healthy"),
    "ok": (_OK, "OK"),
    "up": (_OK, "Up"),
    "passed": (_OK, "Passed"),
    "resolved": (_OK, "Resolved"),
    "active": (_OK, "Active"),
    "succeeded": (_OK, "Succeeded"),
    "closed": (_OK, "Closed"),
    "done": (_OK, "Done"),
    "published": (_OK, "Published"),
    "degraded": (_WARN, "Degraded"),
    "at_risk": (_WARN, "At risk"),
    "warning": (_WARN, "Warning"),
    "acknowledged": (_WARN, "Acknowledged"),
    "due": (_WARN, "Due"),
    "half_open": (_WARN, "Half open"),
    "aborted": (_WARN, "Aborted"),
    "critical": (_BAD, "Critical"),
    "exhausted": (_BAD, "Exhausted"),
    "breached": (_BAD, "Breached"),
    "overdue": (_BAD, "Overdue"),
    "firing": (_BAD, "Firing"),
    "fine": (_OK, "Fine"),
    "down": (_BAD, "Down"),
    "failed": (_BAD, "Failed"),
    "open": (_BAD, "Open"),
    "triggered": (_BAD, "Triggered"),
    "mitigated": (_INFO, "Mitigated"),
    "in_review": (_INFO, "In review"),
    "dropped": (_NONE, "Dropped"),
    "merged": (_NONE, "Merged"),
    "on_track": (_OK, "On track"),
    "met": (_OK, "In time"),
    "sent": (_OK, "Sent"),
    "sending": (_INFO, "Being sent"),
    "waiting": (_INFO, "Waiting"),
    "uncertain": (_WARN, "Uncertain"),
    "cancelled": (_NONE, "Cancelled"),
    "running": (_INFO, "Running"),
    "investigating": (_WARN, "Investigating"),
    "identified": (_WARN, "Identified"),
    "monitoring": (_INFO, "Monitoring"),
    "public": (_INFO, "Public"),
    "internal": (_NONE, "Internal"),
    "pending": (_INFO, "Pending"),
    "draft": (_NONE, "Draft"),
    "no_data": (_NONE, "No data"),
    "unknown": (_NONE, "Unknown"),
    "snoozed": (_NONE, "Snoozed"),
    "stale": (_NONE, "Stale"),
    "disabled": (_NONE, "Off"),
    "revoked": (_NONE, "Revoked"),
    "expired": (_NONE, "Expired"),
    "called": (_OK, "Called"),
    "not_called": (_WARN, "Not called"),
    "put_off": (_INFO, "Put off"),
    "decided": (_INFO, "Decided"),
    "no_effect": (_NONE, "No effect"),
    "not_recorded": (_NONE, "Not recorded"),
    "next": (_INFO, "Next"),
}
_SEVERITIES = {
    "P0": ("bad-solid", "octagon-alert"),
    "P1": ("bad", "triangle-alert"),
    "P2": ("warn", "circle-alert"),
    "P3": ("none", "info"),
}


@register.inclusion_tag("components/pill.html")
def pill(state: str | None, label: str = "", tone: str = "") -> dict[str, Any]:
    """Show a state as colour, shape and text.

    Args:
        state: One of `STATES` (`healthy`, `at_risk`, `exhausted`, `no_data`, …); None is no data.
            Anything else is shown as it is, without a verdict.
        label: Other words than the state's own.
        tone: `ok`, `warn`, `bad`, `info` or `none`, where the state's own does not fit.
    """
    key = str(state or "no_data").lower().replace("-", "_").replace(" ", "_")
    known_tone, known_label = STATES.get(key, (_NONE, key.replace("_", " ").capitalize()))
    return {"tone": tone or known_tone, "label": label or known_label}


@register.inclusion_tag("components/severity.html")
def severity(level: str) -> dict[str, Any]:
    """Show a severity P0 … P3: solid red, red, amber, grey, each with its own shape."""
    tone, name = _SEVERITIES.get(str(level).upper(), ("none", "info"))
    return {"tone": tone, "icon_name": name, "level": str(level).upper()}


@register.inclusion_tag("components/stat.html")
def stat(
    label: str,
    value: str,
    *,
    unit: str = "",
    icon: str = "",
    delta: str = "",
    delta_tone: str = "",
    note: str = "",
    values: Sequence[float | None] = (),
    href: str = "",
) -> dict[str, Any]:
    """Show one figure in a card.

    Args:
        label: What it is, with its window: `Availability (30 d)`.
        value: The figure, written out; "no data" is shown muted.
        unit: Set smaller after the figure.
        icon: Lucide icon before the label.
        delta: Change against before, signed.
        delta_tone: `ok`, `warn` or `bad`.
        note: Words after the change, or on their own.
        values: Recent values for a sparkline.
        href: Makes the card a link.
    """
    return {
        "label": label,
        "value": value,
        "unit": unit,
        "icon_name": icon,
        "delta": delta,
        "delta_tone": delta_tone,
        "note": note,
        "spark": charts.sparkline(values) if values else None,
        "href": href,
        "missing": value in {"", "no data", None},
    }


@register.inclusion_tag("components/chart.html")
def chart(chart: charts.Chart, hide_title: bool = False) -> dict[str, Any]:
    """Draw a chart of `core.charts`: figure, legend, SVG, table and data for the script."""
    return {"chart": chart, "hide_title": hide_title}


@register.inclusion_tag("components/heat_map.html")
def heat_map(counts: charts.HeatMap) -> dict[str, Any]:
    """Draw a heat map of `core.charts`: figure, SVG and table."""
    return {"map": counts}


@register.inclusion_tag("components/spark.html")
def sparkline(
    values: Sequence[float | None], label: str, width: int = 110, height: int = 28
) -> dict[str, Any]:
    """Draw a sparkline; `label` is what it shows, for those who cannot see it."""
    return {"spark": charts.sparkline(values, width, height), "label": label}


@register.inclusion_tag("components/strip.html")
def strip(bars: Sequence[charts.Bar], label: str, ends: bool = True) -> dict[str, Any]:
    """Draw one column for each bar, oldest first: the last 90 days of a service."""
    return {
        "strip": charts.strip(bars),
        "label": label,
        "first": bars[0].label if bars and ends else "",
        "last": bars[-1].label if bars and ends else "",
    }


@register.inclusion_tag("components/budget_bar.html")
def budget_bar(used: float | str | None, label: str = "Error budget used") -> dict[str, Any]:
    """Show how much of a budget is used: `used` is a fraction, above 1 when overspent.

    An attribute that is missing reaches a tag as "", and is no data.
    """
    return {"meter": charts.meter(None if isinstance(used, str) else used), "label": label}


@register.inclusion_tag("components/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """Draw a form field: label, widget, hint, errors, tied together for screen readers."""
    described = [f"{bound.auto_id}_hint"] if bound.help_text else []
    if bound.errors:
        described.append(f"{bound.auto_id}_errors")
    attributes: dict[str, str | bool] = {}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {
        "field": bound,
        "widget": bound.as_widget(attrs=attributes),
        "is_check": isinstance(bound.field.widget, CheckboxInput),
    }


@register.inclusion_tag("components/form.html")
def form_fields(form: Form) -> dict[str, Any]:
    """Draw all fields of a form; put it inside `<form class="form">` with its button."""
    return {"form": form}


@register.inclusion_tag("components/pagination.html", takes_context=True)
def pagination(context: template.Context, page: Page[Any]) -> dict[str, Any]:
    """Show where a `Page` stands and links to those beside it; other parameters stay."""
    return {"page": page, "request": context.get("request")}


@register.inclusion_tag("components/segmented.html", takes_context=True)
def segmented(
    context: template.Context,
    name: str,
    options: Iterable[tuple[str, str]],
    current: str,
    label: str,
) -> dict[str, Any]:
    """Show a choice as links that set one query parameter and keep the others.

    Args:
        context: The page's context, for its address.
        name: The query parameter.
        options: (value, label) pairs.
        current: The value in force.
        label: What is chosen, for screen readers.
    """
    request = context.get("request")
    links = []
    for value, text in options:
        query = request.GET.copy() if request else None
        if query is not None:
            query.pop("page", None)
            query[name] = value
        links.append(
            {
                "href": f"?{query.urlencode()}" if query is not None else f"?{name}={value}",
                "label": text,
                "current": str(value) == str(current),
            }
        )
    return {"links": links, "label": label}
