"""App configuration of slo."""

from django.apps import AppConfig

from core import panels, sealed


class SloConfig(AppConfig):
    """SLIs, objectives, error budgets, burn rates."""

    name = "slo"
    verbose_name = "SLOs"

    def ready(self) -> None:
        """Show a service's objectives on its page; rotate credentials; follow maintenance; tell what incidents took."""
        panels.register("catalog.service", "slo:service-panel")
        from incidents.queries import budget_costs  # noqa: PLC0415 models are not loaded before this point
        from incidents.services import maintenance  # noqa: PLC0415 models are not loaded before this point
        from slo.queries.incident_costs import costs_of  # noqa: PLC0415
        from slo.services.maintenance import follow  # noqa: PLC0415

        budget_costs.provide(costs_of)
        maintenance.on_change(follow)
        sealed.register(sealed.SealedColumn("slo.Source", "credentials"))
