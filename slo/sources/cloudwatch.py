"""SLIs measured by AWS CloudWatch, read by `GetMetricData` in batches of 500 queries.

A metric of events has no datapoint in a minute without any: `FILL(m, 0)` says so explicitly.
Credentials come from the SDK's own chain.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from core.http_client import Deadline, TimedOut
from slo.domain.cloudwatch_queries import CloudWatchQuery, Metric, read_query
from slo.domain.counters import MOST
from slo.domain.pulled import Reading, gap, of_counts, of_value
from slo.domain.windows import Window
from slo.models import Sli
from slo.sources.answers import Answer, SourceFailed, Wanted, minutes_of

__all__ = ["Session", "connect", "pull"]

BATCH = 500
PERIOD_S = 60
CREDENTIALS_HINT = "Give the worker credentials with cloudwatch:GetMetricData."
_RETRIES = {"total_max_attempts": 2, "mode": "standard"}


class Client(Protocol):
    """The part of boto3's client that is used."""

    def get_metric_data(self, **parameters: Any) -> dict[str, Any]:
        """Return one page of metric data."""


@dataclass
class Session:
    """One conversation with CloudWatch in one region."""

    client: Client
    deadline: Deadline


@dataclass
class Values:
    """What came of one query: values by minute, or why they are not whole."""

    by_minute: dict[datetime, float] = field(default_factory=dict)
    problem: str = ""


def connect(region: str, *, seconds: float) -> Session:
    """Return a conversation that ends after so many seconds.

    Raises:
        SourceFailed: No client can be made, e.g. for want of a region.
    """
    try:
        client = boto3.client(
            "cloudwatch",
            region_name=region or settings.AWS_REGION or None,
            endpoint_url=settings.AWS_ENDPOINT_URL or None,
            config=Config(connect_timeout=3, read_timeout=8, retries=_RETRIES),  # type: ignore[arg-type]
        )
    except (BotoCoreError, ValueError) as error:
        raise SourceFailed(f"CloudWatch cannot be asked: {error}") from error
    return Session(client, Deadline(seconds))


def pull(session: Session, wanted: Wanted) -> dict[int, Answer]:
    """Return what CloudWatch says of each SLI's window, by the SLI's key."""
    by_window: dict[tuple[datetime, datetime], list[Sli]] = {}
    for sli, window in wanted:
        by_window.setdefault((window.start, window.end), []).append(sli)
    found: dict[int, Answer] = {}
    for (start, end), slis in by_window.items():
        found |= _pull_window(session, slis, Window(start, end))
    return found


def _pull_window(session: Session, slis: list[Sli], window: Window) -> dict[int, Answer]:
    texts = sorted({text for sli in slis for text in _queries(sli)})
    values: dict[str, Values] = {}
    failed = ""
    for batch in _batches(texts):
        try:
            values |= _fetch(session, batch, window)
        except (SourceFailed, TimedOut) as error:
            failed = str(error)
            break
    return {
        sli.pk: Answer(window.end, _readings(sli, values, window))
        if values.keys() >= set(_queries(sli))
        else Answer(window.start, {}, failed)
        for sli in slis
    }


def _queries(sli: Sli) -> list[str]:
    if sli.kind == Sli.Kind.TIME_SLICES:
        return [sli.value_query]
    return [sli.total_query, sli.good_query or sli.bad_query]


def _batches(texts: list[str]) -> Iterator[dict[str, CloudWatchQuery]]:
    """Yield queries by text, so many that each batch is at most 500 entries of one call."""
    batch: dict[str, CloudWatchQuery] = {}
    entries = 0
    for text in texts:
        query = CloudWatchQuery()
        with suppress(ValueError):
            query = read_query(text, counts=False)
        size = len(query.metrics) + bool(query.expression)
        if entries + size > BATCH:
            yield batch
            batch, entries = {}, 0
        batch[text] = query
        entries += size
    if batch:
        yield batch


