"""App configuration of the wiring: it brings the process commands."""

from django.apps import AppConfig


class SreportalConfig(AppConfig):
    """`manage.py up` and `manage.py bootstrap`."""

    name = "sreportal"
