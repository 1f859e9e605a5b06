"""Who is told by email: only who confirmed it, once each, until one click ends it."""

import re
import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.test import Client

from core.mail import MayHaveArrived
from core.models import AuditEntry
from core.tests.crossing import beside, until_somebody_waits
from incidents.domain.communication import PublicState
from statuspage.domain.statuses import Status
from statuspage.models import Component, Notice, Subscriber, SubscriptionRequest
from statuspage.models.subscribers import MOST_ATTEMPTS, Delivery
from statuspage.services import notices, publishing, sending, subscriptions
from statuspage.services.components import delete
from statuspage.services.publishing import save_public_incident
from statuspage.tests.world import NOON, SECRET, component, incident, responder, shop, tell
from statuspage.tokens import Purpose, token_of

pytestmark = [pytest.mark.django_db]
MINUTE = timedelta(minutes=1)
FORM = "/status/subscribe/"


@pytest.fixture(autouse=True)
def _begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    cache.clear()


def tick(after: timedelta = timedelta()) -> list[mail.EmailMessage]:
    """Do what the worker does; returns what it sent."""
    before = len(mail.outbox)
    sending.give_up_abandoned(now=NOON + after)
    publishing.announce_due(now=NOON + after, is_over=lambda: False)
    sending.give_up_stale(now=NOON + after)
    sending.send_due(now=NOON + after, is_over=lambda: False)
    return mail.outbox[before:]


def link_in(message: mail.EmailMessage, word: str) -> str:
    """Return the path of a link of a message."""
    found = re.search(rf"http://[^/]+(/status/{word}/\S+)", str(message.body))
    assert found, message.body
    return found[1]


def subscribed(email: str = "eve@example.org", *parts: Component) -> Subscriber:
    """Make a subscriber who confirmed."""
    row = Subscriber.objects.create(email=email, confirmed_at=NOON)
    row.components.set(parts)
    return row


@pytest.mark.both_databases
def test_only_the_owner_of_the_address_subscribes_it(client: Client) -> None:
    """The form asks, the message's link shows, its button confirms; used once."""
    part = component()
    answer = client.post(FORM, {"email": "Eve@Example.org", "components": [part.public_id]})
    assert "Look into your mailbox" in answer.content.decode()
    assert not answer.cookies
    (question,) = tick()
    assert (question.to, "Checkout" in str(question.body)) == (["eve@example.org"], True)
    link = link_in(question, "confirm")
    assert "Confirm" in client.get(link).content.decode()
    assert not Subscriber.objects.exists()
    assert Client(enforce_csrf_checks=True).post(link).status_code == 200
    row = Subscriber.objects.get()
    assert (row.email, list(row.components.all())) == ("eve@example.org", [part])
    assert client.post(link).status_code == 404
    assert not AuditEntry.objects.filter(changes__icontains="eve@").exists()


def test_nobody_learns_who_is_subscribed(client: Client) -> None:
    """The same answer and the same work for the known, the new and those asked too often."""
    subscribed("eve@example.org")
    answers = {
        client.post(FORM, {"email": email}).content
        for email in ("eve@example.org", "new@example.org", *["often@example.org"] * 5)
    }
    assert len(answers) == 1
    asked = list(SubscriptionRequest.objects.values_list("email", flat=True))
    assert sorted(asked) == ["eve@example.org", "new@example.org", *["often@example.org"] * 3]


def test_a_stranger_s_mailbox_is_not_filled(client: Client) -> None:
    """Three unanswered questions in three days, however often and from wherever somebody types the address."""
    for name in ("victim", "victim+a", "Victim", "victim+b", "victim+c", "victim"):
        cache.clear()  # Another network, another hour.
        answer = client.post(FORM, {"email": f"{name}@example.org"})
        assert "Look into your mailbox" in answer.content.decode()
    assert len(tick()) == 3
    client.post(FORM, {"email": "victim@example.com"})
    client.post(FORM, {"email": "victi@example.org"})
    assert len(tick()) == 2
    SubscriptionRequest.objects.update(requested_at=NOON - subscriptions.UNANSWERED)
    subscriptions.forget_unanswered(now=NOON)
    client.post(FORM, {"email": "victim@example.org"})
    assert len(tick()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_not_fill_a_mailbox_either() -> None:
    """Who asks in the same moment waits, and counts what the other one asked."""

    def type_in(name: str) -> None:
        with transaction.atomic():
            if subscriptions.may_be_asked(f"{name}@example.org"):
                subscriptions.ask(email=f"{name}@example.org", components=[], now=NOON)

    for _ in range(subscriptions.MOST_UNANSWERED - 1):
        type_in("victim")
    with transaction.atomic():
        type_in("victim")
        doing, failed = beside(lambda: type_in("Victim+b"))
        until_somebody_waits(doing)
        assert doing.is_alive()
    doing.join(30)
    assert not failed
    assert SubscriptionRequest.objects.count() == subscriptions.MOST_UNANSWERED


@pytest.mark.both_databases
def test_who_chose_what_is_deleted_meanwhile_is_not_told_of_all(client: Client) -> None:
    """To choose none is to choose all: the form says so, and a link that led there leads nowhere."""
    gone, other = component("Gone"), component("Other")
    real = subscriptions.ask

    def meanwhile(**given: Any) -> Any:
        delete(Component.objects.get(name="Stale"), actor="test", now=NOON)
        return real(**given)

    said = {"email": "eve@example.org", "components": [component("Stale").public_id]}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subscriptions, "ask", meanwhile)
        answer = client.post(FORM, said)
    assert answer.status_code == 422
    assert "choose anew" in answer.content.decode()
    assert not SubscriptionRequest.objects.exists()
    row = subscriptions.ask(email="eve@example.org", components=[gone, other], now=NOON)
    delete(gone, actor="test", now=NOON)
    subscriptions.confirm(token_of(row.key, Purpose.CONFIRM), now=NOON)
    assert list(Subscriber.objects.get().components.all()) == [other]


