"""Whom the issuer's word lets in, and as whom."""

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.db import transaction

from accounts.models import User
from accounts.oidc.errors import SignInRefused
from core import audit

__all__ = ["admit"]

_DEACTIVATED = "This account is deactivated. Ask an admin."
_UNVERIFIED = (
    "The sign-in service does not confirm that an email address is yours."
    " Confirm it there, then try again."
)
_ANOTHERS = (
    "The account with this email address belongs to another identity at the sign-in service."
    " Ask an admin."
)


def admit(attempt: SocialLogin, *, now: datetime) -> User | None:
    """Decide as whom somebody signs in; connect them when this is their first time.

    The identity is the issuer's subject. The address counts once, at the first sign-in, and only
    when the issuer has verified it: people cannot change their address in the portal, so the one
    kept there is an admin's word. Whoever is connected already is not found by address again, so an
    address given to somebody new does not hand over the account of whoever had it before.

    Returns:
        The person who was connected just now; None for somebody known or new.

    Raises:
        SignInRefused: Deactivated, without a verified address, or in place of somebody else.
    """
    if attempt.is_existing:
        _refuse_the_deactivated(attempt.user)
        return None
    address = next((found.email for found in attempt.email_addresses if found.verified), "")
    if not address:
        raise SignInRefused(_UNVERIFIED)
    owner = User.objects.filter(email__iexact=address).first()
    if owner is not None and _same(owner.email, address):
        return _connect(attempt, owner, now=now)
    if owner is not None or EmailAddress.objects.filter(email__iexact=address).exists():
        raise SignInRefused(_ANOTHERS)
    return None


@transaction.atomic
def _connect(attempt: SocialLogin, owner: User, *, now: datetime) -> User:
    # Locked, so that two first sign-ins at once do not connect two identities.
    owner = User.objects.select_for_update().get(pk=owner.pk)
    _refuse_the_deactivated(owner)
    if SocialAccount.objects.filter(user=owner, provider=attempt.account.provider).exists():
        raise SignInRefused(_ANOTHERS, user=owner)
    attempt.user = attempt.account.user = owner
    attempt.account.save()
    audit.record(
        act="user.single_sign_on_connected",
        subject=owner,
        actor=owner,
        now=now,
        changes={"subject": attempt.account.uid, "by": "verified address"},
    )
    return owner


def _same(one: str, other: str) -> bool:
    # Databases take some letters for capitals of others: dotless i for i, so that the address of a
    # stranger would find somebody's account. Capitals are ignored within ASCII only.
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())


def _refuse_the_deactivated(user: User) -> None:
    if not user.is_active:
        raise SignInRefused(_DEACTIVATED, user=user)
