"""What wakes people says which service it is about, and what an incident consists of."""

import pytest

from incidents.tests.oncall_portal import Portal, portal
from notifications.domain.messages import Message

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def report(portal: Portal, number: int, *, firing: bool = True) -> None:
    title = f"Disk {number:02} is full"
    portal.alert(f"disk {number}", title=title, group_key="disks", firing=firing)


def disks(portal: Portal, count: int, *, resolved: int = 0) -> Message:
    """Return what the second level is told of an incident of so many alerts."""
    for number in range(count):
        report(portal, number)
    for number in range(resolved):
        report(portal, number, firing=False)
    portal.fast_forward(minutes=15)
    return portal.post.sent[-1].message


def test_the_line_on_a_lock_screen_names_the_service(portal: Portal) -> None:
    incident = portal.open_incident("5xx spike")
    message = portal.post.sent[0].message
    assert message.subject == f"P0 #{incident.pk} Checkout: 5xx spike"
    assert message.texts(1600)[0].startswith(message.subject)


def test_an_incident_of_several_alerts_names_them_and_counts_the_others(portal: Portal) -> None:
    """What still fires is named first."""
    message = disks(portal, 8, resolved=2)
    assert message.subject.endswith("Checkout: Disk 00 is full (8 alerts)")
    lines = message.text.splitlines()
    begin = lines.index("8 alerts, 6 firing:")
    assert lines[begin + 1 : begin + 7] == [
        *(f"- Disk {number:02} is full" for number in range(2, 7)),
        "and 3 more",
    ]
    assert message.facts["alert_count"] == 8
    assert [each["state"] for each in message.facts["alerts"]] == ["firing"] * 6 + ["resolved"] * 2


def test_programs_are_told_twenty_alerts_and_how_many_there_are(portal: Portal) -> None:
    message = disks(portal, 23)
    assert (len(message.facts["alerts"]), message.facts["alert_count"]) == (20, 23)
    assert "23 alerts, 23 firing:" in message.text


def test_one_alert_is_not_told_twice(portal: Portal) -> None:
    """Its title is the incident's."""
    message = disks(portal, 1)
    assert message.subject.endswith("Checkout: Disk 00 is full")
    assert "firing" not in message.text
