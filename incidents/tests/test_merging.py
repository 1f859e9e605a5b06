"""Merged, taken apart and split: alerts are where they belong, and what is over ends and calls nobody."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from core.errors import Conflict
from incidents.models import Alert, Incident, Integration
from incidents.services import lifecycle, merging
from incidents.services.auditor import audit_paging
from incidents.services.integrations import save_integration
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def fired(portal: Portal, key: str, **values: Any) -> Incident:
    """Report a condition; it must have an incident."""
    incident = portal.alert(key, **values)
    assert incident is not None
    return incident


def merge(portal: Portal, *incidents: Incident) -> None:
    """Merge each into the one after it."""
    for one, other in pairwise(incidents):
        merging.merge(one.pk, into=other.pk, now=portal.now, actor="test")


def unmerge(portal: Portal, incident: Incident) -> None:
    """Take an incident out again, and let the pager look."""
    merging.unmerge(incident.pk, now=portal.now, actor="test")
    portal.settle()


def split(portal: Portal, incident: Incident, *keys: str) -> Incident:
    """Split alerts off, and let the pager look."""
    alerts = incident.alerts.filter(dedup_key__in=keys).values_list("pk", flat=True)
    made = merging.split(incident.pk, alerts=list(alerts), now=portal.now, actor="test")
    portal.settle()
    return made


def keys_of(incident: Incident) -> list[str]:
    """Return which alerts it has."""
    return sorted(incident.alerts.values_list("dedup_key", flat=True))


def status(incident: Incident) -> str:
    """Return where it stands now."""
    incident.refresh_from_db()
    return incident.status


def integration(portal: Portal, **fields: Any) -> Integration:
    """Make a sender of the service."""
    said = {"kind": "generic", "name": "Sender", "service": portal.service, **fields}
    save_integration(Integration(), fields=said, actor="test", now=portal.now)
    return Integration.objects.get()


# Chains


def test_what_fires_in_a_chain_of_merges_joins_its_end(portal: Portal) -> None:
    """It is acknowledged, so nobody is called for what it already had."""
    a, b, c, d = (fired(portal, key) for key in "abcd")
    merge(portal, a, b, c, d)
    lifecycle.acknowledge(d.pk, now=portal.now, actor="alice")
    before = portal.paged()
    for key in "abc":
        portal.alert(key, firing=False)
        assert portal.alert(key) == d
    assert portal.paged() == before


def test_what_is_taken_out_of_a_chain_has_its_alerts(portal: Portal) -> None:
    """Old ones and those that came later; what stays ends without them."""
    a, b, c = (fired(portal, key) for key in "abc")
    merge(portal, a, b)
    portal.alert("a", firing=False)
    portal.alert("a")
    merge(portal, b, c)
    portal.alert("a", firing=False)
    portal.alert("a")
    unmerge(portal, a)
    assert keys_of(a) == ["a", "a", "a"]
    assert keys_of(c) == ["b", "c"]
    lifecycle.resolve(c.pk, now=portal.now, actor="test")
    portal.alert("a", firing=False)
    # It came three times within half an hour.
    portal.fast_forward(minutes=15)
    assert (status(a), status(b), status(c)) == ("resolved", "merged", "resolved")


def test_what_is_taken_out_brings_what_was_merged_into_it(portal: Portal) -> None:
    a, b, c = (fired(portal, key) for key in "abc")
    merge(portal, a, b, c)
    unmerge(portal, b)
    assert (keys_of(b), keys_of(c)) == (["a", "b"], ["c"])
    portal.alert("a", firing=False)
    assert portal.alert("a") == b
    unmerge(portal, a)
    assert (keys_of(a), keys_of(b)) == (["a", "a"], ["b"])


# After a split


@pytest.mark.parametrize("is_old_merged", [False, True])
def test_what_was_split_off_and_merged_comes_apart_as_it_was(
    portal: Portal, *, is_old_merged: bool
) -> None:
    """Either into the other; of the group, what came later is the old one's."""
    old = fired(portal, "a", group_key="g")
    fired(portal, "b", group_key="g")
    new = split(portal, old, "b")
    pair = (old, new) if is_old_merged else (new, old)
    merge(portal, *pair)
    assert portal.alert("c", group_key="g") == pair[1]
    unmerge(portal, pair[0])
    assert (keys_of(old), keys_of(new)) == (["a", "c"], ["b"])