def test_asking_is_limited_by_network(client: Client) -> None:
    """Twenty an hour; whoever sends more is told so."""
    for number in range(20):
        assert client.post(FORM, {"email": f"e{number}@example.org"}).status_code == 200
    answer = client.post(FORM, {"email": "more@example.org"})
    assert answer.status_code == 429
    assert "try again in an hour" in answer.content.decode()


def test_a_form_counts_once(client: Client) -> None:
    """A second tap asks nobody again."""
    once = "a" * 32
    for _ in range(2):
        client.post(FORM, {"email": "eve@example.org", "once": once})
    assert SubscriptionRequest.objects.count() == 1


@pytest.mark.parametrize("email", ["", "eve", "eve@example.org\nBcc: x@example.org"])
def test_what_is_no_address_is_said(client: Client, email: str) -> None:
    """At its field; nothing is sent."""
    answer = client.post(FORM, {"email": email})
    assert answer.status_code == 422
    assert 'id="id_email_error"' in answer.content.decode()
    assert not SubscriptionRequest.objects.exists()


def test_links_have_one_purpose_and_an_end(client: Client) -> None:
    """Neither the other purpose's, nor another key's, nor an old one opens anything."""
    row = subscriptions.ask(email="eve@example.org", components=[], now=NOON)
    token = token_of(row.key, Purpose.CONFIRM)
    wrong = token_of(row.key, Purpose.UNSUBSCRIBE)
    for bad in (wrong, token[:-1] + ("0" if token[-1] != "0" else "1"), "x", row.key):
        assert client.post(f"/status/confirm/{bad}/").status_code == 404
        assert client.get(f"/status/confirm/{bad}/").status_code == 404
    assert client.post(f"/status/unsubscribe/{token}/").status_code == 404
    SubscriptionRequest.objects.update(requested_at=NOON - subscriptions.UNANSWERED)
    assert client.post(f"/status/confirm/{token}/").status_code == 404
    assert subscriptions.forget_unanswered(now=NOON) == 1


@pytest.mark.both_databases
def test_an_update_is_told_once_to_each(client: Client) -> None:
    """With a way out that mail programs take by themselves, and nothing internal."""
    subscribed()
    found = incident(shop())
    tell(found, f"{SECRET} internal", state=None)
    tell(found, "We look into it.")
    (told,) = tick()
    assert tick(MINUTE) == []
    assert told.subject == "[Investigating] Service disruption"
    assert "We look into it." in str(told.body)
    assert SECRET not in str(told.message())
    assert told.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    way_out = told.extra_headers["List-Unsubscribe"]
    assert way_out == f"<{'http://127.0.0.1:8000'}{link_in(told, 'unsubscribe')}>"
    assert "Unsubscribe" in client.get(link_in(told, "unsubscribe")).content.decode()
    assert Subscriber.objects.exists()
    program = Client(enforce_csrf_checks=True)
    one_click = {"List-Unsubscribe": "One-Click"}
    for _ in range(2):
        assert program.post(link_in(told, "unsubscribe"), one_click).status_code == 200
    assert not Subscriber.objects.exists()
    tell(found, "Over.", state=PublicState.RESOLVED, now=NOON + MINUTE)
    assert tick(MINUTE) == []


def test_subscribers_hear_of_their_components() -> None:
    """Those of a component, of all, and everybody of what affects none."""
    one, other = component("One"), component("Other")
    subscribed("all@example.org")
    subscribed("one@example.org", one)
    subscribed("other@example.org", other)
    found = incident()
    save_public_incident(
        found, title="One is slow", impact=None, affected={one: Status.DEGRADED_PERFORMANCE},
        actor=responder(), now=NOON,
    )  # fmt: skip
    tell(found, "We look into it.")
    assert sorted(each.to[0] for each in tick()) == ["all@example.org", "one@example.org"]
    tell(incident(), "Everything is slow.")
    assert len(tick()) == 3


