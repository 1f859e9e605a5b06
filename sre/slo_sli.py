"""Service level indicators of this process: record requests, ask for percentages.

    >>> from sre.slo_sli import sli_calculator
    >>> sli_calculator.record_request("api_users", 200, 150.5)
    >>> sli_calculator.calculate_availability_sli(start_time, end_time)
    100.0

Counts are exact and kept by endpoint, method, status code and minute. Latency is
kept as counts per declared bound, so "share answered within 200 ms" is exact as
well; only percentiles are estimates. Questions have minute resolution: `start`
is moved back and `end` forward to a whole minute, so that what was recorded
"just now" lies inside an interval that ends now. `None` means that nothing was
recorded in the interval, which is neither 0 % nor 100 %.

Errors are those of `sre.validation`, and name the argument at fault.
"""

import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sre.minute_table import Entry, Row
from sre.shards import Key, LockedCounts, ShardedCounts
from sre.validation import (
    InvalidTypeError,
    InvalidValueError,
    SliError,
    Timestamp,
    UndeclaredBoundError,
    ascending_bounds,
    bucket_count,
    checked_name,
    checked_number,
    checked_status,
    instant_of,
    minute_of,
    minute_range,
)

__all__ = [
    "DEFAULT_AGE_BOUNDS_S",
    "DEFAULT_BOUNDS_MS",
    "METHODS",
    "OTHER_ENDPOINT",
    "OTHER_METHOD",
    "Drained",
    "InvalidTypeError",
    "InvalidValueError",
    "SliCalculator",
    "SliError",
    "UndeclaredBoundError",
    "sli_calculator",
]

DEFAULT_BOUNDS_MS = (
    5, 10, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750,
    1000, 1500, 2000, 3000, 5000, 10000, 30000, 60000,
)  # fmt: skip
"""Response times counted separately (ms); a time equal to a bound is within it."""

DEFAULT_AGE_BOUNDS_S = (
    1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400,
)  # fmt: skip
"""Ages of data counted separately (s); an age equal to a bound is within it."""

OTHER_ENDPOINT = "(other)"
"""Where requests go once `max_endpoints` names are in use."""

METHODS = frozenset({
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
})  # fmt: skip
"""Methods counted under their own name."""

OTHER_METHOD = "OTHER"
"""Where requests with any other method go."""

BELOW_ZERO = -5e-324
"""The largest number below zero: as a first bound it catches negative values and NaN."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What was counted since the last `SliCalculator.drain`.

    Attributes:
        requests: Rows keyed by (endpoint, method, status), times in milliseconds.
        freshness: Rows keyed by source, ages in seconds.
    """

    requests: list[Row[Key]]
    freshness: list[Row[str]]

    def __bool__(self) -> bool:
        return bool(self.requests or self.freshness)


