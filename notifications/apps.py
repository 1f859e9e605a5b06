"""App configuration of notifications."""

from django.apps import AppConfig

from core import sealed


class NotificationsConfig(AppConfig):
    """The ways in which people and channels are reached."""

    name = "notifications"

    def ready(self) -> None:
        """Have addresses and signing secrets rotated with the other secrets."""
        for field in ("sealed_address", "sealed_secret", "sealed_old_secret"):
            sealed.register(sealed.SealedColumn("notifications.ContactMethod", field))
