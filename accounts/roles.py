"""Roles, from the least to the most that a person may do."""

from django.db import models


class Role(models.TextChoices):
    """A person's role in the portal; each may do all that those before it may."""

    VIEWER = "viewer", "Viewer"
    RESPONDER = "responder", "Responder"
    MANAGER = "manager", "Manager"
    ADMIN = "admin", "Admin"

    @property
    def rank(self) -> int:
        """Position in the order: viewer 0 … admin 3."""
        return list(Role).index(self)

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do what `other` may."""
        return self.rank >= other.rank
