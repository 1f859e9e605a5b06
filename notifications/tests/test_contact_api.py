"""`/api/v1/contact-methods/`: one's own ways to be reached, as on the page."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import bearer, person, send, token_of
from core import clock, encryption, http_client
from core.models import AuditEntry
from notifications.models import ContactMethod, NotificationRule, TrialMessage
from notifications.tests.own_api import alice, api

__all__ = ["alice", "api"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PATH = "contact-methods/"
EMAIL = {"kind": "email", "address": "alice@work.example.com", "label": "work"}
HOOK = {"kind": "webhook", "address": "https://hooks.example.com/s3cr3t", "label": "tickets"}


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every address be asked, and take whatever it is sent."""
    answer = http_client.Response(200, {}, b"", 1.0)
    monkeypatch.setattr(http_client, "request", lambda *_args, **_said: answer)
    monkeypatch.setattr(http_client, "check_address", lambda *_args, **_options: "")


def sent_code() -> str:
    return str(re.findall(r"\b\d{6}\b", str(mail.outbox[-1].subject))[0])


def test_a_way_is_added_verified_tried_changed_and_removed(api: Client, alice: User) -> None:
    made = send(api, "post", PATH, EMAIL, status=201)
    where = f"{PATH}{made['id']}/"
    assert made["masked_address"] == "a…@work.example.com"
    assert (made["is_usable"], made["verified_at"], made["secret"]) == (False, None, None)
    assert not mail.outbox
    send(api, "post", where + "code/", status=200)
    code = sent_code()
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    refused = send(api, "post", where + "verify/", {"code": wrong}, status=400)
    assert refused["errors"] == {"code": ["That is not the code that was sent."]}
    assert send(api, "post", where + "verify/", {"code": code}, status=200)["is_usable"]
    assert send(api, "post", where + "verify/", {"code": code}, status=200)["is_usable"]
    assert send(api, "post", where + "test/", status=200)["delivered_at"]
    assert mail.outbox[-1].subject == "Test from the SRE portal"
    off = send(api, "patch", where, {"label": "office", "is_enabled": False}, status=200)
    assert (off["label"], off["is_enabled"], off["is_usable"]) == ("office", False, False)
    assert send(api, "get", PATH, status=200)["results"] == [off]
    send(api, "delete", where, status=204)
    send(api, "delete", where, status=404)
    told = AuditEntry.objects.filter(act__startswith="contact_method.").order_by("seq")
    assert [entry.act.partition(".")[2] for entry in told] == [
        "added", "verified", "renamed", "disabled", "removed",
    ]  # fmt: skip
    assert {entry.actor for entry in told} == {alice.api_tokens.get().audit_name}


def test_no_answer_has_an_address(api: Client, outside: None) -> None:
    """Whoever holds a token sees where they lead, not the way in."""
    answers = []
    for said in (EMAIL, HOOK, {"kind": "sms", "address": "+44 20 7946 0018"}):
        answers.append(send(api, "post", PATH, said, status=201))
        answers.append(api.post(f"/api/v1/{PATH}", said, content_type="application/json").json())
    answers.append(send(api, "get", PATH, status=200))
    for secret in ("alice@", "s3cr3t", "7946", "02079"):
        assert secret not in str(answers)
        assert secret not in str([*AuditEntry.objects.values_list("changes", flat=True)])


def test_an_address_is_not_guessed_by_changing_it(api: Client) -> None:
    """The right guess is refused as any other."""
    made = send(api, "post", PATH, EMAIL, status=201)
    said = [
        send(api, "patch", f"{PATH}{made['id']}/", {"address": guess}, status=400)["errors"]
        for guess in (EMAIL["address"], "bob@example.com")
    ]
    assert said[0] == said[1] == {"address": ["It stays as it was added: remove it, add another."]}
    refused = send(api, "patch", f"{PATH}{made['id']}/", {"kind": "sms"}, status=400)
    assert list(refused["errors"]) == ["kind"]


def test_what_was_read_is_written_back_without_a_word(api: Client) -> None:
    made = send(api, "post", PATH, EMAIL, status=201)
    told = AuditEntry.objects.count()
    assert send(api, "patch", f"{PATH}{made['id']}/", made, status=200) == made
    assert AuditEntry.objects.count() == told


def test_the_secret_of_a_webhook_is_in_the_answer_that_makes_it(api: Client, outside: None) -> None:
    made = send(api, "post", PATH, HOOK, status=201)
    assert made["secret"].startswith("whsec_")
    where = f"{PATH}{made['id']}/"
    for answer in (
        send(api, "get", where, status=200),
        send(api, "post", where + "code/", status=200),
    ):
        assert answer["secret"] is None
    renewed = api.post(f"/api/v1/{where}secret/")
    assert renewed.headers["Cache-Control"] == "no-store"
    new = renewed.json()["secret"]
    assert ContactMethod.objects.get().secrets_at(clock.now()) == f"{new} {made['secret']}"
    email = send(api, "post", PATH, EMAIL, status=201)
    send(api, "post", f"{PATH}{email['id']}/secret/", status=409)


