"""Asking a server that speaks Prometheus' HTTP API: samples, values, and how it refuses.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import urlencode

from core import http_client
from core.http_client import AnswerTooLarge, Deadline, OutboundError, Refused, TimedOut
from slo.domain.counters import LOOKBACK_MS, Series
from slo.domain.windows import Window
from slo.sources.answers import AnswerTooWide, QueryRefused, SourceFailed

__all__ = ["FEATURE", "Session"]

FEATURE = "prometheus"
# One slow query must leave time for the others of its source.
REQUEST_S = 8.0
STATUS_REASONS = {
    401: "does not accept our credentials (401)",
    403: "does not accept our credentials (403)",
    404: "has no /api/v1 at this address (404)",
}
T = TypeVar("T")


@dataclass
class Session:
    """One conversation with one source: every distinct question is asked once.

    Args:
        url: Address before /api/v1.
        headers: With the credentials.
        deadline: For everything that is asked.
    """

    url: str
    headers: Mapping[str, str]
    deadline: Deadline
    down: str = ""
    _asked: dict[tuple[str, ...], list[Series] | Exception] = field(default_factory=dict)

    def samples(self, selector: str, window: Window) -> list[Series]:
        """Return the samples of a selector as they were scraped, from five minutes before on.

        Raises:
            SourceFailed, QueryRefused, AnswerTooWide: See there.
        """
        span_s = window.minutes * 60 + LOOKBACK_MS // 1000
        parameters = {"query": f"{selector}[{span_s}s]", "time": _seconds(window.end)}
        return self._ask("query", parameters, "matrix")

    def values(self, expression: str, window: Window) -> list[Series]:
        """Return the values of an expression at the end of each minute.

        Raises:
            SourceFailed, QueryRefused, AnswerTooWide: See there.
        """
        parameters = {
            "query": expression,
            "start": str(int(_seconds(window.start)) + 60),
            "end": _seconds(window.end),
            "step": "60",
        }
        return self._ask("query_range", parameters, "matrix")

    def now(self, expression: str, at: datetime) -> list[Series]:
        """Return the values of an expression at one instant.

        Raises:
            SourceFailed, QueryRefused, AnswerTooWide: See there.
        """
        return self._ask("query", {"query": expression, "time": _seconds(at)}, "vector")

    def _ask(self, path: str, parameters: dict[str, str], kind: str) -> list[Series]:
        key = (path, *parameters.values())
        if key not in self._asked:
            try:
                self._asked[key] = self._twice(lambda: self._once(path, parameters, kind))
            except (SourceFailed, QueryRefused, AnswerTooWide) as error:
                self._asked[key] = error
        found = self._asked[key]
        if isinstance(found, Exception):
            raise found
        return found

    def _twice(self, once: Callable[[], T]) -> T:
        """Ask again once: a restart of the server or a lost connection is over in a moment."""
        if self.down:
            raise SourceFailed(self.down)
        try:
            return once()
        except SourceFailed as first:
            if isinstance(first.__cause__, TimedOut | Refused):
                raise
        try:
            return once()
        except SourceFailed as second:
            self.down = str(second)
            raise

    def _once(self, path: str, parameters: dict[str, str], kind: str) -> list[Series]:
        try:
            seconds = min(self.deadline.left(), REQUEST_S)
            answer = http_client.request(
                f"{self.url.rstrip('/')}/api/v1/{path}",
                feature=FEATURE,
                deadline=Deadline(seconds),
                method="POST",
                headers={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    **self.headers,
                },
                content=urlencode(parameters).encode(),
                body_cap=http_client.QUERY_BODY_CAP,
            )
        except AnswerTooLarge as error:
            raise AnswerTooWide(str(error)) from error
        except OutboundError as error:
            raise SourceFailed(str(error)) from error
        return _series(_data(answer.status, answer.body), kind)


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _data(status: int, body: bytes) -> Any:
    """Return what an answer holds, or say why it holds nothing."""
    if status in STATUS_REASONS:
        raise SourceFailed(f"The source {STATUS_REASONS[status]}.")
    if status not in {200, 400, 422}:
        raise SourceFailed(f"The source answered with {status}.")
    try:
        said = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise SourceFailed("The source answered with something that is no JSON.") from error
    if not isinstance(said, dict) or said.get("status") not in {"success", "error"}:
        raise SourceFailed("The source answered, but not as Prometheus does.")
    if status != 200 or said["status"] == "error":
        raise QueryRefused(f"The source refuses the query: {str(said.get('error', status))[:300]}")
    if warnings := said.get("warnings"):
        raise QueryRefused(f"The source says its answer is not whole: {str(warnings)[:300]}")
    return said.get("data")


def _series(data: Any, kind: str) -> list[Series]:
    try:
        found, result = data["resultType"], data["result"]
        if found == "scalar":
            return [Series({}, _points([result]))]
        if found != kind:
            raise QueryRefused(f"The query gives a {found}, not a {kind}.")
        name = "values" if kind == "matrix" else "value"
        return [
            Series(
                _labels(each["metric"]), _points(each[name] if kind == "matrix" else [each[name]])
            )
            for each in result
            if name in each
        ]
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise SourceFailed("The source answered, but not as Prometheus does.") from error


def _labels(said: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in said.items()}


def _points(said: Any) -> list[tuple[int, Decimal]]:
    """Return the finite points in order; NaN and infinity are no counts and no values."""
    points = []
    for at, text in said:
        value = _number(text)
        if value.is_finite():
            points.append((round(Decimal(at) * 1000), value))
    return sorted(points)


def _number(text: Any) -> Decimal:
    """Return what a double is written as: NaN and ±Inf included, damage and monsters not."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{str(text)[:20]!r} is no number") from None
    if value.is_finite() and abs(value.adjusted()) > 400:
        raise ValueError(f"{str(text)[:20]!r} is no double")
    return value
