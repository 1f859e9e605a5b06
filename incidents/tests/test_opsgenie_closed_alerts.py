"""What Opsgenie's clients do with an alert that is closed, and which one they mean."""

from typing import Any

import pytest

from incidents.models import Alert
from incidents.tests.oncall_portal import portal
from incidents.tests.opsgenie_sender import Sender, sender

__all__ = ["portal", "sender"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def closed(sender: Sender) -> Alert:
    """Return an alert that was closed before its alias was used again."""
    sender.create()
    sender.do("close")
    sender.create()
    return Alert.objects.earliest("pk")


TOO_LATE: list[tuple[str, str, Any]] = [
    ("POST", "/close", {"note": "Over."}),
    ("DELETE", "", None),
    ("POST", "/acknowledge", {"action": "notes"}),
    ("PUT", "/message", {"message": "Other"}),
    ("POST", "/tags", {"tags": ["x"]}),
    ("POST", "/actions/Restart", {}),
]


@pytest.mark.parametrize("kind", ["id", "tiny"])
def test_an_id_names_one_alert(sender: Sender, closed: Alert, kind: str) -> None:
    """What is done to one that is closed touches no newer one of its alias, and says why."""
    newer = sender.shown()
    for method, act, body in TOO_LATE:
        said = sender.send(method, f"/v2/alerts/{closed.pk}{act}?identifierType={kind}", body)
        became = sender.became_of(said)
        assert (became["isSuccess"], became["status"]) == (False, "The alert is closed.")
        assert (became["alertId"], became["alias"]) == (str(closed.pk), "disk")
        assert closed.log.latest("pk").text.endswith("Not done: The alert is closed.")
    assert sender.shown() == newer


def test_an_open_alert_is_closed_by_its_id(sender: Sender, closed: Alert) -> None:
    newer = sender.shown()["id"]
    said = sender.send("POST", f"/v2/alerts/{newer}/close?identifierType=tiny", {"user": "ada"})
    assert sender.became_of(said)["alertId"] == newer
    assert sender.became_of(said)["isSuccess"] is True
    assert sender.shown()["status"] == "closed"


def test_an_alias_means_the_alert_that_is_open(sender: Sender, closed: Alert) -> None:
    """And after its end the newest, which says that it is closed."""
    open_one = sender.shown()["id"]
    assert sender.do("acknowledge")["alertId"] == open_one
    assert sender.do("close")["isSuccess"] is True
    for act in ("close", "acknowledge", "responders"):
        became = sender.do(act)
        assert (became["isSuccess"], became["status"]) == (False, "The alert is closed.")
        assert became["alertId"] == open_one


def test_a_note_is_kept_with_a_closed_alert(sender: Sender, closed: Alert) -> None:
    said = sender.send("POST", f"/v2/alerts/{closed.pk}/notes", {"note": "A cable.", "user": "ada"})
    assert sender.became_of(said)["isSuccess"] is True
    assert sender.notes(f"/v2/alerts/{closed.pk}?") == ["A cable."]
    assert sender.notes("/v2/alerts/disk?identifierType=alias") == []


def test_notes_that_came_with_other_things_are_told(sender: Sender) -> None:
    sender.create(note="First.")
    sender.create(note="Again.")
    sender.create()
    sender.do("close", {"note": "Done."})
    assert sender.notes("/v2/alerts/disk?identifierType=alias") == ["First.", "Again.", "Done."]
