"""Filters and tags that every template has without `{% load %}`."""

from datetime import datetime
from functools import lru_cache

from django import template
from lucide.templatetags.lucide import lucide

register = template.Library()


@register.filter
def percent(fraction: float | None, digits: int = 2) -> str:
    """Show a fraction as percent, or "no data" for None: 0.9994 → 99.94 %."""
    return "no data" if fraction is None else f"{float(fraction) * 100:.{digits}f} %"


@register.filter
def iso(at: datetime | None) -> str:
    """Show an instant as ISO 8601, or an empty string."""
    return at.isoformat().replace("+00:00", "Z") if at else ""


@register.simple_tag
def icon(name: str, size: int = 18) -> str:
    """Draw a Lucide icon inline, as decoration: the text beside it carries the meaning."""
    return _icon(str(name), int(size))


@lru_cache(maxsize=256)
def _icon(name: str, size: int) -> str:
    attributes = {"class": "icon", "aria_hidden": "true", "focusable": "false"}
    drawn: str = lucide(name, size=size, **attributes)
    return drawn
