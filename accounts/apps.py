"""App configuration of accounts."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import import_string


class AccountsConfig(AppConfig):
    """Users, roles, API tokens and sign-in."""

    name = "accounts"

    def ready(self) -> None:
        """Describe callers to the API's schema, tell sign-ins, and name what is encrypted."""
        # Named, not imported: what they need is not loaded yet when this file is.
        import_module("accounts.schema")
        import_string("accounts.sign_in_audit.connect")()
        import_string("accounts.second_factors.register_columns")()
