"""What an incident took of error budgets, asked of whoever keeps them: this app does not know them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidents.models import Incident

__all__ = ["BudgetCost", "costs_of", "provide"]


@dataclass(frozen=True)
class BudgetCost:
    """What an incident took of one budget.

    Args:
        name: Of the objective.
        bad: Bad events or minutes while the incident was responsible; None is no data.
        unit: `events` or `minutes`.
        share: Of the whole budget (fraction); None without one, or without data.
        start: Since when the budget's window counts; None is no data.
        end: Up to when it was counted.
    """

    name: str
    bad: float | None
    unit: str
    share: float | None
    start: datetime | None
    end: datetime | None


Provider = Callable[[Incident], Sequence[BudgetCost]]
_providers: list[Provider] = []


def provide(provider: Provider) -> None:
    """Have budgets asked what an incident took; an app above calls it when it is ready."""
    if provider not in _providers:
        _providers.append(provider)


def costs_of(incident: Incident) -> list[BudgetCost]:
    """Return what an incident took of each budget of its service; empty where there is none."""
    return [cost for provider in _providers for cost in provider(incident)]
