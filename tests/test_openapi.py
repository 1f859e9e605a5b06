"""The API says what it does, and survives what it did not expect."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import User
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.services.tokens import create_token
from core import clock
from sreportal.wsgi import application

DESCRIPTION = "/description.json"
# `make fuzz` sends many to each operation, others each time; all other runs the same few.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
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


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def lines(_context: Any, value: Any) -> bytes:
    """Return JSON values one a line, as batches are sent."""
    values = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(each, default=str) for each in values).encode()


api = schemathesis.openapi.from_wsgi(DESCRIPTION, described_portal).exclude(
    path_regex="^/api/schema"
)


def test_description_has_no_gaps(tmp_path: Path) -> None:
    """Every operation is described completely, and the description is valid OpenAPI."""
    target = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(target), fail_on_warn=True, validate=True)
    assert target.read_text().startswith("openapi: 3.")


def test_what_is_empty_is_allowed_whoever_validates() -> None:
    """Formats only inform, so that an empty text has the shape of an address, too."""
    described = SchemaGenerator().get_schema(request=None, public=True)
    described = json.loads(json.dumps(described, default=str))
    schema = {"$ref": "#/components/schemas/ServiceRequest", "components": described["components"]}
    validator = Draft202012Validator(schema)
    assert not list(validator.iter_errors({"slug": "pay", "runbook_url": ""}))
    assert list(validator.iter_errors({"slug": "pay", "runbook_url": 4}))


@pytest.fixture
def open_connection() -> Iterator[None]:
    """The end of a request must not close the connection that holds the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(db: None, open_connection: None) -> dict[str, str]:
    """Return the credentials of an admin whose token may do everything."""
    alice = User.objects.create_user("alice", role=Role.ADMIN)
    _, secret = create_token(user=alice, name="fuzz", scopes=list(Scope), now=clock.now())
    return {"Authorization": f"Bearer {secret}"}


@api.parametrize()
@settings(
    max_examples=EXAMPLES or 2,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=not EXAMPLES,
)
def test_operation_answers_as_described(case: Any, headers: dict[str, str]) -> None:
    """Whatever is sent, the answer is one that the description promises, and never a 5xx."""
    case.call_and_validate(headers=headers, checks=CHECKS)
