"""The experiments: the operations guide's four groups, the least harmful first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CATALOGUE", "Experiment", "Range", "check_parameters", "experiment_called"]


@dataclass(frozen=True)
class Range:
    """A parameter: its default and what is allowed."""

    default: float
    least: float
    most: float


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        name: As `run_experiment` takes it.
        group: network, infrastructure, application or data.
        impact: 1 is the least; `run_all_experiments` goes by it.
        title: What is believed to hold.
        parameters: What may be set, by name.
    """

    name: str
    group: str
    impact: int
    title: str
    parameters: Mapping[str, Range]


CATALOGUE: tuple[Experiment, ...] = (
    Experiment(
        "network_latency",
        "network",
        1,
        "The target is steady for callers whose answers come late.",
        {"latency_ms": Range(200, 1, 10_000), "jitter_ms": Range(0, 0, 5_000)},
    ),
    Experiment(
        "connection_reset",
        "network",
        2,
        "The target is steady for callers who try again after a reset.",
        {"share": Range(0.25, 0.01, 1)},
    ),
    Experiment(
        "cpu_exhaustion",
        "application",
        3,
        "The target is steady while the machine's processors are busy.",
        {"workers": Range(0, 0, 256)},
    ),
    Experiment(
        "memory_leak",
        "application",
        4,
        "The target is steady while the machine's memory fills.",
        {"megabytes": Range(200, 1, 200)},
    ),
    Experiment(
        "scaling",
        "infrastructure",
        5,
        "The target is steady with fewer tasks.",
        {"tasks": Range(1, 1, 10)},
    ),
    Experiment(
        "instance_termination",
        "infrastructure",
        6,
        "The target is steady when a task dies, and the task is replaced.",
        {},
    ),
    Experiment(
        "database_failure",
        "data",
        7,
        "The target is steady while its database fails over.",
        {},
    ),
)


def experiment_called(name: str) -> Experiment:
    """Return an experiment.

    Raises:
        ValueError: If there is none of that name.
    """
    for experiment in CATALOGUE:
        if experiment.name == name:
            return experiment
    known = ", ".join(experiment.name for experiment in CATALOGUE)
    raise ValueError(f"experiment: there is no {name!r}; use one of {known}")


def check_parameters(experiment: Experiment, given: Mapping[str, Any]) -> dict[str, float]:
    """Return all parameters of an experiment, defaults filled in.

    Raises:
        ValueError: If one does not exist or lies outside its range; the message names it.
    """
    if unknown := sorted(given.keys() - experiment.parameters.keys()):
        known = ", ".join(experiment.parameters) or "none"
        raise ValueError(f"{experiment.name}: there is no parameter {unknown[0]}; known: {known}")
    values = {name: limits.default for name, limits in experiment.parameters.items()} | dict(given)
    for name, value in values.items():
        limits = experiment.parameters[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{experiment.name} {name}: use a number")  # noqa: TRY004 one kind of refusal
        if not limits.least <= value <= limits.most:
            raise ValueError(f"{experiment.name} {name}: use {limits.least:g} to {limits.most:g}")
    return values