class SliCalculator:
    """Counts the requests of this process and answers what share of them was good.

    Recording is safe from any thread, event loop or forked child, takes no lock,
    and costs a few hundred nanoseconds. A forked child starts empty.

    Args:
        bounds_ms: Response times to count separately, ascending (ms).
        extra_bounds: Further thresholds that must be exact, in any order (ms).
        age_bounds_s: Ages of data to count separately, ascending (s).
        max_endpoints: Distinct endpoint names kept apart; the next ones share
            `OTHER_ENDPOINT`, so that a name made of user input cannot eat the memory.
        max_sources: Distinct sources of freshness kept apart, likewise.
        max_minutes: Minutes with traffic that are remembered (35 days).
        max_entries: (minute, endpoint, method, status) combinations remembered,
            about 0.4 KB each. Beyond either limit the oldest minutes are forgotten.
        clock: Returns seconds since the epoch.
    """

    def __init__(
        self,
        *,
        bounds_ms: Iterable[float] = DEFAULT_BOUNDS_MS,
        extra_bounds: Iterable[float] = (),
        age_bounds_s: Iterable[float] = DEFAULT_AGE_BOUNDS_S,
        max_endpoints: int = 500,
        max_sources: int = 500,
        max_minutes: int = 35 * 24 * 60,
        max_entries: int = 100_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bounds_ms = ascending_bounds("bounds_ms", {*bounds_ms, *extra_bounds})
        self.age_bounds_s = ascending_bounds("age_bounds_s", set(age_bounds_s))
        self._guarded_bounds = [BELOW_ZERO, *self.bounds_ms, sys.float_info.max]
        self._max_endpoints = max_endpoints
        self._endpoints: set[str] = set()
        self._max_sources = max_sources
        self._sources: set[str] = set()
        self._clock = clock
        self._requests = ShardedCounts(
            width=len(self.bounds_ms) + 1, max_minutes=max_minutes, max_entries=max_entries
        )
        # One look-up less for every request.
        self._local = self._requests.local
        self._freshness = LockedCounts(max_minutes=max_minutes, max_entries=max_entries)

    def record_request(
        self,
        endpoint: str,
        status_code: int,
        response_time_ms: float,
        timestamp: Timestamp | None = None,
        method: str = "GET",
    ) -> None:
        """Count one answered request.

        Args:
            endpoint: Name or route pattern, such as `/api/users/<id>`; never a raw path.
            status_code: HTTP status that was sent, 100 to 599.
            response_time_ms: Duration (ms), 0 or more.
            timestamp: When it was answered: an aware datetime or seconds since the
                epoch. Now unless said.
            method: HTTP method; unknown ones are counted as `OTHER`.

        Raises:
            InvalidValueError: If an argument is out of range; nothing is counted.
            InvalidTypeError: If an argument has the wrong type; nothing is counted.
        """
        try:
            now = self._clock()
            shard = self._local.shard
            if timestamp is None and shard.opens <= now < shard.closes:
                entry = shard.cells[method][endpoint][status_code]
                # Impossible times fall out by themselves: below zero and NaN into
                # bucket 0, infinity behind the last one. Both sums are formed before
                # either is stored, so that a failure leaves the entry as it was.
                bucket = bisect_left(self._guarded_bounds, response_time_ms)
                count = entry[bucket] + 1
                total = entry[0] + response_time_ms
                if bucket:
                    entry[0] = total
                    entry[bucket] = count
                    return
        except (AttributeError, LookupError, TypeError):
            pass  # the first of its kind, or something _record explains
        self._record(endpoint, status_code, response_time_ms, timestamp, method)

    def record_freshness(
        self, source: str, age_s: float, timestamp: Timestamp | None = None
    ) -> None:
        """Count one observation of how old the data of `source` is.

        Args:
            source: What the data is about, such as `users`.
            age_s: Time since the data was last known to be true (s), 0 or more.
            timestamp: When it was observed; now unless said.

        Raises:
            InvalidValueError: If an argument is out of range; nothing is counted.
            InvalidTypeError: If an argument has the wrong type; nothing is counted.
        """
        name = _admitted(checked_name("source", source), self._sources, self._max_sources)
        age = checked_number("age_s", age_s)
        instant = self._clock() if timestamp is None else instant_of("timestamp", timestamp)
        entry = [age, *[0] * (len(self.age_bounds_s) + 1)]
        entry[1 + bisect_left(self.age_bounds_s, age)] = 1
        self._freshness.add(minute_of(instant), name, entry)

    def calculate_availability_sli(
        self, start: datetime, end: datetime, endpoint: str | None = None
    ) -> float | None:
        """Return the percentage of requests not answered 5xx, or None without requests.

        Raises:
            InvalidValueError: If a time is naive or `end` is not after `start`.
        """
        return self._percent_by_status(start, end, endpoint, lambda status: status < 500)

    def calculate_error_rate_sli(
        self, start: datetime, end: datetime, endpoint: str | None = None
    ) -> float | None:
        """Return the percentage of requests that *succeeded*, status below 400.

        99.0 means that one request in a hundred failed; the name follows the
        objective it serves ("99 % success rate, 1 % error rate").

        Raises:
            InvalidValueError: If a time is naive or `end` is not after `start`.
        """
        return self._percent_by_status(start, end, endpoint, lambda status: status < 400)

    def calculate_latency_sli(
        self,
        start: datetime,
        end: datetime,
        threshold_ms: float = 200.0,
        endpoint: str | None = None,
    ) -> float | None:
        """Return the percentage of requests answered within `threshold_ms`, exactly.

        Raises:
            UndeclaredBoundError: If the threshold is not one of `bounds_ms`.
            InvalidValueError: If a time is naive or `end` is not after `start`.
        """
        within = bucket_count("threshold_ms", threshold_ms, self.bounds_ms)
        return _percent_within(self._buckets(start, end, endpoint), within)

    def calculate_latency_percentile(
        self,
        start: datetime,
        end: datetime,
        percentile: float = 95.0,
        endpoint: str | None = None,
    ) -> float | None:
        """Estimate the response time (ms) that `percentile` % of requests stayed within.

        Interpolated linearly inside the bucket it falls into, so it may be off by
        up to that bucket's width; beyond the last bound it is the last bound. For
        display: objectives are judged by `calculate_latency_sli`.

        Raises:
            InvalidValueError: If `percentile` is outside (0, 100], a time is naive,
                or `end` is not after `start`.
        """
        rank = checked_number("percentile", percentile)
        if not 0 < rank <= 100:
            raise InvalidValueError("percentile", f"must lie in (0, 100], not {percentile}")
        return _interpolate(self._buckets(start, end, endpoint), self.bounds_ms, rank)

    def calculate_freshness_sli(
        self,
        start: datetime,
        end: datetime,
        threshold_s: float = 300.0,
        source: str | None = None,
    ) -> float | None:
        """Return the percentage of observations whose data was at most `threshold_s` old.

        Raises:
            UndeclaredBoundError: If the threshold is not one of `age_bounds_s`.
            InvalidValueError: If a time is naive or `end` is not after `start`.
        """
        within = bucket_count("threshold_s", threshold_s, self.age_bounds_s)
        observed = self._freshness.entries(*minute_range(start, end))
        counts = [entry[1:] for name, entry in observed if source in {None, name}]
        return _percent_within([sum(column) for column in zip(*counts, strict=True)], within)

    @property
    def retained_since(self) -> datetime | None:
        """Start of the first minute still remembered, or None before any request."""
        with self._requests.lock:
            self._requests.fold()
            oldest = self._requests.folded.oldest_minute
        return None if oldest is None else datetime.fromtimestamp(oldest, UTC)

    def drain(self, max_rows: int = 2000) -> Drained:
        """Hand out what was counted since the last drain, the oldest minutes first.

        Every count is handed out exactly once; what the `calculate_*` methods
        know stays. The first drain hands out everything still remembered.

        Args:
            max_rows: Upper bound on the rows of each kind; drain again for the rest.
        """
        with self._requests.lock:
            self._requests.fold()
            requests = self._requests.drain(max_rows)
        return Drained(requests, self._freshness.drain(max_rows))

    def put_back(self, drained: Drained) -> None:
        """Take back what could not be delivered; the next drain hands it out again."""
        with self._requests.lock:
            self._requests.put_back(drained.requests)
        self._freshness.put_back(drained.freshness)

    def take_overflow(self) -> dict[int, int]:
        """Return and forget how many requests per minute were dropped undrained.

        Keyed by the start of the minute (seconds since the epoch). Only a backlog
        beyond `max_minutes` or `max_entries` drops anything.
        """
        with self._requests.lock:
            overflowed = self._requests.overflowed
            self._requests.overflowed = {}
        return overflowed

    def on_first_record(self, notify: Callable[[], None]) -> None:
        """Call `notify` whenever a thread records its first request."""
        self._requests.on_new_shard.append(notify)

    def _record(
        self,
        endpoint: str,
        status_code: int,
        response_time_ms: float,
        timestamp: Timestamp | None,
        method: str,
    ) -> None:
        name = checked_name("endpoint", endpoint)
        status = checked_status(status_code)
        duration = checked_number("response_time_ms", response_time_ms)
        verb = checked_name("method", method)
        if timestamp is None:
            instant = self._clock()
            self._requests.shard_at(instant)
        else:
            instant = instant_of("timestamp", timestamp)
        endpoint = _admitted(name, self._endpoints, self._max_endpoints)
        key = (endpoint, verb if verb in METHODS else OTHER_METHOD, status)
        entry = self._requests.entry_at(key, instant)
        entry[0] += duration
        entry[1 + bisect_left(self.bounds_ms, duration)] += 1

    def _entries(
        self, start: datetime, end: datetime, endpoint: str | None
    ) -> list[tuple[int, Entry]]:
        first, last = minute_range(start, end)
        with self._requests.lock:
            self._requests.fold()
            return [
                (status, entry)
                for (name, _, status), entry in self._requests.folded.entries(first, last)
                if endpoint in {None, name}
            ]

    def _percent_by_status(
        self, start: datetime, end: datetime, endpoint: str | None, is_good: Callable[[int], bool]
    ) -> float | None:
        good = total = 0
        for status, entry in self._entries(start, end, endpoint):
            count = int(sum(entry[1:]))
            total += count
            good += count if is_good(status) else 0
        return 100 * good / total if total else None

    def _buckets(self, start: datetime, end: datetime, endpoint: str | None) -> list[float]:
        counts = [entry[1:] for _, entry in self._entries(start, end, endpoint)]
        return [sum(column) for column in zip(*counts, strict=True)]


def _admitted(name: str, known: set[str], limit: int) -> str:
    if name in known:
        return name
    if len(known) >= limit:
        return OTHER_ENDPOINT
    known.add(name)
    return name


def _percent_within(buckets: list[float], within: int) -> float | None:
    total = sum(buckets)
    return 100 * sum(buckets[:within]) / total if total else None


def _interpolate(
    buckets: list[float], bounds: tuple[float, ...], percentile: float
) -> float | None:
    total = sum(buckets)
    if not total:
        return None
    wanted = total * percentile / 100
    below = 0.0
    lower = 0.0
    for count, upper in zip(buckets, bounds, strict=False):
        if below + count >= wanted and count:
            return lower + (upper - lower) * (wanted - below) / count
        below += count
        lower = upper
    return lower


sli_calculator = SliCalculator()
"""The calculator of this process, which the instrumentation in `sre.http` feeds."""
