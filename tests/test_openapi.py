"""The API says what it does, and survives what it did not expect."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import schemathesis
from django.conf import settings as portal_settings
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.utils.crypto import get_random_string
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import User
from accounts.roles import Role
from sreportal.wsgi import application

DESCRIPTION = "/description.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def described_portal(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The portal, which also serves its description before any test has a database."""
    if environ["PATH_INFO"] != DESCRIPTION:
        return application(environ, start_response)
    description = SchemaGenerator().get_schema(request=None, public=True)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(description, default=str).encode()]


api = schemathesis.openapi.from_wsgi(DESCRIPTION, described_portal).exclude(
    path_regex="^/api/schema"
)


def test_description_has_no_gaps(tmp_path: Path) -> None:
    """Every operation is described completely, and the description is valid OpenAPI."""
    target = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(target), fail_on_warn=True, validate=True)
    assert target.read_text().startswith("openapi: 3.")


@pytest.fixture
def open_connection() -> Iterator[None]:
    """The end of a request must not close the connection that holds the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def credentials(client: Client, open_connection: None, db: None) -> dict[str, dict[str, str]]:
    """Return what the browser of a signed-in admin sends along."""
    alice = User.objects.create_user("alice", role=Role.ADMIN)
    client.force_login(alice, backend=portal_settings.AUTHENTICATION_BACKENDS[0])
    session = client.cookies[portal_settings.SESSION_COOKIE_NAME].value
    secret = get_random_string(32)
    return {
        "cookies": {
            portal_settings.SESSION_COOKIE_NAME: session,
            portal_settings.CSRF_COOKIE_NAME: secret,
        },
        "headers": {"X-CSRFToken": secret},
    }


@api.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_operation_answers_as_described(case: Any, credentials: dict[str, Any]) -> None:
    """Whatever is sent, the answer is one that the description promises, and never a 5xx."""
    case.call_and_validate(**credentials, checks=CHECKS)
