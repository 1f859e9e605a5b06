"""django-allauth's provider for OpenID Connect, with the nonce it lacks; found by its file's name."""

import secrets
from typing import Any

from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider as AllauthProvider,
)
from django.http import HttpRequest, HttpResponse

from accounts.oidc.flow import IssuerAdapter

__all__ = ["OpenIDConnectProvider", "provider_classes"]


class OpenIDConnectProvider(AllauthProvider):
    """Binds each answer of the issuer to the browser that asked, by state, PKCE and nonce."""

    oauth2_adapter_class = IssuerAdapter

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, Any]:
        """Take nothing from the address: a link must not change what is asked of the issuer."""
        return dict(self.get_auth_params())

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        """Take nothing from the address."""
        return list(self.get_scope())

    def redirect(self, request: HttpRequest, process: str, **kwargs: Any) -> HttpResponse:
        """Lead to the issuer; the nonce waits in the session, beside the state."""
        nonce = secrets.token_urlsafe(32)
        params = {**(kwargs.pop("auth_params", None) or {}), "nonce": nonce}
        answer: HttpResponse = super().redirect(
            request, process, auth_params=params, nonce=nonce, **kwargs
        )
        return answer


provider_classes = [OpenIDConnectProvider]
