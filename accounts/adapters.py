"""How sign-in behaves."""

from smtplib import SMTPException
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import InvalidToken
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from accounts.access import UNDONE_COOKIE
from accounts.models import User
from core.encryption import decrypt, encrypt
from core.errors import Conflict

log = structlog.get_logger(__name__)
UNDONE = "You were no longer signed in, so nothing was done. Do it once more."


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: an admin makes accounts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse self-made accounts."""
        return False

    def post_login(self, request: HttpRequest, user: Any, **login: Any) -> HttpResponse:
        """Send on whoever signed in, and say what was not done because nobody was."""
        answer: HttpResponse = super().post_login(request, user, **login)
        if UNDONE_COOKIE in request.COOKIES:
            messages.warning(request, UNDONE)
            answer.delete_cookie(UNDONE_COOKIE, samesite="Lax")
        return answer

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Failures count for the account: its address, and other names of this server, are not five
        # more tries each.
        name = str(credentials.get("email") or credentials.get("username") or "")
        owner = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name))
        key = owner.order_by("pk").values_list("pk", flat=True).first()
        return f"name:{name.lower()}" if key is None else f"user:{key}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send, or log why not: a mail server that is away must not undo what the mail tells of.

        Nor may it tell, by an error, that an address has an account.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            log.warning("mail not sent", mail=template_prefix, error=str(error))


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keys of authenticator apps and recovery codes are encrypted at rest."""

    def encrypt(self, text: str) -> str:
        """Return what is stored."""
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return what was stored.

        Raises:
            Conflict: None of the portal's keys opens it.
        """
        try:
            return decrypt(encrypted_text)
        except InvalidToken as error:
            log.warning("a second factor is encrypted with a key that is not in ENCRYPTION_KEYS")
            raise Conflict(
                "This second factor cannot be read any more. Use another one, or ask an admin to"
                " remove it."
            ) from error
