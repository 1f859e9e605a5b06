"""App configuration of incidents."""

from django.apps import AppConfig

from core import sealed


class IncidentsConfig(AppConfig):
    """Alerts and the intake through which all of them arrive."""

    name = "incidents"

    def ready(self) -> None:
        """Have the secrets of senders rotated with the others."""
        sealed.register(sealed.SealedColumn("incidents.Integration", "signing_secret"))
