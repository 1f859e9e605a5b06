"""Samples from CloudWatch: explicit window, every page, gaps left as gaps."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any, TypeVar

from sre import aws
from sre.aws import UnreadableError

__all__ = ["Metric", "MetricReader", "Samples", "period_for"]

Name = TypeVar("Name", bound=Hashable)

ACTION = "cloudwatch:GetMetricData"
QUERIES_PER_CALL = 500
# What CloudWatch still keeps of a metric published each minute, by age.
KEEPS = ((timedelta(days=15), 60), (timedelta(days=63), 300))


@dataclass(frozen=True)
class Metric:
    """One statistic of one metric: `Average`, `Maximum`, `p95` …"""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str

    def query(self, query_id: str, period_s: int) -> dict[str, Any]:
        """Return it as an entry of MetricDataQueries."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions.items()]
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}
        return {
            "Id": query_id,
            "MetricStat": {"Metric": metric, "Period": period_s, "Stat": self.statistic},
        }


@dataclass
class Samples:
    """What came back for one metric.

    Attributes:
        expected: Periods in the window.
        values: One for each period that has data; missing periods are missing.
        starts: When the period of each value began.
        reason: Why there are no values, or why they may not be all; empty when neither.
    """

    expected: int
    values: list[float] = field(default_factory=list)
    starts: list[datetime] = field(default_factory=list)
    reason: str = ""

    @property
    def mean(self) -> float | None:
        """Return the mean of the periods that have data, None without any."""
        return fmean(self.values) if self.values else None

    def mean_since(self, start: datetime) -> float | None:
        """Return the mean of the periods that began at `start` or later, None without any."""
        pairs = zip(self.starts, self.values, strict=False)
        values = [value for begun, value in pairs if begun >= start]
        return fmean(values) if values else None

    @property
    def median(self) -> float | None:
        """Return the middle of the periods that have data, None without any."""
        return median(self.values) if self.values else None

    @property
    def highest(self) -> float | None:
        """Return the highest period, None without any."""
        return max(self.values, default=None)

    @property
    def coverage(self) -> dict[str, Any]:
        """Return `samples`, `expected` and whether CloudWatch said that it gave all it had."""
        complete = bool(self.values) and not self.reason
        return {"samples": len(self.values), "expected": self.expected, "complete": complete}


@dataclass(frozen=True)
class MetricReader:
    """Reads metrics over [start, end) in steps of `period_s` seconds."""

    client: Callable[[], Any]
    start: datetime
    end: datetime
    period_s: int

    def read(self, metrics: Mapping[Name, Metric]) -> dict[Name, Samples]:
        """Return the samples of each metric under its name; what AWS refuses has a reason."""
        names = list(metrics)
        found = {name: Samples(self._expected) for name in names}
        for first in range(0, len(names), QUERIES_PER_CALL):
            part = names[first : first + QUERIES_PER_CALL]
            try:
                aws.read(ACTION, lambda part=part: self._ask(part, metrics, found))  # type: ignore[misc]
            except UnreadableError as error:
                # What came on earlier pages is not the whole: better unknown than half. Without a
                # way to CloudWatch the rest need not be tried.
                for name in part if error.answered else names[first:]:
                    found[name] = Samples(self._expected, reason=error.reason)
                if not error.answered:
                    break
        for name, samples in found.items():
            samples.reason = samples.reason or _silence(metrics[name], samples)
        return found

    @property
    def _expected(self) -> int:
        return int((self.end - self.start).total_seconds() // self.period_s)

    def _ask(
        self, names: Sequence[Name], metrics: Mapping[Name, Metric], found: dict[Name, Samples]
    ) -> None:
        by_id = {f"q{index}": name for index, name in enumerate(names)}
        request = {
            "MetricDataQueries": [
                metrics[name].query(query_id, self.period_s) for query_id, name in by_id.items()
            ],
            "StartTime": self.start,
            "EndTime": self.end,
            "ScanBy": "TimestampAscending",
        }
        for page in aws.pages(self.client().get_metric_data, request, "NextToken"):
            for result in page["MetricDataResults"]:
                samples = found[by_id[result["Id"]]]
                samples.values.extend(result.get("Values", []))
                samples.starts.extend(result.get("Timestamps", []))
                # The last page's word counts: earlier ones are partial by nature.
                samples.reason = _doubt(result)


def period_for(age: timedelta) -> int:
    """Return the finest period (s) that CloudWatch still keeps for data of that age."""
    return next((period_s for limit, period_s in KEEPS if age < limit), 3600)


def _doubt(result: Mapping[str, Any]) -> str:
    status = result.get("StatusCode", "Complete")
    if status == "Complete":
        return ""
    if status == "Forbidden":
        return f"{ACTION} was denied for this metric; allow it to the role that reads."
    if status == "PartialData":
        return "CloudWatch returned part of the data; ask again for the whole."
    return f"CloudWatch answered {status} for this metric."


def _silence(metric: Metric, samples: Samples) -> str:
    if samples.values:
        return ""
    return f"CloudWatch holds no sample of {metric.namespace} {metric.name} in the window."
