"""Pages of how people and teams are reached: secrets, channels, quiet hours, rules."""

import base64
import hmac
import json
import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import PASSWORD, person
from catalog.models import Team
from core import encryption, http_client
from core.models import AuditEntry
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours, TrialMessage
from notifications.services import contacts

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HOOK = "https://hooks.example.com/x"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")


@pytest.fixture
def alice(client: Client) -> User:
    found = person("alice", role=Role.RESPONDER)
    client.login(username="alice", password=PASSWORD)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what webhooks are handed; every address may be asked."""
    found: list[dict[str, Any]] = []

    def request(_url: str, **said: Any) -> http_client.Response:
        found.append(said)
        return http_client.Response(200, {}, b"", 1.0)

    monkeypatch.setattr(http_client, "request", request)
    monkeypatch.setattr(http_client, "check_address", lambda *_args, **_options: "")
    return found


def add_webhook(client: Client, page: str = "/contact/") -> str:
    """Add a webhook from a page; returns the page that follows."""
    said = {"kind": "webhook", "address": HOOK, "label": "tickets"}
    return str(client.post(page, said, follow=True).content.decode())


def test_the_secret_of_a_webhook_is_shown_once(
    alice: User, client: Client, asked: list[dict[str, Any]]
) -> None:
    """And it is the one that verifies what is sent."""
    (secret,) = SECRET.findall(add_webhook(client))
    assert SECRET.findall(client.get("/contact/").content.decode()) == []
    (sent,) = asked
    assert _is_signed(sent, secret)


def test_while_a_secret_is_replaced_both_sign(
    alice: User, client: Client, asked: list[dict[str, Any]]
) -> None:
    """For a day: so long may the receiver keep the one before."""
    (old,) = SECRET.findall(add_webhook(client))
    method = ContactMethod.objects.get()
    page = client.post(f"/contact/{method.pk}/secret/", follow=True).content.decode()
    (new,) = SECRET.findall(page)
    assert "The one before signs beside it until" in page
    assert new != old
    method.refresh_from_db()
    assert method.old_secret_until is not None
    now = method.old_secret_until - timedelta(days=1)
    assert method.secrets_at(now) == f"{new} {old}"
    assert method.secrets_at(now + timedelta(days=1)) == new
    ContactMethod.objects.update(verified_at=now)
    client.post(f"/contact/{method.pk}/test/")
    assert _is_signed(asked[-1], new)
    assert _is_signed(asked[-1], old)
    ContactMethod.objects.update(old_secret_until=now - timedelta(days=1))
    TrialMessage.objects.all().delete()
    client.post(f"/contact/{method.pk}/test/")
    assert _is_signed(asked[-1], new)
    assert not _is_signed(asked[-1], old)
    assert AuditEntry.objects.filter(act="contact_method.secret_renewed").count() == 1


def _is_signed(sent: dict[str, Any], secret: str) -> bool:
    """Check as Standard Webhooks say: one of the signatures must be the receiver's."""
    headers = sent["headers"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + sent["content"]
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}" in headers["webhook-signature"].split(" ")


def test_secrets_are_stored_sealed_also_until_they_are_shown(
    alice: User, client: Client, asked: list[dict[str, Any]]
) -> None:
    said = {"kind": "webhook", "address": HOOK, "label": ""}
    client.post("/contact/", said)
    assert "whsec_" not in json.dumps(dict(client.session))
    method = ContactMethod.objects.get()
    contacts.renew_secret(method, actor=alice, now=datetime(2026, 3, 2, tzinfo=UTC))
    row = ContactMethod.objects.get()
    for sealed in (row.sealed_secret, row.sealed_old_secret):
        assert sealed
        assert "whsec_" not in sealed


def test_what_is_signed_for_nobody_has_no_secret_to_renew(alice: User, client: Client) -> None:
    client.post("/contact/", {"kind": "email", "address": "alice@example.com", "label": ""})
    method = ContactMethod.objects.get()
    answer = client.post(f"/contact/{method.pk}/secret/", follow=True)
    assert "Only what goes to webhooks is signed." in answer.content.decode()


