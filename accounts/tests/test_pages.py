"""Sign-in, second factor, profile and token pages."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.services.users import create_user
from accounts.tests.cast import NOON, PASSWORD, bearer, person, token_of
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LOGIN = "/accounts/login/"
TOKENS = "/accounts/tokens/"
ACTIVATE = "/accounts/2fa/totp/activate/"
SIGNED_IN_PAGES = [
    "/accounts/",
    TOKENS,
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/webauthn/",
    "/accounts/3rdparty/",
    "/accounts/logout/",
    "/accounts/reauthenticate/",
]
OPEN_PAGES = [
    LOGIN,
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-x/",
    "/accounts/inactive/",
    "/accounts/3rdparty/login/cancelled/",
]


@pytest.fixture(autouse=True)
def _no_limits_from_other_tests() -> None:
    cache.clear()


def sign_in(client: Client, name: str = "alice", password: str = PASSWORD) -> int:
    """Fill in the sign-in form."""
    return client.post(LOGIN, {"login": name, "password": password}).status_code


def is_signed_in(client: Client) -> bool:
    """Return whether the client has a session of somebody."""
    return "_auth_user_id" in client.session


def confirm(client: Client) -> None:
    """Give the password again, as the pages of the second factor ask."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def code_of(secret: str) -> str:
    """Return what an authenticator app shows now; it is accepted for another period."""
    _before, counter, _after = yield_hotp_counters_from_time()
    return str(format_hotp_value(hotp_value(secret, counter)))


@pytest.mark.parametrize("address", [*OPEN_PAGES, *SIGNED_IN_PAGES])
def test_pages_are_ours_and_clean_under_the_strict_policy(client: Client, address: str) -> None:
    """Every page has our frame, one heading, and no inline script, style or handler."""
    if address in SIGNED_IN_PAGES:
        client.force_login(person())
    answer = client.get(address)
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "css/portal.css" in body
    assert len(re.findall(r"<h1", body)) == 1
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"\sstyle=|<style|\son\w+=", body)
    for script in re.findall(r"<script[^>]*>", body):
        assert "src=" in script or "application/json" in script


@pytest.mark.parametrize("name", ["alice", "ALICE@example.com", "alice@example.com"])
def test_people_sign_in_by_name_or_address(client: Client, name: str) -> None:
    """Either works, and is told in the audit."""
    person()
    assert sign_in(client, name) == 302
    assert is_signed_in(client)
    assert AuditEntry.objects.get().act == "user.signed_in"


def test_failed_sign_in_is_told_without_what_was_typed(client: Client) -> None:
    """A password typed into the name field does not end up in the audit."""
    person()
    assert sign_in(client, password="wrong") == 200
    assert sign_in(client, name="hunter2hunter2", password="x") == 200
    entries = AuditEntry.objects.order_by("seq")
    assert [entry.act for entry in entries] == ["user.sign_in_failed"] * 2
    assert entries[0].subject.startswith("accounts.user:")
    assert entries[1].subject == "unknown account"
    assert not any("hunter2" in str(vars(entry)) for entry in entries)


def test_answer_does_not_tell_whether_an_account_exists(client: Client) -> None:
    """A wrong password and a wrong name read alike."""
    person()
    bodies = []
    for name in ("alice", "nobody"):
        body = client.post(LOGIN, {"login": name, "password": "wrong"}).content.decode()
        bodies.append(re.findall(r'role="alert">(.*?)</div>', body, re.DOTALL))
    assert bodies[0]
    assert bodies[0] == bodies[1]


def test_five_wrong_passwords_lock_the_account_for_a_while(client: Client) -> None:
    """Then the right one does not help either."""
    person()
    for _ in range(5):
        sign_in(client, password="wrong")
    sign_in(client)
    assert not is_signed_in(client)


