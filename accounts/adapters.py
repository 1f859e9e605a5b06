"""How sign-in behaves."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from accounts.roles import Role
from core import audit, clock
from core.encryption import decrypt, encrypt


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: an admin makes accounts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse self-made accounts."""
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """The issuer decides who signs in; whoever is new begins as a viewer."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Trust the issuer, which an admin configured."""
        return True

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Keep a new person, whatever role the issuer may claim."""
        sociallogin.user.role = Role.VIEWER
        user: User = super().save_user(request, sociallogin, form)
        changes = {"username": user.username, "role": user.role, "by": "single sign-on"}
        audit.record(act="user.created", subject=user, actor=user, now=clock.now(), changes=changes)
        return user


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keys of authenticator apps and recovery codes are encrypted at rest."""

    def encrypt(self, text: str) -> str:
        """Return what is stored."""
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return what was stored."""
        return decrypt(encrypted_text)
