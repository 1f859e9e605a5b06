"""Why an alert called somebody, or nobody: each rule, from what was stored when it was decided."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from incidents.domain.receipts import Receipt, Ruling
from incidents.models import Alert, InboundEvent, Silence
from incidents.queries.alert_receipts import receipt_of_alert
from incidents.services import maintenance, merging
from incidents.services.integrations import save_integration
from incidents.services.silences import save_silence
from incidents.tests import bodies
from incidents.tests.incident_receipts import found, one
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.senders import integration_of, post

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]
HOUR = timedelta(hours=1)


@pytest.fixture
def reader(portal: Portal) -> User:
    """Somebody who may know of everything; nobody calls them."""
    return person("reader", Role.VIEWER)


@pytest.fixture
def receipt(reader: User) -> Any:
    """Reads the receipt of the alert of a key, or of the only one."""

    def read(key: str = "") -> Receipt:
        alerts = Alert.objects.select_related("integration")
        alert = alerts.filter(dedup_key=key).latest("pk") if key else alerts.get()
        return receipt_of_alert(alert, reader)

    return read


def silenced(portal: Portal, **fields: Any) -> Silence:
    said = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + HOUR,
        "comment": "Disks are exchanged.",
        **fields,
    }
    return save_silence(Silence(), fields=said, actor="test", now=portal.now)


def test_the_portals_own_is_one_outage_one_incident(portal: Portal, receipt: Any) -> None:
    incident = portal.alert(group_key="checkout")
    assert incident is not None
    told = receipt()
    assert told.answer == (
        f"It opened #{incident.pk}, for which alice was called by email at 03:00 UTC."
    )
    assert "what the portal itself finds wrong with a service in one outage is one incident" in one(
        told, "incident", Ruling.DECIDED
    )
    assert one(told, "severity", Ruling.DECIDED).startswith("The portal's own (test) says P1")


@pytest.mark.parametrize(
    ("kind", "body", "path", "said"),
    [
        ("alertmanager", bodies.ALERTMANAGER, "integrations/v1/alertmanager/{}/", "“critical”; it was taken for P1, as senders of its kind mean it"),
        ("generic", bodies.GENERIC, "integrations/v1/generic/{}/", "“error”; it was taken for P2, as senders of its kind mean it"),
        ("generic", {**bodies.GENERIC, "severity": "dire"}, "integrations/v1/generic/{}/", "“dire”; it was taken for P2, as every word that no map has"),
        ("generic", {**bodies.GENERIC, "labels": {"priority": "P0"}}, "integrations/v1/generic/{}/", "“error” with the label “priority” P0; it was taken for P0, by its label “priority”"),
        ("pagerduty", bodies.PAGERDUTY, "v2/enqueue", "“critical”; it was taken for P1, as senders of its kind mean it"),
        ("pagerduty", {"event_type": "trigger", "description": "Disk"}, "generic/2010-04-15/create_event.json", "said no word for how bad it is; it was taken for"),
        ("pagerduty", bodies.PAGERDUTY_WEBHOOK, "integrations/v1/pagerduty/{}/", "“P2”; it was taken for P1, as senders of its kind mean it"),
        ("opsgenie", bodies.OPSGENIE, "v2/alerts", "“P1”; it was taken for P0, as senders of its kind mean it"),
    ],
)  # fmt: skip
def test_the_senders_word_is_read_again_from_its_request(
    portal: Portal, receipt: Any, kind: str, body: dict[str, Any], path: str, said: str
) -> None:
    _integration, key = integration_of(kind)
    own = {"authorization": f"GenieKey {key}"} if kind == "opsgenie" else {}
    sent = {**body, "routing_key": key, "service_key": key} if "event" not in body else body
    assert post(f"/{path.format(key)}", sent, **own).status_code in {200, 202}
    assert said in one(receipt(), "severity", Ruling.DECIDED)


def test_a_map_that_was_changed_since_is_not_taken_for_that_of_then(
    portal: Portal, receipt: Any
) -> None:
    """Today's meaning is said to be today's."""
    integration, key = integration_of("generic", severity_map={"error": "P1"})
    portal.now += timedelta(minutes=1)
    post(f"/integrations/v1/generic/{key}/", bodies.GENERIC)
    assert "it was taken for P1, by the integration's own map" in one(
        receipt(), "severity", Ruling.DECIDED
    )
    portal.now += HOUR
    changed = {"severity_map": {"error": "none"}}
    save_integration(integration, fields=changed, actor="test", now=portal.now)
    told = one(receipt(), "severity", Ruling.NOT_RECORDED)
    assert "By which rule is not recorded: the integration was changed at 2026-03-02 04:01" in told
    assert "As it is configured today the word means: nobody is called" in told


def test_a_request_that_is_no_longer_kept_is_not_recorded(portal: Portal, receipt: Any) -> None:
    _integration, key = integration_of("generic")
    post(f"/integrations/v1/generic/{key}/", bodies.GENERIC)
    InboundEvent.objects.all().delete()
    assert one(receipt(), "severity", Ruling.NOT_RECORDED) == (
        "It was taken for P2. The sender's word is not recorded: the request is no longer kept."
    )


def test_what_only_informs_calls_nobody(portal: Portal, receipt: Any) -> None:
    portal.alert(pages=False)
    told = receipt()
    assert told.answer == "Nobody was called, because it only informs."
    assert found(told, "informs_only", Ruling.NOT_CALLED)


def test_repeats_are_counted(portal: Portal, receipt: Any) -> None:
    for _ in range(3):
        portal.alert()
        portal.fast_forward(minutes=1)
    told = receipt()
    assert one(told, "duplicate", Ruling.NOT_CALLED) == (
        "Reported 3 times under one key, last at 03:02 UTC: the repeats were counted, and opened nothing."
    )
    assert portal.paged() == [(0, "alice")]


def test_a_silence_that_holds_it_back_is_named(portal: Portal, receipt: Any) -> None:
    silence = silenced(portal)
    portal.alert()
    told = receipt()
    assert told.answer == "Nobody was called, because silence holds it back until 04:00 UTC."
    assert one(told, "silence", Ruling.NOT_CALLED) == (
        f"Silence {silence.pk} (“Disks are exchanged.”) holds it back until 04:00 UTC."
    )
    portal.now += timedelta(minutes=1)
    later = {"ends_at": portal.now + 2 * HOUR}
    save_silence(silence, fields=later, actor="test", now=portal.now)
    assert "It was changed at 03:01 UTC; what it was before is not recorded." in one(
        receipt(), "silence", Ruling.NOT_CALLED
    )


def test_what_called_once_its_silence_had_ended_says_so(portal: Portal, receipt: Any) -> None:
    silence = silenced(portal)
    portal.alert()
    portal.fast_forward(hours=1)
    told = receipt()
    assert one(told, "silence", Ruling.PUT_OFF) == (
        f"Silence {silence.pk} (“Disks are exchanged.”) held it back until 04:00 UTC; from then on it could call."
    )
    assert "alice was called by email at 04:00 UTC" in told.answer


def test_maintenance_is_named_as_such(portal: Portal, receipt: Any) -> None:
    fields: dict[str, Any] = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + HOUR,
        "comment": "Database upgrade",
    }
    maintenance.plan(fields=fields, actor="test", now=portal.now)
    portal.alert()
    told = receipt()
    assert told.answer == "Nobody was called, because maintenance holds it back until 04:00 UTC."
    assert "(“Database upgrade”) holds it back" in one(told, "maintenance", Ruling.NOT_CALLED)


def test_an_end_that_overtook_its_beginning_is_late(portal: Portal, receipt: Any) -> None:
    integration, _key = integration_of("generic")
    at = portal.now
    portal.alert(firing=False, fired_before=True, at=at, integration=integration)
    portal.alert(at=at - HOUR, integration=integration)
    told = receipt()
    assert told.answer == "Nobody was called, because its end was heard before its beginning."
    assert found(told, "late", Ruling.NOT_CALLED)


def test_the_senders_clock_is_told_where_it_orders(portal: Portal, receipt: Any) -> None:
    """What is older than the newest report that was applied changes nothing: it is counted."""
    integration, _key = integration_of("generic")
    portal.alert(at=portal.now, integration=integration, severity="P2")
    portal.alert(at=portal.now - HOUR, integration=integration, severity="P0")
    told = receipt()
    assert "is of 03:00 UTC; what is older changes nothing." in one(told, "late", Ruling.NO_EFFECT)
    assert one(told, "duplicate", Ruling.NOT_CALLED).startswith("Reported 2 times")
    assert told.parts[0].verdicts[0].facts["severity"] == "P2"


def test_what_joins_an_open_incident_calls_nobody_by_itself(portal: Portal, receipt: Any) -> None:
    integration, _key = integration_of("generic")
    incident = portal.alert("disk", group_key="disks", integration=integration)
    assert incident is not None
    portal.alert("cpu", group_key="disks", integration=integration)
    told = receipt("cpu")
    assert told.answer == (
        f"Nobody was called for it alone, because it joined #{incident.pk}, which was open already."
    )
    assert "with the group key “disks” are one incident" in one(told, "incident", Ruling.NOT_CALLED)
    assert found(told, "made_worse", Ruling.NO_EFFECT)


def test_what_makes_it_worse_calls_anew(portal: Portal, receipt: Any) -> None:
    """What came in the same moment and is less bad did not."""
    incident = portal.alert("disk", severity="P2", group_key="g")
    assert incident is not None
    portal.fast_forward(minutes=3)
    portal.alert("cpu", severity="P1", group_key="g")
    portal.alert("net", severity="P3", group_key="g")
    told = receipt("cpu")
    assert told.answer == (
        f"It joined #{incident.pk} and made it worse at 03:03 UTC, so people were called anew."
    )
    assert one(told, "made_worse", Ruling.CALLED) == (
        "When it was reported: P2 → P1: an alert is worse. Calling 2 began with it."
    )
    assert found(receipt("net"), "made_worse", Ruling.NO_EFFECT)


def test_flapping_is_counted(portal: Portal, receipt: Any) -> None:
    for firing in (True, False, True, False, True):
        portal.alert(firing=firing)
        portal.fast_forward(minutes=1)
    (verdict,) = found(receipt("disk"), "flapping", Ruling.DECIDED)
    assert verdict.facts == {"openings": 3, "is_flapping": True}
    assert "It resolves only after 15 min without." in verdict.text


def test_a_split_says_from_where_and_by_whom(portal: Portal, receipt: Any) -> None:
    first = portal.alert("disk", group_key="db")
    portal.alert("cpu", group_key="db")
    assert first is not None
    chosen = [Alert.objects.get(dedup_key="cpu").pk]
    parted = merging.split(first.pk, alerts=chosen, now=portal.now, actor=portal.people["alice"])
    assert one(receipt("cpu"), "incident", Ruling.DECIDED) == (
        f"alice split it off from #{first.pk}, as #{parted.pk}."
    )
    net = portal.alert("net")
    assert net is not None
    merging.merge(net.pk, into=parted.pk, now=portal.now, actor="test")
    assert "split it off" in one(receipt("cpu"), "incident", Ruling.DECIDED)
    assert f"before, it was of #{net.pk}" in one(receipt("net"), "merge", Ruling.DECIDED)
    assert "alice split it off" not in one(receipt("net"), "incident", Ruling.DECIDED)


def test_a_merge_says_where_it_was_before(portal: Portal, receipt: Any) -> None:
    into, source = portal.alert("disk"), portal.alert("cpu")
    assert into is not None
    assert source is not None
    merging.merge(source.pk, into=into.pk, now=portal.now, actor="test")
    assert one(receipt("cpu"), "merge", Ruling.DECIDED) == (
        f"It came by a merge: before, it was of #{source.pk}."
    )
