"""Connects what may not know each other: defaults to bootstrap, reporters to web processes."""

from core import bootstrap, process
from slo.services.defaults import ensure_defaults
from sreportal import reporting


def connect() -> None:
    """Register the hooks; nothing runs yet. Needs models, so it is called from `ready()`."""
    bootstrap.register(ensure_defaults)
    process.on_web_start(reporting.start)
