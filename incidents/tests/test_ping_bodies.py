"""What a ping carries is kept as far as it goes, and never costs the sign of life."""

import gzip
import io
import uuid

import pytest
from django.test import Client

from incidents.models import Heartbeat, InboundEvent
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
KEPT = 512 * 1024
LARGE = b"x" * 600_000
PACKED, MUCH = gzip.compress(b"a log"), gzip.compress(LARGE)


class Broken(io.RawIOBase):
    """A body whose sender goes away after some of it."""

    def __init__(self) -> None:
        self._there = b"half of"

    def read(self, _size: int = -1) -> bytes:
        """Return what came, then fail as a socket does."""
        there, self._there = self._there, b""
        if not there:
            raise ConnectionResetError(104, "Connection reset by peer")
        return there


def test_the_beginning_of_a_large_body_is_kept() -> None:
    _integration, key = integration_of("healthchecks")
    answer = post(f"/ping/{uuid.UUID(key)}", LARGE, "text/plain")
    assert (answer.status_code, answer.content) == (200, b"OK")
    assert answer["Ping-Body-Limit"] == str(KEPT)
    assert bytes(InboundEvent.objects.get().body) == LARGE[:KEPT]
    assert Heartbeat.objects.get().state == "up"


def test_every_way_to_ping_takes_a_large_body() -> None:
    _integration, key = integration_of("opsgenie")
    headers = {"Authorization": f"GenieKey {key}"}
    assert post("/v2/heartbeats/nightly/ping", LARGE, **headers).status_code == 202
    _integration, key = integration_of("grafana")
    assert post(f"/integrations/v1/grafana/{key}/heartbeat/", LARGE).status_code == 200
    assert Heartbeat.objects.filter(state="up").count() == 2


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (PACKED, b"a log"),
        (PACKED[:10], PACKED[:10]),
        (b"no gzip", b"no gzip"),
        (MUCH, LARGE[:KEPT]),
    ],
    ids=["whole", "half", "none", "large"],
)
def test_packed_bodies_are_kept_as_far_as_they_can_be_read(body: bytes, kept: bytes) -> None:
    _integration, key = integration_of("healthchecks")
    answer = post(f"/ping/{uuid.UUID(key)}", body, "text/plain", **{"Content-Encoding": "gzip"})
    assert answer.status_code == 200
    assert bytes(InboundEvent.objects.get().body) == kept


def test_a_body_that_ends_early_is_kept_to_there() -> None:
    _integration, key = integration_of("healthchecks")
    sent = {"wsgi.input": Broken(), "CONTENT_LENGTH": "5000", "CONTENT_TYPE": "text/plain"}
    answer = Client().generic("POST", f"/ping/{uuid.UUID(key)}/fail", **sent)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert bytes(InboundEvent.objects.get().body) == b"half of"
    assert Heartbeat.objects.get().state == "down"
