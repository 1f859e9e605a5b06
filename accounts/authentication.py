"""Who calls: a token, or a signed-in session.

A token that was checked is trusted for `CACHE_FOR` in the process that checked it, so that a busy
sender costs no query per batch. Revoking, expiry, deactivation and a lower role are honoured at
once in the process that did them and within those seconds in every other.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.http import HttpRequest
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.scopes import Scope
from accounts.tokens import digest_of, lookup_of, same_digest
from core import clock
from core.errors import Forbidden, NotAuthenticated, Unavailable

__all__ = [
    "PortalSessionAuthentication",
    "TokenAuthentication",
    "authenticate",
    "forget_tokens",
    "given_token",
    "require_scope",
]

CACHE_FOR = timedelta(seconds=5)
_CACHE_SIZE = 512
_NOTE_USE_EVERY = timedelta(minutes=1)
_CHALLENGE = 'Bearer realm="sreportal"'
_MISSING = "Send a token: `Authorization: Bearer srp_…`. People make theirs under API tokens."
_REFUSED = "This token is unknown, expired or revoked."


class _Checked:
    """Tokens checked a moment ago, by digest; bounded, the least recently checked leave first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: OrderedDict[str, tuple[float, ApiToken]] = OrderedDict()

    def get(self, digest: str) -> ApiToken | None:
        with self._lock:
            checked_at, token = self._rows.get(digest, (0.0, None))
        fresh = monotonic() - checked_at < CACHE_FOR.total_seconds()
        return token if fresh else None

    def put(self, token: ApiToken) -> None:
        with self._lock:
            self._rows[token.digest] = (monotonic(), token)
            self._rows.move_to_end(token.digest)
            while len(self._rows) > _CACHE_SIZE:
                self._rows.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()


_checked = _Checked()


def forget_tokens() -> None:
    """Check every token anew at its next use; called by whatever changes tokens or people."""
    _checked.clear()


def given_token(request: HttpRequest) -> str | None:
    """Return the token of the `Authorization` header, or None when there is none of our schemes."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() in {"token", "bearer"} else None


def authenticate(request: HttpRequest, scope: Scope | str = Scope.INGEST) -> ApiToken:
    """Return the token that a request to a plain view carries.

    Args:
        request: Its `Authorization` header holds `Token …` or `Bearer …`.
        scope: The scope that the view needs.

    Raises:
        NotAuthenticated: No token, or one that is unknown, expired, revoked, or of somebody
            deactivated.
        Forbidden: A good token without the scope, or whose owner's role no longer allows it.
        Unavailable: The database does not answer.
    """
    given = given_token(request)
    if given is None:
        raise NotAuthenticated(_MISSING)
    token = _find(given, now=clock.now())
    require_scope(token, scope)
    return token


def require_scope(token: ApiToken, scope: Scope | str) -> None:
    """Refuse a token that may not be used for `scope`, naming it."""
    scope = Scope(scope)
    if scope not in token.scopes:
        raise Forbidden(f'This token lacks the scope "{scope.value}".')
    if not token.has_scope(scope):
        raise Forbidden(
            f'The scope "{scope.value}" needs its owner to be {scope.least_role.label.lower()}'
            " or more; this token's owner no longer is."
        )


def _find(given: str, *, now: datetime) -> ApiToken:
    digest = digest_of(given, pepper=settings.TOKEN_PEPPER)
    token = _checked.get(digest)
    if token is None:
        try:
            token = _load(given, digest, now=now)
        except (OperationalError, InterfaceError) as error:
            raise Unavailable("The database does not answer. Nothing was stored.") from error
    if token is None or not token.is_usable(now):
        raise NotAuthenticated(_REFUSED)
    return token


def _load(given: str, digest: str, *, now: datetime) -> ApiToken | None:
    lookup = lookup_of(given)
    if lookup is None:
        return None
    token = ApiToken.objects.select_related("user").filter(lookup=lookup).first()
    if token is None or not same_digest(token.digest, digest):
        return None
    if token.is_usable(now):
        _note_use(token, now=now)
        _checked.put(token)
    return token


def _note_use(token: ApiToken, *, now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _NOTE_USE_EVERY)
    if token.last_used_at is None or token.last_used_at <= now - _NOTE_USE_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token …` or `Bearer …`; the scope is checked by `RoleAndScope`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return owner and token, or None when the request carries no token."""
        given = given_token(request._request)
        if given is None:
            return None
        try:
            token = _find(given, now=clock.now())
        except NotAuthenticated as error:
            raise exceptions.AuthenticationFailed(error.message, error.code) from error
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that makes a refusal 401."""
        return _CHALLENGE


class PortalSessionAuthentication(authentication.SessionAuthentication):
    """A signed-in browser, with CSRF protection."""
