"""A sender with a token."""

from types import SimpleNamespace

import pytest
from django.test import Client

from accounts.authentication import TokenAuthentication
from accounts.models import User
from accounts.roles import Role


@pytest.fixture
def sender(db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose requests carry a token with scope ingest."""
    alice = User.objects.create_user("alice", role=Role.RESPONDER)
    monkeypatch.setattr(
        TokenAuthentication, "authenticate", lambda *_: (alice, SimpleNamespace(pk=7))
    )
    return Client()
