"""Wiring only: settings, addresses, Celery and the process that runs all others."""

import gc

# A process that loads this much has the collector walk it a hundred times when it starts, and then
# at every few requests, for garbage that is hardly there. (Python's own first threshold is 700.)
gc.set_threshold(10_000, 10, 10)

from sreportal.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
