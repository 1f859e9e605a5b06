"""App configuration of notifications."""

from django.apps import AppConfig

from core import sealed
from core.health import Status, register_check


class NotificationsConfig(AppConfig):
    """The ways in which people and channels are reached."""

    name = "notifications"

    def ready(self) -> None:
        """Have addresses and signing secrets rotated with the other secrets, and looked at by `/health`."""
        from notifications.health import AddressCheck  # noqa: PLC0415 it needs the models

        for field in ("sealed_address", "sealed_secret", "sealed_old_secret"):
            sealed.register(sealed.SealedColumn("notifications.ContactMethod", field))
        register_check("addresses", AddressCheck(), silence=Status.DEGRADED)
