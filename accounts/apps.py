"""App configuration of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, roles, API tokens and sign-in."""

    name = "accounts"
