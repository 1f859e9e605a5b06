"""Who the tests of accounts are about."""

from datetime import UTC, datetime
from typing import Any

from django.test import Client

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.services.tokens import create_token
from core import clock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


def person(name: str = "alice", role: Role = Role.RESPONDER, **values: Any) -> User:
    """Make somebody who can sign in with `PASSWORD`."""
    return User.objects.create_user(
        name, f"{name}@example.com", PASSWORD, role=role, **{"is_active": True, **values}
    )


def token_of(user: User, *scopes: Scope | str, **values: Any) -> tuple[ApiToken, str]:
    """Make a token of somebody, with scope read unless told."""
    return create_token(
        user=user, name="test", scopes=scopes or [Scope.READ], **{"now": clock.now(), **values}
    )


def bearer(secret: str) -> dict[str, str]:
    """Return the header that carries a token, for Django's test client."""
    return {"Authorization": f"Bearer {secret}"}


def signed_in(role: Role) -> Client:
    """Return the client of somebody of that role, signed in."""
    client = Client()
    client.force_login(person(f"the-{role.label.lower()}", role))
    return client


def seen(client: Client, page: str) -> dict[str, str]:
    """Return what an edit form sends of how its row was when it was shown."""
    return {"as_of": client.get(page).context["form"]["as_of"].value()}


def send(api: Client, method: str, path: str, body: Any = None, *, status: int) -> Any:
    """Ask the API below `/api/v1/`; returns what a given status is answered with."""
    answer = getattr(api, method)(f"/api/v1/{path}", body or {}, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None