def test_what_was_split_off_after_a_merge_stays_with_its_incident(portal: Portal) -> None:
    a, b = fired(portal, "a"), fired(portal, "b")
    merge(portal, a, b)
    new = split(portal, b, "a")
    portal.alert("a", firing=False)
    assert (keys_of(new), keys_of(b)) == (["a"], ["b"])
    assert status(new) == "resolved"


def test_it_comes_apart_twice(portal: Portal) -> None:
    a, b = fired(portal, "a"), fired(portal, "b")
    for _ in range(2):
        merge(portal, a, b)
        unmerge(portal, a)
        assert (keys_of(a), keys_of(b)) == (["a"], ["b"])
    merge(portal, b, a)
    unmerge(portal, b)
    assert (keys_of(a), keys_of(b)) == (["a"], ["b"])


# Not twice


def test_what_has_a_newer_incident_is_not_taken_out(portal: Portal) -> None:
    a, b = fired(portal, "a"), fired(portal, "b")
    merge(portal, a, b)
    lifecycle.resolve(b.pk, now=portal.now, actor="test")
    newer = fired(portal, "a")
    client = signed_in(Role.RESPONDER)
    answer = send(client, "post", f"incidents/{a.pk}/unmerge/", status=409)
    assert f"#{newer.pk}" in str(answer)
    page = client.post(f"/i/{a.pk}/unmerge/", follow=True).content.decode()
    assert f"What belongs to it is in #{newer.pk}" in page
    assert status(a) == "merged"


def test_one_that_took_in_an_older_one_of_its_group_keeps_its_alerts(portal: Portal) -> None:
    """The older one was merged into another, which came to the newer one."""
    older, other = fired(portal, "a", group_key="g"), fired(portal, "b")
    merge(portal, older, other)
    lifecycle.resolve(other.pk, now=portal.now, actor="test")
    newer = fired(portal, "a", group_key="g")
    lifecycle.reopen(other.pk, now=portal.now, actor="test")
    merge(portal, other, newer)
    assert portal.alert("c", group_key="g") == newer
    last = fired(portal, "d")
    merge(portal, newer, last)
    unmerge(portal, older)
    assert (keys_of(older), keys_of(last)) == (["a"], ["a", "b", "c", "d"])


def test_what_was_reopened_meanwhile_is_not_doubled(portal: Portal) -> None:
    first = fired(portal, "a")
    lifecycle.resolve(first.pk, now=portal.now, actor="test")
    second, other = fired(portal, "a"), fired(portal, "b")
    merge(portal, second, other)
    lifecycle.reopen(first.pk, now=portal.now, actor="test")
    with pytest.raises(Conflict, match=f"#{first.pk}"):
        merging.unmerge(second.pk, now=portal.now, actor="test")


# What is over


def test_an_incident_without_its_firing_alerts_ends(portal: Portal) -> None:
    """All that still fired was split off."""
    old = fired(portal, "a", group_key="g")
    fired(portal, "b", group_key="g")
    portal.alert("a", group_key="g", firing=False)
    new = split(portal, old, "b")
    assert (status(old), status(new)) == ("resolved", "triggered")
    portal.alert("b", group_key="g", firing=False)
    assert status(new) == "resolved"


def test_ended_alerts_that_are_split_off_call_nobody(portal: Portal) -> None:
    old = fired(portal, "a", group_key="g")
    fired(portal, "b", group_key="g")
    lifecycle.mitigate(old.pk, now=portal.now, actor="test")
    portal.alert("a", group_key="g", firing=False)
    before = portal.paged()
    new = split(portal, old, "a")
    portal.fast_forward(hours=10)
    assert (status(new), status(old)) == ("resolved", "mitigated")
    assert portal.paged() == before


