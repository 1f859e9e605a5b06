"""A name of Opsgenie's is the same in an address as in a body, whatever characters it has."""

from urllib.parse import quote

import pytest

from incidents.domain.encoded_slashes import kept_apart, restored
from incidents.models import Heartbeat
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.opsgenie_sender import Sender, sender

__all__ = ["portal", "sender"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_an_alias_is_found_as_it_was_sent(sender: Sender) -> None:
    for alias in (" queue 1 ", "\tq\n", "line1\nline2", " a\u00a0", "ä/ö"):
        sender.send("POST", "/v2/alerts", {"message": "Full", "alias": alias})
        path, of = f"/v2/alerts/{quote(alias, safe='')}", "identifierType=alias"
        shown = sender.send("GET", f"{path}?{of}", status=200)["data"]
        assert shown["alias"] == alias.strip()
        for act in ("acknowledge", "notes", "actions/Restart", "close"):
            said = sender.send("POST", f"{path}/{act}?{of}", {"note": "x"})
            assert sender.became_of(said)["alertId"] == shown["id"]
        assert sender.send("GET", f"{path}?{of}", status=200)["data"]["status"] == "closed"


def test_slashes_of_an_alias_are_its_own(sender: Sender) -> None:
    """Where it ends is told by the address as it came, in which they are encoded."""
    of = "identifierType=alias"
    sender.send("POST", "/v2/alerts", {"message": "Full", "alias": "a"})
    for alias in ("http://x/", "a/notes", "a/actions/b", "requests/x", "/", "c/close/"):
        sender.send("POST", "/v2/alerts", {"message": "Full", "alias": alias})
        path = f"/v2/alerts/{quote(alias, safe='')}"
        shown = sender.send("GET", f"{path}?{of}", status=200)["data"]
        assert (shown["alias"], shown["status"]) == (alias, "open")
        sender.send("POST", f"{path}/notes?{of}", {"note": "x"})
        assert sender.notes(f"{path}?{of}") == ["x"]
        sender.send("DELETE", f"{path}?{of}")
        assert sender.send("GET", f"{path}?{of}", status=200)["data"]["status"] == "closed"
    assert sender.shown("a")["status"] == "open"


@pytest.mark.parametrize("kind", ["alias", "ALIAS", "Alias", "id", "Id", "TINY"])
def test_the_kind_of_a_name_is_read_in_any_case(sender: Sender, kind: str) -> None:
    sender.create()
    alert = sender.shown()
    name = "disk" if kind.lower() == "alias" else alert["id"]
    of = f"/v2/alerts/{name}"
    assert sender.send("GET", f"{of}?identifierType={kind}", status=200)["data"] == alert
    sender.send("POST", f"{of}/close?identifierType={kind}", {})
    assert sender.shown()["status"] == "closed"
    missing = 202 if kind.lower() == "alias" else 404
    sender.send("POST", f"/v2/alerts/none/close?identifierType={kind}", {}, missing)


def test_a_name_of_nothing_is_none(sender: Sender) -> None:
    sender.send("GET", "/v2/alerts/%20?identifierType=alias", status=404)
    sender.send("GET", f"/v2/alerts/{'9' * 5000}", status=404)
    sender.send("POST", "/v2/alerts/%0A/close?identifierType=alias", {}, 404)
    sender.send("POST", "/v2/heartbeats/%20/ping", status=404)
    assert not Heartbeat.objects.exists()


def test_a_heartbeat_is_found_as_it_was_sent(sender: Sender, portal: Portal) -> None:
    said = {"name": " nightly/db ", "interval": 5, "intervalUnit": "minutes", "enabled": True}
    sender.send("POST", "/v2/heartbeats", said, 201)
    path = "/v2/heartbeats/%20nightly%2Fdb%20"
    sender.send("POST", f"{path}/ping")
    shown = sender.send("GET", path, status=200)["data"]
    assert (shown["name"], "lastPingTime" in shown) == ("nightly/db", True)
    assert sender.send("PATCH", path, {"interval": 7}, 200)["data"]["interval"] == 7
    assert sender.send("POST", f"{path}/disable", {}, 200)["data"]["enabled"] is False
    assert sender.send("POST", f"{path}/enable", {}, 200)["data"]["enabled"] is True
    assert Heartbeat.objects.count() == 1
    sender.send("DELETE", path, status=200)
    assert not Heartbeat.objects.exists()


def test_a_request_is_known_by_its_id_however_it_is_written(sender: Sender) -> None:
    said = sender.send("POST", "/v2/alerts", {"message": "Full"})
    for written in (said["requestId"], said["requestId"].upper(), f"{said['requestId']}/"):
        told = sender.send("GET", f"/v2/alerts/requests/{written}", status=200)["data"]
        assert told["isSuccess"] is True


def test_encoded_slashes_are_kept_apart() -> None:
    assert kept_apart("/v2/alerts/a/close?x=%2F") is None
    apart = kept_apart("/v2/alerts/a%2fb%252F/close?x=1")
    assert apart is not None
    assert [restored(part) for part in apart.split("/")] == ["", "v2", "alerts", "a/b%2F", "close"]
