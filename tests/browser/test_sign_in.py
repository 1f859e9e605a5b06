"""The first page anybody sees."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings

from accounts import oidc
from accounts.models import User
from accounts.tests.openid_issuer import CLIENT_ID, CLIENT_SECRET, running_issuer
from tests.browser.conftest import Visits

pytestmark = pytest.mark.browser


def test_sign_in_page_loads_without_complaint(
    portal_page: Visits, picture: Callable[[Page, str], Path]
) -> None:
    """A stranger's browser shows the form and reports nothing."""
    page = portal_page()
    response = page.goto("/accounts/login/")
    assert response is not None
    assert response.status == 200
    expect(page.locator("input[name=password]")).to_be_visible()
    picture(page, "desktop")


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_sign_in_with_a_password(portal_page: Visits, screen: Literal["desktop", "phone"]) -> None:
    """The right password leads in, on a desk and on a phone."""
    User.objects.create_user("alice", password="correct horse battery")
    page = portal_page(screen=screen)
    page.goto("/accounts/login/")
    page.fill("input[name=login]", "alice")
    page.fill("input[name=password]", "correct horse battery")
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{portal_page.address}/")
    expect(page.get_by_role("main")).to_be_visible()


def test_sign_in_through_the_issuer(portal_page: Visits, settings: Settings) -> None:
    """The strict policy lets the browser leave for the issuer and come back signed in."""
    with running_issuer() as issuer:
        issuer.person = {"sub": "7", "email": "alice@example.com", "email_verified": True}
        settings.SOCIALACCOUNT_PROVIDERS = oidc.providers(
            issuer=issuer.address, name="Company", client_id=CLIENT_ID, secret=CLIENT_SECRET
        )
        page = portal_page()
        page.goto("/accounts/login/?next=/accounts/")
        page.get_by_role("button", name="Company").click()
        page.wait_for_url(f"{portal_page.address}/accounts/")
    expect(page.get_by_role("main")).to_contain_text("alice@example.com")
