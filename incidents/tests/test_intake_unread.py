"""What a known key sends and nobody can read is kept for people: too large, or in no encoding."""

import gzip
import io
import json
from typing import Any

import pytest
from django.test import Client

from incidents.models import Alert, InboundEvent
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MOST = 512 * 1024
MANY = json.dumps({"alerts": bodies.ALERTMANAGER["alerts"][:1] * 2000}).encode()
EVENT = {"event_action": "trigger", "dedup_key": "disk",
         "payload": {"summary": "Full", "source": "a", "severity": "critical"}}  # fmt: skip


def kept() -> InboundEvent:
    """Return the one request of the inbox; nothing came of it."""
    event = InboundEvent.objects.get()
    assert (event.state, event.alerts, Alert.objects.count()) == ("unparsed", 0, 0)
    return event


def test_the_beginning_of_what_is_too_large_is_kept() -> None:
    _integration, key = integration_of("alertmanager")
    assert len(MANY) > MOST
    answer = post(f"/integrations/v1/alertmanager/{key}/", MANY)
    assert (answer.status_code, answer.json()["message"]) == (413, "body: at most 512 KiB")
    event = kept()
    assert bytes(event.body) == MANY[:MOST]
    assert event.problem == "body: larger than 512 KiB; kept are its first 524288 bytes"
    assert key not in event.address


def test_what_is_sent_in_chunks_has_no_length_to_say_so() -> None:
    _integration, key = integration_of("generic")
    path = f"/integrations/v1/generic/{key}/"
    chunked: dict[str, Any] = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert Client().generic("POST", path, MANY, **chunked).status_code == 413
    assert bytes(kept().body) == MANY[:MOST]


@pytest.mark.parametrize("is_cut", [False, True])
def test_of_what_was_packed_the_beginning_is_kept_unpacked(is_cut: bool) -> None:
    """Whether it is too large as it came, or only once it is unpacked."""
    _integration, key = integration_of("grafana")
    packed = gzip.compress(MANY, 0 if is_cut else 9)
    assert (len(packed) > MOST) is is_cut
    headers = {"Content-Encoding": "gzip"}
    assert post(f"/integrations/v1/grafana/{key}/", packed, **headers).status_code == 413
    body = bytes(kept().body)
    assert MANY.startswith(body)
    assert len(body) > MOST - 1000


def test_what_only_claims_to_be_packed_is_kept_as_it_came() -> None:
    _integration, key = integration_of("generic")
    headers = {"Content-Encoding": "gzip"}
    assert post(f"/integrations/v1/generic/{key}/", MANY, **headers).status_code == 413
    assert bytes(kept().body) == MANY[:MOST]


class Stalled(io.RawIOBase):
    """A large body of which a part comes, and then nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self._parts = [MANY[: 256 * 1024]]

    def read(self, _size: int = -1) -> bytes:
        """Return what came, then fail as a socket does."""
        if self._parts:
            return self._parts.pop()
        raise BlockingIOError(11, "Resource temporarily unavailable")


def test_of_a_large_one_that_stalls_what_came_is_kept() -> None:
    _integration, key = integration_of("generic")
    sent: dict[str, Any] = {"wsgi.input": Stalled(), "CONTENT_LENGTH": str(MOST + 1)}
    path = f"/integrations/v1/generic/{key}/"
    assert Client().generic("POST", path, **sent).status_code == 413
    event = kept()
    assert bytes(event.body) == MANY[: 256 * 1024]
    assert "262144" in event.problem


def test_the_key_of_opsgenie_stands_in_a_header() -> None:
    _integration, key = integration_of("opsgenie")
    headers = {"Authorization": f"GenieKey {key}"}
    answer = post("/v2/alerts", MANY, **headers)
    assert answer.status_code == 413
    assert answer.json()["message"] == "Request body is larger than 512 KB."
    assert len(kept().body) == MOST


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/enqueue", "routing_key"),
        ("/v2/change/enqueue", "routing_key"),
        ("/generic/2010-04-15/create_event.json", "service_key"),
    ],
)
def test_the_key_of_pagerduty_is_seen_in_what_cannot_be_read(path: str, name: str) -> None:
    _integration, key = integration_of("pagerduty")
    large = json.dumps({name: key, **EVENT, "x": "x" * MOST}, indent=2).encode()
    answer = post(path, large)
    assert (answer.status_code, answer.json()["errors"]) == (413, ["512 KB"])
    assert bytes(kept().body) == large[:MOST]
    InboundEvent.objects.all().delete()
    latin = json.dumps({**EVENT, name: key, "client": "café"}, ensure_ascii=False).encode("latin-1")
    answer = post(path, latin)
    assert (answer.status_code, answer.json()["errors"]) == (400, ["JSON parse error"])
    event = kept()
    assert bytes(event.body) == latin
    assert "is not UTF-8" in event.problem


@pytest.mark.parametrize("key", ["", "0" * 32, "0" * 20_000])
def test_without_a_known_key_nothing_is_kept(key: str) -> None:
    large = json.dumps({"routing_key": key, **EVENT, "x": "x" * MOST}).encode()
    assert post("/v2/enqueue", large).status_code == 413
    assert post("/v2/enqueue", large[:40_000]).status_code == 400
    assert post(f"/integrations/v1/generic/{key[:32] or 'x'}/", large).status_code == 404
    assert post("/v2/alerts", large, Authorization=f"GenieKey {key[:32]}").status_code == 401
    assert not InboundEvent.objects.exists()


def test_what_says_nothing_of_alerts_is_only_refused() -> None:
    _integration, key = integration_of("opsgenie")
    assert post("/v2/heartbeats", MANY, Authorization=f"GenieKey {key}").status_code == 413
    assert post("/integrations/v1/slack/actions", MANY).status_code == 413
    assert not InboundEvent.objects.exists()


def test_a_reader_that_breaks_loses_no_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept and refused, as what cannot be read; the log has the fault."""
    _integration, key = integration_of("generic")

    def breaks(*_args: object) -> None:
        raise IndexError("string index out of range")

    monkeypatch.setattr("incidents.webhooks.senders.decode", breaks)
    answer = post(f"/integrations/v1/generic/{key}/", {"title": "Disk full"})
    assert answer.status_code == 400
    assert kept().problem == "body: could not be read (IndexError)"
