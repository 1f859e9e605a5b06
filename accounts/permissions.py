"""What the caller of the API may do."""

from rest_framework import permissions


class RoleAndScope(permissions.IsAuthenticated):
    """Deny by default."""
