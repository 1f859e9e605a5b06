"""What a counter's query in Prometheus' language may look like, and what is asked for it.

A counter is best named by a plain selector, or a sum or difference of some: their samples are
fetched as they were scraped, so counts stay whole numbers. `increase()` in an expression
extrapolates; its result is rounded. See docs/sources.md. Only as much of the language is read here as telling the two apart needs; whether
a query parses is for the server to say.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from slo.domain.exchange.promql import terms_of

__all__ = ["Counter", "Selector", "counter", "latency_histogram", "selector"]

_STRING = r'(?:"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`)'
_MATCHER = rf"(?:[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*)?{_STRING}"
_MATCHERS = rf"(?:{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*,?)?"
_SELECTOR = re.compile(rf"(?P<name>[a-zA-Z_:][\w:]*)?\s*(?:\{{\s*(?P<matchers>{_MATCHERS})\s*\}})?")
_RANGE = re.compile(r"\[([^\]]*)\]")
_PER_SECOND = re.compile(r"\b(rate|irate|deriv|delta|idelta)\s*\(")
_MINUTE = {"1m", "60s", "60000ms"}

HINT = (
    'Name the counter by a selector, e.g. http_requests_total{job="shop"}, or count each minute by'
    " an expression with increase(…[1m])."
)


@dataclass(frozen=True)
class Selector:
    """Series by name and labels.

    Args:
        name: Metric's name; empty when only matchers say it.
        matchers: Text between the braces.
    """

    name: str
    matchers: str = ""

    @property
    def text(self) -> str:
        """How it is asked for."""
        braces = f"{{{self.matchers}}}" if self.matchers else ""
        return f"{self.name}{braces}"

    def derived(self, suffix: str, matcher: str = "") -> "Selector":
        """Return the selector of a histogram's parts: `_bucket`, `_count`."""
        both = ", ".join(part for part in (self.matchers.rstrip(" ,"), matcher) if part)
        return Selector(f"{self.name}{suffix}", both)


@dataclass(frozen=True)
class Counter:
    """How the events of a minute are asked for.

    Args:
        terms: Selectors whose samples are counted here, each with its sign, 1 or -1.
        expression: Asked for the events of each minute, where there are no terms.
    """

    terms: tuple[tuple[int, str], ...] = ()
    expression: str = ""


def selector(query: str) -> Selector | None:
    """Return the plain selector that `query` is, or None."""
    found = _SELECTOR.fullmatch(query.strip())
    if not found or not (found["name"] or found["matchers"]):
        return None
    return Selector(found["name"] or "", (found["matchers"] or "").strip())


def counter(query: str) -> Counter:
    """Return how to count by `query`.

    Raises:
        ValueError: With what to write instead.
    """
    query = query.strip()
    if plain := selector(query):
        return _raw(plain)
    if terms := terms_of(query):
        return Counter(terms=tuple(terms))
    code = re.sub(_STRING, '""', query)
    if found := _PER_SECOND.search(code):
        raise ValueError(f"{found[1]}() is no count of events: use increase(…[1m]).")
    # A subquery, [1m:30s], looks back as far as what stands before its colon.
    ranges = [span.replace(" ", "") for span in _RANGE.findall(code)]
    if not ranges:
        raise ValueError(HINT)
    if any(span.partition(":")[0] not in _MINUTE for span in ranges):
        raise ValueError(f"Each minute is counted by itself, so use [1m], not [{ranges[0]}].")
    return Counter(expression=query)


def _raw(plain: Selector) -> Counter:
    return Counter(terms=((1, plain.text),))


@dataclass(frozen=True)
class LatencyHistogram:
    """What is asked of a latency histogram for one threshold.

    Args:
        bucket: Counter of the requests within the threshold, on a classic histogram.
        count: Counter of all requests, on a classic histogram.
        bounds: Every classic bound there is, by its label `le`.
        native_good: Estimate of the requests within the threshold, on a native histogram.
        native_total: Requests, on a native histogram.
        bound: The threshold in the histogram's unit, as a label `le` would say it.
    """

    bucket: Counter
    count: Counter
    bounds: str
    native_good: Counter
    native_total: Counter
    bound: str


def latency_histogram(query: str, *, threshold_ms: int) -> LatencyHistogram:
    """Return what to ask of the histogram `query` names.

    Prometheus measures in seconds; a name that ends in `_milliseconds` or `_ms` says otherwise.

    Raises:
        ValueError: If `query` is not a histogram's selector.
    """
    named = selector(query)
    if named is None or not named.name or named.name.endswith(("_bucket", "_count", "_sum")):
        raise ValueError(
            "Name the histogram by its selector, without _bucket, e.g."
            ' http_request_duration_seconds{job="shop"}.'
        )
    in_ms = named.name.endswith(("_milliseconds", "_ms"))
    bound = Decimal(threshold_ms) if in_ms else Decimal(threshold_ms) / 1000
    text = f"{bound.normalize():f}"
    minute = f"sum(increase({named.text}[1m]))"
    return LatencyHistogram(
        bucket=_raw(named.derived("_bucket", f'le=~"{_same_number(text)}"')),
        count=_raw(named.derived("_count")),
        bounds=f"count by (le) ({named.derived('_bucket').text})",
        native_good=Counter(
            expression=f"histogram_fraction(0, {text}, {minute}) * histogram_count({minute})"
        ),
        native_total=Counter(expression=f"histogram_count({minute})"),
        bound=text,
    )


def _same_number(text: str) -> str:
    """Return a pattern for the ways in which client libraries write a bound: 2, 2.0, 0.20."""
    whole, _, fraction = text.partition(".")
    tail = rf"\\.{fraction}0*" if fraction else r"(\\.0+)?"
    return f"{whole}{tail}"
