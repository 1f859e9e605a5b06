"""How the API's schema describes who calls."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from accounts.authentication import PortalSessionAuthentication, TokenAuthentication

__all__ = ["SessionScheme", "TokenScheme"]


class TokenScheme(OpenApiAuthenticationExtension):
    """How the API's schema describes tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token, as made under API tokens or by `manage.py token create`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    """How the API's schema describes sessions."""

    target_class = PortalSessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