def test_others_ways_do_not_exist_not_even_for_admins(api: Client) -> None:
    admin = Client()
    admin.force_login(person("root", Role.ADMIN))
    made = send(api, "post", PATH, EMAIL, status=201)
    where = f"{PATH}{made['id']}/"
    assert send(admin, "get", PATH, status=200)["results"] == []
    send(admin, "get", where, status=404)
    send(admin, "patch", where, {"label": "x"}, status=404)
    send(admin, "delete", where, status=404)
    for action in ("code", "verify", "test", "secret"):
        send(admin, "post", f"{where}{action}/", {"code": "123456"}, status=404)
    refused = send(admin, "post", PATH, {**EMAIL, "person": "alice"}, status=400)
    assert list(refused["errors"]) == ["person"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "email", "address": "nobody"}, "address"),
        ({"kind": "email"}, "address"),
        ({"kind": "email", "address": " "}, "address"),
        ({"kind": "pigeon", "address": "loft"}, "kind"),
        ({"kind": "web_push", "address": "{}"}, "kind"),
        ({**EMAIL, "label": "x" * 101}, "label"),
        ({**EMAIL, "verified_at": "2026-03-02T10:00:00Z", "code": "1"}, "code"),
        ({"kind": "webhook", "address": "http://127.0.0.1/"}, "address"),
    ],
)
def test_what_cannot_be_is_refused_by_name(api: Client, said: dict[str, Any], field: str) -> None:
    assert list(send(api, "post", PATH, said, status=400)["errors"]) == [field]
    assert not ContactMethod.objects.exists()


def test_a_way_is_not_added_twice(api: Client) -> None:
    send(api, "post", PATH, EMAIL, status=201)
    send(api, "post", PATH, {**EMAIL, "address": "Alice@Work.example.com"}, status=409)


def test_nobody_says_themselves_that_a_way_is_verified(api: Client) -> None:
    said = {**EMAIL, "verified_at": "2026-03-02T10:00:00Z", "is_usable": True}
    assert not send(api, "post", PATH, said, status=201)["is_usable"]


def test_viewers_have_ways_and_tokens_that_read_only_change_none(alice: User) -> None:
    viewer = Client()
    viewer.force_login(person("vic", Role.VIEWER))
    made = send(viewer, "post", PATH, EMAIL, status=201)
    send(viewer, "post", f"{PATH}{made['id']}/code/", status=200)
    _, secret = token_of(alice)
    reader = Client(headers=bearer(secret))
    send(reader, "get", PATH, status=200)
    for method, path in (("post", PATH), ("delete", f"{PATH}{made['id']}/")):
        send(reader, method, path, EMAIL, status=403)
    send(Client(), "get", PATH, status=401)


