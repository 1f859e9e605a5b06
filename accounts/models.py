"""People."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from accounts.roles import Role


class User(AbstractUser):
    """A person who signs in, with one role for the whole portal."""

    role = models.CharField(max_length=12, choices=Role.choices, default=Role.VIEWER)
    timezone = models.CharField(
        max_length=64, default="UTC", help_text="IANA zone in which times are shown to this person."
    )

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def has_role(self, role: Role) -> bool:
        """Return whether this person, being active, may do what `role` may."""
        if not self.is_active:
            return False
        return self.is_superuser or Role(self.role).includes(role)
