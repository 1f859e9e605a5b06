"""Queries of CloudWatch as people type them: a metric, or an expression over metrics.

{"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount",
 "Dimensions": {"LoadBalancer": "app/shop/1"}, "Stat": "Sum"}

{"Expression": "FILL(errors, 0)", "Metrics": {"errors": {"Namespace": …, …}}}
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CloudWatchQuery", "Metric", "read_query"]

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_STAT = re.compile(
    r"Sum|SampleCount|Average|Minimum|Maximum|p\d{1,2}(\.\d+)?|p100|(tm|wm|tc|ts)\d{1,2}(\.\d+)?"
    r"|(TM|WM|PR|TC|TS)\([^()]{0,40}\)|IQM"
)
COUNTS = {"Sum", "SampleCount"}


@dataclass(frozen=True)
class Metric:
    """One metric of CloudWatch with the statistic that is taken of each minute."""

    namespace: str
    name: str
    stat: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CloudWatchQuery:
    """A metric, or an expression over named metrics.

    Args:
        metrics: By id; the one of a plain metric is `m`.
        expression: Metric math; empty for a plain metric.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    expression: str = ""


def read_query(text: str, *, counts: bool) -> CloudWatchQuery:
    """Return the query that `text` says.

    Args:
        text: JSON.
        counts: Whether events are counted: then a metric's statistic is Sum or SampleCount.

    Raises:
        ValueError: With what is wrong.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError('This is no JSON; write {"Namespace": …, "MetricName": …}.') from error
    if not isinstance(said, dict):
        raise ValueError('Write an object: {"Namespace": …, "MetricName": …, "Stat": "Sum"}.')  # noqa: TRY004
    if "Expression" not in said:
        return CloudWatchQuery({"m": _metric(said, counts=counts)})
    return _expression(said, counts=counts)


def _expression(said: Mapping[str, Any], *, counts: bool) -> CloudWatchQuery:
    _refuse_unknown(said, {"Expression", "Metrics"})
    expression, metrics = said["Expression"], said.get("Metrics")
    if not isinstance(expression, str) or not 0 < len(expression) <= 2048:
        raise ValueError("Expression: write metric math, e.g. FILL(errors, 0).")
    if not isinstance(metrics, dict) or not 0 < len(metrics) <= 10:
        raise ValueError("Metrics: name one to ten metrics that the expression uses.")
    wrong = next((name for name in metrics if not _ID.fullmatch(name)), None)
    if wrong is not None:
        raise ValueError(f"Metrics: {wrong!r} must begin with a small letter.")
    unused = next((n for n in metrics if not re.search(rf"\b{n}\b", expression)), None)
    if unused is not None:
        raise ValueError(f"Metrics: the expression does not use {unused}.")
    # A statistic inside an expression is the expression's business: it may divide or scale.
    return CloudWatchQuery(
        {name: _metric(metric, counts=False) for name, metric in metrics.items()}, expression
    )


def _metric(said: Any, *, counts: bool) -> Metric:
    if not isinstance(said, dict):
        raise ValueError("A metric is an object with Namespace, MetricName and Stat.")  # noqa: TRY004
    _refuse_unknown(said, {"Namespace", "MetricName", "Dimensions", "Stat"})
    for name in ("Namespace", "MetricName"):
        if not isinstance(said.get(name), str) or not 0 < len(said[name]) <= 255:
            raise ValueError(f"{name}: name it.")
    stat = said.get("Stat", "Sum")
    if not isinstance(stat, str) or not _STAT.fullmatch(stat):
        raise ValueError("Stat: use Sum, SampleCount, Average, Minimum, Maximum or e.g. p99.")
    if counts and stat not in COUNTS:
        raise ValueError(f"Stat: events are counted by Sum or SampleCount, not by {stat}.")
    dimensions = said.get("Dimensions", {})
    if not isinstance(dimensions, dict) or len(dimensions) > 30:
        raise ValueError('Dimensions: write {"LoadBalancer": "app/shop/1"}.')
    if any(not isinstance(value, str) or not value for value in dimensions.values()):
        raise ValueError("Dimensions: values are text.")
    pairs = tuple(sorted(dimensions.items()))
    return Metric(said["Namespace"], said["MetricName"], stat, pairs)


def _refuse_unknown(said: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(said) - known)
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown; known are {', '.join(sorted(known))}.")
