"""Why a sign-in through the issuer ends at a page instead of inside.

OAuth2Error (django-allauth)    drawn by `socialaccount/authentication_error.html`, 401
├── IssuerError                 the issuer is away, or says what the specification forbids
└── SignInRefused               the issuer is right about who it is, and the portal says no
"""

from allauth.socialaccount.providers.oauth2.client import OAuth2Error

from accounts.models import User

__all__ = ["IssuerError", "SignInRefused"]


class IssuerError(OAuth2Error):
    """The issuer is away or its answer cannot be trusted; `reason` is for the log and the audit."""

    message = "The sign-in service did not give an answer that can be trusted. Try again, or ask an admin."

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SignInRefused(OAuth2Error):
    """The portal does not let this person in; `message` says why and what to do."""

    def __init__(self, message: str, *, user: User | None = None) -> None:
        super().__init__(message)
        self.message = self.reason = message
        self.user = user
