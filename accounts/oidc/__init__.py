"""Single sign-on by OpenID Connect: one issuer, which an operator names and thereby trusts.

django-allauth carries the flow; what the specification asks of a client beyond that is here: the
issuer's own name, the nonce, the signature, one subject in token and userinfo, and a deadline.
"""

from typing import Any

PROVIDER_ID = "oidc"


def providers(*, issuer: str, name: str, client_id: str, secret: str) -> dict[str, Any]:
    """Return django-allauth's `SOCIALACCOUNT_PROVIDERS`; empty without an issuer."""
    if not issuer:
        return {}
    app = {
        "provider_id": PROVIDER_ID,
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}
