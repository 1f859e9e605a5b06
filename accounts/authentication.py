"""Who calls the API: a token, or a signed-in session."""

from rest_framework import authentication


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token …` or `Bearer …`."""

    def authenticate(self, request):  # type: ignore[no-untyped-def]
        return None


class PortalSessionAuthentication(authentication.SessionAuthentication):
    """A signed-in browser, with CSRF protection."""
