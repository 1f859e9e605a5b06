"""Between django-allauth's flow and `accounts.oidc.issuer`."""

from functools import cached_property
from typing import Any

from allauth.socialaccount.models import SocialLogin, SocialToken
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest

from accounts.oidc.errors import IssuerError
from accounts.oidc.issuer import Issuer

__all__ = ["IssuerAdapter"]


class IssuerAdapter(OpenIDConnectOAuth2Adapter):
    """Asks the issuer within deadlines and believes only what is signed for this sign-in."""

    # Of the sign-in under way; the callback view takes it from the session.
    nonce = ""

    @cached_property
    def issuer(self) -> Issuer:
        """Return the configured issuer, whose description is read once a request."""
        app = self.get_provider().app
        return Issuer(app.settings["server_url"], app.client_id, app.secret)

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return the issuer's checked description of itself."""
        return self.issuer.description

    def get_access_token_data(
        self,
        request: HttpRequest,
        app: Any,
        client: Any,
        pkce_code_verifier: str | None = None,
    ) -> dict[str, str]:
        """Exchange the code for tokens."""
        access_token, id_token = self.issuer.redeem(
            request.GET["code"],
            verifier=pkce_code_verifier or "",
            callback=client.callback_url,
        )
        return {"access_token": access_token, "id_token": id_token}

    def complete_login(
        self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Check the tokens and return who signs in."""
        if not self.nonce:
            raise IssuerError("The session holds no nonce for this sign-in.")
        claims = self.issuer.checked_claims(kwargs["response"]["id_token"], nonce=self.nonce)
        person = self.issuer.person(token.token, claims)
        return self.get_provider().sociallogin_from_response(request, {"userinfo": person})
