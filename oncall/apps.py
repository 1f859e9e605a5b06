"""App configuration of on-call."""

from django.apps import AppConfig

from core import sealed


class OncallConfig(AppConfig):
    """Schedules, rotations, overrides and escalation policies: who is on."""

    name = "oncall"
    verbose_name = "on call"

    def ready(self) -> None:
        """Have addresses of calendars rotated with the other secrets, and teams kept that are called."""
        from catalog.services import keeping  # noqa: PLC0415 models are not loaded before this point
        from oncall.services.teams import callers_of  # noqa: PLC0415

        keeping.register(callers_of)
        sealed.register(sealed.SealedColumn("oncall.OverrideFeed", "sealed_url"))
