"""App configuration of the status page."""

from django.apps import AppConfig

from core import panels


class StatusPageConfig(AppConfig):
    """What the public is told: components, incidents, maintenance."""

    name = "statuspage"
    verbose_name = "Status page"

    def ready(self) -> None:
        """Have what is published shown at once, and incidents and maintenance say what is public."""
        # Models are not loaded before.
        from incidents import public_pages  # noqa: PLC0415
        from incidents.services import status_updates  # noqa: PLC0415
        from statuspage.services import publishing  # noqa: PLC0415
        from statuspage.services.maintenance_words import StatusPage  # noqa: PLC0415

        public_pages.provide(StatusPage())
        status_updates.on_publish(publishing.follow)
        panels.register("incidents.detail", "status-incident:panel")
