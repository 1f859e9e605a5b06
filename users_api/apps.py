"""App configuration of users_api."""

from django.apps import AppConfig

from core.health import Status, register_check


class UsersApiConfig(AppConfig):
    """The reference service that the portal watches, and the portal's health."""

    name = "users_api"
    verbose_name = "Users API"

    def ready(self) -> None:
        """Put the portal's own checks on the board."""
        from users_api import health  # noqa: PLC0415 it needs the models, which are loaded now

        register_check("database", health.check_database)
        register_check("broker", health.check_broker, silence=Status.DEGRADED)
        register_check("ticks", health.check_ticks)
        register_check("pager", health.check_pager)