def test_a_webhook_tells_pages_codes_and_tests_apart(
    alice: User, client: Client, asked: list[dict[str, Any]]
) -> None:
    """A receiver that opens tickets opens none for a code."""
    add_webhook(client)
    ContactMethod.objects.update(verified_at=datetime(2026, 3, 2, tzinfo=UTC))
    client.post(f"/contact/{ContactMethod.objects.get().pk}/test/")
    assert [json.loads(said["content"])["type"] for said in asked] == ["code", "test"]


@pytest.fixture
def payments(alice: User) -> Team:
    """A team that alice belongs to."""
    team = Team.objects.create(slug="payments", name="Payments")
    team.members.add(alice)
    return team


def test_a_team_has_channels_of_its_own(alice: User, payments: Team, client: Client) -> None:
    """From the team's page: added, verified, tried, switched, removed; nobody is called by it."""
    assert "/contact/teams/payments/" in client.get("/services/teams/payments/").content.decode()
    assert "/contact/teams/payments/" in client.get("/contact/").content.decode()
    page = "/contact/teams/payments/"
    said = {"kind": "email", "address": "payments@example.com", "label": "list"}
    assert client.post(page, said)["Location"] == page
    method = ContactMethod.objects.get()
    assert (method.team, method.person) == (payments, None)
    code = re.findall(r"\b\d{6}\b", str(mail.outbox[-1].subject))[0]
    assert client.post(f"/contact/{method.pk}/verify/", {"code": code})["Location"] == page
    method.refresh_from_db()
    assert method.is_usable
    client.post(f"/contact/{method.pk}/test/")
    assert mail.outbox[-1].to == ["payments@example.com"]
    client.post(f"/contact/{method.pk}/switch/")
    method.refresh_from_db()
    assert not method.is_enabled
    assert "Email: list" in client.get(page).content.decode()
    assert "Email: list" not in client.get("/contact/").content.decode()
    client.post(f"/contact/{method.pk}/remove/")
    assert not ContactMethod.objects.exists()


@pytest.mark.parametrize(
    ("name", "role", "is_member", "status"),
    [
        ("mona", Role.MANAGER, False, 200),
        ("otto", Role.RESPONDER, False, 403),
        ("rex", Role.RESPONDER, True, 200),
        ("vic", Role.VIEWER, True, 403),
    ],
)
def test_channels_are_changed_by_members_who_may_and_by_managers(
    payments: Team, client: Client, name: str, role: Role, is_member: bool, status: int
) -> None:
    who = person(name, role=role)
    if is_member:
        payments.members.add(who)
    method = contacts.add_method(
        person=None,
        team=payments,
        kind=Kind.SLACK,
        label="",
        address="C024BE7LH",
        actor="test",
        now=datetime(2026, 3, 2, tzinfo=UTC),
    )
    client.login(username=name, password=PASSWORD)
    assert client.get("/contact/teams/payments/").status_code == status
    shows = "/contact/teams/payments/" in client.get("/services/teams/payments/").content.decode()
    assert shows is (status == 200)
    answer = client.post(f"/contact/{method.pk}/switch/")
    assert answer.status_code == (302 if status == 200 else 404)


def test_there_is_no_page_of_channels_without_the_team(alice: User, client: Client) -> None:
    assert client.get("/contact/teams/nobody/").status_code == 404


def test_a_manager_does_not_change_how_others_are_reached(alice: User, client: Client) -> None:
    method = contacts.add_method(
        person=alice,
        kind=Kind.SLACK,
        label="",
        address="U024BE7LH",
        actor=alice,
        now=datetime(2026, 3, 2, tzinfo=UTC),
    )
    person("mona", role=Role.MANAGER)
    client.login(username="mona", password=PASSWORD)
    assert client.post(f"/contact/{method.pk}/remove/").status_code == 404


