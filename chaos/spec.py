"""What the ledger keeps of an experiment's order, and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos.domain.catalogue import Experiment
from chaos.domain.steady_state import Tolerance
from chaos.domain.target import parse_target
from chaos.injectors.base import Context

__all__ = ["Aim", "Spans", "context_of", "spec_of", "tolerance_of"]


@dataclass(frozen=True)
class Aim:
    """What experiments are aimed at; what is empty is not named."""

    target_url: str = ""
    cluster: str = ""
    service: str = ""
    db_instance: str = ""
    region: str = ""
    endpoint_url: str = ""
    is_local: bool = False


@dataclass(frozen=True)
class Spans:
    """How long things may take, in seconds.

    Attributes:
        duration_s: How long the fault lasts.
        settle_s: How long the target may take to be steady before, and again after.
        grace_s: How much longer than `duration_s` a fault may be there, whatever happens.
    """

    duration_s: float = 10.0
    settle_s: float = 10.0
    grace_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        for name, (least, most) in LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name}: use {least:g} to {most:g} seconds")

    @property
    def ttl_s(self) -> float:
        """Return after how long a fault ends by itself."""
        return self.duration_s + self.grace_s

    @property
    def longest_s(self) -> float:
        """Return after how long a run is over, whatever happens."""
        return self.ttl_s + 3 * self.settle_s + STARTING_S


LIMITS = {"duration_s": (0.1, 3600), "settle_s": (0.5, 1800), "grace_s": (0.5, 300)}
# What an interpreter takes to start on a busy machine.
STARTING_S = 15.0


@dataclass(frozen=True)
class Order:
    """One experiment, everything decided."""

    experiment: Experiment
    parameters: Mapping[str, float]
    aim: Aim
    spans: Spans
    tolerance: Tolerance = field(default_factory=Tolerance)


def spec_of(order: Order) -> dict[str, Any]:
    """Return an order as JSON values."""
    experiment = order.experiment
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "group": experiment.group,
        "parameters": dict(order.parameters),
        "tolerance": asdict(order.tolerance),
        **asdict(order.aim),
        **asdict(order.spans),
    }


def context_of(spec: Mapping[str, Any], folder: Path) -> Context:
    """Return what an injector is told."""
    return Context(
        folder=folder,
        target=parse_target(spec["target_url"]) if spec["target_url"] else None,
        cluster=spec["cluster"],
        service=spec["service"],
        db_instance=spec["db_instance"],
        region=spec["region"],
        endpoint_url=spec["endpoint_url"],
        is_local=spec["is_local"],
        parameters=spec["parameters"],
        duration_s=spec["duration_s"],
        settle_s=spec["settle_s"],
    )


def tolerance_of(spec: Mapping[str, Any]) -> Tolerance:
    """Return what is still steady."""
    return Tolerance(**spec["tolerance"])
