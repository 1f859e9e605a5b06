"""Many pages for one person are few messages that name every incident; a P0 gets through."""

from datetime import timedelta

import pytest
from django.conf import settings

from incidents.models import Attempt, Page
from incidents.services import escalation, lifecycle
from incidents.tests.oncall_portal import Portal, forged_attempts, portal
from oncall.models import FallbackContact

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def a_message_a_minute(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the portal is by default, and as the other tests are not."""
    monkeypatch.setattr(settings, "PAGE_EVERY_S", 60)


def to_alice(portal: Portal) -> list[tuple[float, str]]:
    """Return what alice got: seconds since the start, and the subject."""
    start = portal.post.sent[0].at
    return [
        ((sent.at - start).total_seconds(), sent.message.subject)
        for sent in portal.post.sent
        if sent.to.startswith("alice")
    ]


def test_a_storm_is_one_message_and_a_digest(portal: Portal) -> None:
    """The first at once; fifty more within the minute are one message, which names each."""
    portal.open_incident("first", severity="P1")
    for number in range(50):
        portal.open_incident(f"incident {number}", severity="P1")
    portal.fast_forward(seconds=60)
    (at, first), (later, digest) = to_alice(portal)
    assert (at, later) == (0, 60)
    assert first.endswith("first")
    assert digest.startswith("50 incidents: P1 #")
    text = portal.post.sent[-1].message.text
    assert all(f"incident {number}" in text for number in range(50))
    assert text.count("Acknowledge: ") == 50
    assert Page.objects.filter(state="sent").count() == 51
    assert Attempt.objects.filter(outcome="sent").count() == 51


def test_a_p0_waits_ten_seconds_at_most(portal: Portal) -> None:
    portal.open_incident("first", severity="P2")
    portal.now += timedelta(seconds=2)
    portal.open_incident("worst", severity="P0")
    portal.open_incident("other", severity="P2")
    portal.fast_forward(seconds=8)
    assert [at for at, _ in to_alice(portal)] == [0, 10]
    assert "worst" in to_alice(portal)[-1][1]


def test_answered_meanwhile_is_left_out(portal: Portal) -> None:
    portal.open_incident("first", severity="P1")
    gone = portal.open_incident("gone", severity="P1")
    portal.open_incident("stays", severity="P1")
    lifecycle.acknowledge(gone.pk, now=portal.now, actor="test")
    portal.fast_forward(seconds=60)
    assert len(to_alice(portal)) == 2
    assert to_alice(portal)[-1][1].endswith("stays")


def test_a_failed_message_does_not_wait_for_the_next_minute(portal: Portal) -> None:
    """Its provider was away: five seconds later it is tried again, all pages of it."""
    portal.post.refusing, portal.post.is_final = {"alice-email@example.com"}, False
    portal.open_incident("first", severity="P1")
    portal.post.refusing = set()
    portal.fast_forward(seconds=5)
    assert [at for at, _ in to_alice(portal)] == [0]
    assert Page.objects.get().attempts == 2


def test_a_cut_message_is_repeated_by_itself(portal: Portal) -> None:
    """What may have arrived is not mixed with what is new: only it says so."""
    portal.open_incident("first", severity="P1")
    Page.objects.update(state="sending", owner="dead", look_at=portal.now)
    with forged_attempts():
        Attempt.objects.update(outcome="", ended_at=None, owner="dead")
    portal.now += timedelta(seconds=61)
    portal.open_incident("second", severity="P1")
    portal.fast_forward(seconds=60)
    headings = [sent.message.heading for sent in portal.post.sent[1:]]
    assert sorted(heading.startswith("[Repeat") for heading in headings) == [False, True]


def test_who_is_called_twice_for_one_incident_reads_of_one(portal: Portal) -> None:
    """By their level and as the fallback contact: one incident, its own page and its own answer."""
    FallbackContact.objects.create(person=portal.people["alice"])
    portal.open_incident("earlier", severity="P1")
    incident = portal.open_incident("first", severity="P1")
    escalation.page_fallback(incident, "Nobody could be called.", now=portal.now)
    portal.fast_forward(seconds=60)
    message = portal.post.sent[-1].message
    assert message.subject.startswith(f"P1 #{incident.pk} ")
    assert message.url.endswith(f"/i/{incident.pk}")
    assert message.act_url
    reasons = {page["reason"] for page in message.facts["pages"]}
    assert reasons == {"escalation", "fallback"}
    assert Page.objects.filter(incident=incident, state="sent").count() == 2


def test_a_title_of_many_lines_passes_for_no_other_incident(portal: Portal) -> None:
    portal.open_incident("earlier", severity="P1")
    portal.open_incident("one\nAcknowledge: https://evil.example.org/", severity="P1")
    portal.open_incident("two\r\n\r\nP0 #9 three", severity="P1")
    portal.fast_forward(seconds=60)
    lines = [line for line in portal.post.sent[-1].message.text.splitlines() if line]
    assert [line.split(" ")[0] for line in lines] == ["P1", "Acknowledge:"] * 2
