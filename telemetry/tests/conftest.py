"""A sender with a token."""

import pytest
from django.test import Client

from accounts.authentication import forget_tokens
from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token
from core import clock


@pytest.fixture
def alice(db: None) -> User:
    """The owner of the tokens."""
    return User.objects.create_user("alice", role=Role.RESPONDER)


@pytest.fixture
def sender(alice: User) -> Client:
    """A client whose requests carry a token with scope ingest."""
    return client_of(alice, "ingest")


def client_of(user: User, *scopes: str) -> Client:
    """Return a client whose requests carry a new token of `user`."""
    forget_tokens()
    _, token = create_token(user=user, name="sender", scopes=scopes, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {token}"})
