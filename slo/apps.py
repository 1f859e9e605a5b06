"""App configuration of slo."""

from django.apps import AppConfig


class SloConfig(AppConfig):
    """SLIs, objectives, error budgets, burn rates."""

    name = "slo"