@pytest.mark.parametrize("action", ["code", "verify", "test"])
def test_wrong_codes_count_whatever_key_they_come_under(api: Client, action: str) -> None:
    """A refusal under a key is undone, and with it would be its count."""
    made = send(api, "post", PATH, EMAIL, status=201)
    send(api, "post", f"{PATH}{made['id']}/code/", status=200)
    answer = api.post(
        f"/api/v1/{PATH}{made['id']}/{action}/",
        {"code": "000000"},
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert TrialMessage.objects.count() == 1


def test_codes_are_not_guessed(api: Client) -> None:
    made = send(api, "post", PATH, EMAIL, status=201)
    where = f"{PATH}{made['id']}/"
    send(api, "post", where + "test/", status=409)
    send(api, "post", where + "verify/", {"code": "000000"}, status=409)
    send(api, "post", where + "code/", status=200)
    send(api, "post", where + "code/", status=409)
    wrong = f"{(int(sent_code()) + 1) % 1_000_000:06}"
    for _ in range(5):
        send(api, "post", where + "verify/", {"code": wrong}, status=400)
    send(api, "post", where + "verify/", {"code": sent_code()}, status=409)


def test_lists_are_filtered_and_paged(api: Client, outside: None) -> None:
    for said in (EMAIL, HOOK, {"kind": "sms", "address": "+442079460018", "is_enabled": False}):
        send(api, "post", PATH, said, status=201)
    for asked, kinds in (
        ("?kind=sms&kind=email", ["sms", "email"]),
        ("?is_enabled=false", ["sms"]),
        ("?search=ticket", ["webhook"]),
        ("?ordering=kind", ["email", "sms", "webhook"]),
    ):
        found = send(api, "get", PATH + asked, status=200)["results"]
        assert [row["kind"] for row in found] == kinds
    assert list(send(api, "get", PATH + "?address=x", status=400)["errors"]) == ["address"]
    first = send(api, "get", PATH + "?page_size=2", status=200)
    ContactMethod.objects.filter(pk=first["results"][0]["id"]).delete()
    rest = api.get(first["next"]).json()["results"]
    assert [row["kind"] for row in rest] == ["email"]


def way(who: User, **values: Any) -> ContactMethod:
    sealed = encryption.encrypt(f"{who.username}@example.com")
    values = {"kind": "email", "label": "work", "sealed_address": sealed, **values}
    return ContactMethod.objects.create(person=who, **values)


def test_a_rule_is_added_and_removed(api: Client, alice: User) -> None:
    method = way(alice)
    said = {"urgency": "high", "method": method.pk, "delay": "00:05:00"}
    made = send(api, "post", "notification-rules/", said, status=201)
    assert made == {"id": made["id"], **said}
    send(api, "post", "notification-rules/", said, status=409)
    now = send(api, "post", "notification-rules/", {**said, "urgency": "low"}, status=201)
    found = send(api, "get", f"notification-rules/?method={method.pk}&urgency=low", status=200)
    assert found["results"] == [now]
    send(api, "delete", f"notification-rules/{made['id']}/", status=204)
    assert NotificationRule.objects.get().urgency == "low"


def test_all_rules_of_an_urgency_are_replaced(api: Client, alice: User) -> None:
    """Those that stay are the same rows; the other urgency is left alone."""
    phone, mail_ = way(alice, kind="sms"), way(alice)
    low = NotificationRule.objects.create(person=alice, urgency="low", method=mail_)
    kept = NotificationRule.objects.create(person=alice, urgency="high", method=mail_)
    NotificationRule.objects.create(
        person=alice, urgency="high", method=mail_, delay=timedelta(minutes=9)
    )
    rules = [{"method": phone.pk, "delay": "00:05:00"}, {"method": mail_.pk}]
    said = send(api, "put", "notification-rules/high/", {"rules": rules}, status=200)
    assert [(row["method"], row["delay"]) for row in said] == [
        (mail_.pk, "00:00:00"), (phone.pk, "00:05:00"),
    ]  # fmt: skip
    assert said[0]["id"] == kept.pk
    told = AuditEntry.objects.filter(act="notification_rules.replaced")
    assert told.get().changes == {
        "high": [
            ["Email: work after 0:00:00", "Email: work after 0:09:00"],
            ["Email: work after 0:00:00", "Text message: work after 0:05:00"],
        ]
    }
    assert send(api, "put", "notification-rules/high/", {"rules": rules}, status=200) == said
    assert told.count() == 1
    assert send(api, "put", "notification-rules/high/", {"rules": []}, status=200) == []
    assert NotificationRule.objects.get() == low


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rules"),
        ({"rules": [{"method": "bob's"}]}, "rules[0].method"),
        ({"rules": [{"method": "own"}, {"method": "own"}]}, "rules[1]"),
        ({"rules": [{"method": "own", "delay": "-00:01:00"}]}, "rules[0].delay"),
        ({"rules": [{"method": "own", "delay": "1 00:00:01"}]}, "rules[0].delay"),
        ({"rules": [{"method": "own", "urgency": "low"}]}, "rules[0].urgency"),
        ({"rules": [{"delay": "00:01:00"}]}, "rules[0].method"),
        ({"rules": [{"method": "own", "delay": f"00:00:{n:02}"} for n in range(41)]}, "rules"),
    ],
)
def test_rules_that_cannot_be_change_nothing(
    api: Client, alice: User, body: dict[str, Any], field: str
) -> None:
    ways = {"own": way(alice).pk, "bob's": way(person("bob")).pk}
    NotificationRule.objects.create(person=alice, urgency="high", method_id=ways["own"])
    rules = [
        {**rule, "method": ways[rule["method"]]} if "method" in rule else rule
        for rule in body.get("rules", ())
    ]
    said = {"rules": rules} if "rules" in body else {}
    refused = send(api, "put", "notification-rules/high/", said, status=400)
    assert list(refused["errors"]) == [field]
    assert NotificationRule.objects.count() == 1


def test_rules_of_others_do_not_exist(api: Client) -> None:
    bob = person("bob")
    rule = NotificationRule.objects.create(person=bob, urgency="high", method=way(bob))
    assert send(api, "get", "notification-rules/", status=200)["results"] == []
    send(api, "delete", f"notification-rules/{rule.pk}/", status=404)
    said = {"urgency": "high", "method": rule.method_id}
    refused = send(api, "post", "notification-rules/", said, status=400)
    assert list(refused["errors"]) == ["method"]
    send(api, "put", "notification-rules/urgent/", {"rules": []}, status=404)
