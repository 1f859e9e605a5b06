"""App configuration of on-call."""

from django.apps import AppConfig

from core import sealed


class OncallConfig(AppConfig):
    """Schedules, rotations, overrides and escalation policies: who is on."""

    name = "oncall"
    verbose_name = "on call"

    def ready(self) -> None:
        """Have the addresses of calendars rotated with the other secrets."""
        sealed.register(sealed.SealedColumn("oncall.OverrideFeed", "sealed_url"))