def test_quiet_hours_are_set_by_whom_they_protect(alice: User, client: Client) -> None:
    assert "at any hour" in client.get("/contact/").content.decode()
    client.post("/contact/quiet/", {"begins": "21:30", "ends": "06:45"})
    quiet = QuietHours.objects.get(person=alice)
    assert (quiet.begins, quiet.ends) == (time(21, 30), time(6, 45))
    assert "From 21:30 to 06:45 by the clock of UTC" in client.get("/contact/").content.decode()
    client.post("/contact/quiet/", {"begins": "23:00", "ends": "06:45"})
    assert QuietHours.objects.get().begins == time(23)
    client.post("/contact/quiet/remove/")
    assert not QuietHours.objects.exists()
    acts = AuditEntry.objects.filter(act__startswith="quiet_hours").order_by("seq")
    assert [entry.act.split(".")[1] for entry in acts] == ["set", "set", "removed"]


@pytest.mark.parametrize(
    ("begins", "ends", "says"),
    [
        ("22:00", "22:00", "Quiet hours end at another time than they begin."),
        ("25:00", "07:00", "Enter a valid time."),
    ],
)
def test_quiet_hours_that_mean_nothing_are_refused(
    alice: User, client: Client, begins: str, ends: str, says: str
) -> None:
    answer = client.post("/contact/quiet/", {"begins": begins, "ends": ends})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert says in page
    assert f'value="{begins}"' in page
    assert not QuietHours.objects.exists()


def test_a_rule_that_there_is_stays_in_the_form(alice: User, client: Client) -> None:
    client.post("/contact/", {"kind": "email", "address": "alice@example.com", "label": ""})
    said = {"urgency": "low", "method": ContactMethod.objects.get().pk, "minutes": "7"}
    client.post("/contact/rules/", said)
    answer = client.post("/contact/rules/", said)
    assert answer.status_code == 422
    assert "There is such a rule already." in answer.content.decode()
    assert 'value="7"' in answer.content.decode()


def test_a_rule_that_is_removed_twice_is_gone(alice: User, client: Client) -> None:
    method = ContactMethod.objects.create(
        person=alice, kind=Kind.EMAIL, verified_at=datetime.now(UTC)
    )
    mine = NotificationRule.objects.create(person=alice, urgency="high", method=method)
    bob = NotificationRule.objects.create(person=person("bob"), urgency="high", method=method)
    for _ in range(2):
        answer = client.post(f"/contact/rules/{mine.pk}/remove/")
        assert (answer.status_code, answer["Location"]) == (302, "/contact/")
    client.post(f"/contact/rules/{bob.pk}/remove/")
    assert NotificationRule.objects.get() == bob


def test_the_admin_says_what_is_wrong_with_rules_and_quiet_hours(
    alice: User, client: Client
) -> None:
    """A rule by somebody else's way would look right and call nobody."""
    bob, root = person("bob"), person("root", role=Role.ADMIN)
    method = ContactMethod.objects.create(
        person=alice, kind=Kind.SMS, label="mine", sealed_address=encryption.encrypt("+441234567")
    )
    client.force_login(root)
    said = {"person": bob.pk, "urgency": "high", "method": method.pk, "delay": "-00:01:00"}
    page = client.post("/admin/notifications/notificationrule/add/", said).content.decode()
    assert "somebody else&#x27;s: choose a way of the person." in page
    assert "Nobody is called before it happened: use 0 or more." in page
    assert not NotificationRule.objects.exists()
    said = {"person": bob.pk, "begins": "22:00", "ends": "22:00"}
    page = client.post("/admin/notifications/quiethours/add/", said).content.decode()
    assert "Quiet hours end at another time than they begin." in page
    assert not QuietHours.objects.exists()


def test_base64_of_secrets_is_what_standard_webhooks_ask_for(
    alice: User, client: Client, asked: list[dict[str, Any]]
) -> None:
    (secret,) = SECRET.findall(add_webhook(client))
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 24
