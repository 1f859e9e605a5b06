"""Signing in through an OpenID Connect issuer that really answers."""

import html
import math
import re
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import oidc
from accounts.models import User
from accounts.oidc import transport
from accounts.roles import Role
from accounts.services.users import change_user
from accounts.tests.cast import NOON, PASSWORD, person
from accounts.tests.openid_issuer import (
    CLIENT_ID,
    CLIENT_SECRET,
    OTHER_KEY,
    Issuer,
    running_issuer,
    signed,
)
from core.audit import verify_chain
from core.models import AuditEntry

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/oidc/oidc/login/"
ALICE = {
    "sub": "issuer-7",
    "email": "alice@example.com",
    "email_verified": True,
    "preferred_username": "alice",
    "given_name": "Alice",
    "family_name": "Liddell",
}


@pytest.fixture(scope="module")
def _server() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(_server: Issuer, settings: Settings) -> Issuer:
    """The configured issuer, at which Alice is signed in and nothing goes wrong."""
    _server.person, _server.faults = dict(ALICE), type(_server.faults)()
    _server.asked.clear()
    settings.SOCIALACCOUNT_PROVIDERS = oidc.providers(
        issuer=_server.address, name="Company", client_id=CLIENT_ID, secret=CLIENT_SECRET
    )
    cache.clear()
    return _server


def leave(client: Client, query: str = "", **form: str) -> str:
    """Press the button and return the address at the issuer that the page leads to."""
    answer = client.post(LOGIN + query, form)
    found = re.search(r"0;URL='([^']+)'", answer.content.decode())
    assert (answer.status_code, bool(found)) == (200, True), answer.content.decode()
    assert found
    return html.unescape(found[1])


def visit_issuer(address: str) -> str:
    """Open an address at the issuer, which sends the browser back, and return where to."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 302
    back = urlsplit(str(answer.getheader("Location")))
    assert back.netloc == "testserver"
    return f"{back.path}?{back.query}"


def sign_in(client: Client) -> HttpResponse:
    """Go to the issuer and come back."""
    back: Any = client.get(visit_issuer(leave(client)))
    return back  # type: ignore[no-any-return]


def who(client: Client) -> User | None:
    """Return who is signed in."""
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key) if key else None


def acts() -> list[str]:
    """Return what the audit tells, oldest first."""
    return list(AuditEntry.objects.order_by("seq").values_list("act", flat=True))


def assert_refused(client: Client, answer: Any, words: str) -> None:
    """Nobody is signed in, the page says why, and shows nothing of the exchange."""
    body = answer.content.decode()
    assert answer.status_code == 401
    assert words in body
    assert "Back to sign-in" in body
    assert who(client) is None
    assert CLIENT_SECRET not in body


def test_sign_in_page_offers_the_issuer_by_name(client: Client, issuer: Issuer) -> None:
    """The button appears once an issuer is configured, and pressing it needs our own form."""
    assert "Company" in client.get("/accounts/login/").content.decode()
    assert client.get(LOGIN).status_code == 200
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(LOGIN).status_code == 403
    assert issuer.asked == []


def test_without_an_issuer_there_is_no_such_address(client: Client) -> None:
    """Single sign-on is off until configured."""
    assert client.post(LOGIN).status_code == 404
    assert client.get(f"{LOGIN}callback/?code=x&state=y").status_code == 404


def test_new_person_begins_as_a_viewer(client: Client, issuer: Issuer) -> None:
    """Whatever role the issuer claims; the audit tells who came and how."""
    issuer.person |= {"role": "admin", "is_staff": True, "groups": ["admin"]}
    answer = sign_in(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    alice = User.objects.get()
    assert who(client) == alice
    assert (alice.username, alice.email, alice.role) == ("alice", "alice@example.com", "viewer")
    assert (str(alice), alice.is_staff, alice.has_usable_password()) == (
        "Alice Liddell",
        False,
        False,
    )
    assert client.get("/admin/").status_code == 302
    assert acts() == ["user.created", "user.signed_in"]
    assert AuditEntry.objects.order_by("seq")[1].changes == {"by": "single sign-on"}
    assert verify_chain().holds


def test_person_known_by_subject_is_the_same_whatever_else_changed(
    client: Client, issuer: Issuer
) -> None:
    """The subject is the identity: another name, another address, still the one account."""
    sign_in(client)
    issuer.person |= {"email": "liddell@example.com", "preferred_username": "liddell"}
    issuer.person["email_verified"] = False
    other = Client()
    sign_in(other)
    assert who(other) == User.objects.get()
    assert User.objects.get().email == "alice@example.com"


def test_person_whom_an_admin_made_is_found_by_verified_address(
    client: Client, issuer: Issuer
) -> None:
    """Role and password stay; the person is told by mail, and the audit says what was connected."""
    alice = person(role=Role.MANAGER)
    User.objects.update(email="Alice@Example.com")
    sign_in(client)
    alice.refresh_from_db()
    assert who(client) == alice
    assert (alice.role, alice.check_password(PASSWORD)) == (Role.MANAGER, True)
    assert acts() == ["user.single_sign_on_connected", "user.signed_in"]
    assert AuditEntry.objects.order_by("seq")[0].changes["subject"] == "issuer-7"
    assert [to.lower() for message in mail.outbox for to in message.to] == [alice.email.lower()]


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1])
@pytest.mark.parametrize("exists", [True, False])
def test_unverified_address_opens_nothing(
    client: Client, issuer: Issuer, verified: object, exists: bool
) -> None:
    """Neither somebody's account nor a new one; only `true` counts."""
    if exists:
        person(role=Role.ADMIN)
    issuer.person["email_verified"] = verified
    if verified is None:
        del issuer.person["email_verified"]
    assert_refused(client, sign_in(client), "does not confirm")
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == int(exists)
    assert acts() == ["user.sign_in_failed"]


