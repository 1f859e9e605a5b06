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
from pytest_django.live_server_helper import LiveServer

from incidents.models import Alert, InboundEvent
from incidents.tests.senders import integration_of, until

COMMAND = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        COMMAND is None,
        reason="Alertmanager is not installed (Debian package prometheus-alertmanager)",
    ),
]
CONFIG = """
global: {{resolve_timeout: 5m}}
route:
  receiver: webhook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - {{receiver: webhook, continue: true}}
    - {{receiver: pagerduty, continue: true}}
    - {{receiver: opsgenie}}
receivers:
  - name: webhook
    webhook_configs: [{{url: "{portal}/integrations/v1/alertmanager/{alertmanager}/"}}]
  - name: pagerduty
    pagerduty_configs:
      - {{url: "{portal}/v2/enqueue", routing_key: "{pagerduty}", severity: critical}}
  - name: opsgenie
    opsgenie_configs:
      - {{api_url: "{portal}/", api_key: "{opsgenie}", priority: P2, update_alerts: true}}
"""


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

    def send(self, name: str, **times: datetime) -> None:
        """Send it an alert, as Prometheus does."""
        alert = {
            "labels": {"alertname": name, "severity": "critical", "instance": "a"},
            "annotations": {"summary": f"{name} on a"},
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
    keys = {kind: integration_of(kind)[1] for kind in ("alertmanager", "pagerduty", "opsgenie")}
    server = Alertmanager(tmp_path, CONFIG.format(portal=live_server.url, **keys))
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
