"""App configuration of the wiring."""

from importlib import import_module

from django.apps import AppConfig


class SreportalConfig(AppConfig):
    """Runs `sreportal.wiring` once all models are loaded."""

    name = "sreportal"

    def ready(self) -> None:
        """Connect the apps."""
        import_module("sreportal.wiring").connect()
