"""When an incident is over without anybody saying so: its alerts ended, and did not come back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from incidents.models import Alert, Incident, Integration, Silence
from incidents.queries.verification import check_invariants
from incidents.services import intake, lifecycle, merging, silences
from incidents.services.intake import AlertSignal
from incidents.services.integrations import save_integration
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def sender(portal: Portal) -> Callable[..., Integration]:
    """Make an integration of the portal's service."""

    def make(name: str = "sender", **fields: Any) -> Integration:
        values = {"kind": "generic", "name": name, "service": portal.service, **fields}
        save_integration(Integration(), fields=values, actor="test", now=portal.now)
        return Integration.objects.get(name=name)

    return make


def opened(portal: Portal, key: str = "disk", **values: Any) -> Incident:
    """Let a condition begin to hold."""
    incident = portal.alert(key, **values)
    assert incident is not None
    return incident


def flap(portal: Portal, times: int, **values: Any) -> Incident:
    """Let a condition hold for a minute of two, so many times; returns its newest incident."""
    for _ in range(times):
        incident = opened(portal, **values)
        portal.fast_forward(minutes=1)
        portal.alert(firing=False, **values)
        portal.fast_forward(minutes=1)
    incident.refresh_from_db()
    return incident


@pytest.mark.parametrize("how", ["unacknowledged", "snoozed", "lapsed", "raised"])
def test_a_new_cycle_while_it_is_held_does_not_keep_it_from_ending(
    portal: Portal, sender: Callable[..., Integration], how: str
) -> None:
    """All alerts ended, then people were called again: when the hold ends, so does the incident."""
    held = sender(hold_off=timedelta(minutes=10))
    values: dict[str, Any] = {"integration": held, "severity": "P2"}
    alice = portal.people["alice"]
    if how == "lapsed":
        portal.policy.ack_timeout = timedelta(minutes=5)
        portal.policy.save()
    incident = opened(portal, **values)
    by: dict[str, Any] = {"now": portal.now, "actor": alice}
    if how != "raised":
        lifecycle.acknowledge(incident.pk, person=alice, **by)
    if how == "snoozed":
        lifecycle.snooze(incident.pk, until=portal.now + timedelta(minutes=8), **by)
    portal.fast_forward(minutes=3)
    portal.alert(firing=False, **values)
    by["now"] = portal.now
    if how == "unacknowledged":
        lifecycle.unacknowledge(incident.pk, **by)
    if how == "raised":
        lifecycle.set_severity(incident.pk, severity="P1", **by)
    portal.fast_forward(minutes=9.9)
    incident.refresh_from_db()
    assert (incident.status, incident.cycle) == ("triggered", 2)
    portal.fast_forward(minutes=0.1)
    incident.refresh_from_db()
    assert (incident.status, incident.held_until) == ("resolved", None)
    called = portal.paged()
    portal.fast_forward(hours=30)
    assert portal.paged() == called