def _fetch(
    session: Session, batch: Mapping[str, CloudWatchQuery], window: Window
) -> dict[str, Values]:
    entries: list[dict[str, Any]] = []
    by_id: dict[str, Values] = {}
    found = {text: Values() for text in batch}
    for number, (text, query) in enumerate(batch.items()):
        if not query.metrics:
            found[text].problem = "The query is not one of CloudWatch."
            continue
        entries += _entries(f"q{number}", query)
        by_id[f"q{number}"] = found[text]
    parameters: dict[str, Any] = {
        "MetricDataQueries": entries,
        "StartTime": window.start,
        "EndTime": window.end,
        "ScanBy": "TimestampAscending",
    }
    while entries:
        session.deadline.left()
        page = _page(session.client, parameters)
        for result in page.get("MetricDataResults", []):
            if values := by_id.get(result["Id"]):
                _take(values, result, window, is_last="NextToken" not in page)
        if "NextToken" not in page:
            break
        parameters["NextToken"] = page["NextToken"]
    return found


def _page(client: Client, parameters: dict[str, Any]) -> dict[str, Any]:
    try:
        return client.get_metric_data(**parameters)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        denied = "denied" in code.lower() or "token" in code.lower() or "auth" in code.lower()
        hint = f" {CREDENTIALS_HINT}" if denied else ""
        raise SourceFailed(f"CloudWatch answered with {code}.{hint}") from error
    except BotoCoreError as error:
        raise SourceFailed(f"CloudWatch cannot be asked: {error} {CREDENTIALS_HINT}") from error


def _entries(name: str, query: CloudWatchQuery) -> list[dict[str, Any]]:
    """Return the entries of one query; ids of its metrics are its own, whatever others use."""
    if not query.expression:
        return [{"Id": name, "MetricStat": _stat(query.metrics["m"]), "ReturnData": True}]
    expression = query.expression
    entries = []
    for own, metric in query.metrics.items():
        entries.append({"Id": f"{name}_{own}", "MetricStat": _stat(metric), "ReturnData": False})
        expression = re.sub(rf"\b{own}\b", f"{name}_{own}", expression)
    return [
        *entries,
        {"Id": name, "Expression": expression, "Period": PERIOD_S, "ReturnData": True},
    ]


def _stat(metric: Metric) -> dict[str, Any]:
    return {
        "Metric": {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        },
        "Period": PERIOD_S,
        "Stat": metric.stat,
    }


def _take(values: Values, result: Mapping[str, Any], window: Window, *, is_last: bool) -> None:
    code = result.get("StatusCode", "Complete")
    # Between pages "PartialData" only says that more follows.
    if code in {"InternalError", "Forbidden"} or (code == "PartialData" and is_last):
        values.problem = f"CloudWatch says its answer is not whole: {code}."
    for at, value in zip(result.get("Timestamps", []), result.get("Values", []), strict=True):
        if window.start <= at < window.end:
            values.by_minute[at.astimezone(window.start.tzinfo)] = value


def _readings(sli: Sli, values: Mapping[str, Values], window: Window) -> dict[datetime, Reading]:
    found = [values[text] for text in _queries(sli)]
    problem = next((each.problem for each in found if each.problem), "")
    if problem:
        return dict.fromkeys(minutes_of(window), gap(problem))
    return {
        minute: _reading(sli, [v.by_minute.get(minute) for v in found])
        for minute in minutes_of(window)
    }


def _reading(sli: Sli, numbers: list[float | None]) -> Reading:
    if sli.kind == Sli.Kind.TIME_SLICES:
        value = None if numbers[0] is None else Fraction(Decimal(str(numbers[0])))
        return of_value(value, sli.comparison, Fraction(sli.comparison_value or 0))
    total, part = (None if number is None else _whole(number) for number in numbers)
    return of_counts(total=total, part=part, is_bad=not sli.good_query)


def _whole(number: float) -> int:
    bounded = max(min(Decimal(str(number)), Decimal(MOST + 1)), Decimal(-1))
    return int(bounded.to_integral_value(ROUND_HALF_EVEN))
