"""Hands this process's counts of the Users API to whoever stores them."""

from collections.abc import Callable

from sre.reporting import Report, Reporter
from users_api.freshness import FreshnessCollector

SERVICE = "users-api"


def build_reporter(sink: Callable[[Report], None]) -> Reporter:
    """Return a reporter for this process, not yet running.

    Args:
        sink: Stores one report; when it raises, it has stored nothing and gets the same one again.
    """
    return Reporter(service=SERVICE, sink=sink, collectors=[FreshnessCollector()])


def start_reporter(sink: Callable[[Report], None]) -> Reporter:
    """Start reporting; called once in each process that answers requests."""
    reporter = build_reporter(sink)
    reporter.start()
    return reporter
