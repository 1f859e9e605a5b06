"""Making and revoking API tokens."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts.authentication import forget_tokens
from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.scopes import Scope, allowed_scopes
from accounts.tokens import digest_of, new_token
from core import audit
from core.errors import Conflict, InvalidInput

_NAME_LENGTH = 100


@transaction.atomic
def create_token(
    *,
    user: User,
    name: str,
    scopes: Iterable[Scope | str],
    now: datetime,
    expires_at: datetime | None = None,
    actor: audit.Actor | str | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for `user` and return its row and the token itself, which nobody sees again.

    Args:
        user: The owner; the token never may more than the owner.
        name: What will use it.
        scopes: One or more of read, write, ingest, chaos.
        now: The present.
        expires_at: When it stops working; None for never.
        actor: Who makes it; by default its owner.

    Raises:
        InvalidInput: An empty name, unknown or missing scopes, a scope above the owner's role, an
            expiry in the past.
        Conflict: The owner is deactivated.
    """
    if not user.is_active:
        raise Conflict(f"{user.username} is deactivated and cannot have tokens.")
    name = name.strip()
    if not 1 <= len(name) <= _NAME_LENGTH:
        raise InvalidInput("Name what will use it, in 1 to 100 characters.", field="name")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The expiry must lie ahead.", field="expires_at")
    granted = _checked_scopes(scopes, owner=user)
    secret, lookup = new_token()
    token = ApiToken.objects.create(
        user=user,
        name=name,
        lookup=lookup,
        digest=digest_of(secret, pepper=settings.TOKEN_PEPPER),
        scopes=granted,
        created_at=now,
        expires_at=expires_at,
    )
    audit.record(
        act="api_token.created",
        subject=token,
        actor=actor or user,
        now=now,
        changes={
            "owner": user.username,
            "name": name,
            "lookup": lookup,
            "scopes": granted,
            "expires_at": expires_at,
        },
    )
    return token, secret


@transaction.atomic
def revoke_token(
    token: ApiToken, *, now: datetime, actor: audit.Actor | str | None = None
) -> ApiToken:
    """Make a token useless from now on; revoking it again changes nothing.

    This process refuses it at once, every other within `accounts.authentication.CACHE_FOR`.
    """
    revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    if revoked:
        audit.record(
            act="api_token.revoked",
            subject=token,
            actor=actor,
            now=now,
            changes={"owner": token.user.username, "name": token.name, "lookup": token.lookup},
        )
    transaction.on_commit(forget_tokens)
    token.refresh_from_db()
    return token


def _checked_scopes(scopes: Iterable[Scope | str], *, owner: User) -> list[str]:
    asked = {str(scope) for scope in scopes}
    if unknown := asked - set(Scope.values):
        known = ", ".join(Scope.values)
        raise InvalidInput(
            f"Unknown scopes: {', '.join(sorted(unknown))}. There are {known}.", field="scopes"
        )
    if not asked:
        raise InvalidInput(f"Choose at least one of {', '.join(Scope.values)}.", field="scopes")
    role = Role(owner.role)
    if beyond := asked - set(allowed_scopes(role)):
        raise InvalidInput(
            f"{owner.username} is {role.label.lower()}, which is too little for:"
            f" {', '.join(sorted(beyond))}.",
            field="scopes",
        )
    return [scope.value for scope in Scope if scope in asked]
