"""What an OpenID Connect client must ask and check.

Source:
    OpenID Connect Core 1.0 (sections 3.1.3.7 and 5.3.2) and Discovery 1.0 (section 4.3),
    https://openid.net/specs/openid-connect-core-1_0.html
"""

import base64
import hmac
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote_plus, urlsplit

import jwt

from accounts.oidc.errors import IssuerError
from accounts.oidc.transport import fetch_json

__all__ = ["Issuer"]

# By type of key, so that no token chooses for itself how it is checked; never a shared secret.
_ALGORITHMS = {
    "RSA": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    "EC": ["ES256", "ES384", "ES512"],
    "OKP": ["EdDSA"],
}
_LEEWAY_S = 30
# What PyJWT says of a token or key set that does not hold, and what it trips over in a hostile one:
# endless numbers for times, members of the wrong type, nesting without end.
_UNUSABLE = (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LONGEST_SUBJECT = 191  # what django-allauth stores; the specification allows 255
_LONGEST_ADDRESS = 254
_LONGEST_CLAIM = 150


@dataclass(frozen=True)
class Issuer:
    """An issuer as its client sees it.

    Attributes:
        address: Its name, which is also where its description is found.
        client_id: The portal's name there.
        secret: The portal's password there; empty for a public client.
    """

    address: str
    client_id: str
    secret: str

    @cached_property
    def description(self) -> dict[str, Any]:
        """Return what the issuer says of itself, after checking that it is the one configured.

        Raises:
            IssuerError: It is away, calls itself something else, or names unsafe endpoints.
        """
        # A slash at the end is the only difference that people make by mistake.
        name = self.address.rstrip("/")
        found = fetch_json(f"{name}/.well-known/openid-configuration")
        if not isinstance(found.get("issuer"), str) or found["issuer"].rstrip("/") != name:
            raise IssuerError("The issuer's description is of another issuer than OIDC_ISSUER.")
        named = [*_ENDPOINTS, *(["userinfo_endpoint"] if "userinfo_endpoint" in found else [])]
        for endpoint in named:
            if not self._is_safe(found.get(endpoint)):
                raise IssuerError(f"The issuer's description has no safe {endpoint}.")
        return found

    def redeem(self, code: str, *, verifier: str, callback: str) -> tuple[str, str]:
        """Return access token and ID token for a code (not yet checked).

        Raises:
            IssuerError: The issuer does not take the code, or answers without both tokens.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": verifier,
        }
        methods = self.description.get("token_endpoint_auth_methods_supported")
        headers = {}
        if not self.secret:
            form["client_id"] = self.client_id
        elif isinstance(methods, list) and "client_secret_post" in methods:
            form |= {"client_id": self.client_id, "client_secret": self.secret}
        else:
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = fetch_json(self.description["token_endpoint"], form=form, headers=headers)
        tokens = [answer.get(name) for name in ("access_token", "id_token")]
        if not all(isinstance(token, str) and token.isascii() for token in tokens):
            raise IssuerError("The issuer answered without an access token or without an ID token.")
        return str(tokens[0]), str(tokens[1])

    def checked_claims(self, id_token: str, *, nonce: str) -> dict[str, Any]:
        """Return what an ID token says, once everything about it is checked.

        Raises:
            IssuerError: Wrong signature, issuer, audience, time or nonce, or no usable subject.
        """
        try:
            key = self._key_of(id_token)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=key.key,
                algorithms=_ALGORITHMS[str(key.key_type)],
                issuer=self.description["issuer"],
                audience=self.client_id,
                leeway=_LEEWAY_S,
                options={"require": ["iss", "aud", "exp", "iat", "sub"]},
            )
        except _UNUSABLE as error:
            raise IssuerError(f"The ID token does not hold: {error}.") from error
        said = str(claims.get("nonce", "")).encode(errors="replace")
        if not hmac.compare_digest(said, nonce.encode()):
            raise IssuerError("The ID token was not made for this sign-in (nonce).")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self.client_id:
            raise IssuerError("The ID token was made for another client (azp).")
        if not _is_clean(claims["sub"], _LONGEST_SUBJECT):
            raise IssuerError(f"The subject is empty, unfit or over {_LONGEST_SUBJECT} characters.")
        return claims

    def person(self, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        """Return what the portal uses of a person: subject, names, address and whether it is theirs.

        Raises:
            IssuerError: The userinfo endpoint is away or speaks of another person.
        """
        said = dict(claims)
        if "userinfo_endpoint" in self.description:
            headers = {"Authorization": f"Bearer {access_token}"}
            found = fetch_json(self.description["userinfo_endpoint"], headers=headers)
            if found.get("sub") != claims["sub"]:
                raise IssuerError("Userinfo speaks of another person than the ID token.")
            said |= found
        names = ("preferred_username", "name", "given_name", "family_name")
        return {
            "sub": claims["sub"],
            # An address cut short or tidied up would be somebody else's.
            "email": said["email"] if _is_clean(said.get("email"), _LONGEST_ADDRESS) else "",
            # Some issuers send the word instead of the value.
            "email_verified": said.get("email_verified") is True
            or said.get("email_verified") == "true",
            **{name: _text(said.get(name), _LONGEST_CLAIM) for name in names},
        }

    def _is_safe(self, endpoint: object) -> bool:
        allowed = {"https", urlsplit(self.address).scheme}
        try:
            return isinstance(endpoint, str) and urlsplit(endpoint).scheme in allowed
        except ValueError:
            return False

    def _key_of(self, id_token: str) -> jwt.PyJWK:
        kid = jwt.get_unverified_header(id_token).get("kid")
        found = jwt.PyJWKSet.from_dict(fetch_json(self.description["jwks_uri"]))
        keys = [
            key
            for key in found.keys
            if key.key_type in _ALGORITHMS and key.public_key_use in {None, "sig"}
        ]
        fitting = [key for key in keys if kid is None or key.key_id == kid]
        if len(fitting) != 1:
            raise IssuerError("The issuer does not publish the key that signed the ID token.")
        return fitting[0]


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        return ""
    # PostgreSQL stores neither NUL nor half a surrogate pair.
    storable = value.replace("\0", "").encode(errors="ignore").decode()
    return storable[:longest].strip()


def _is_clean(value: object, longest: int) -> bool:
    return bool(value) and value == _text(value, longest)
