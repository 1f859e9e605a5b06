"""Who may use the Users API."""

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class AnonymousWhereAllowed(BasePermission):
    """Everybody while `USERS_API_ANONYMOUS` says so; else whoever the portal's API admits."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """REST framework's hook."""
        if settings.USERS_API_ANONYMOUS:
            return True
        return all(rule.has_permission(request, view) for rule in APIView().get_permissions())
