"""App configuration of dashboard."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The overview and the operations guide's addresses."""

    name = "dashboard"
