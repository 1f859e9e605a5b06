"""Codes and tests: who may have them sent where, how often, and what is left when they fail."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import PASSWORD, person
from core.errors import Conflict, Unavailable
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.models import ContactMethod, TrialMessage
from notifications.services import contacts, trials
from notifications.transports import Recipient, TransportFailed

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HALF_A_MINUTE = timedelta(seconds=30)
STRANGER = "+49 151 77777777"


class Telephone:
    """Stands where the transports are: keeps what it was handed, or fails as it is told to."""

    def __init__(self) -> None:
        self.rang: list[tuple[str, Message]] = []
        self.fails: TransportFailed | None = None

    def send(self, message: Message, to: Recipient) -> str:
        if self.fails is not None:
            raise self.fails
        self.rang.append((to.address, message))
        return "id"


@pytest.fixture
def telephone(monkeypatch: pytest.MonkeyPatch) -> Telephone:
    found = Telephone()
    monkeypatch.setattr(trials, "transport_for", lambda _kind: found)
    return found


@pytest.fixture
def victor(client: Client) -> User:
    """Somebody who may only look, and who is signed in."""
    found = person("victor", role=Role.VIEWER)
    client.login(username="victor", password=PASSWORD)
    return found


def add(
    who: User, address: str = STRANGER, now: datetime = NOON, kind: Kind = Kind.VOICE
) -> ContactMethod:
    return contacts.add_method(person=who, kind=kind, label="", address=address, actor=who, now=now)


def test_only_a_method_that_was_verified_is_tried(
    telephone: Telephone, victor: User, client: Client
) -> None:
    method = add(victor)
    answer = client.post(f"/contact/{method.pk}/test/", follow=True)
    assert "Verify it first" in answer.content.decode()
    assert telephone.rang == []


def test_a_test_is_sent_once_in_ten_seconds_and_twenty_times_an_hour(
    telephone: Telephone, victor: User
) -> None:
    method = add(victor)
    ContactMethod.objects.update(verified_at=NOON)
    method.refresh_from_db()
    at = NOON
    for _ in range(20):
        trials.try_method(method, now=at)
        with pytest.raises(Conflict, match="just now"):
            trials.try_method(method, now=at + timedelta(seconds=9))
        at += timedelta(seconds=10)
    with pytest.raises(Conflict, match="Too many tests"):
        trials.try_method(method, now=at)
    trials.try_method(method, now=NOON + timedelta(hours=1))
    assert len(telephone.rang) == 21


def test_adding_and_removing_rings_a_stranger_three_times_an_hour(
    telephone: Telephone, victor: User, client: Client
) -> None:
    """Ten times from the page; what was sent is counted although the method is gone."""
    said = {"kind": "voice", "address": STRANGER, "label": ""}
    for _ in range(10):
        client.post("/contact/", said)
        method = ContactMethod.objects.get()
        client.post(f"/contact/{method.pk}/remove/")
    assert len(telephone.rang) == 3


def test_nor_do_several_people_ring_one_address_more_often(
    telephone: Telephone, victor: User
) -> None:
    for who in (victor, person("wendy"), person("xaver")):
        trials.send_code(add(who), now=NOON)
    with pytest.raises(Conflict, match="Too many codes were sent there"):
        trials.send_code(add(person("yvonne")), now=NOON)


def test_one_person_has_ten_codes_sent_an_hour(telephone: Telephone, victor: User) -> None:
    for number in range(10):
        trials.send_code(add(victor, f"+4915177777{number:03}"), now=NOON)
    last = add(victor, "+4915177778000")
    with pytest.raises(Conflict, match="Too many codes were sent for you"):
        trials.send_code(last, now=NOON)
    trials.send_code(last, now=NOON + timedelta(hours=1))
    assert TrialMessage.objects.count() == 11


def test_what_is_counted_goes_after_an_hour(telephone: Telephone, victor: User) -> None:
    method = add(victor)
    trials.send_code(method, now=NOON)
    trials.send_code(method, now=NOON + timedelta(hours=1, seconds=1))
    assert TrialMessage.objects.count() == 1


def test_no_address_can_be_read_from_what_is_counted(telephone: Telephone, victor: User) -> None:
    trials.send_code(add(victor), now=NOON)
    row = TrialMessage.objects.get()
    assert row.owner == f"user:{victor.pk}"
    assert re.fullmatch("[0-9a-f]{64}", row.address_digest)


def test_where_the_code_was_not_sent_the_way_waits_for_another_one(
    telephone: Telephone, victor: User, client: Client
) -> None:
    """The provider is down: the way is there once, however often it is entered, and goes on later."""
    telephone.fails = TransportFailed("The provider is away.")
    said = {"kind": "voice", "address": STRANGER, "label": "mine"}
    answer = client.post("/contact/", said, follow=True)
    assert "was added. The code was not sent: The provider is away." in answer.content.decode()
    for _ in range(3):
        answer = client.post("/contact/", said)
        assert answer.status_code == 422
        assert "in the list already" in answer.content.decode()
    telephone.fails = None
    method = ContactMethod.objects.get()
    client.post(f"/contact/{method.pk}/code/")
    assert len(telephone.rang) == 1


@pytest.mark.parametrize(("is_uncertain", "again"), [(False, True), (True, False)])
def test_what_may_have_arrived_counts_as_sent(
    telephone: Telephone, victor: User, is_uncertain: bool, again: bool
) -> None:
    """A code whose sending was cut may be entered, and another one is not sent at once."""
    method = add(victor)
    telephone.fails = TransportFailed("cut", is_uncertain=is_uncertain)
    with pytest.raises(Unavailable, match="The code was not sent: cut"):
        trials.send_code(method, now=NOON)
    assert TrialMessage.objects.count() == int(is_uncertain)
    telephone.fails = None
    if again:
        trials.send_code(method, now=NOON)
    else:
        with pytest.raises(Conflict, match="just now"):
            trials.send_code(method, now=NOON)


def test_a_code_that_was_not_sent_leaves_the_one_before(telephone: Telephone, victor: User) -> None:
    """With the tries that it has left."""
    method = add(victor)
    trials.send_code(method, now=NOON)
    code = telephone.rang[0][1].subject.split()[1]
    assert trials.verify(method, "wrong", actor=victor, now=NOON) is False
    telephone.fails = TransportFailed("away")
    with pytest.raises(Unavailable):
        trials.send_code(method, now=NOON + HALF_A_MINUTE)
    method.refresh_from_db()
    assert method.code_tries == 1
    assert trials.verify(method, code, actor=victor, now=NOON + HALF_A_MINUTE) is True


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (Kind.SMS, "+49 151 77777777", "+49 (151) 777-777-77"),
        (Kind.EMAIL, "ada@example.com", "Ada@Example.com"),
        (Kind.SLACK, "U024BE7LH", " U024BE7LH "),
    ],
)
def test_an_address_is_added_once(
    victor: User, telephone: Telephone, kind: Kind, first: str, second: str
) -> None:
    """Whoever enters it twice would be called twice for one page; a number rings and texts."""
    add(victor, first, kind=kind)
    with pytest.raises(Conflict) as caught:
        add(victor, second, kind=kind)
    assert list(caught.value.fields) == ["address"]
    add(person("wendy"), first, kind=kind)
    if kind is Kind.SMS:
        add(victor, first, kind=Kind.VOICE)
