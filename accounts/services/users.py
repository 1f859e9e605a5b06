"""Making people, changing what they may do, and letting them go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.authentication import forget_tokens
from accounts.models import ApiToken, User
from accounts.roles import Role
from core import audit
from core.errors import Conflict, InvalidInput
from core.zones import zone_names

PROFILE_FIELDS = ("first_name", "last_name", "timezone")
FIELDS = ("username", "email", *PROFILE_FIELDS, "role", "is_active")


@transaction.atomic
def create_user(
    *,
    username: str,
    now: datetime,
    actor: audit.Actor | str | None = None,
    password: str | None = None,
    **fields: Any,
) -> User:
    """Make somebody who can sign in, a viewer unless `fields` gives another role.

    Without a password they sign in by single sign-on, or set one by the reset mail.

    Raises:
        InvalidInput: A wrong value, by field; also a weak password.
        Conflict: The user name or the email address is taken.
    """
    user = User(username=username, date_joined=now, **_known(fields))
    if password is None:
        user.set_unusable_password()
    else:
        _check_password(password, user)
        user.set_password(password)
    _save(user)
    changes = {"username": username, "role": user.role, "email": user.email}
    audit.record(act="user.created", subject=user, actor=actor, now=now, changes=changes)
    return user


@transaction.atomic
def change_user(
    *, user: User, fields: Mapping[str, Any], now: datetime, actor: audit.Actor | str | None
) -> User:
    """Change some of `FIELDS`; what stays the same is not audited.

    Deactivating ends the person's sessions and revokes their tokens; a role takes effect at once.

    Raises:
        InvalidInput: A wrong value, by field.
        Conflict: A name or address that is taken, or the last active admin would be gone.
    """
    stored = User.objects.select_for_update().get(pk=user.pk)
    before = {name: getattr(stored, name) for name in FIELDS}
    for name, value in _known(fields).items():
        setattr(stored, name, value)
    changes = {name: [old, getattr(stored, name)] for name, old in before.items()}
    changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
    if not changes:
        return stored
    _keep_an_admin(stored, was=before)
    _save(stored)
    if "is_active" in changes and not stored.is_active:
        end_sessions(stored)
        ApiToken.objects.filter(user=stored, revoked_at=None).update(revoked_at=now)
    if "email" in changes:
        # What django-allauth noted of an earlier address would still reset the password.
        EmailAddress.objects.filter(user=stored).exclude(email__iexact=stored.email).delete()
    audit.record(act="user.changed", subject=stored, actor=actor, now=now, changes=changes)
    transaction.on_commit(forget_tokens)
    return stored


def set_role(*, user: User, role: Role, now: datetime, actor: audit.Actor | str | None) -> User:
    """Give somebody another role."""
    return change_user(user=user, fields={"role": role}, now=now, actor=actor)


def deactivate(*, user: User, now: datetime, actor: audit.Actor | str | None) -> User:
    """Let somebody go: no sign-in, no session, no token works from now on."""
    return change_user(user=user, fields={"is_active": False}, now=now, actor=actor)


def change_profile(*, user: User, fields: Mapping[str, Any], now: datetime) -> User:
    """Change what people may change of themselves: `PROFILE_FIELDS`."""
    own = {name: value for name, value in fields.items() if name in PROFILE_FIELDS}
    return change_user(user=user, fields=own, now=now, actor=user)


def end_sessions(user: User) -> None:
    """Sign somebody out everywhere."""
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise InvalidInput("There is no such field.", field=unknown[0])
    return dict(fields)


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), field="password") from error


def _save(user: User) -> None:
    if user.timezone not in zone_names():
        raise InvalidInput("Use an IANA zone, e.g. Europe/Berlin.", field="timezone")
    others = User.objects.exclude(pk=user.pk)
    if others.filter(username__iexact=user.username).exists():
        raise Conflict("This user name is taken.", field="username")
    if user.email and others.filter(email__iexact=user.email).exists():
        raise Conflict("This email address is taken.", field="email")
    try:
        # The password is hashed or deliberately unusable; `full_clean` judges the rest.
        user.full_clean(exclude={"password"}, validate_unique=False)
    except ValidationError as error:
        raise InvalidInput("Some values are wrong.", fields=error.message_dict) from error
    user.save()


def _keep_an_admin(user: User, *, was: Mapping[str, Any]) -> None:
    was_admin = was["is_active"] and was["role"] == Role.ADMIN
    if not was_admin or user.has_role(Role.ADMIN):
        return
    others = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True)
    if not others.exclude(pk=user.pk).exists():
        raise Conflict("The portal needs an active admin; make somebody else one first.")
