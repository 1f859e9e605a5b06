"""Silences that are changed while they last: what they no longer cover calls at once."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Service
from core.errors import InvalidInput
from incidents.models import Alert, Incident, Silence
from incidents.services.silences import save_silence
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OTHERS = [{"name": "title", "op": "=", "value": "something else"}]


def silenced(portal: Portal, **fields: Any) -> Silence:
    """Silence the service for five hours, or what `fields` say."""
    said = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + timedelta(hours=5),
        "comment": "Disks are exchanged.",
        **fields,
    }
    return save_silence(Silence(), fields=said, actor="test", now=portal.now)


def change(portal: Portal, silence: Silence, **fields: Any) -> None:
    """Change a silence, and let the pager look."""
    save_silence(silence, fields=fields, actor="test", now=portal.now)
    portal.settle()


def test_what_its_matchers_no_longer_cover_calls_at_once(portal: Portal) -> None:
    """By the API, as people do it; of two alerts of one group one incident comes."""
    api = signed_in(Role.RESPONDER)
    silence = silenced(portal)
    assert portal.alert("disk", group_key="g") is None
    assert portal.alert("network", group_key="g") is None
    portal.fast_forward(minutes=10)
    said = send(api, "patch", f"silences/{silence.pk}/", {"matchers": OTHERS}, status=200)
    assert said["matchers"] == OTHERS
    portal.settle()
    assert portal.paged() == [(10, "alice")]
    incident = Incident.objects.get()
    assert incident.alerts.count() == 2
    assert not Alert.objects.exclude(silenced_by=None).exists()


def test_one_that_is_postponed_calls_at_once(portal: Portal) -> None:
    silence = silenced(portal)
    portal.alert("disk")
    tomorrow = portal.now + timedelta(days=1)
    change(portal, silence, starts_at=tomorrow, ends_at=tomorrow + timedelta(hours=1))
    assert portal.paged() == [(0, "alice")]


def test_one_that_is_given_to_another_service_calls_at_once(portal: Portal) -> None:
    silence = silenced(portal)
    portal.alert("disk")
    change(portal, silence, service=Service.objects.create(slug="pay", name="Pay", tier=1))
    assert portal.paged() == [(0, "alice")]


def test_what_it_still_covers_stays_silent(portal: Portal) -> None:
    silence = silenced(portal)
    portal.alert("disk")
    portal.alert("network")
    change(portal, silence, matchers=[{"name": "title", "op": "=~", "value": "disk.*"}])
    held = Alert.objects.get(silenced_by=silence)
    assert (held.dedup_key, held.incident) == ("disk", None)
    assert [incident.title for incident in Incident.objects.all()] == ["network is wrong"]


def test_what_another_silence_covers_stays_silent_until_that_ends(portal: Portal) -> None:
    silence = silenced(portal)
    portal.alert("disk")
    other = silenced(portal, ends_at=portal.now + timedelta(hours=1))
    change(portal, silence, matchers=OTHERS)
    assert Alert.objects.get().silenced_by == other
    portal.fast_forward(minutes=59)
    assert portal.paged() == []
    portal.fast_forward(minutes=1)
    assert portal.paged() == [(60, "alice")]


def test_what_ended_meanwhile_calls_nobody(portal: Portal) -> None:
    silence = silenced(portal)
    portal.alert("disk")
    portal.alert("disk", firing=False)
    change(portal, silence, matchers=OTHERS)
    assert not Incident.objects.exists()


def test_one_that_begins_in_no_year_of_ours_is_refused(portal: Portal) -> None:
    for year in (1, 1999, 2101, 9999):
        with pytest.raises(InvalidInput) as refused:
            silenced(portal, starts_at=portal.now.replace(year=year, month=12))
        assert list(refused.value.fields) == ["starts_at"]
