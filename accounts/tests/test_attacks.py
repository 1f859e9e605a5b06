"""What an attacker tries at the door, and does not get."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.core.cache.backends import db as database_cache
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import authentication
from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import revoke_token
from accounts.tests.cast import NOON, PASSWORD, bearer, person, token_of
from accounts.tests.test_pages import LOGIN, code_of, is_signed_in, sign_in
from core import clock
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
TOTP_KEY = "JBSWY3DPEHPK3PXP"
ASKED = "/accounts/2fa/authenticate/"


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> None:
    cache.clear()
    authentication.forget_tokens()


def test_lock_out_is_of_the_account_whatever_it_is_called(
    client: Client, settings: Settings
) -> None:
    """Its address, other capitals and other names of the server are not five more tries each."""
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "5/5m/key"}
    person()
    names = ["alice", "ALICE", "alice@example.com", "Alice@Example.com"]
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    for number in range(5):
        form = {"login": names[number % 4], "password": "wrong"}
        client.post(LOGIN, form, headers={"Host": hosts[number % 3]})
    for name in names:
        sign_in(client, name)
        assert not is_signed_in(client)
    person("bob")
    sign_in(client, "bob")
    assert is_signed_in(client)


def test_flood_of_names_does_not_lift_a_lock_out(client: Client) -> None:
    """What the cache holds of an account is not pushed out by the next thousand."""
    person()
    for _ in range(5):
        sign_in(client, password="wrong")
    for number in range(1000):
        cache.set(f"another-name-{number}", [1.0], 300)
    assert cache.get("another-name-0") == [1.0]
    sign_in(client)
    assert not is_signed_in(client)


def test_second_factor_cannot_be_guessed(client: Client) -> None:
    """After five wrong codes the right one does not help either."""
    TOTP.activate(person(), TOTP_KEY)
    sign_in(client)
    for _ in range(5):
        client.post(ASKED, {"code": "000000"})
    client.post(ASKED, {"code": code_of(TOTP_KEY)})
    assert not is_signed_in(client)


def test_code_counts_once(client: Client) -> None:
    """Whoever read a code over a shoulder cannot use it again."""
    TOTP.activate(person(), TOTP_KEY)
    code = code_of(TOTP_KEY)
    for expected in (True, False):
        assert answers(code) is expected


def answers(code: str) -> bool:
    """Return whether the code lets alice in from a browser of its own."""
    browser = Client()
    sign_in(browser)
    browser.post(ASKED, {"code": code})
    return is_signed_in(browser)


def test_code_counts_once_for_as_long_as_it_would_be_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tolerated clock must not give a code a second life, however it is written."""
    TOTP.activate(person(), TOTP_KEY)
    seconds = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: seconds)
    monkeypatch.setattr(
        database_cache, "tz_now", lambda: datetime.fromtimestamp(time.time(), tz=UTC)
    )
    code = code_of(TOTP_KEY)
    assert answers(code)
    seconds += 31
    assert not answers(code)
    assert not answers(f"{code[:3]} {code[3:]}")
    assert answers(code_of(TOTP_KEY))


def test_half_signed_in_is_not_signed_in(client: Client) -> None:
    """The password alone opens no page, no API and no setup of another factor."""
    TOTP.activate(person(role=Role.ADMIN), TOTP_KEY)
    sign_in(client)
    for address in ("/accounts/", "/admin/", "/accounts/2fa/", "/accounts/2fa/webauthn/add/"):
        answer = client.get(address)
        assert answer.status_code == 302
        assert "login" in answer["Location"] or "authenticate" in answer["Location"]
    assert client.get("/api/v1/users/").status_code == 401


def test_factor_whose_key_is_lost_is_said_and_opens_nothing(
    client: Client, settings: Settings
) -> None:
    """A lost encryption key is a sentence on a page, not an error of the server."""
    TOTP.activate(person(), TOTP_KEY)
    settings.ENCRYPTION_KEYS = ["another key"]
    sign_in(client)
    answer = client.post(ASKED, {"code": code_of(TOTP_KEY)})
    assert answer.status_code == 409
    assert "ask an admin" in answer.content.decode()
    assert not is_signed_in(client)


def test_session_of_before_signing_in_is_not_the_one_after(client: Client) -> None:
    """A session planted in somebody's browser does not become theirs."""
    person()
    client.get(LOGIN)
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = before = str(session.session_key)
    sign_in(client)
    assert is_signed_in(client)
    assert client.session.session_key != before


def test_changing_ones_password_ends_the_other_sessions(client: Client) -> None:
    """One's own goes on; a stolen one does not."""
    person()
    stolen = Client()
    sign_in(stolen)
    sign_in(client)
    new = "another correct horse"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post("/accounts/password/change/", form).status_code == 302
    assert client.get("/accounts/").status_code == 200
    assert stolen.get("/accounts/").status_code == 302
    assert "user.password_changed" in AuditEntry.objects.values_list("act", flat=True)


