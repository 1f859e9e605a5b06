"""Action items and postmortems as programs see them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.cast import send
from catalog.models import Service, Team
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_action_items import add
from incidents.tests.test_postmortems import WRITTEN, begun, in_review, over

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]


def api_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_a_postmortem_is_written_and_published(portal: Portal) -> None:
    """The version that was read is named; without texts it is listed."""
    incident = over(portal)
    alice, bob = api_of(portal.people["alice"]), api_of(portal.people["bob"])
    (owed,) = send(alice, "get", "postmortems/owed/", status=200)
    assert (owed["incident"], owed["standing"]) == (incident.pk, "due")
    found = send(alice, "post", "postmortems/", {"incident": incident.pk}, status=201)
    path = f"postmortems/{incident.pk}/"
    assert (found["incident"], found["author"], found["version"]) == (incident.pk, "alice", 1)
    required = send(alice, "patch", path, WRITTEN, status=400)
    assert required["errors"].keys() == {"version"}
    assert send(alice, "patch", path, {**WRITTEN, "version": 1}, status=200)["version"] == 2
    stale = send(bob, "patch", path, {"trigger": "A deploy.", "version": 1}, status=409)
    assert "Somebody changed it" in stale["detail"]
    send(alice, "post", f"{path}ask/", status=200)
    send(alice, "post", f"{path}approve/", status=403)
    send(alice, "post", f"{path}publish/", status=409)
    approved = send(bob, "post", f"{path}approve/", {"comment": "Clear."}, status=200)
    assert [(each["by"], each["verdict"]) for each in approved["reviews"]] == [("bob", "approved")]
    assert (
        send(bob, "post", f"{path}publish/", {"comment": "Read it."}, status=200)["status"]
        == "published"
    )
    (row,) = send(alice, "get", "postmortems/?status=published&severity=P1", status=200)["results"]
    assert "root_cause" not in row
    assert send(alice, "get", f"incidents/{incident.pk}/", status=200)["status"] == "closed"
    assert send(alice, "get", "postmortems/owed/", status=200) == []
    send(bob, "post", f"{path}reopen/", status=200)
    viewer = api_of(User.objects.create_user("victor"))
    send(viewer, "get", path, status=404)
    send(viewer, "patch", path, {"version": 2}, status=403)


def test_closing_says_what_it_waits_for(portal: Portal) -> None:
    """A P1 by its postmortem, a P2 at once."""
    alice = api_of(portal.people["alice"])
    refused = send(alice, "post", f"incidents/{over(portal).pk}/close/", status=409)
    assert "publishing its postmortem" in refused["detail"]
    closed = send(alice, "post", f"incidents/{over(portal, 'P2').pk}/close/", status=200)
    assert closed["status"] == "closed"


def test_action_items_are_kept_by_programs(portal: Portal) -> None:
    """Made, changed, finished, dropped, and found by what is late or open."""
    incident, alice = portal.open_incident(), api_of(portal.people["alice"])
    given = {
        "incident": incident.pk,
        "title": "Watch disks",
        "owner": "bob",
        "due_on": "2026-03-01",
    }
    item = send(alice, "post", "action-items/", given, status=201)
    path = f"action-items/{item['id']}/"
    assert (item["state"], item["is_overdue"], item["service"]) == ("open", True, "checkout")
    wrong = send(alice, "post", "action-items/", {**given, "owner": None}, status=400)
    assert wrong["errors"].keys() == {"owner"}
    wrong = send(alice, "post", "action-items/", {**given, "url": "ftp://x"}, status=400)
    assert wrong["errors"].keys() == {"url"}
    other = over(portal)
    moved = send(alice, "patch", path, {"incident": other.pk}, status=400)
    assert moved["errors"].keys() == {"incident"}

    def found(query: str) -> list[int]:
        rows: list[dict[str, Any]] = send(alice, "get", f"action-items/?{query}", status=200)[
            "results"
        ]
        return [row["id"] for row in rows]

    assert found("is_overdue=true") == found("is_open=true") == found("owner=bob") == [item["id"]]
    assert found("is_overdue=false") == found("is_open=false") == []
    later = (portal.now + timedelta(days=3)).date().isoformat()
    assert send(alice, "patch", path, {"due_on": later}, status=200)["is_overdue"] is False
    assert send(alice, "post", f"{path}finish/", status=200)["done_by"] == "alice"
    send(alice, "post", f"{path}drop/", {"reason": "x"}, status=409)
    send(alice, "post", f"{path}reopen/", status=200)
    dropped = send(alice, "post", f"{path}drop/", {"reason": "Not ours."}, status=200)
    assert (dropped["state"], dropped["drop_reason"]) == ("dropped", "Not ours.")


def test_strangers_find_nothing(portal: Portal) -> None:
    """What is private answers as if it were not there."""
    incident = over(portal)
    item = add(portal, incident)
    begun(portal, incident)
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="t", name="T"))
    bob = api_of(portal.people["bob"])
    for path in (f"action-items/{item.pk}/", f"postmortems/{incident.pk}/"):
        send(bob, "get", path, status=404)
    send(bob, "post", f"postmortems/{incident.pk}/publish/", status=404)
    send(bob, "post", "postmortems/", {"incident": incident.pk}, status=404)
    send(bob, "post", "action-items/", {"incident": incident.pk, "title": "x"}, status=400)
    assert send(bob, "get", "action-items/", status=200)["results"] == []
    assert send(bob, "get", "postmortems/", status=200)["results"] == []
    assert send(bob, "get", "postmortems/owed/", status=200) == []


def test_an_owner_who_left_stays_when_something_else_is_changed(portal: Portal) -> None:
    """As does one who may no longer know of it; what is given to them anew is refused."""
    alice, item = portal.people["alice"], add(portal, portal.open_incident())
    bob, path = api_of(portal.people["bob"]), f"action-items/{item.pk}/"
    User.objects.filter(pk=alice.pk).update(is_active=False)
    send(bob, "patch", path, {"title": "Watch all disks"}, status=200)
    changed = send(bob, "patch", path, {"owner": "alice", "due_on": "2026-03-09"}, status=200)
    assert (changed["owner"], changed["due_on"]) == ("alice", "2026-03-09")
    send(bob, "patch", path, {"owner": "bob"}, status=200)
    refused = send(bob, "patch", path, {"owner": "alice"}, status=400)
    assert refused["errors"] == {"owner": ["alice is no longer active."]}
    team = Team.objects.create(slug="t", name="T")
    team.members.add(portal.people["carol"])
    Service.objects.update(is_private=True, owner=team)
    carol = api_of(portal.people["carol"])
    assert send(carol, "patch", path, {"title": "Watch disks"}, status=200)["owner"] == "bob"


def test_an_approval_may_name_the_version_that_was_read(portal: Portal) -> None:
    """Of another one it is refused, and says so."""
    found = in_review(portal, over(portal))
    bob, path = api_of(portal.people["bob"]), f"postmortems/{found.pk}/"
    old = {"version": found.version - 1}
    stale = send(bob, "post", f"{path}approve/", old, status=409)
    assert "Its text was changed since you read it" in stale["detail"]
    send(bob, "post", f"{path}approve/", {"version": found.version}, status=200)
    send(bob, "post", f"{path}publish/", old, status=409)
    send(bob, "post", f"{path}publish/", {"version": "x"}, status=400)
    send(bob, "post", f"{path}publish/", {"version": found.version}, status=200)
