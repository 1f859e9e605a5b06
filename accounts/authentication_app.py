"""Django's own app of users and sign-in, without the rows that nobody's rights come from."""

from django.contrib.auth.apps import AuthConfig as DjangosAuthConfig
from django.db.models.signals import post_migrate  # noqa: TID251 of commands, not of models


class AuthConfig(DjangosAuthConfig):
    """Makes no row for each model and verb: roles decide (`accounts.backends`), rows never do."""

    def ready(self) -> None:
        """Connect what Django connects, but for what follows each migration."""
        super().ready()
        post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
