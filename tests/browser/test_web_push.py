"""A browser that allowed it shows what is pushed to it, and leads to the incident."""

import json
from typing import Any

import pytest

from accounts.roles import Role
from tests.browser.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# To list what is shown makes Chromium forget what its screen does not hold at that very moment,
# so the worker is asked what it had shown instead.
NOTED = """() => {
  const registration = self.registration;
  const show = registration.showNotification.bind(registration);
  self.shown = [];
  registration.showNotification = async (title, options) => {
    await show(title, options);
    self.shown.push({ title, ...options });
  };
}"""
SHOWN = """async (count) => {
  while (self.shown.length < count) await new Promise((again) => setTimeout(again, 20));
  return self.shown;
}"""

# Windows are noted, not opened: only a person's click may open one.
CLICKED = """([data, actions]) => {
  const opened = [];
  let closed = 0;
  self.clients.openWindow = async (address) => { opened.push(address); };
  for (const action of actions) {
    const click = new Event("notificationclick");
    const notification = { data, close: () => { closed += 1; } };
    Object.assign(click, { action, notification, waitUntil: () => {} });
    self.dispatchEvent(click);
  }
  return [opened, closed];
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
    with page.context.expect_event("serviceworker") as started:
        page.evaluate("async (at) => { await navigator.serviceWorker.register(at); }", worker)
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    running = started.value
    running.evaluate(NOTED)
    tools = page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated", lambda said: found.extend(said["registrations"])
    )
    tools.send("ServiceWorker.enable")
    page.wait_for_function("() => true")
    (registration,) = {each["registrationId"] for each in found}
    titles = ["P0 #1 5xx", "[Repeat, first send uncertain] P0 #1 5xx"]
    for title in titles:
        tools.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": portal_page.address, "registrationId": registration, "data": pushed(title)},
        )
    shown = running.evaluate(SHOWN, len(titles))
    assert [one["title"] for one in shown] == titles
    for one in shown:
        assert one["tag"] == "k1", "the browser shows one message for each tag"
        assert one["renotify"]
        assert one["data"] == {"url": "/incidents/1/", "acknowledge": "/incidents/1/ack/x/"}
        assert [action["action"] for action in one["actions"]] == ["acknowledge"]


def test_a_click_leads_to_the_incident_or_to_its_acknowledgement(portal_page: Visits) -> None:
    page = portal_page(role=Role.RESPONDER)
    page.goto("/contact/")
    worker = page.locator("#browser-form").get_attribute("data-worker")
    with page.context.expect_event("serviceworker") as started:
        page.evaluate("async (at) => { await navigator.serviceWorker.register(at); }", worker)
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    data = {"url": "/incidents/1/", "acknowledge": "/incidents/1/ack/x/"}
    opened, closed = started.value.evaluate(CLICKED, [data, ["", "acknowledge"]])
    assert opened == ["/incidents/1/", "/incidents/1/ack/x/"]
    assert closed == 2


def test_a_browser_that_does_not_allow_it_is_told_how(portal_page: Visits, picture: Any) -> None:
    page = portal_page(role=Role.RESPONDER, screen="phone")
    page.goto("/contact/")
    page.add_init_script("Notification.requestPermission = async () => 'denied'")
    page.reload()
    page.get_by_role("button", name="Add this browser").click()
    page.get_by_text("allow them beside its address").wait_for()
    picture(page, "phone")
