"""App configuration of chaos."""

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Faults on purpose, with an end of their own."""

    name = "chaos"