def test_what_fires_again_in_a_new_cycle_keeps_it_open(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    values: dict[str, Any] = {"integration": sender(hold_off=timedelta(minutes=10))}
    incident = opened(portal, **values)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    portal.alert(firing=False, **values)
    lifecycle.unacknowledge(incident.pk, now=portal.now, actor="test")
    assert portal.alert(**values) == incident
    portal.fast_forward(minutes=11)
    incident.refresh_from_db()
    assert (incident.status, incident.held_until) == ("triggered", None)


@pytest.mark.parametrize("is_own", [False, True])
def test_a_condition_that_opens_again_and_again_is_one_incident(
    portal: Portal, sender: Callable[..., Integration], is_own: bool
) -> None:
    """From the third opening within half an hour on it stays open; who is called is called once."""
    values: dict[str, Any] = {} if is_own else {"integration": sender()}
    incident = flap(portal, 8, **values)
    assert Incident.objects.count() == 3
    assert list(Incident.objects.order_by("pk").values_list("is_flapping", flat=True)) == [
        False,
        False,
        True,
    ]
    assert portal.paged() == [(0, "alice"), (2, "alice"), (4, "alice")]
    # The last one ended after 15 minutes.
    portal.fast_forward(minutes=13.9)
    incident.refresh_from_db()
    assert incident.status == "triggered"
    portal.fast_forward(minutes=0.1)
    incident.refresh_from_db()
    assert incident.status == "resolved"


def test_openings_long_ago_and_of_other_conditions_do_not_count(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    one, other = sender("one"), sender("other")
    flap(portal, 2, integration=one)
    others: list[dict[str, Any]] = [
        {"integration": other},
        {"integration": one, "key": "memory"},
        {},
    ]
    for values in others:
        assert not opened(portal, **values).is_flapping
    portal.fast_forward(minutes=29)
    assert not opened(portal, integration=one).is_flapping


def test_what_flaps_within_one_open_incident_is_held(portal: Portal) -> None:
    """Another alert of the group fires all the time; when that ends, it is quiet for a while first."""
    incident = opened(portal, "stays", group_key="disks")
    for _ in range(3):
        assert portal.alert(group_key="disks") == incident
        portal.alert(group_key="disks", firing=False)
    portal.alert("stays", group_key="disks", firing=False)
    incident.refresh_from_db()
    assert incident.is_flapping
    assert incident.held_until == portal.now + timedelta(minutes=15)


def test_what_flapped_while_it_was_silenced_counts_once_it_calls(portal: Portal) -> None:
    silence = silences.save_silence(
        Silence(),
        fields={
            "service": portal.service, "matchers": [], "comment": "Disks are exchanged.",
            "starts_at": portal.now, "ends_at": portal.now + timedelta(minutes=10),
        },
        actor="test", now=portal.now,
    )  # fmt: skip
    for _ in range(2):
        portal.alert()
        portal.alert(firing=False)
    portal.alert()
    portal.fast_forward(minutes=10)
    incident = Incident.objects.get()
    assert (incident.is_flapping, silence.alerts.count()) == (True, 2)


def test_ends_that_overtook_their_beginnings_are_no_openings(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    """Nothing was open; the beginning that comes after them is the first of all."""
    integration = sender()
    for minute in (1, 2, 3):
        at = portal.now + timedelta(minutes=minute)
        portal.alert(firing=False, fired_before=True, at=at, integration=integration)
    assert list(Alert.objects.values_list("state", "count")) == [("resolved", 0)] * 3
    at = portal.now + timedelta(minutes=9)
    assert not opened(portal, integration=integration, at=at).is_flapping


@pytest.mark.parametrize("calls", [True, False])
def test_what_begins_and_ends_within_one_body_was_open(portal: Portal, calls: bool) -> None:
    """Whether or not anybody was called for it."""
    said: dict[str, Any] = {
        "source": "test", "dedup_key": "disk", "severity": "P1", "title": "Disk is full",
        "service": portal.service, "pages": calls,
    }  # fmt: skip
    body = [AlertSignal(**said, firing=firing) for firing in (True, False)]
    for _ in range(2):
        intake.receive_all(body, now=portal.now)
    assert Alert.objects.filter(state="resolved", count=1).count() == 2
    assert opened(portal).is_flapping


@pytest.mark.parametrize("last", ["allows", "forbids"])
@pytest.mark.parametrize("into", ["allows", "forbids"])
def test_it_ends_by_itself_only_where_every_sender_allows_that(
    portal: Portal, sender: Callable[..., Integration], last: str, into: str
) -> None:
    senders = {"allows": sender("allows"), "forbids": sender("forbids", auto_resolve=False)}
    found = {name: opened(portal, name, integration=each) for name, each in senders.items()}
    (other,) = found.keys() - {into}
    merging.merge(found[other].pk, into=found[into].pk, now=portal.now, actor="test")
    for name in sorted(found, key=lambda name: name == last):
        portal.alert(name, integration=senders[name], firing=False)
    assert not Alert.objects.firing().exists()
    incident = Incident.objects.get(pk=found[into].pk)
    assert (incident.status, incident.held_until) == ("triggered", None)


def test_the_longest_hold_of_its_senders_counts(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    patient, hasty = sender("patient", hold_off=timedelta(minutes=20)), sender("hasty")
    first = opened(portal, "first", integration=patient)
    second = opened(portal, "second", integration=hasty)
    merging.merge(second.pk, into=first.pk, now=portal.now, actor="test")
    portal.alert("first", integration=patient, firing=False)
    portal.alert("second", integration=hasty, firing=False)
    first.refresh_from_db()
    assert first.held_until == portal.now + timedelta(minutes=20)


def test_what_is_merged_in_while_it_is_held_has_a_say(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    """All have ended, and one of them is to be resolved by hand."""
    held = sender("held", hold_off=timedelta(minutes=10))
    kept = sender("kept", auto_resolve=False)
    first, second = opened(portal, "a", integration=held), opened(portal, "b", integration=kept)
    for key, integration in (("a", held), ("b", kept)):
        portal.alert(key, integration=integration, firing=False)
    merging.merge(second.pk, into=first.pk, now=portal.now, actor="test")
    portal.fast_forward(minutes=11)
    first.refresh_from_db()
    assert first.status == "triggered"


# What was merged or split


def resolves_after(portal: Portal, incident: Incident, *, minutes: int) -> None:
    """Look at the minute before it, and at it."""
    for passed, status in ((minutes - 1, "triggered"), (1, "resolved")):
        portal.fast_forward(minutes=passed)
        incident.refresh_from_db()
        assert incident.status == status


def test_what_flaps_is_held_in_whatever_it_was_merged_into(portal: Portal) -> None:
    flap(portal, 2)
    flapping, other = opened(portal), opened(portal, "other")
    merging.merge(flapping.pk, into=other.pk, now=portal.now, actor="test")
    for key in ("disk", "other"):
        portal.alert(key, firing=False)
    portal.fast_forward(minutes=14)
    assert opened(portal) == other
    portal.alert(firing=False)
    portal.fast_forward(minutes=15)
    other.refresh_from_db()
    assert other.status == "resolved"


def test_what_flaps_is_held_when_it_was_split_off(portal: Portal) -> None:
    flap(portal, 2, group_key="disks")
    both = opened(portal, group_key="disks")
    opened(portal, "other", group_key="disks")
    flapping = both.alerts.get(dedup_key="disk", state="firing")
    part = merging.split(both.pk, alerts=[flapping.pk], now=portal.now, actor="test")
    portal.alert(firing=False)
    resolves_after(portal, part, minutes=15)


def test_of_two_that_wait_for_their_end_the_later_one_counts_when_they_are_merged(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    source = {"integration": sender(hold_off=timedelta(minutes=10))}
    early, late = opened(portal, "early", **source), opened(portal, "late", **source)
    portal.alert("early", firing=False, **source)
    portal.fast_forward(minutes=9)
    portal.alert("late", firing=False, **source)
    merging.merge(late.pk, into=early.pk, now=portal.now, actor="test")
    resolves_after(portal, early, minutes=10)


def test_what_waits_for_its_end_does_so_no_more_when_something_that_fires_is_merged_into_it(
    portal: Portal, sender: Callable[..., Integration]
) -> None:
    source = {"integration": sender(hold_off=timedelta(minutes=10))}
    over, firing = opened(portal, "over", **source), opened(portal, "firing", **source)
    portal.alert("over", firing=False, **source)
    merging.merge(firing.pk, into=over.pk, now=portal.now, actor="test")
    over.refresh_from_db()
    assert over.held_until is None


def test_it_ends_no_sooner_than_it_was_opened(portal: Portal) -> None:
    """Another machine, whose clock is behind, hears of the end."""
    incident = opened(portal)
    portal.now -= timedelta(seconds=1)
    portal.alert(firing=False)
    incident.refresh_from_db()
    assert incident.status == "resolved"
    assert incident.resolved_at == incident.calling_ended_at == incident.opened_at
    assert all(each.holds for each in check_invariants(now=portal.now))