@pytest.mark.parametrize("address", ["/accounts/", "/accounts/tokens/", "/accounts/logout/"])
def test_another_site_cannot_press_our_buttons(address: str) -> None:
    """A form without our token changes nothing, in pages and in the API."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(person(role=Role.ADMIN))
    assert client.post(address, {"name": "x"}).status_code == 403
    refused = client.post("/api/v1/users/", {"username": "eve"}, content_type="application/json")
    assert refused.status_code == 403
    assert not User.objects.filter(username="eve").exists()


@pytest.mark.parametrize("fate", ["expired", "revoked", "deactivated"])
def test_token_past_its_time_is_401_at_the_api(
    client: Client, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    """The answer says what to do and repeats nothing of the token."""
    now = clock.now()
    token, secret = token_of(person(), expires_at=now + timedelta(minutes=1))
    assert client.get("/api/v1/users/me/", headers=bearer(secret)).status_code == 200
    authentication.forget_tokens()
    match fate:
        case "expired":
            monkeypatch.setattr("core.clock.now", lambda: now + timedelta(minutes=1))
        case "revoked":
            revoke_token(token, now=now)
        case _:
            User.objects.update(is_active=False)
    answer = client.get("/api/v1/users/me/", headers=bearer(secret))
    assert answer.status_code == 401
    assert answer.json()["detail"] == "This token is unknown, expired or revoked."
    assert secret not in answer.content.decode()


@pytest.mark.parametrize(
    "given",
    ["srp_01234\x0056_x", "srp_ABCDEF0123_x", "srp_０１２３４５６７８９_x", "srp__", "srp_" * 4000],
    ids=ascii,
)
def test_token_of_odd_shape_is_401(given: str) -> None:
    """Never an error of the server."""
    client = Client(raise_request_exception=False)
    answer = client.get("/api/v1/users/me/", headers=bearer(given))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "address",
    [
        "/accounts/password/reset/key/zzzzzzzzzzzzz-set-password/",
        f"/accounts/password/reset/key/{'z' * 60}-x/",
        "/accounts/password/reset/key/-x/",
        f"/accounts/tokens/{'9' * 40}/revoke/",
        "/accounts/confirm-email/x:y/",
        "/accounts/login/?next=%00",
        "/accounts/oidc/%00/login/",
    ],
)
def test_odd_addresses_are_no_error_of_the_server(client: Client, address: str) -> None:
    """Numbers beyond any column, NUL, and keys of nobody."""
    client.raise_request_exception = False
    assert client.get(address).status_code < 500
    client.force_login(person())
    assert client.post(address).status_code < 500


def test_what_is_typed_is_in_no_log_page_or_audit(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Right and wrong passwords, tokens and codes."""
    TOTP.activate(alice := person(), TOTP_KEY)
    _, secret = token_of(alice)
    pages = [
        client.post(LOGIN, {"login": "alice", "password": "hunter2hunter2"}),
        client.post(LOGIN, {"login": "alice", "password": PASSWORD}),
        client.post(ASKED, {"code": "135791"}),
        client.get("/api/v1/users/me/", headers=bearer(secret[:-1])),
    ]
    written = caplog.text + str(list(AuditEntry.objects.values()))
    assert "135791" not in written  # a used-up code stands in its own field of the page again
    written += "".join(page.content.decode() for page in pages)
    for typed in ("hunter2hunter2", PASSWORD, secret[:-1], TOTP_KEY):
        assert typed not in written


@pytest.mark.parametrize(
    "model",
    [
        *("socialaccount/socialapp", "socialaccount/socialtoken"),
        *("account/emailaddress", "auth/group"),
    ],
)
def test_admin_has_no_other_ways_in(client: Client, model: str) -> None:
    """Issuers are settings and roles are roles: neither is made by hand in the admin."""
    client.force_login(person(role=Role.ADMIN))
    assert client.get(f"/admin/{model}/add/").status_code == 404


def test_admin_removes_a_lost_factor_and_it_is_told(client: Client) -> None:
    """Nothing secret is shown, nothing can be added; recovery codes go with the last factor."""
    client.force_login(person("root", Role.ADMIN))
    alice = person()
    TOTP.activate(alice, TOTP_KEY)
    RecoveryCodes.activate(alice)
    factor = Authenticator.objects.get(type="totp")
    address = "/admin/mfa/authenticator/"
    shown = client.get(f"{address}{factor.pk}/change/").content.decode()
    assert str(factor.data["secret"]) not in shown
    assert client.get(f"{address}add/").status_code == 403
    assert client.post(f"{address}{factor.pk}/change/", {"type": "webauthn"}).status_code == 403
    chosen = list(Authenticator.objects.values_list("pk", flat=True))
    form = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    client.post(address, form)
    assert not Authenticator.objects.exists()
    entry = AuditEntry.objects.order_by("seq").last()
    assert entry is not None
    assert (entry.act, entry.actor) == ("user.second_factor_removed", "user:root")


def test_admin_disconnects_an_identity_and_it_is_told(client: Client) -> None:
    """For when an address got a new owner at the issuer."""
    client.force_login(person("root", Role.ADMIN))
    identity = SocialAccount.objects.create(user=person(), provider="oidc", uid="7")
    address = f"/admin/socialaccount/socialaccount/{identity.pk}/delete/"
    client.post(address, {"post": "yes"})
    assert not SocialAccount.objects.exists()
    assert AuditEntry.objects.get().act == "user.single_sign_on_disconnected"
    assert re.fullmatch(r"accounts\.user:\d+", AuditEntry.objects.get().subject)
    assert AuditEntry.objects.get().at > NOON