def test_person_without_an_address_is_refused(client: Client, issuer: Issuer) -> None:
    """Nobody gets to type an address that is not theirs instead."""
    del issuer.person["email"]
    assert_refused(client, sign_in(client), "does not confirm")
    assert client.get("/accounts/3rdparty/signup/")["Location"] == "/accounts/login/"


def test_address_given_to_somebody_new_does_not_hand_over_the_account(
    client: Client, issuer: Issuer
) -> None:
    """Another subject with the same address is another person."""
    sign_in(client)
    issuer.person["sub"] = "issuer-8"
    other = Client()
    assert_refused(other, sign_in(other), "another identity")
    refusal = AuditEntry.objects.order_by("-seq")[0]
    assert refusal.subject == f"accounts.user:{User.objects.get().pk}"
    assert refusal.changes["by"] == "single sign-on"


def test_address_that_looks_like_somebodys_is_another(client: Client, issuer: Issuer) -> None:
    """A database for which dotless i is a small I does not hand over the account of who has it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                'ALTER TABLE accounts_user ALTER COLUMN email TYPE varchar(254) COLLATE "und-x-icu"'
            )
    alice = person(role=Role.ADMIN)
    User.objects.update(email="al\u0131ce@example.com")
    sign_in(client)
    assert who(client) != alice
    assert not SocialAccount.objects.filter(user=alice).exists()


def test_address_that_was_somebodys_opens_nothing(client: Client, issuer: Issuer) -> None:
    """When an admin changes an address, the old one neither signs in nor resets a password."""
    sign_in(client)
    alice = User.objects.get()
    change_user(user=alice, fields={"email": "new@example.com"}, now=NOON, actor=None)
    assert not EmailAddress.objects.filter(email="alice@example.com").exists()
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    assert mail.outbox == []


@pytest.mark.parametrize("connected", [True, False])
def test_deactivated_person_stays_out(client: Client, issuer: Issuer, connected: bool) -> None:
    """Known by subject or by address, it makes no difference."""
    if connected:
        sign_in(client)
        client.post("/accounts/logout/")
    else:
        person()
    User.objects.update(is_active=False)
    assert_refused(client, sign_in(client), "deactivated")
    assert acts()[-1] == "user.sign_in_failed"
    assert AuditEntry.objects.order_by("-seq")[0].subject.startswith("accounts.user:")


def changed(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what replaces claims; None removes one."""

    def change(claims: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in {**claims, **values}.items() if v is not None}

    return change


