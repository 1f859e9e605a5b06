"""How SLO figures are written."""

from decimal import Decimal
from typing import Literal

from django import template

from slo.domain.figures import Figures
from slo.domain.state import State
from slo.services.alerting import in_words

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


@register.simple_tag
def lasts(status: Figures | None) -> str:
    """Say how long a budget lasts at the pace of the last hour."""
    if status is None or status.state == State.NO_DATA:
        return "no data"
    if status.state == State.EXHAUSTED:
        return "spent"
    if status.lasts is not None:
        return in_words(status.lasts)
    return "for ever" if status.never_exhausts else "no data"


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
