"""What a manager may do in Django's admin. Admins may do all there, others do not enter it."""

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from accounts.models import User
from accounts.roles import Role

# SRE leads keep the catalog and the targets; nothing is deleted there but by an admin.
EDITED = frozenset({"catalog", "incidents", "oncall", "slo", "statuspage"})
READ = EDITED | {
    "telemetry",
    "notifications",
    "chaos",
    "capacity",
    "dashboard",
    "users_api",
    "core",
    "django_celery_beat",
}


class RoleBackend(BaseBackend):
    """Gives managers their permissions by app and verb; it signs nobody in."""

    def has_perm(
        self,
        user_obj: AbstractBaseUser | AnonymousUser,
        perm: str,
        obj: Model | None = None,
    ) -> bool:
        """Return whether a manager may do what `app.verb_model` names."""
        app, _, codename = perm.partition(".")
        verb = codename.partition("_")[0]
        allowed = EDITED if verb in {"add", "change"} else READ if verb == "view" else frozenset()
        return app in allowed and _is_manager(user_obj)

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        """Return whether a manager sees an app at all."""
        return app_label in READ and _is_manager(user_obj)


def _is_manager(user: AbstractBaseUser | AnonymousUser) -> bool:
    return isinstance(user, User) and user.has_role(Role.MANAGER)