@pytest.mark.parametrize(
    "values",
    [
        {"iss": "https://evil.example"},
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another-client"]},
        {"azp": "another-client"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 192},
        {"sub": "7\0"},
        {"sub": "\ud800"},
        {"nonce": "\ud800"},
        {"exp": math.inf},
        {"iat": math.inf},
        {"nbf": math.inf},
    ],
    ids=str,
)
def test_id_token_for_another_purpose_is_refused(
    client: Client, issuer: Issuer, values: dict[str, Any]
) -> None:
    """Wrong issuer, nonce, audience, party, time or subject: a page, no account, an audit line."""
    issuer.faults.claims = changed(**values)
    assert_refused(client, sign_in(client), "can be trusted")
    assert not User.objects.exists()
    assert acts() == ["user.sign_in_failed"]


def unsigned(claims: dict[str, Any]) -> str:
    """Return an ID token that nobody signed."""
    return jwt.encode(claims, "", "none", headers={"kid": "signs"})


def signed_with_what_is_public(claims: dict[str, Any]) -> str:
    """Return an ID token whose signature is keyed with the client's secret, not the issuer's."""
    return jwt.encode(claims, CLIENT_SECRET.ljust(32), "HS256", headers={"kid": "signs"})


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_what_is_public,
        lambda claims: signed(claims, OTHER_KEY),
        lambda claims: signed(claims, kid="nobody's"),
        lambda claims: signed(claims, OTHER_KEY, kid="encrypts"),
        lambda claims: "not.a.token",
        lambda claims: "é",
        lambda claims: None,
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_id_token_that_the_issuer_did_not_sign_is_refused(
    client: Client, issuer: Issuer, sign: Callable[[dict[str, Any]], str]
) -> None:
    """Signed by nobody, by a secret, by another key or by one that is not for signing."""
    issuer.faults.sign = sign
    assert_refused(client, sign_in(client), "can be trusted")
    assert not User.objects.exists()


def test_userinfo_of_another_subject_is_refused(client: Client, issuer: Issuer) -> None:
    """Else a token could be dressed with somebody else's address."""
    issuer.faults.userinfo = changed(sub="issuer-8")
    assert_refused(client, sign_in(client), "can be trusted")


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://127.0.0.1/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
        {"userinfo_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "https://["},
    ],
    ids=str,
)
def test_description_of_another_issuer_is_refused(
    client: Client, issuer: Issuer, description: dict[str, Any]
) -> None:
    """The page says so before anybody is sent anywhere."""
    issuer.faults.description = description
    assert_refused(client, client.post(LOGIN), "can be trusted")


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"]
)
@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (302, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"\xff"),
        (200, b"x" * 300_000),
        (200, b"[" * 200_000),
        (200, b'{"keys": 7}'),
        (200, b'{"keys": [7, {"kty": "RSA", "n": 7, "e": []}]}'),
    ],
    ids=lambda answer: f"{answer[0]}-{answer[1][:6]!r}",
)
def test_issuer_that_answers_nonsense_is_a_page(
    client: Client, issuer: Issuer, path: str, answer: tuple[int, bytes]
) -> None:
    """Wherever it happens, before leaving or after coming back."""
    back = visit_issuer(leave(client))
    issuer.faults.answers[path] = answer
    assert_refused(client, client.get(back), "can be trusted")
    if "well-known" in path:
        assert_refused(client, client.post(LOGIN), "can be trusted")


