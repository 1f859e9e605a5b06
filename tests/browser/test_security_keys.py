"""A security key as second factor, with Chromium's own virtual key."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from accounts.roles import Role
from core.models import AuditEntry
from tests.browser.conftest import Visits

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _alice() -> User:
    cache.clear()
    return User.objects.create_user("alice", password=PASSWORD, role=Role.RESPONDER)


def plug_in_key(page: Page) -> None:
    """Give the browser a security key that answers as if it were touched."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def give_password(page: Page) -> None:
    """Sign in as far as the password leads."""
    page.goto("/accounts/login/")
    page.fill("input[name=login]", "alice")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")


def add_key(page: Page, name: str) -> None:
    """Add the key that is plugged in, giving the password again."""
    page.goto("/accounts/2fa/webauthn/add/")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/2fa/webauthn/add/**")
    page.fill("input[name=name]", name)
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/2fa/recovery-codes/")


def test_security_key_is_added_asked_for_and_removed(
    portal_page: Visits,
    picture: Callable[[Page, str], Path],
    barriers: Callable[[Page], list[str]],
) -> None:
    """From the first touch to the next sign-in, and back to the password alone."""
    page = portal_page()
    plug_in_key(page)
    give_password(page)
    page.wait_for_url(f"{portal_page.address}/")
    add_key(page, "blue key")
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("row", name="blue key")).to_contain_text("never")
    assert barriers(page) == []

    page.context.clear_cookies()
    give_password(page)
    page.wait_for_url("**/2fa/authenticate/")
    picture(page, "asked")
    assert barriers(page) == []
    page.goto("/accounts/tokens/")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("API tokens")
    page.goto("/accounts/2fa/authenticate/")
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url(f"{portal_page.address}/")

    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("row", name="blue key")).not_to_contain_text("never")
    page.get_by_role("link", name="Remove").click()
    if page.locator("input[name=password]").count():
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
    picture(page, "remove")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/2fa/webauthn/")
    expect(page.get_by_text("No security keys yet")).to_be_visible()

    page.context.clear_cookies()
    give_password(page)
    page.wait_for_url(f"{portal_page.address}/")
    told = list(AuditEntry.objects.order_by("seq").values_list("act", flat=True))
    assert "user.second_factor_added" in told
    assert "user.second_factor_removed" in told


def test_another_key_does_not_sign_in(portal_page: Visits) -> None:
    """Somebody with the password and a key of their own stays outside."""
    page = portal_page()
    plug_in_key(page)
    give_password(page)
    page.wait_for_url(f"{portal_page.address}/")
    add_key(page, "hers")

    thief = portal_page()
    plug_in_key(thief)
    give_password(thief)
    thief.wait_for_url("**/2fa/authenticate/")
    thief.get_by_role("button", name="Use a security key").click()
    expect(thief.locator("#messages")).to_contain_text("The key was not accepted")
    thief.goto("/accounts/tokens/")
    expect(thief.get_by_role("heading", level=1)).not_to_have_text("API tokens")


def test_key_is_asked_for_when_the_page_listens(portal_page: Visits) -> None:
    """On a slow line the page is seen before its scripts are there: no touch of a button is lost."""
    page = portal_page()
    plug_in_key(page)
    give_password(page)
    page.wait_for_url(f"{portal_page.address}/")
    page.goto("/accounts/2fa/webauthn/add/")
    held: list[Route] = []
    page.route("**/charts*.js", lambda route: held.append(route), times=1)  # noqa: PLW0108
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    button = page.get_by_role("button", name="Add")
    expect(button).to_be_disabled()
    held[0].continue_()
    button.click()
    page.wait_for_url("**/2fa/recovery-codes/")


def test_page_says_why_a_key_cannot_work_at_a_number(portal_page: Visits) -> None:
    """Browsers bind keys to host names: at http://127.0.0.1 the page says where to go instead."""
    portal_page.address = portal_page.address.replace("localhost", "127.0.0.1")
    page = portal_page()
    plug_in_key(page)
    give_password(page)
    page.wait_for_url(f"{portal_page.address}/")
    page.goto("/accounts/2fa/webauthn/add/")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#messages")).to_contain_text("by its name")
