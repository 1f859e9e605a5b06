"""App configuration of accounts."""

from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, roles, API tokens and sign-in."""

    name = "accounts"

    def ready(self) -> None:
        """Let the API's description know how callers identify themselves."""
        import_module("accounts.schema")