def test_what_the_server_did_not_take_is_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """With growing waits, and not for ever."""
    subscribed()
    tell(incident(), "We look into it.")
    refuse(monkeypatch, smtplib.SMTPResponseException(451, b"later"))
    publishing.announce_due(now=NOON, is_over=lambda: False)
    row, at = Notice.objects.get(), timedelta()
    for attempt in range(MOST_ATTEMPTS):
        tick(at)
        row = Notice.objects.get()
        assert row.attempts == attempt + 1
        assert tick(at) == []
        at = row.send_at - NOON
    assert (row.state, row.attempts) == (Delivery.FAILED, MOST_ATTEMPTS)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (MayHaveArrived("Nothing was heard."), Delivery.UNCERTAIN),
        (smtplib.SMTPRecipientsRefused({"eve@example.org": (550, b"no")}), Delivery.FAILED),
    ],
)
def test_what_may_have_arrived_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, state: str
) -> None:
    """At most once: also what is refused for good."""
    subscribed()
    tell(incident(), "We look into it.")
    refuse(monkeypatch, error)
    tick()
    monkeypatch.undo()
    assert tick(timedelta(hours=1)) == []
    assert Notice.objects.get().state == state


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the mail server fail."""

    def fail(*_args: Any) -> int:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", fail)


@pytest.mark.both_databases
def test_a_crash_while_sending_doubles_nothing() -> None:
    """Whoever sent it died: the row says that it may have arrived, others are sent."""
    subscribed()
    tell(incident(), "We look into it.")
    publishing.announce_due(now=NOON, is_over=lambda: False)
    Notice.objects.update(state=Delivery.SENDING, attempts=1, leased_until=NOON + MINUTE)
    assert tick() == []
    assert tick(2 * MINUTE) == []
    assert Notice.objects.get().state == Delivery.UNCERTAIN


def test_two_workers_send_each_message_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes while another one sends finds all of it claimed."""
    subscribed("eve@example.org")
    subscribed("mallory@example.org")
    tell(incident(), "We look into it.")
    real, sent = EmailBackend.send_messages, []

    def send(backend: EmailBackend, messages: Any) -> int:
        sent.extend(messages)
        tick()
        return real(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    tick()
    assert sorted(each.to[0] for each in sent) == ["eve@example.org", "mallory@example.org"]
    assert set(Notice.objects.values_list("state", flat=True)) == {Delivery.SENT}


def test_old_updates_are_told_to_nobody() -> None:
    """A worker that was away for days floods no mailbox."""
    subscribed()
    tell(incident(), "Long ago", now=NOON - timedelta(days=2))
    assert tick() == []


def test_notices_that_waited_too_long_are_told_to_nobody() -> None:
    """Also where the worker went away after they were written; the row says why."""
    subscribed()
    tell(incident(), "We look into it.")
    publishing.announce_due(now=NOON, is_over=lambda: False)
    assert tick(timedelta(days=2)) == []
    row = Notice.objects.get()
    assert (row.state, "more than a day" in row.error) == (Delivery.FAILED, True)


@pytest.mark.both_databases
def test_who_chose_a_component_that_is_deleted_is_not_told_of_all_others() -> None:
    """To choose none is to choose all: they are forgotten, who chose others as well stays."""
    gone, other = component("Gone"), component("Other")
    subscribed("gone@example.org", gone)
    both = subscribed("both@example.org", gone, other)
    everything = subscribed("all@example.org")
    asked = subscriptions.ask(email="new@example.org", components=[gone], now=NOON)
    delete(gone, actor="test", now=NOON)
    assert list(Subscriber.objects.all()) == [everything, both]
    assert list(both.components.all()) == [other]
    assert not SubscriptionRequest.objects.filter(pk=asked.pk).exists()


def test_whoever_unsubscribes_is_forgotten_wholly(client: Client) -> None:
    """Also as somebody who was asked again meanwhile."""
    row = subscribed()
    subscriptions.ask(email=row.email, components=[], now=NOON)
    client.post(f"/status/unsubscribe/{token_of(row.key, Purpose.UNSUBSCRIBE)}/")
    assert not SubscriptionRequest.objects.exists()
    assert tick() == []


@pytest.mark.both_databases
def test_a_long_list_is_announced_by_parts(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    """All of it in one transaction, and nobody twice; none is begun when time is over."""
    monkeypatch.setattr(notices, "_IN_ONE", 3)
    for number in range(7):
        subscribed(f"e{number}@example.org")
    tell(incident(), "We look into it.")
    assert publishing.announce_due(now=NOON, is_over=lambda: True) == 0
    with django_assert_max_num_queries(25):
        assert publishing.announce_due(now=NOON, is_over=lambda: False) == 1
    assert Notice.objects.values("subscriber").distinct().count() == Notice.objects.count() == 7


def test_notices_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Part by part, and no update is announced again."""
    monkeypatch.setattr(sending, "_PART", 1)
    for number in range(2):
        subscribed(f"e{number}@example.org")
    about = incident()
    tell(about, "We look into it.")
    tick()
    late = sending.KEPT_FOR + MINUTE
    tell(about, "Still.", now=NOON + late)
    tick(late)
    assert sending.forget_old(now=NOON + late) == 2
    assert set(Notice.objects.values_list("update__text", flat=True)) == {"Still."}
    assert tick(late) == []
