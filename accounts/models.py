"""People and their API tokens."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Q

from accounts.roles import Role
from accounts.scopes import Scope


class PortalUserManager(UserManager["User"]):
    """Makes superusers admins: the role is the one truth."""

    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra_fields: Any,
    ) -> "User":
        """Make an admin (`manage.py createsuperuser`)."""
        extra_fields["role"] = Role.ADMIN
        return super().create_superuser(username, email, password, **extra_fields)


class User(AbstractUser):
    """A person who signs in, with one role for the whole portal.

    Django's own `is_staff` (may open the admin) and `is_superuser` follow the role at every save;
    what a manager may do in the admin says `accounts.backends.RoleBackend`.
    """

    role = models.CharField(max_length=12, choices=Role.choices, default=Role.VIEWER)
    timezone = models.CharField(
        max_length=64, default="UTC", help_text="IANA zone in which times are shown to this person."
    )

    objects: ClassVar[PortalUserManager] = PortalUserManager()

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def named(self) -> str:
        """Return their name where something is theirs, and whether they are gone."""
        return str(self) if self.is_active else f"{self} (no longer active)"

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Let Django's flags follow the role."""
        self.is_staff = Role(self.role).includes(Role.MANAGER)
        self.is_superuser = self.role == Role.ADMIN
        if update_fields is not None and "role" in update_fields:
            update_fields = {*update_fields, "is_staff", "is_superuser"}
        super().save(*args, update_fields=update_fields, **kwargs)

    @property
    def audit_name(self) -> str:
        """How the audit names this person."""
        return f"user:{self.username}"

    def has_role(self, role: Role) -> bool:
        """Return whether this person, being active, may do what `role` may."""
        return self.is_active and Role(self.role).includes(role)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Reads of tokens."""

    def usable(self, now: datetime) -> Self:
        """Keep those neither revoked nor expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class ApiToken(models.Model):
    """A program's credential, acting for its owner within its scopes.

    The token itself, `srp_<lookup>_<secret>`, is shown once; only its keyed hash is kept.
    Made, revoked and checked by `accounts.services.tokens` and `accounts.authentication`.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What uses it, e.g. checkout deploy job.")
    lookup = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(
        null=True, blank=True, help_text="To the minute; empty when never used."
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.masked})"

    @property
    def masked(self) -> str:
        """What lists show of the token: enough to recognise it, nothing to use it."""
        return f"srp_{self.lookup}_…"

    @property
    def audit_name(self) -> str:
        """How the audit names this token."""
        return f"token:{self.lookup} of {self.user.audit_name}"

    def is_usable(self, now: datetime) -> bool:
        """Return whether it is neither revoked nor expired, and its owner is active."""
        in_time = self.expires_at is None or now < self.expires_at
        return in_time and self.revoked_at is None and self.user.is_active

    def has_scope(self, scope: Scope | str) -> bool:
        """Return whether it carries `scope` and its owner's present role still allows that."""
        return scope in self.scopes and self.user.has_role(Scope(scope).least_role)
