"""Every address of the portal says whom it lets in, and keeps to it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.regex_helper import normalize
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView

from accounts import authentication
from accounts.access import Access
from accounts.permissions import RoleAndScope, required_role
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, token_of

PUBLIC = Access(None, reason="listed")
SIGNED_IN = Access(Role.VIEWER)
# Views of others, which cannot carry our mark, by the beginning of their address. The first that
# fits counts.
ELSEWHERE: tuple[tuple[str, Access], ...] = (
    ("admin/login/", PUBLIC),
    ("admin/logout/", PUBLIC),
    ("admin/", Access(Role.MANAGER)),
    ("accounts/login/", PUBLIC),
    ("accounts/logout/", PUBLIC),
    ("accounts/inactive/", PUBLIC),
    ("accounts/signup/", PUBLIC),
    ("accounts/confirm-email/", PUBLIC),
    ("accounts/password/reset/", PUBLIC),
    ("accounts/2fa/authenticate/", PUBLIC),
    ("accounts/3rdparty/login/cancelled/", PUBLIC),
    ("accounts/3rdparty/signup/", PUBLIC),
    ("accounts/oidc/", PUBLIC),
    ("accounts/", SIGNED_IN),
    # The reference service knows nothing of accounts; probes come without credentials.
    ("health", PUBLIC),
    ("api/users", PUBLIC),
)
# Programs only, by rules of their own that the tests of their apps hold; 401 to people.
PROGRAMS_ONLY = ("api/users", "api/v1/telemetry/", "v1/metrics", "v2/alerts", "v2/heartbeats")
# Answers 401 to everybody: it tells that signing in elsewhere failed.
SAYS_401 = "accounts/3rdparty/login/error/"
# A POST that only asks: its question is too long for an address.
ASKS_BY_POST = ("api/v1/slos/987654/preview/",)
# What everybody has of their own, viewers too; that nobody has others' is held by its own tests.
OF_EVERYBODY = (
    "api/v1/contact-methods/",
    "api/v1/notification-rules/",
    "api/v1/quiet-hours/",
)
# Where no GET is answered, or the answer is for nobody signed in already.
REFUSALS = {400, 403, 404, 405}
_WORD = re.compile(r"%\(\w+\)s")


def patterns(resolver: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield an address to ask for and its pattern, for every pattern below a resolver."""
    for entry in resolver.url_patterns:
        # Every parameter matches a number that is nobody's key.
        form = normalize(entry.pattern.regex.pattern.removesuffix(r"\Z"))[0][0]
        address = prefix + _WORD.sub("987654", form)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, address)
        else:
            yield address, entry


ADDRESSES = sorted(patterns(get_resolver()), key=lambda pair: pair[0])
ids = [address or "overview" for address, _ in ADDRESSES]


def access_of(address: str, pattern: URLPattern) -> Access | None:
    """Return whom a view says it lets in for reading, or None when nobody said."""
    view = pattern.callback
    own = getattr(view, "access", None)
    if isinstance(own, Access):
        return own
    api = getattr(view, "cls", None)
    if api is not None and issubclass(api, APIView) and RoleAndScope in api.permission_classes:
        return Access(required_role(api, reads=True), Scope.READ)
    listed = (access for start, access in ELSEWHERE if address.startswith(start))
    return next(listed, None)


@pytest.mark.parametrize(("address", "pattern"), ADDRESSES, ids=ids)
def test_every_address_says_whom_it_lets_in(address: str, pattern: URLPattern) -> None:
    """A view that says nothing fails here: mark it, or list it with a reason."""
    assert access_of(address, pattern) is not None


@pytest.mark.django_db
@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: str(role or "anonymous"))
def test_every_address_keeps_to_it_for_people(role: Role | None) -> None:
    """The unknown meet the sign-in, the next lesser role a refusal, the least that may an answer.

    Roles include each other in a row, so those further below or above learn nothing new.
    """
    client = Client(raise_request_exception=False)
    if role:
        client.force_login(person("somebody", role))
    wrong = []
    for address, pattern in ADDRESSES:
        access = access_of(address, pattern)
        if access is None or "logout" in address or address.startswith(PROGRAMS_ONLY):
            continue
        least = (access.role or Role.VIEWER).rank
        if role and role.rank not in {least - 1, least}:
            continue
        status = client.get(f"/{address}").status_code
        right = is_right(status, role, access.role) or address == SAYS_401
        if not right or status >= 500:
            wrong.append((address, status))
    assert wrong == []


def is_right(status: int, role: Role | None, needed: Role | None) -> bool:
    """Return whether a status is what a role may meet where another is needed."""
    if needed is None:
        return status != 401
    if role is None:
        return status in {302, 401, 405}
    if role.includes(needed):
        return status != 401
    return status in {302, *REFUSALS}


@pytest.mark.django_db
@pytest.mark.parametrize("scope", list(Scope))
def test_every_address_keeps_to_it_for_tokens(scope: Scope) -> None:
    """A token reads only what is read with its scope, even an admin's."""
    authentication.forget_tokens()
    _, secret = token_of(person("root", Role.ADMIN), scope)
    client = Client(raise_request_exception=False)
    wrong = []
    for address, pattern in ADDRESSES:
        access = access_of(address, pattern)
        if access is None or access.role is None:
            continue
        status = client.get(f"/{address}", headers=bearer(secret)).status_code
        if access.scope is None:
            right = status in {302, 401, 405}
        elif access.scope == scope:
            right = status not in {302, 401, 403}
        else:
            right = status in {403, 405}
        if not right or status >= 500:
            wrong.append((address, status))
    assert wrong == []


def test_no_api_view_lets_in_whoever_is_signed_in() -> None:
    """Roles and scopes are checked by one permission; a view with another says it is public."""
    for address, pattern in ADDRESSES:
        permissions = getattr(getattr(pattern.callback, "cls", None), "permission_classes", ())
        assert IsAuthenticated not in permissions, address


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("who", ["anonymous", "viewer", "read token"])
def test_nobody_changes_anything_without_the_right(who: str, method: str) -> None:
    """The unknown are sent to sign in; viewers and tokens that read get no further than a refusal."""
    authentication.forget_tokens()
    client = Client(raise_request_exception=False)
    headers = {}
    if who == "viewer":
        client.force_login(person("viewer", Role.VIEWER))
    elif who == "read token":
        headers = bearer(token_of(person("root", Role.ADMIN), Scope.READ)[1])
    wrong = []
    for address, pattern in ADDRESSES:
        access = access_of(address, pattern)
        if access is None or access.role is None or "logout" in address:
            continue
        is_own = address.startswith(OF_EVERYBODY) or not is_api(pattern)
        own = who == "viewer" and access.role is Role.VIEWER and is_own
        own = own or (who != "anonymous" and address in ASKS_BY_POST)
        answer = getattr(client, method)(f"/{address}", headers=headers)
        # What is asked for does not exist, so 404 is no answer to somebody without the right.
        right = {401, 403, 405} if is_api(pattern) else {302, 401, 403, 404, 405}
        if not own and answer.status_code not in right:
            wrong.append((address, answer.status_code))
        if answer.status_code == 302 and who != "viewer" and "login" not in answer["Location"]:
            wrong.append((address, answer["Location"]))
        if answer.status_code >= 500:
            wrong.append((address, answer.status_code))
    assert wrong == []


def is_api(pattern: URLPattern) -> bool:
    """Return whether a pattern leads to an operation of the API."""
    return getattr(pattern.callback, "cls", None) is not None
