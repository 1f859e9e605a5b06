"""App configuration of catalog."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Teams, services and what depends on what."""

    name = "catalog"
