"""Wiring only: settings, addresses, Celery and the process that runs all others."""

from sreportal.celery import app as celery_app

__all__ = ["celery_app"]
