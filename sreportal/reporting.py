"""Where the web process's own counts go: straight into the portal's telemetry."""

from django.db import close_old_connections

from core.clock import now
from core.ticks import instance_name
from sre.circuit_breaker import circuit_breaker_manager
from sre.reporting import Report
from telemetry.services import breakers, ingest, receiver
from users_api.reporting import SERVICE, start_reporter


def store(report: Report) -> None:
    """Store one report of this process, how its breakers stand, and that it could receive.

    Raises:
        Unavailable: The database did not take it; the reporter comes again with the same report.
    """
    close_old_connections()
    at = now()
    receiver.mark_alive(now=at)
    states = circuit_breaker_manager.get_all_states()
    breakers.publish(states, service=SERVICE, instance=instance_name(), now=at)
    ingest.store_body(report.to_json(), now=at, key=report.key)


def start() -> None:
    """Start reporting; a hook that every web process calls once it serves."""
    start_reporter(store)
