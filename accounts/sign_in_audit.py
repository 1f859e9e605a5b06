"""Signing in, failing to, signing out and changing passwords are told in the audit."""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set, user_logged_in
from allauth.mfa.signals import authenticator_added, authenticator_removed
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.db import transaction
from django.db.models import Q

from accounts.models import User
from core import audit, clock

# The account of nobody is not named: people type passwords into the name field.
_NOBODY = "unknown account"


def connect() -> None:
    """Listen to what Django and django-allauth tell; called once, when the app is ready."""
    acts = {
        user_logged_in: "user.signed_in",
        user_logged_out: "user.signed_out",
        password_changed: "user.password_changed",
        password_reset: "user.password_reset",
        password_set: "user.password_set",
        authenticator_added: "user.second_factor_added",
        authenticator_removed: "user.second_factor_removed",
    }
    for signal, act in acts.items():
        signal.connect(_teller(act), weak=False, dispatch_uid=act)
    social_account_added.connect(_tell_connected, dispatch_uid="user.single_sign_on_connected")
    social_account_removed.connect(_tell_parted, dispatch_uid="user.single_sign_on_disconnected")
    user_login_failed.connect(_tell_failure, dispatch_uid="user.sign_in_failed")


def _teller(act: str) -> Any:
    def tell(user: User | None = None, **facts: Any) -> None:
        if user is not None:
            _tell(act, user, {"by": "single sign-on"} if facts.get("sociallogin") else {})

    return tell


def _tell_connected(sociallogin: SocialLogin, **_facts: Any) -> None:
    subject = {"subject": sociallogin.account.uid, "by": "own session"}
    _tell("user.single_sign_on_connected", sociallogin.user, subject)


def _tell_parted(socialaccount: SocialAccount, **_facts: Any) -> None:
    subject = {"subject": socialaccount.uid}
    _tell("user.single_sign_on_disconnected", socialaccount.user, subject)


def _tell(act: str, user: User, changes: dict[str, str]) -> None:
    with transaction.atomic():
        audit.record(act=act, subject=user, actor=user, now=clock.now(), changes=changes)


def _tell_failure(credentials: dict[str, Any], **_facts: Any) -> None:
    names = [credentials[key] for key in ("username", "email") if credentials.get(key)]
    named = [Q(username__iexact=name) | Q(email__iexact=name) for name in names]
    user = User.objects.filter(named[0]).first() if named else None
    with transaction.atomic():
        audit.record(
            act="user.sign_in_failed", subject=user or _NOBODY, actor="anonymous", now=clock.now()
        )
