"""App configuration of core."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Abstract models, errors, HTMX pages, audit, ticks and panels that every app uses."""

    name = "core"
