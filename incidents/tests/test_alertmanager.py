"""A real Alertmanager sends through its webhook, PagerDuty and Opsgenie receivers."""

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from incidents.domain.formats.setup import steps_for
from incidents.models import Alert, InboundEvent
from incidents.queries.addresses import address_of
from incidents.tests.senders import integration_of, until

COMMAND = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        COMMAND is None,
        reason="Alertmanager is not installed (Debian package prometheus-alertmanager)",
    ),
]
KINDS = ("alertmanager", "pagerduty", "opsgenie")
ROUTE = """
global: {resolve_timeout: 5m}
route:
  receiver: alertmanager
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - {receiver: alertmanager, continue: true}
    - {receiver: pagerduty, continue: true}
    - {receiver: opsgenie}
"""


def printed(kind: str, portal: str, key: str) -> str:
    """Return the receiver that the page of an integration shows to be pasted."""
    url = portal + address_of(kind, key).removeprefix(settings.PORTAL_URL)
    (code,) = (
        step.code
        for step in steps_for(kind, portal=portal, url=url, key=key)
        if step.code.startswith("receivers:")
    )
    return code.removeprefix("receivers:\n").replace("name: sreportal", f"name: {kind}")


def configuration(portal: str) -> str:
    """Return a file with the three receivers, each of an integration of its own."""
    receivers = [printed(kind, portal, integration_of(kind)[1]) for kind in KINDS]
    return f"{ROUTE}receivers:\n{''.join(receivers)}"


class Alertmanager:
    """A server on loopback, as it is installed."""

    def __init__(self, folder: Path, config: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "alertmanager.yml").write_text(config)
        assert COMMAND
        self.process = subprocess.Popen(
            [
                COMMAND,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def send(self, name: str, severity: str = "critical", **times: datetime) -> None:
        """Send it an alert, as Prometheus does."""
        labels = {"alertname": name, "severity": severity, "instance": "a"}
        self.send_labels(labels, **times)

    def send_labels(self, labels: dict[str, str], **times: datetime) -> None:
        """Send it an alert of these labels."""
        alert = {
            "labels": labels,
            "annotations": {"summary": f"{labels['alertname']} on a"},
            **{key: at.isoformat() for key, at in times.items()},
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/alerts",
            json.dumps([alert]).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    def answers(self) -> bool:
        """Return whether it is ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def alertmanager(tmp_path: Path, live_server: LiveServer) -> Iterator[Alertmanager]:
    server = Alertmanager(tmp_path, configuration(live_server.url))
    try:
        until(server.answers)
        yield server
    finally:
        server.stop()


def test_three_receivers_open_and_resolve(alertmanager: Alertmanager) -> None:
    """Each opens one alert in its own way, and each ends when Prometheus says so."""
    start = datetime.now(UTC)
    alertmanager.send("HighErrors", startsAt=start, endsAt=start + timedelta(minutes=5))
    until(lambda: Alert.objects.firing().count() == 3)
    severities = dict(Alert.objects.values_list("source", "severity"))
    assert severities == {"alertmanager": "P1", "pagerduty": "P1", "opsgenie": "P1"}
    assert Alert.objects.get(source="alertmanager").title == "HighErrors on a"
    assert "HighErrors" in Alert.objects.get(source="pagerduty").title
    alertmanager.send("HighErrors", startsAt=start, endsAt=datetime.now(UTC))
    until(lambda: Alert.objects.firing().count() == 0)
    assert Alert.objects.count() == 3
    assert not InboundEvent.objects.exclude(state=InboundEvent.State.PARSED).exists()


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("page", "P1"), ("Warning", "P3"), ("error", "P2"), ("info", "P3"), ("odd", "P2"), ("", "P2")],
)
def test_three_receivers_give_one_severity(
    alertmanager: Alertmanager, severity: str, expected: str
) -> None:
    """As the page of an integration prints them: whatever word the rule has for it."""
    start = datetime.now(UTC)
    until_then = start + timedelta(minutes=5)
    alertmanager.send("HighErrors", severity, startsAt=start, endsAt=until_then)
    until(lambda: Alert.objects.firing().count() == 3)
    found = dict(Alert.objects.values_list("source", "severity"))
    assert found == dict.fromkeys(KINDS, expected)


@pytest.mark.parametrize(("priority", "expected"), [("P0", "P0"), ("P3", "P3")])
def test_three_receivers_keep_the_priority(
    alertmanager: Alertmanager, priority: str, expected: str
) -> None:
    """The label wins over the word."""
    start = datetime.now(UTC)
    labels = {"alertname": "HighErrors", "severity": "critical", "priority": priority}
    until_then = start + timedelta(minutes=5)
    alertmanager.send_labels(labels, startsAt=start, endsAt=until_then)
    until(lambda: Alert.objects.firing().count() == 3)
    found = dict(Alert.objects.values_list("source", "severity"))
    assert found == dict.fromkeys(KINDS, expected)
