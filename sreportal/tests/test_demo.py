"""The demonstration: when it is on, how it is removed, what its traffic does."""

import itertools
import random
import subprocess
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from django.test import Client, override_settings

from accounts.models import User
from accounts.roles import Role
from core import demo
from core.models import AuditEntry
from sreportal import demo_traffic
from sreportal.tests.running_portal import wait_until
from users_api.models import Person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def switch(tmp_path: Path, db: None) -> Path:
    """The generator's switch, with the demonstration on."""
    path = tmp_path / "demo-traffic"
    path.touch()
    with override_settings(DEMO="auto", EMBEDDED=True):
        demo.settle(now=NOW)
    return path


@pytest.mark.django_db
def test_embedded_portal_starts_with_it() -> None:
    """`auto` shows something on a laptop and nothing in production."""
    with override_settings(DEMO="auto", EMBEDDED=False):
        assert not demo.settle(now=NOW)
    with override_settings(DEMO="auto", EMBEDDED=True):
        assert demo.settle(now=NOW)
        assert demo.is_on()


@pytest.mark.django_db
def test_who_began_without_it_is_not_given_it_later() -> None:
    """`DEMO=0` at the first start is a decision, which only `DEMO=1` takes back."""
    for said, is_on in (("0", False), ("auto", False), ("1", True), ("auto", True), ("0", False)):
        with override_settings(DEMO=said, EMBEDDED=True):
            assert demo.settle(now=NOW) is is_on


def test_admin_removes_it_for_good(
    switch: Path, client: Client, django_capture_on_commit_callbacks: object
) -> None:
    """One button stops the traffic, deletes its persons only, and outlives the next start."""
    Person.objects.create(name="Ada", email="ada@demo.example")
    charlie = Person.objects.create(name="Charlie", email="charlie@example.org")
    client.force_login(User.objects.create_user("alice", role=Role.ADMIN))
    with override_settings(DEMO="auto", EMBEDDED=True, DEMO_SWITCH=switch):
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            assert client.post("/demo/remove").status_code == 302
        assert not switch.exists()
        assert not demo.settle(now=NOW)
    assert list(Person.objects.all()) == [charlie]
    assert AuditEntry.objects.filter(act="demo.removed").exists()


def test_others_cannot_remove_it(switch: Path, client: Client) -> None:
    """A manager may not, a link may not, a stranger may not."""
    with override_settings(DEMO="auto", EMBEDDED=True, DEMO_SWITCH=switch):
        assert client.post("/demo/remove").status_code in {302, 401, 403}
        client.force_login(User.objects.create_user("bob", role=Role.MANAGER))
        assert client.post("/demo/remove").status_code == 403
        assert client.get("/demo/remove").status_code == 405
        assert demo.is_on()
    assert switch.exists()


def test_traffic_has_a_day_and_a_night() -> None:
    """More at noon than at midnight, and always two to four requests a second."""
    midnight, noon = demo_traffic.rate_per_s(0), demo_traffic.rate_per_s(43200)
    assert 2 < midnight < noon < 4


def test_faults_come_early_and_then_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first fault comes after three minutes, the next a quarter of an hour after its end."""
    monkeypatch.setattr(demo_traffic, "rng", random.Random(7))
    plan = demo_traffic.FaultPlan(begins=180.0)
    seen = {second: fault for second in range(3600) if (fault := plan.at(float(second)))}
    assert 180 <= min(seen) < 200
    assert {"error", "slow"} <= set(seen.values())
    seconds = sorted(seen)
    pauses = [b - a for a, b in itertools.pairwise(seconds) if b - a > 60]
    assert pauses
    assert all(880 < pause < 1230 for pause in pauses)


class UsersApi(BaseHTTPRequestHandler):
    """Answers the generator and remembers what it asked for."""

    seen: ClassVar[list[str]] = []

    def answer(self) -> None:
        """Answer any method: a list for GET, a person with an id otherwise."""
        self.seen.append(f"{self.command} {self.path} {self.headers.get('X-Demo-Fault')}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"results": []}' if self.command == "GET" else b'{"id": 7}'
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 the base class asks for them

    def log_request(self, *_: object) -> None:
        """Say nothing."""


def test_generator_uses_the_api_until_its_switch_goes(tmp_path: Path) -> None:
    """It runs on the bare standard library, asks for persons and ends well when switched off."""
    switch = tmp_path / "switch"
    switch.touch()
    with ThreadingHTTPServer(("127.0.0.1", 0), UsersApi) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        script = str(demo_traffic.__file__)
        arguments = ["127.0.0.1", str(server.server_port), str(switch)]
        generator = subprocess.Popen([sys.executable, "-I", "-S", script, *arguments])
        try:
            wait_until(lambda: len(UsersApi.seen) >= 3, within_s=15)
            switch.unlink()
            assert generator.wait(5) == 0
        finally:
            generator.kill()
            server.shutdown()
    assert all(" /api/users" in line for line in UsersApi.seen)
