"""Callers, a database that can be taken away, and a clean slate for what a process remembers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from sre.circuit_breaker import db_circuit_breaker
from users_api.api import last_good
from users_api.models import Person

Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def clean_slate() -> Iterator[None]:
    """Every test begins with a closed breaker and no copies."""
    db_circuit_breaker.reset()
    last_good.clear()
    yield
    db_circuit_breaker.reset()


@pytest.fixture
def client(settings: Settings) -> APIClient:
    """Anybody, where anybody is served."""
    settings.USERS_API_ANONYMOUS = True
    return APIClient(raise_request_exception=False)


@pytest.fixture
def database_down() -> Outage:
    """Return a context manager in which every statement of this thread fails."""

    def fail(*_statement: Any) -> None:
        raise OperationalError("the server closed the connection")

    return lambda: connection.execute_wrapper(fail)


@pytest.fixture
def alice(db: None) -> Person:
    """A person who is known already."""
    return Person.objects.create(name="Alice", email="alice@example.org")
