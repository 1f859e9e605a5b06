"""Many pages for one person are few messages that name every incident; a P0 gets through."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F

from incidents.models import Attempt, Incident, Page
from incidents.services import escalation, lifecycle
from incidents.tests.oncall_portal import MONDAY, Portal, forged_attempts, portal
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.models import ContactMethod
from notifications.transports.twilio import VoiceCall
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


def without_ways(portal: Portal) -> None:
    """Leave alice nothing but the email address of her account."""
    portal.people["alice"].contact_methods.all().delete()


def test_the_email_of_an_account_gets_no_more(portal: Portal) -> None:
    """Six within eight seconds are one message, and one that names the others."""
    without_ways(portal)
    for number in range(6):
        portal.open_incident(f"incident {number}", severity="P1")
        portal.fast_forward(seconds=1.5)
    portal.fast_forward(seconds=60)
    (at, first), (later, digest) = to_alice(portal)
    assert (at, later) == (0, 60)
    assert first.endswith("incident 0")
    assert digest.startswith("5 incidents: P1 #")


def test_a_p0_waits_ten_seconds_there_too(portal: Portal) -> None:
    without_ways(portal)
    portal.open_incident("first", severity="P2")
    portal.now += timedelta(seconds=2)
    portal.open_incident("worst", severity="P0")
    portal.fast_forward(seconds=8)
    assert [at for at, _ in to_alice(portal)] == [0, 10]


@pytest.mark.parametrize("forget", [False, True])
def test_what_fails_is_tried_again_before_the_minute_is_over(portal: Portal, forget: bool) -> None:
    """By the email address of an account as by a method."""
    if forget:
        without_ways(portal)
    to = "alice@example.com" if forget else "alice-email@example.com"
    portal.post.refusing, portal.post.is_final = {to}, False
    portal.open_incident("first", severity="P1")
    portal.post.refusing = set()
    portal.fast_forward(seconds=5)
    sent = [each.at for each in portal.post.sent if each.to == to]
    assert sent == [MONDAY + timedelta(seconds=5)]


@pytest.mark.parametrize("forget", [False, True])
def test_news_of_many_answers_are_few_messages(portal: Portal, forget: bool) -> None:
    """Thirty are taken within a minute: the first is told at once, the others together."""
    portal.add_low_rule("alice")
    incidents = [portal.open_incident(f"incident {n}", severity="P1") for n in range(30)]
    portal.fast_forward(seconds=60)
    if forget:
        # The rule stays, and leads nowhere.
        ContactMethod.objects.filter(person=portal.people["alice"]).update(is_enabled=False)
    portal.post.sent.clear()
    bob, began = portal.people["bob"], portal.now
    for incident in incidents:
        lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
        portal.settle()
        portal.fast_forward(seconds=1)
    portal.fast_forward(seconds=60)
    told = [(sent.at - began).total_seconds() for sent in portal.post.sent]
    assert told == [0, 60]
    assert portal.post.sent[-1].message.subject.startswith("29 incidents:")


def test_news_hold_up_no_page_and_no_page_holds_up_news(portal: Portal) -> None:
    portal.add_low_rule("alice")
    incident = portal.open_incident("first", severity="P1")
    bob = portal.people["bob"]
    portal.fast_forward(seconds=30)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.settle()
    portal.fast_forward(seconds=30)
    portal.open_incident("second", severity="P1")
    assert [at for at, _ in to_alice(portal)] == [0, 30, 60]


def test_news_that_fail_are_told_again_before_the_minute_is_over(portal: Portal) -> None:
    portal.add_low_rule("alice")
    incident = portal.open_incident("first", severity="P1")
    portal.post.sent.clear()
    portal.post.refusing, portal.post.is_final = {"alice-email@example.com"}, False
    bob = portal.people["bob"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.settle()
    portal.post.refusing = set()
    portal.fast_forward(seconds=5)
    assert portal.told() == [(0, "alice")]


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


def test_a_cut_call_about_several_is_repeated_with_its_key(portal: Portal, settings: Any) -> None:
    """Whoever takes the second call hears that it may be the second, before what it is about."""
    settings.PORTAL_URL = "https://sre.example.org"
    ContactMethod.objects.filter(person=portal.people["alice"]).update(kind=Kind.VOICE)
    portal.open_incident("earlier", severity="P0")
    for title in ("one", "two"):
        portal.open_incident(title, severity="P0")
    portal.fast_forward(seconds=10)
    cut = Page.objects.filter(incident__title__in=["one", "two"])
    cut.update(state="sending", owner="dead", look_at=portal.now)
    with forged_attempts():
        Attempt.objects.filter(page__in=cut).update(outcome="", ended_at=None, owner="dead")
    portal.fast_forward(seconds=60)
    first, second = (sent.message for sent in portal.post.sent[1:])
    assert first.key == second.key
    assert {page["key"] for page in second.facts["pages"]} == {page.key for page in cut}
    # A report about the first call changes nothing of the second.
    assert first.status_url != second.status_url
    (asked,) = VoiceCall().requests(second, "+441234567890")
    assert asked["StatusCallback"] == second.status_url
    (said,) = (each.text or "" for each in ET.fromstring(asked["Twiml"]).iter("Say"))
    assert said.startswith("[Repeat, first send uncertain] 2 incidents: P0 #")
    assert all(f"#{page.incident_id}" in said for page in cut)


def digest(portal: Portal, severities: list[str]) -> list[Incident]:
    """Have alice get one message about incidents of some severities; returns them."""
    portal.open_incident("earlier", severity="P1")
    found = [portal.open_incident(f"of {each}", severity=each) for each in severities]
    portal.fast_forward(seconds=60)
    assert len(portal.post.sent[-1].message.facts["pages"]) == len(found)
    return found


def cut(portal: Portal, incidents: list[Incident]) -> None:
    """Forget what became of the last message about incidents, as when its pager dies then."""
    pages = Page.objects.filter(incident__in=incidents)
    lease = portal.now + timedelta(seconds=30)
    pages.update(state="sending", owner="dead", look_at=lease, sent_at=None, provider_id="")
    with forged_attempts():
        last = Attempt.objects.filter(page__in=pages, number=F("page__attempts"))
        last.update(outcome="", ended_at=None, owner="dead", provider_id="")


def pages_of(message: Message) -> list[int]:
    return [page["incident"] for page in message.facts["pages"]]


def test_of_a_digest_that_a_crash_cut_only_what_is_urgent_goes_again(portal: Portal) -> None:
    """P2 and P3 are in no second message, whatever they went out with."""
    incidents = digest(portal, ["P1", "P2", "P3", "P1"])
    cut(portal, incidents)
    portal.fast_forward(seconds=120)
    first, second = (
        sent.message for sent in portal.post.sent[1:] if sent.to == "alice-email@example.com"
    )
    assert sorted(pages_of(first)) == [each.pk for each in incidents]
    assert pages_of(second) == [incidents[0].pk, incidents[3].pk]
    assert (second.key, second.is_repeat) == (first.key, True)
    states = {page.incident_id: page.state for page in Page.objects.filter(level=1)}
    assert [states[each.pk] for each in incidents] == ["sent", "uncertain", "uncertain", "sent"]


def test_a_digest_of_what_can_wait_is_never_repeated(portal: Portal) -> None:
    cut(portal, digest(portal, ["P2", "P3"]))
    before = len(to_alice(portal))
    portal.fast_forward(seconds=300)
    assert len(to_alice(portal)) == before


@pytest.mark.parametrize("how", ["a crash", "a lost answer"])
def test_a_repeat_has_the_key_of_its_digest_though_one_of_it_was_answered(
    portal: Portal, how: str
) -> None:
    """Whoever drops what they know by its key has both incidents already."""
    if how == "a crash":
        stays, gone = digest(portal, ["P1", "P1"])
        cut(portal, [stays, gone])
        first = portal.post.sent[-1].message
    else:
        portal.post.losing = {2}
        stays, gone = digest(portal, ["P1", "P1"])
        first = portal.post.sent[-1].message
    lifecycle.acknowledge(gone.pk, now=portal.now, actor="test")
    portal.fast_forward(seconds=90)
    second = portal.post.sent[-1].message
    assert (pages_of(second), second.is_repeat) == ([stays.pk], True)
    assert second.key == first.key
    # So has another one, where that was cut as well.
    cut(portal, [stays])
    portal.fast_forward(seconds=90)
    third = portal.post.sent[-1].message
    assert (third.key, len(to_alice(portal))) == (first.key, 4)


def test_two_messages_that_were_cut_are_repeated_as_two(portal: Portal) -> None:
    """Each with its own key, and none has what was in the other."""
    incidents = digest(portal, ["P1", "P1"])
    (earlier,) = Incident.objects.filter(title="earlier")
    known = [sent.message.key for sent in portal.post.sent]
    cut(portal, [earlier, *incidents])
    portal.fast_forward(seconds=180)
    again = [sent.message for sent in portal.post.sent[2:]]
    assert sorted(message.key for message in again) == sorted(known)
    assert sorted(map(len, map(pages_of, again))) == [1, 2]


def test_parts_of_a_message_that_are_repeated_apart_have_keys_of_their_own(portal: Portal) -> None:
    """Whoever throws away the second of one key loses no incident; the last part has the message's."""
    one, two = digest(portal, ["P1", "P1"])
    first = portal.post.sent[-1].message
    cut(portal, [one, two])
    later = portal.now + timedelta(minutes=3)
    Page.objects.filter(incident=two).update(look_at=later)
    portal.fast_forward(seconds=300)
    second, third = (sent.message for sent in portal.post.sent[2:4])
    assert [pages_of(second), pages_of(third)] == [[one.pk], [two.pk]]
    assert second.key == one.pages.get().key
    assert third.key == first.key


def test_what_was_refused_goes_with_what_came_since_under_a_key_of_its_own(portal: Portal) -> None:
    """Nothing of it arrived; the key of the message that was refused is no identity of anything."""
    portal.open_incident("earlier", severity="P2")
    portal.open_incident("refused", severity="P2")
    portal.post.refusing, portal.post.is_final = {"alice-email@example.com"}, False
    portal.fast_forward(seconds=60)
    portal.post.refusing.clear()
    portal.open_incident("new", severity="P2")
    portal.fast_forward(seconds=60)
    names = [page["title"] for sent in portal.post.sent for page in sent.message.facts["pages"]]
    assert sorted(names) == ["earlier", "new", "refused"]


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
