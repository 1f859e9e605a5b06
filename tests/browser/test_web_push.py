"""A browser that allowed it shows what is pushed to it, and leads to the incident."""

import json
from typing import Any

import pytest

from accounts.roles import Role
from tests.browser.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  const shown = await registration.getNotifications();
  return shown.map(({ title, body, tag, data, actions }) => ({
    title, body, tag, data, actions: actions.map((one) => one.action),
  }));
}"""


def pushed(title: str) -> str:
    return json.dumps({
        "title": title, "body": "Users wait.", "url": "/incidents/1/",
        "acknowledge_url": "/incidents/1/ack/x/", "key": "k1",
    })  # fmt: skip


def test_the_worker_shows_a_push_once(portal_page: Visits) -> None:
    page = portal_page(role=Role.RESPONDER)
    page.context.grant_permissions(["notifications"], origin=portal_page.address)
    page.goto("/contact/")
    assert page.get_by_role("button", name="Add this browser").is_visible()
    worker = page.locator("#browser-form").get_attribute("data-worker")
    page.evaluate("async (worker) => { await navigator.serviceWorker.register(worker); }", worker)
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    tools = page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated", lambda said: found.extend(said["registrations"])
    )
    tools.send("ServiceWorker.enable")
    page.wait_for_function("() => true")
    (registration,) = {each["registrationId"] for each in found}
    for title in ("P0 #1 5xx", "[Repeat, first send uncertain] P0 #1 5xx"):
        tools.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": portal_page.address, "registrationId": registration, "data": pushed(title)},
        )
        page.wait_for_function(
            "async (title) => (await (await navigator.serviceWorker.ready).getNotifications())"
            ".some((one) => one.title === title)",
            arg=title,
        )
    (shown,) = page.evaluate(SHOWN)
    assert shown["title"].startswith("[Repeat")
    assert shown["data"] == {"url": "/incidents/1/", "acknowledge": "/incidents/1/ack/x/"}
    assert shown["actions"] == ["acknowledge"]


def test_a_browser_that_does_not_allow_it_is_told_how(portal_page: Visits, picture: Any) -> None:
    page = portal_page(role=Role.RESPONDER, screen="phone")
    page.goto("/contact/")
    page.add_init_script("Notification.requestPermission = async () => 'denied'")
    page.reload()
    page.get_by_role("button", name="Add this browser").click()
    page.get_by_text("allow them beside its address").wait_for()
    picture(page, "phone")
