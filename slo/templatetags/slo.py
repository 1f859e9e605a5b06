"""How SLO figures are written."""

from decimal import Decimal
from typing import Literal

from django import template

register = template.Library()


@register.filter
def target(objective: Decimal) -> str:
    """Show an objective in percent with the digits it has: 0.99950000 → 99.95 %."""
    return f"{(objective * 100).normalize():f} %"


@register.filter
def rate(value: float | Literal[""] | None) -> str:
    """Show a burn rate with three significant digits: 14.4 ×; None, or what a template lacks, is no data."""
    if value is None or value == "":
        return "no data"
    shown = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{shown} ×"


@register.filter
def words(name: str) -> str:
    """Show an identifier as words: circuit_breakers → Circuit breakers, slos → SLOs."""
    return {"slos": "SLOs"}.get(name, name.replace("_", " ").capitalize())


@register.filter
def act_words(act: str) -> str:
    """Show an audited act as words: slo.objective_changed → SLO objective changed."""
    known = {"slo": "SLO", "sli": "SLI", "api_token": "API token", "mfa": "Second factor"}
    thing, _, what = act.partition(".")
    return f"{known.get(thing, words(thing))} {what.replace('_', ' ')}".strip()
