"""App configuration of on-call."""

from django.apps import AppConfig


class OncallConfig(AppConfig):
    """Schedules, rotations, overrides and escalation policies: who is on."""

    name = "oncall"
    verbose_name = "on call"
