"""Filters and tags that every template has without `{% load %}`."""

from datetime import datetime

from django import template

register = template.Library()


@register.filter
def percent(fraction: float | None, digits: int = 2) -> str:
    """Show a fraction as percent, or "no data" for None: 0.9994 → 99.94 %."""
    return "no data" if fraction is None else f"{float(fraction) * 100:.{digits}f} %"


@register.filter
def iso(at: datetime | None) -> str:
    """Show an instant as ISO 8601, or an empty string."""
    return at.isoformat().replace("+00:00", "Z") if at else ""
