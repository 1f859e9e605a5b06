"""Signing in through an OpenID Connect issuer that really answers."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.roles import Role
from accounts.services.users import change_user
from accounts.tests.cast import NOON, PASSWORD, person
from accounts.tests.openid_issuer import (
    CLIENT_SECRET,
    Issuer,
)
from accounts.tests.openid_sign_in import (
    ALICE,
    LOGIN,
    acts,
    assert_refused,
    changed,
    issuer,
    issuer_server,
    leave,
    sign_in,
    visit_issuer,
    who,
)
from core.audit import verify_chain
from core.models import AuditEntry

__all__ = ["issuer", "issuer_server"]

pytestmark = pytest.mark.django_db


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


def test_answer_counts_once_and_in_the_browser_that_asked(client: Client, issuer: Issuer) -> None:
    """A used, foreign, missing or invented state signs nobody in, and leaves no audit line."""
    back = visit_issuer(leave(client))
    thief = Client()
    for address in (back, f"{LOGIN}callback/", f"{LOGIN}callback/?code=x&state=é"):
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
