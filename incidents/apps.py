"""App configuration of incidents."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Alerts and the intake through which all of them arrive."""

    name = "incidents"
