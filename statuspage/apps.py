"""App configuration of the status page."""

from django.apps import AppConfig

from core import panels


class StatusPageConfig(AppConfig):
    """What the public is told: components, incidents, maintenance."""

    name = "statuspage"
    verbose_name = "Status page"

    def ready(self) -> None:
        """Have what is published shown at once, and the page of an incident say what is public."""
        # Models are not loaded before.
        from incidents.services import status_updates  # noqa: PLC0415
        from statuspage.services import publishing  # noqa: PLC0415

        status_updates.on_publish(publishing.follow)
        panels.register("incidents.detail", "status-incident:panel")
