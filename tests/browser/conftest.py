"""A real browser against a live server.

`portal_page` opens pages as somebody, on some screen, and fails the test when a page reports an
error: a script that throws, a resource that is missing, a breach of the content security policy.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandlerMixin
from django.http import HttpRequest, HttpResponseBase
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
)
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from accounts.roles import Role

PICTURES = Path("test-results")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",  # CI runs as root, where the sandbox cannot start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
}
_RUN_AXE = "([part, options]) => axe.run(part, options).then(of => of.violations)"
_left_out = pytest.StashKey[int]()
expect.set_options(timeout=30_000)  # as long as playwright waits for everything else


@dataclass
class Visits:
    """Opens pages of the live server; `problems` is what they complained about."""

    browser: Browser
    address: str
    problems: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(
        self,
        *,
        role: Role | None = None,
        color_scheme: Literal["light", "dark"] = "light",
        screen: Literal["desktop", "phone"] = "desktop",
    ) -> Page:
        """Return a page of a fresh browser profile.

        Args:
            role: Signed in as a person of this role, named like it; None is a stranger.
            color_scheme: What the person's system prefers.
            screen: Size of the window.
        """
        context = self.browser.new_context(
            base_url=self.address, color_scheme=color_scheme, viewport=SCREENS[screen]
        )
        self.contexts.append(context)
        if role is not None:
            name, value = settings.SESSION_COOKIE_NAME, _session_key(role)
            context.add_cookies([{"name": name, "value": value, "url": self.address}])
        page = context.new_page()
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        return page

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location["url"] or (message.page.url if message.page else "")
            self.problems.append(f"{message.type}: {message.text} ({where})")


def _session_key(role: Role) -> str:
    user, _ = User.objects.get_or_create(username=role.value, defaults={"role": role})
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium (overrides the fixture of pytest-playwright)."""
    return {"executable_path": CHROMIUM, "args": FLAGS, "headless": True}


@pytest.fixture(scope="session", autouse=True)
def _browser_loop_is_no_request() -> Iterator[None]:
    """Playwright keeps an event loop in the test's thread, where Django would refuse queries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_stay() -> Iterator[None]:
    """As in production a browser asks for a script once, not again with each page."""
    serve = StaticFilesHandlerMixin.serve

    def kept(self: StaticFilesHandlerMixin, request: HttpRequest) -> HttpResponseBase:
        answer = serve(self, request)
        answer.headers["Cache-Control"] = "max-age=3600"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesHandlerMixin, "serve", kept)
        yield


@pytest.fixture
def portal_page(browser: Browser, live_server: LiveServer) -> Iterator[Visits]:
    """Open pages as somebody; the test fails when one of them reported a problem."""
    visits = Visits(browser, live_server.url)
    yield visits
    for context in visits.contexts:
        context.close()
    assert visits.problems == []


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], Path]:
    """Save what a page shows as `test-results/<test>-<name>.png` and return the path."""

    def save(page: Page, name: str) -> Path:
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{request.node.originalname}-{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return save


@pytest.fixture
def barriers() -> Callable[..., list[str]]:
    """Return what axe finds on a page, one line a rule: WCAG 2.2 A and AA, `without` or `only` some.

    `apart_from` is a selector of what is not looked at.
    """
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    script = Axe().axe_script
    prepared: set[Page] = set()

    def find(
        page: Page,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        apart_from: str | None = None,
    ) -> list[str]:
        chosen = {"type": "rule", "values": [*only]} if only else {"type": "tag", "values": tags}
        if page not in prepared:
            # Once for all that the page will show: sending it anew takes longer than its rules.
            page.add_init_script(script)
            page.evaluate(script)
            prepared.add(page)
        # Only what fails is of interest; the rest would be most of the time and of the answer.
        rules = {rule: {"enabled": False} for rule in without}
        options = {"runOnly": chosen, "rules": rules, "resultTypes": ["violations"]}
        part = {"include": [["html"]], "exclude": [[apart_from]] if apart_from else []}
        found = page.evaluate(_RUN_AXE, [part, options])
        return [
            f"{rule['id']}: {rule['help']} ({', '.join(str(n['target']) for n in rule['nodes'])})"
            for rule in found
        ]

    return find


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run browser tests last; without a browser leave them out, and say how many."""
    here = [item for item in items if item.get_closest_marker("browser")]
    others = [item for item in items if not item.get_closest_marker("browser")]
    if CHROMIUM:
        items[:] = others + here
    elif here:
        items[:] = others
        config.hook.pytest_deselected(items=here)
        config.stash[_left_out] = len(here)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was not proven."""
    if count := config.stash.get(_left_out, 0):
        terminalreporter.write_line(f"{count} browser tests left out: no Chromium here.")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A machine without a browser is no failure: the tests were counted and left out."""
    if session.config.stash.get(_left_out, 0) and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
