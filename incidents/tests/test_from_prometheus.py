"""A real Prometheus, a real Alertmanager, and the people who are called for what they find."""

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from core import clock, encryption
from incidents.models import Alert, Incident
from incidents.services.pager import settle
from incidents.tests.senders import until
from incidents.tests.test_alertmanager import COMMAND, Alertmanager, configuration
from notifications.models import ContactMethod
from oncall.models import EscalationPolicy, LevelTarget, PolicyLevel

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        COMMAND is None or PROMETHEUS is None, reason="Prometheus or Alertmanager is not installed"
    ),
]
RULES = """
groups:
  - name: shop
    rules:
      - alert: HighErrors
        expr: shop_broken == 1
        labels: {severity: critical}
        annotations: {summary: "The shop answers 500"}
"""
SCRAPES = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{shop}"]}}]}}]
"""


class Shop:
    """What Prometheus watches; it is broken until it is mended."""

    def __init__(self) -> None:
        self.broken = 1
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"shop_broken {shop.broken}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop on loopback."""
    made = Shop()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def prometheus(tmp_path: Path, live_server: LiveServer, shop: Shop) -> Iterator[None]:
    """Prometheus scrapes the shop, and Alertmanager tells the portal in three ways."""
    assert PROMETHEUS
    alertmanager = Alertmanager(tmp_path, configuration(live_server.url))
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text(
        SCRAPES.format(
            rules=tmp_path / "rules.yml",
            alertmanager=alertmanager.port,
            shop=shop.server.server_address[1],
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(alertmanager.answers)
        yield
    finally:
        process.kill()
        process.wait()
        alertmanager.stop()


def people_of_the_shop() -> None:
    """Alice is L1 and bob L2; both are reached by mail."""
    policy = EscalationPolicy.objects.create(slug="shop", name="Shop", is_default=True)
    for number, name in enumerate(("alice", "bob"), 1):
        person = User.objects.create_user(name, f"{name}@example.com")
        address = encryption.encrypt(f"{name}@example.com")
        ContactMethod.objects.create(
            person=person, kind="email", label="work", sealed_address=address,
            verified_at=clock.now(),
        )  # fmt: skip
        level = PolicyLevel.objects.create(policy=policy, number=number, name=name)
        LevelTarget.objects.create(level=level, person=person)


def called() -> list[str]:
    """Return whom mail went to, in order."""
    return [message.to[0].partition("@")[0] for message in mail.outbox]


def test_opens_escalates_is_acknowledged_and_resolves_by_itself(
    prometheus: None, shop: Shop, settings: Any
) -> None:
    """By each receiver an incident opens, calls L1, then L2; the link answers; it ends by itself."""
    settings.PAGE_EVERY_S = 0
    people_of_the_shop()
    until(lambda: Incident.objects.count() == 3)
    late = timedelta()

    def now() -> datetime:
        return clock.now() + late

    settle(clock=now)
    assert called() == ["alice"] * 3
    late = timedelta(minutes=15)
    settle(clock=now)
    assert called() == ["alice"] * 3 + ["bob"] * 3
    links = [re.search(r"Acknowledge: https?://[^/]+(\S+)", str(m.body)) for m in mail.outbox[3:]]
    for link in links:
        assert link
        assert "Acknowledged by bob" in Client().post(link[1]).content.decode()
    late = timedelta(minutes=45)
    settle(clock=now)
    assert len(mail.outbox) == 6
    assert set(Incident.objects.values_list("status", "acknowledged_by")) == {
        ("acknowledged", "bob")
    }
    shop.broken = 0
    until(lambda: not Alert.objects.firing().exists())
    assert set(Incident.objects.values_list("status", flat=True)) == {"resolved"}
