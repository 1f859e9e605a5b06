"""How single sign-on behaves: django-allauth asks, `accounts.services.single_sign_on` decides."""

from typing import Any

import structlog
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts.models import User
from accounts.oidc.errors import IssuerError, SignInRefused
from accounts.roles import Role
from accounts.services.single_sign_on import admit
from core import audit, clock

__all__ = ["SocialAccountAdapter"]

log = structlog.get_logger(__name__)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """The issuer says who somebody is; whoever is new begins as a viewer."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Take whomever `pre_social_login` admitted."""
        return True

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Admit or refuse; connecting from one's own session asks for the password instead."""
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        if (connected := admit(sociallogin, now=clock.now())) is not None:
            context = {"account": sociallogin.account, "provider": sociallogin.provider}
            self.send_notification_mail(
                "socialaccount/email/account_connected", connected, context=context
            )

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Keep a new person, whatever role the issuer may claim."""
        try:
            return self._saved(request, sociallogin)
        except IntegrityError as error:
            raise SignInRefused("You are signing in twice at once. Try again.") from error

    @transaction.atomic
    def _saved(self, request: HttpRequest, sociallogin: SocialLogin) -> User:
        sociallogin.user.role = Role.VIEWER
        user: User = super().save_user(request, sociallogin)
        changes = {"username": user.username, "role": user.role, "by": "single sign-on"}
        audit.record(act="user.created", subject=user, actor=user, now=clock.now(), changes=changes)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Tell the log, and the audit when somebody did begin to sign in here.

        Without a state of this browser's session the address was merely opened; that is not told,
        else anybody could fill the audit.
        """
        known = isinstance(exception, IssuerError | SignInRefused)
        reason = exception.reason if known else str(error or "unknown")  # type: ignore[union-attr]
        log.warning("sign-in through the issuer failed", reason=reason)
        if not (extra_context or {}).get("state"):
            return
        with transaction.atomic():
            audit.record(
                act="user.sign_in_failed",
                subject=getattr(exception, "user", None) or "unknown account",
                actor="anonymous",
                now=clock.now(),
                changes={"by": "single sign-on", "reason": reason},
            )
