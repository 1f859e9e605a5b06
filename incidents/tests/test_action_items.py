"""Action items: who does what until when, and what became of it."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from catalog.models import Service, Team
from core.errors import Conflict, InvalidInput
from core.models import AuditEntry
from core.tests.crossing import beside, until_somebody_waits
from incidents.models import ActionItem, Incident
from incidents.services import action_items, merging
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]


def add(portal: Portal, incident: Incident, **fields: Any) -> ActionItem:
    """Make a follow-up of alice's, due in two days."""
    given = {"title": "Watch disks", "owner": portal.people["alice"], "due_on": date(2026, 3, 4)}
    return action_items.create(
        incident, fields={**given, **fields}, now=portal.now, actor=portal.people["bob"]
    )


@pytest.mark.both_databases
def test_a_follow_up_is_made_changed_done_and_reopened(portal: Portal) -> None:
    """Each is in the timeline and the audit; what changes nothing is in neither."""
    incident, bob = portal.open_incident(), portal.people["bob"]
    item = add(portal, incident)
    by: dict[str, Any] = {"now": portal.now, "actor": bob}
    action_items.edit(item, fields={"owner": bob, "title": "Watch disks"}, **by)
    action_items.edit(item, fields={"title": "Watch disks "}, **by)
    action_items.finish(item, **by)
    action_items.finish(item, **by)
    item.refresh_from_db()
    assert (item.state, item.done_by, item.done_at) == ("done", "bob", portal.now)
    with pytest.raises(Conflict, match="It is done"):
        action_items.edit(item, fields={"title": "x"}, **by)
    action_items.reopen(item, **by)
    action_items.reopen(item, **by)
    item.refresh_from_db()
    assert (item.state, item.done_by) == ("open", "")
    told = incident.timeline.filter(act__startswith="action_item").order_by("pk")
    assert [(entry.act, entry.text) for entry in told] == [
        ("action_item_added", "Watch disks (alice)."),
        ("action_item_changed", "Watch disks (bob)."),
        ("action_item_done", "Watch disks (bob)."),
        ("action_item_reopened", "Watch disks (bob)."),
    ]
    acts = AuditEntry.objects.filter(act__startswith="action_item").order_by("seq")
    assert acts.get(act="action_item.changed").changes == {"owner": ["alice", "bob"]}
    assert acts.count() == 4


def test_what_is_dropped_says_why(portal: Portal) -> None:
    """It is kept, and is not done afterwards."""
    item = add(portal, portal.open_incident())
    by: dict[str, Any] = {"now": portal.now, "actor": "bob"}
    with pytest.raises(InvalidInput) as refused:
        action_items.drop(item, reason=" ", **by)
    assert refused.value.fields.keys() == {"reason"}
    dropped = action_items.drop(item, reason="We leave that vendor.", **by)
    assert (dropped.state, dropped.drop_reason) == ("dropped", "We leave that vendor.")
    with pytest.raises(Conflict, match="It was dropped"):
        action_items.finish(item, **by)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"owner": None}, {"owner"}),
        ({"due_on": None}, {"due_on"}),
        ({"due_on": date(9999, 1, 1)}, {"due_on"}),
        ({"title": " ", "url": "javascript:alert(1)"}, {"title", "url"}),
        ({"kind": "wish"}, {"kind"}),
    ],
)
def test_what_would_not_be_done_is_refused(
    portal: Portal, fields: dict[str, Any], wrong: set[str]
) -> None:
    """All that is wrong is named."""
    with pytest.raises(InvalidInput) as refused:
        add(portal, portal.open_incident(), **fields)
    assert refused.value.fields.keys() == wrong


def test_a_task_may_be_anybodys(portal: Portal) -> None:
    """At night there is no time to plan; its owner must be able to read of it, though."""
    incident = portal.open_incident()
    assert add(portal, incident, kind="task", owner=None, due_on=None).state == "open"
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="t", name="T"))
    with pytest.raises(InvalidInput) as refused:
        add(portal, incident)
    assert "may not know of this incident" in refused.value.fields["owner"][0]


def test_a_merged_incident_takes_none(portal: Portal) -> None:
    """It lives on in another one."""
    first, second = portal.open_incident("One"), portal.open_incident("Two")
    merged = merging.merge(second.pk, into=first.pk, now=portal.now, actor="test")
    second.refresh_from_db()
    assert merged is not None
    with pytest.raises(Conflict, match=f"#{first.pk}"):
        add(portal, second)


@pytest.mark.django_db(transaction=True)
def test_what_is_merged_in_this_moment_takes_none(portal: Portal) -> None:
    """Who writes one down meanwhile waits, and hears where it lives on."""
    first, second = portal.open_incident("One"), portal.open_incident("Two")
    with transaction.atomic():
        merging.merge(second.pk, into=first.pk, now=portal.now, actor="test")
        doing, failed = beside(partial(add, portal, second))
        until_somebody_waits(doing)
    doing.join(30)
    assert [str(error) for error in failed] == [f"It was merged: write it down at #{first.pk}."]
    assert not ActionItem.objects.exists()


@pytest.mark.both_databases
def test_the_day_ends_where_the_owner_is(portal: Portal) -> None:
    """At 03:00 UTC of 3 March it is still the 2nd in Chicago, and the 3rd in Tokyo."""
    incident = portal.open_incident()
    for name, zone in (("alice", "America/Chicago"), ("bob", "Asia/Tokyo"), ("carol", "Nowhere")):
        User.objects.filter(username=name).update(timezone=zone)
        owner = User.objects.get(username=name)
        add(portal, incident, owner=owner, due_on=date(2026, 3, 2), title=name)
    add(portal, incident, kind="task", owner=None, due_on=date(2026, 3, 2), title="nobody")
    add(portal, incident, kind="task", owner=None, due_on=None, title="whenever")
    now = datetime(2026, 3, 3, 3, tzinfo=UTC)
    late = {"bob", "carol", "nobody"}
    assert {item.title for item in ActionItem.objects.overdue(now)} == late
    assert {item.title for item in ActionItem.objects.all() if item.is_overdue(now)} == late
