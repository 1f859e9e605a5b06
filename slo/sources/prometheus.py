"""SLIs measured by a server that speaks Prometheus' HTTP API: Prometheus, Mimir, Thanos and others.

docs/sources.md says which minutes are gaps and why.
"""

import base64
from collections.abc import Callable, Iterable
from datetime import datetime
from fractions import Fraction

from core.http_client import Deadline
from slo.domain import counters, promql
from slo.domain.counters import MINUTE_MS, Series
from slo.domain.promql import Counter
from slo.domain.pulled import Reading, gap, of_counts, of_value
from slo.domain.windows import Window
from slo.models import Sli
from slo.sources.answers import Answer, QueryRefused, Wanted, gather, minutes_of
from slo.sources.prometheus_api import Session

__all__ = ["connect", "missing_bound", "pull"]

Readings = dict[datetime, Reading]


def connect(url: str, credentials: dict[str, str], *, seconds: float) -> Session:
    """Return a conversation that ends after so many seconds.

    Args:
        url: Address before /api/v1.
        credentials: `token`, or `username` and `password`, or nothing.
        seconds: Total time limit.
    """
    return Session(url, _authorization(credentials), Deadline(seconds))


def _authorization(credentials: dict[str, str]) -> dict[str, str]:
    if token := credentials.get("token"):
        return {"Authorization": f"Bearer {token}"}
    if "username" in credentials:
        pair = f"{credentials['username']}:{credentials.get('password', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def pull(session: Session, wanted: Wanted) -> dict[int, Answer]:
    """Return what the source says of each SLI's window, by the SLI's key."""
    return {sli.pk: gather(window, _reader(session, sli), gap) for sli, window in wanted}


def _reader(session: Session, sli: Sli) -> Callable[[Window], Readings]:
    read = {Sli.Kind.LATENCY: _latency, Sli.Kind.TIME_SLICES: _time_slices}
    chosen = read.get(Sli.Kind(sli.kind), _counted)
    return lambda window: chosen(session, sli, window)


def _counted(session: Session, sli: Sli, window: Window) -> Readings:
    part_query = sli.good_query or sli.bad_query
    try:
        total, part = promql.counter(sli.total_query), promql.counter(part_query)
    except ValueError as error:
        raise QueryRefused(str(error)) from error
    totals, parts = _count(session, (total, part), window)
    is_bad = not sli.good_query
    return {
        minute: of_counts(total=totals.get(ms), part=parts.get(ms), is_bad=is_bad)
        for minute, ms in _by_ms(window)
    }


def _count(
    session: Session, wanted: tuple[Counter, Counter], window: Window
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the events by minute (ms) of two counters that were scraped together."""
    asked = [
        [(sign, session.samples(text, window)) for sign, text in counter.terms]
        if counter.terms
        else [(1, session.values(counter.expression, window))]
        for counter in wanted
    ]
    scraped = [
        series
        for counter, answers in zip(wanted, asked, strict=True)
        if counter.terms
        for _, found in answers
        for series in found
    ]
    start, end = _ms(window.start), _ms(window.end)

    def counts(counter: Counter, answers: list[tuple[int, list[Series]]]) -> dict[int, int]:
        if not counter.terms:
            return counters.sums(answers[0][1], start=start, end=end)
        total: dict[int, int] = {}
        for sign, found in answers:
            for ms, count in counters.events(found, beside=scraped, start=start, end=end).items():
                total[ms] = total.get(ms, 0) + sign * count
        return total

    first, second = (counts(*pair) for pair in zip(wanted, asked, strict=True))
    return first, second


def _latency(session: Session, sli: Sli, window: Window) -> Readings:
    try:
        asked = promql.latency_histogram(sli.total_query, threshold_ms=sli.threshold_ms or 0)
    except ValueError as error:
        raise QueryRefused(str(error)) from error
    totals, goods = _count(session, (asked.count, asked.bucket), window)
    missing = ""
    if not totals and not goods:
        totals, goods = _count(session, (asked.native_total, asked.native_good), window)
    elif totals and not goods:
        missing = no_bound(asked.bound, _bounds(session, asked.bounds, window.end))
    return {
        minute: gap(missing)
        if missing and ms in totals
        else of_counts(total=totals.get(ms), part=goods.get(ms), is_bad=False)
        for minute, ms in _by_ms(window)
    }


def _bounds(session: Session, query: str, at: datetime) -> list[str]:
    labels = {series.labels.get("le", "") for series in session.now(query, at)}
    return sorted(labels - {"", "+Inf"}, key=_size)


def _size(bound: str) -> float:
    try:
        return float(bound)
    except ValueError:
        return float("inf")


def no_bound(bound: str, bounds: Iterable[str]) -> str:
    """Say that a histogram has no bucket for the threshold, and which there are."""
    names = ", ".join(bounds)
    rest = f" It counts up to {names}: choose one of these as the threshold." if names else ""
    return f"The histogram has no bucket le={bound}, so nothing is counted up to it.{rest}"


def missing_bound(session: Session, sli: Sli, *, now: datetime) -> str:
    """Return why a latency SLI's threshold cannot be counted, as far as the source knows.

    Empty when it can, and also when the source knows no such histogram at present: then nothing
    is known against it.

    Raises:
        SourceFailed, QueryRefused, AnswerTooWide: The source did not say.
        ValueError: The query is no histogram's selector.
    """
    asked = promql.latency_histogram(sli.total_query, threshold_ms=sli.threshold_ms or 0)
    bounds = _bounds(session, asked.bounds, now)
    if not bounds or float(asked.bound) in {_size(bound) for bound in bounds}:
        return ""
    return no_bound(asked.bound, bounds)


def _time_slices(session: Session, sli: Sli, window: Window) -> Readings:
    series = [each for each in session.values(sli.value_query, window) if each.points]
    if len(series) > 1:
        raise QueryRefused(
            f"value_query gives {len(series)} series; aggregate them to one, e.g. with sum()."
        )
    start, end = _ms(window.start), _ms(window.end)
    values = {
        counters.minute_of(at): Fraction(value)
        for each in series
        for at, value in each.points
        if start <= counters.minute_of(at) < end
    }
    threshold = Fraction(sli.comparison_value or 0)
    return {
        minute: of_value(values.get(ms), sli.comparison, threshold) for minute, ms in _by_ms(window)
    }


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def _by_ms(window: Window) -> list[tuple[datetime, int]]:
    first = _ms(window.start)
    return [(minute, first + MINUTE_MS * step) for step, minute in enumerate(minutes_of(window))]
