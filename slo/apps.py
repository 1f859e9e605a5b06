"""App configuration of slo."""

from django.apps import AppConfig

from core import panels, sealed


class SloConfig(AppConfig):
    """SLIs, objectives, error budgets, burn rates."""

    name = "slo"

    def ready(self) -> None:
        """Show a service's objectives on its page; have the credentials of sources rotated."""
        panels.register("catalog.service", "slo:service-panel")
        sealed.register(sealed.SealedColumn("slo.Source", "credentials"))