@pytest.mark.parametrize("hold_off", [timedelta(), timedelta(minutes=10)])
def test_an_incident_that_is_taken_out_when_over_calls_nobody(
    portal: Portal, hold_off: timedelta
) -> None:
    """Nobody would be called for it meanwhile; what fires again calls."""
    sender = integration(portal, hold_off=hold_off)
    a, b = fired(portal, "a", integration=sender), fired(portal, "b", integration=sender)
    merge(portal, a, b)
    portal.alert("a", integration=sender, firing=False)
    lifecycle.mitigate(b.pk, now=portal.now, actor="test")
    before = portal.paged()
    unmerge(portal, a)
    portal.fast_forward(minutes=5)
    assert audit_paging(now=portal.now) == []
    assert (status(a), status(b)) == ("resolved", "mitigated")
    assert portal.paged() == before
    assert portal.alert("a", integration=sender) not in (a, b)
    assert portal.paged()[-1] == (5, "alice")


def test_what_is_left_without_firing_alerts_ends_after_its_hold(portal: Portal) -> None:
    sender = integration(portal, hold_off=timedelta(minutes=10))
    a, b = fired(portal, "a", integration=sender), fired(portal, "b", integration=sender)
    merge(portal, a, b)
    portal.alert("b", integration=sender, firing=False)
    unmerge(portal, a)
    portal.fast_forward(minutes=9)
    assert (status(a), status(b)) == ("triggered", "triggered")
    portal.fast_forward(minutes=1)
    assert (status(a), status(b)) == ("triggered", "resolved")


def test_what_waited_for_its_end_when_another_was_merged_into_it_ends(portal: Portal) -> None:
    """Its hold was over while the other fired in it."""
    sender = integration(portal, hold_off=timedelta(minutes=10))
    a, b = fired(portal, "a", integration=sender), fired(portal, "b", integration=sender)
    portal.alert("b", integration=sender, firing=False)
    merge(portal, a, b)
    portal.fast_forward(minutes=20)
    unmerge(portal, a)
    portal.fast_forward(minutes=10)
    assert (status(a), status(b)) == ("triggered", "resolved")


def test_what_only_people_end_stays_open(portal: Portal) -> None:
    """Its integration says so; taking it out is no end either."""
    sender = integration(portal, auto_resolve=False)
    a, b = fired(portal, "a", integration=sender), fired(portal, "b", integration=sender)
    merge(portal, a, b)
    for key in "ab":
        portal.alert(key, integration=sender, firing=False)
    unmerge(portal, a)
    assert (status(a), status(b)) == ("triggered", "triggered")


def test_what_people_declared_ends_by_them(portal: Portal) -> None:
    """Without alerts of its own it is open again, and calls; what it was merged into as well."""
    a, b, c = portal.open_incident("a"), portal.open_incident("b"), fired(portal, "c")
    merge(portal, a, b)
    unmerge(portal, a)
    merge(portal, c, b)
    unmerge(portal, c)
    assert [status(each) for each in (a, b, c)] == ["triggered"] * 3
    assert not Alert.objects.exclude(incident=c).exists()


def test_what_somebody_declared_does_not_end_with_what_was_merged_into_it(portal: Portal) -> None:
    """It waited for the hold of another's alerts, which were taken out again."""
    values = {"kind": "generic", "name": "slow", "service": portal.service}
    fields = {**values, "hold_off": timedelta(minutes=10)}
    save_integration(Integration(), fields=fields, actor="test", now=portal.now)
    slow = Integration.objects.get(name="slow")
    declared = portal.open_incident("Something is wrong")
    other = fired(portal, "disk", integration=slow)
    merge(portal, other, declared)
    portal.alert("disk", firing=False, integration=slow)
    unmerge(portal, other)
    portal.fast_forward(minutes=30)
    assert status(declared) == "triggered"
