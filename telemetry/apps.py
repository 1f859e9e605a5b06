"""App configuration of telemetry."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """Inbound measurements, kept per service, endpoint and minute."""

    name = "telemetry"
