"""App configuration of slo."""

from django.apps import AppConfig

from core import panels


class SloConfig(AppConfig):
    """SLIs, objectives, error budgets, burn rates."""

    name = "slo"

    def ready(self) -> None:
        """Show a service's objectives on its page."""
        panels.register("catalog.service", "slo:service-panel")
