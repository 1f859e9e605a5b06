"""Taking away by which somebody signs in: second factors and the issuer's identities."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from core import audit

__all__ = ["disconnect_identity", "remove_second_factor"]


@transaction.atomic
def remove_second_factor(
    factor: Authenticator, *, now: datetime, actor: audit.Actor | str | None
) -> None:
    """Remove a second factor that its owner lost; recovery codes do not stay behind alone."""
    user, kind = factor.user, factor.type
    factor.delete()
    left = Authenticator.objects.filter(user=user)
    if not left.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
        left.delete()
    audit.record(
        act="user.second_factor_removed",
        subject=user,
        actor=actor,
        now=now,
        changes={"type": kind},
    )


@transaction.atomic
def disconnect_identity(
    identity: SocialAccount, *, now: datetime, actor: audit.Actor | str | None
) -> None:
    """Forget who somebody is at the issuer: the next sign-in finds them by address again."""
    user, subject = identity.user, identity.uid
    identity.delete()
    audit.record(
        act="user.single_sign_on_disconnected",
        subject=user,
        actor=actor,
        now=now,
        changes={"subject": subject},
    )
