"""How old the served data is, known even while nobody asks for any."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.db import connection

from core import clock
from sre.circuit_breaker import db_circuit_breaker
from sre.slo_sli import sli_calculator
from users_api.degradation import OUTAGE
from users_api.models import Person

SOURCE = "users"
EVERY_S = 15.0


class LastRead:
    """When this process last read from the database (monotonic seconds; None = never)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: float | None = None

    def mark(self) -> None:
        """Note that a read succeeded just now."""
        with self._lock:
            self._at = time.monotonic()

    def age_s(self) -> float | None:
        """Return the seconds since the last read, or None before any."""
        with self._lock:
            return None if self._at is None else max(0.0, time.monotonic() - self._at)


last_read = LastRead()


def record_age(age_s: float, *, now: datetime | None = None) -> None:
    """Count one answer whose data was `age_s` old, at `now` (this moment unless said)."""
    if age_s == 0:
        last_read.mark()
    sli_calculator.record_freshness(SOURCE, age_s, now)


def report_freshness(now: datetime) -> None:
    """Read one row through the breaker and count the age of what could be served.

    The reporter calls it every few seconds. Before the first successful read nothing is counted:
    an unknown age is no data, not a fresh one.
    """
    try:
        db_circuit_breaker.execute_query(_touch)
    except OUTAGE:
        age_s = last_read.age_s()
    else:
        age_s = 0.0
    finally:
        connection.close_if_unusable_or_obsolete()
    if age_s is not None:
        record_age(age_s, now=now)


class FreshnessCollector:
    """Calls `report_freshness` at most every 15 seconds, however often it is asked itself.

    Args:
        monotonic: Monotonic seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._due_at = float("-inf")

    def __call__(self) -> None:
        """Report when it is time."""
        if self._monotonic() < self._due_at:
            return
        self._due_at = self._monotonic() + EVERY_S
        report_freshness(clock.now())


def _touch() -> None:
    list(Person.objects.order_by("pk").values_list("pk")[:1])