def test_limits_count_the_address_that_the_trusted_proxy_saw(
    client: Client, settings: Settings
) -> None:
    """With one proxy, what a client writes into the header before it counts for nothing."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    settings.ACCOUNT_RATE_LIMITS = {"login": "2/m/ip", "login_failed": "100/m/ip"}
    person()
    statuses = [
        client.post(
            LOGIN,
            {"login": f"name{number}", "password": "x"},
            headers={"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.1"},
        ).status_code
        for number in range(3)
    ]
    assert statuses == [200, 200, 429]


def test_deactivated_people_do_not_sign_in(client: Client) -> None:
    """The right password is not enough."""
    person(is_active=False)
    sign_in(client)
    assert not is_signed_in(client)


def test_nobody_signs_up(client: Client) -> None:
    """The page says who makes accounts, and posting to it makes none."""
    assert "made by an admin" in client.get("/accounts/signup/").content.decode()
    form = {"username": "eve", "email": "eve@example.com", "password1": PASSWORD}
    client.post("/accounts/signup/", {**form, "password2": PASSWORD})
    assert not User.objects.exists()


def test_password_is_reset_by_mail(client: Client) -> None:
    """The link sets a new password once; also for somebody who never had one."""
    create_user(username="alice", email="alice@example.com", now=NOON)
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    link = re.search(
        r"http://testserver(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body)
    )
    assert link
    page = client.get(link[1])
    client.post(page["Location"], {"password1": PASSWORD, "password2": PASSWORD})
    assert User.objects.get().check_password(PASSWORD)
    assert "user.password_reset" in AuditEntry.objects.values_list("act", flat=True)
    assert (
        "expired" in client.get(link[1]).content.decode()
        or "invalid" in client.get(link[1]).content.decode()
    )


def test_reset_answers_alike_for_unknown_addresses(client: Client) -> None:
    """Nobody learns who has an account, and strangers get no mail."""
    answer = client.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert answer["Location"] == "/accounts/password/reset/done/"
    assert mail.outbox == []


def test_second_factor_is_set_up_asked_for_and_encrypted(
    client: Client, transactional_db: None
) -> None:
    """From the QR code to the next sign-in; the database alone does not give the key away."""
    alice = person()
    sign_in(client)
    assert client.get(ACTIVATE)["Location"].startswith("/accounts/reauthenticate/")
    confirm(client)
    assert 'class="qr"' in client.get(ACTIVATE).content.decode()
    secret = client.session["mfa.totp.secret"]
    client.post(ACTIVATE, {"code": code_of(secret)})
    stored = Authenticator.objects.get(user=alice, type="totp")
    assert secret not in str(stored.data)
    assert TOTP(stored).validate_code(code_of(secret))
    assert "user.second_factor_added" in AuditEntry.objects.values_list("act", flat=True)

    other = Client()
    assert sign_in(other) == 302
    assert not is_signed_in(other)
    assert other.get("/accounts/2fa/authenticate/").status_code == 200
    cache.clear()
    other.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert is_signed_in(other)


def test_roles_that_need_a_second_factor_set_one_up_first(
    client: Client, settings: Settings
) -> None:
    """Nothing else opens before; other roles and tokens go on as ever."""
    settings.MFA_REQUIRED_ROLES = ["admin"]
    root = person("root", Role.ADMIN)
    sign_in(client, "root")
    assert client.get("/")["Location"] == ACTIVATE
    assert client.get("/admin/").status_code == 302
    assert client.get("/api/v1/users/").status_code == 403
    confirm(client)
    assert client.get(ACTIVATE).status_code == 200
    _, secret = token_of(root)
    assert Client().get("/api/v1/users/", headers=bearer(secret)).status_code == 200
    viewer = Client()
    viewer.force_login(person("viewer", Role.VIEWER))
    assert viewer.get("/accounts/").status_code == 200


def test_admin_has_no_sign_in_of_its_own(client: Client) -> None:
    """One door, with its limits and its second factor."""
    person("root", Role.ADMIN)
    assert client.get("/admin/login/")["Location"].startswith(LOGIN)
    client.post("/admin/login/", {"username": "root", "password": PASSWORD})
    assert not is_signed_in(client)


def test_profile_is_saved(client: Client) -> None:
    """Name and time zone are one's own to change; the role is not."""
    alice = person(role=Role.VIEWER)
    client.force_login(alice)
    form = {"first_name": "Alice", "timezone": "Asia/Kolkata", "role": "admin"}
    assert client.post("/accounts/", form).status_code == 302
    alice.refresh_from_db()
    assert (alice.first_name, alice.timezone, alice.role) == ("Alice", "Asia/Kolkata", "viewer")
    assert client.post("/accounts/", {"timezone": "Mars/Olympus"}).status_code == 422


def test_token_is_shown_once(client: Client) -> None:
    """The page that makes it shows it; no later page does."""
    client.force_login(person())
    form = {"name": "deploy", "scopes": ["read", "ingest"], "expires": "90"}
    made = client.post(TOKENS, form)
    shown = re.search(r"srp_[0-9a-f]{10}_[\w-]{43}", made.content.decode())
    assert made.status_code == 201
    assert shown
    assert "no-store" in made["Cache-Control"]
    assert Client().get("/api/v1/users/me/", headers=bearer(shown[0])).status_code == 200
    later = client.get(TOKENS).content.decode()
    assert shown[0] not in later
    assert ApiToken.objects.get().masked in later


def test_token_form_says_what_is_wrong(client: Client) -> None:
    """A viewer is not even offered what a token of theirs could not do."""
    client.force_login(person(role=Role.VIEWER))
    refused = client.post(TOKENS, {"name": "", "scopes": ["write"], "expires": "90"})
    assert refused.status_code == 422
    assert not ApiToken.objects.exists()
    assert 'value="write"' not in client.get(TOKENS).content.decode()


def test_only_ones_own_tokens_exist(client: Client) -> None:
    """Another's token is as unknown as none at all, byte for byte."""
    theirs, _ = token_of(person("bob"))
    mine, _ = token_of(person("alice"))
    client.force_login(User.objects.get(username="alice"))
    assert theirs.masked not in client.get(TOKENS).content.decode()
    fixed = {"X-Request-ID": "00000000"}
    answers = [client.post(f"{TOKENS}{key}/revoke/", headers=fixed) for key in (theirs.pk, 987654)]
    assert [answer.status_code for answer in answers] == [404, 404]
    csrf = re.compile(rb'(csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+')
    assert len({csrf.sub(b"", answer.content) for answer in answers}) == 1
    assert client.post(f"{TOKENS}{mine.pk}/revoke/").status_code == 302
    mine.refresh_from_db()
    assert mine.revoked_at is not None