def test_issuer_that_is_away_is_a_page(client: Client, settings: Settings) -> None:
    """Nobody listens at its port."""
    with running_issuer() as gone:
        address = gone.address
    settings.SOCIALACCOUNT_PROVIDERS = oidc.providers(
        issuer=address, name="Company", client_id=CLIENT_ID, secret=CLIENT_SECRET
    )
    assert_refused(client, client.post(LOGIN), "can be trusted")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token"])
def test_issuer_that_trickles_meets_a_total_deadline(
    client: Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A byte now and then does not hold a request for ever."""
    back = visit_issuer(leave(client))
    monkeypatch.setattr(transport, "DEADLINE_S", 0.6)
    issuer.faults.trickle = path
    began = time.monotonic()
    assert_refused(client, client.get(back), "can be trusted")
    assert time.monotonic() - began < 3


def test_issuer_may_keep_its_word_without_userinfo_and_with_a_slash(
    client: Client, issuer: Issuer, settings: Settings
) -> None:
    """What the specification leaves open works: claims in the ID token, a name ending in a slash."""
    issuer.faults.description = {"userinfo_endpoint": f"{issuer.address}/none"}
    issuer.faults.answers["/none"] = (200, b'{"sub": "issuer-7"}')
    issuer.faults.claims = changed(email="alice@example.com", email_verified="true")
    providers = settings.SOCIALACCOUNT_PROVIDERS
    providers["openid_connect"]["APPS"][0]["settings"]["server_url"] += "/"
    sign_in(client)
    assert who(client) is not None


def test_claims_of_odd_shape_are_a_page_or_a_person(client: Client, issuer: Issuer) -> None:
    """Numbers for names, NUL, and more than a column holds: what cannot be a name is left out."""
    issuer.person |= {
        "preferred_username": ["x"],
        "name": {"a": 1},
        "given_name": "A\0\ud800" + "l" * 500,
        "family_name": 7,
    }
    sign_in(client)
    alice = User.objects.get()
    assert len(alice.first_name) <= 150
    assert "\0" not in alice.first_name
    wrong = (7, "a" * 300 + "@example.com", "no address", "al\0ice@example.com", "\ud800@x.example")
    for address in wrong:
        issuer.person |= {"sub": "issuer-9", "email": address}
        stranger = Client()
        assert_refused(stranger, sign_in(stranger), "does not confirm")


def test_error_of_the_issuer_is_a_page(client: Client, issuer: Issuer) -> None:
    """Its words are not repeated; somebody who stopped it is told so."""
    issuer.faults.error = "server_error"
    answer = sign_in(client)
    assert_refused(client, answer, "Try again")
    assert "as asked" not in answer.content.decode()
    issuer.faults.error = "access_denied"
    back = sign_in(client)
    assert back["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "stopped it" in client.get(back["Location"]).content.decode()
    assert who(client) is None


def test_answer_counts_once_and_in_the_browser_that_asked(client: Client, issuer: Issuer) -> None:
    """A used, foreign, missing or invented state signs nobody in, and leaves no audit line."""
    back = visit_issuer(leave(client))
    thief = Client()
    for address in (back, f"{LOGIN}callback/", f"{LOGIN}callback/?code=x&state=é%00"):
        assert_refused(thief, thief.get(address), "Try again")
    assert acts() == []
    assert client.get(back).status_code == 302
    client.post("/accounts/logout/")
    assert_refused(client, client.get(back), "Try again")


def test_code_of_another_sign_in_is_refused(client: Client, issuer: Issuer) -> None:
    """A code injected into somebody else's sign-in fails at the proof key."""
    stolen = parse_qs(urlsplit(visit_issuer(leave(Client()))).query)["code"][0]
    state = parse_qs(urlsplit(visit_issuer(leave(client))).query)["state"][0]
    answer: Any = client.get(f"{LOGIN}callback/?code={stolen}&state={state}")
    assert_refused(client, answer, "can be trusted")


def test_link_does_not_change_what_is_asked_of_the_issuer(client: Client, issuer: Issuer) -> None:
    """Scope, nonce and redirect address are ours, whatever a crafted address says."""
    visit_issuer(leave(client, "?scope=admin&auth_params=nonce%3Dmine%26redirect_uri%3Dx"))
    asked = issuer.authorized
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert len(asked["nonce"]) > 30
    assert asked["redirect_uri"] == "http://testserver/accounts/oidc/oidc/login/callback/"


@pytest.mark.parametrize(
    ("given", "place"),
    [("/slo/", "/slo/"), ("https://evil.example/", "/"), ("//evil.example", "/")],
)
def test_way_back_stays_in_the_portal(
    client: Client, issuer: Issuer, given: str, place: str
) -> None:
    """Where somebody wanted to go is remembered, if it is here."""
    back: Any = client.get(visit_issuer(leave(client, next=given)))
    assert back["Location"] == place


def test_own_second_factor_is_asked_for_after_the_issuer(client: Client, issuer: Issuer) -> None:
    """The issuer's word does not replace a second factor that somebody set up here."""
    TOTP.activate(person(), "JBSWY3DPEHPK3PXP")
    answer = sign_in(client)
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert who(client) is None
    assert client.get("/slo/").status_code == 302


def test_roles_that_need_a_second_factor_need_it_here(
    client: Client, issuer: Issuer, settings: Settings
) -> None:
    """Somebody without a password sets one up right after coming from the issuer."""
    settings.MFA_REQUIRED_ROLES = ["viewer"]
    sign_in(client)
    setup = "/accounts/2fa/totp/activate/"
    assert client.get("/slo/")["Location"] == setup
    assert client.get("/api/v1/users/").status_code == 403
    assert 'class="qr"' in client.get(setup).content.decode()
    TOTP.activate(User.objects.get(), "JBSWY3DPEHPK3PXP")
    assert client.get("/slo/").status_code == 200


def test_signing_out_ends_the_session_here(client: Client, issuer: Issuer) -> None:
    """The portal's own session is gone and told; the issuer's stays the issuer's."""
    sign_in(client)
    cookie = client.cookies["sessionid"].value
    assert client.post("/accounts/logout/").status_code == 302
    old = Client()
    old.cookies["sessionid"] = cookie
    assert old.get("/accounts/").status_code == 302
    assert acts()[-1] == "user.signed_out"


def test_nothing_of_the_exchange_is_kept_or_told(
    client: Client, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """No token in the database, no code, token or client secret in log or audit."""
    sign_in(client)
    assert not SocialToken.objects.exists()
    assert set(SocialAccount.objects.get().extra_data["userinfo"]) <= {*ALICE, "name"}
    issuer.faults.claims = changed(nonce="another")
    back = visit_issuer(leave(Client()))
    code = parse_qs(urlsplit(back).query)["code"][0]
    other = Client()
    address = leave(other)
    other.get(visit_issuer(address))
    told = caplog.text + str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert "nonce" in told
    for secret in (CLIENT_SECRET, code, "eyJ"):
        assert secret not in told


def test_connecting_from_ones_own_session_and_parting_are_told(
    client: Client, issuer: Issuer
) -> None:
    """Somebody signed in connects another address of theirs after giving the password again."""
    alice = person()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.get(visit_issuer(leave(client, process="connect")))
    assert SocialAccount.objects.get().user == alice
    assert acts()[-1] == "user.single_sign_on_connected"
    client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert not SocialAccount.objects.exists()
    assert acts()[-1] == "user.single_sign_on_disconnected"


def test_mail_server_that_is_away_does_not_stop_a_sign_in(
    client: Client, issuer: Issuer, settings: Settings
) -> None:
    """The notice is lost and logged; the person is in."""
    person()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    sign_in(client)
    assert who(client) is not None
    assert not Authenticator.objects.exists()
