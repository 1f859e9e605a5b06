"""App configuration of incidents."""

from django.apps import AppConfig

from core import append_only, panels, sealed


class IncidentsConfig(AppConfig):
    """Alerts and the intake through which all of them arrive."""

    name = "incidents"

    def ready(self) -> None:
        """Have what was said and done guarded, and the secrets of senders rotated with the others."""
        append_only.register("incidents_timelineentry")
        append_only.register("incidents_attempt", ended="ended_at")
        append_only.register("incidents_calldecision")
        append_only.register("incidents_statusupdate")
        panels.register("catalog.service", "incident:service-panel")
        sealed.register(sealed.SealedColumn("incidents.Integration", "signing_secret"))
