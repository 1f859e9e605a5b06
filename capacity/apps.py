"""App configuration of capacity."""

from django.apps import AppConfig


class CapacityConfig(AppConfig):
    """How much of what each service has is used."""

    name = "capacity"
