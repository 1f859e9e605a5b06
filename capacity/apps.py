"""App configuration of capacity."""

from django.apps import AppConfig


class CapacityConfig(AppConfig):
    """How much of what each service has is used."""

    name = "capacity"

    def ready(self) -> None:
        """Answer for CPU and memory in threshold rules."""
        # Services know models, which exist only once every app is loaded.
        from capacity.services import readings  # noqa: PLC0415

        readings.register()
