"""App configuration of users_api."""

from django.apps import AppConfig


class UsersApiConfig(AppConfig):
    """The reference service that the portal watches."""

    name = "users_api"
