"""Alice, and a program that acts for her by the API."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, token_of

__all__ = ["alice", "api"]


@pytest.fixture
def alice() -> User:
    return person("alice")


@pytest.fixture
def api(alice: User) -> Client:
    """Return the client of a program that holds a token of alice's."""
    _, secret = token_of(alice, Scope.READ, Scope.WRITE)
    return Client(headers=bearer(secret))
