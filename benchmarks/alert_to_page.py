"""How long after an alert is thanked for does somebody's telephone hear of it?

The portal as in production (gunicorn with two workers, one pager, PostgreSQL as durable as it should
be) gets one alert after the other, each of another service with another person on call, so that no
message waits for the minute in which a person gets one at most. Measured from the answer (2xx) to
the arrival at the person's webhook. Goal: half within 1 s, 99 of 100 within 5 s.

    .venv/bin/python benchmarks/alert_to_page.py [--people 200] [--a-second 4]
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.alert_senders import request, send  # noqa: E402
from benchmarks.ingest import DURABLE, await_port  # noqa: E402
from benchmarks.kill_drill import manage  # noqa: E402
from tests import servers  # noqa: E402

P50_S, P99_S = 1.0, 5.0
SETUP = """
import json
from accounts.models import User
from catalog.models import Service
from core import encryption
from core.clock import now
from incidents.models import Integration
from incidents.services.integrations import save_integration
from notifications.models import ContactMethod
from oncall.models import *
keys = []
for n in range({people}):
    person = User.objects.create_user(f"person-{{n}}", "", role="responder")
    ContactMethod.objects.create(person=person, kind="webhook", label="phone", verified_at=now(),
        sealed_address=encryption.encrypt(f"http://127.0.0.1:{port}/{{n}}"))
    policy = EscalationPolicy.objects.create(slug=f"policy-{{n}}", name=f"Policy {{n}}")
    level = PolicyLevel.objects.create(policy=policy, number=1, name="On call")
    LevelTarget.objects.create(level=level, person=person)
    service = Service.objects.create(slug=f"service-{{n}}", name=f"Service {{n}}")
    ServicePolicy.objects.create(service=service, policy=policy)
    keys.append(save_integration(Integration(), fields=dict(kind="pagerduty", name=f"Source {{n}}",
        service=service), actor="bench", now=now()))
print("keys", json.dumps(keys))
"""


class _Phones(ThreadingHTTPServer):
    """Webhooks of all people, by their number, with the time at which each first rang."""

    daemon_threads = True

    def __init__(self) -> None:
        self.rang: dict[int, float] = {}
        super().__init__(("127.0.0.1", 0), _Phone)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Phone(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Phones

    def do_POST(self) -> None:
        self.server.rang.setdefault(int(self.path.strip("/")), time.monotonic())
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


def run(options: argparse.Namespace) -> list[float]:
    """Return how long each message took, ascending; without end where none came."""
    servers.POSTGRESQL_FLAGS.update(DURABLE)
    folder = Path(tempfile.mkdtemp(prefix="alert-to-page-"))
    phones = _Phones()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(phones.shutdown)
        url = stack.enter_context(servers._throw_away_postgresql())
        port, phone_port = servers.free_port(), phones.server_address[1]
        env = {
            **os.environ,
            "SREPORTAL_DATA": str(folder),
            "DATABASE_URL": stack.enter_context(servers.own_database(url)),
            "REDIS_URL": stack.enter_context(servers.throw_away_redis()),
            "PORT": str(port),
            "PORTAL_URL": f"http://127.0.0.1:{port}",
            "DEMO": "0",
            "LOG_LEVEL": "WARNING",
            "WEB_WORKERS": "2",
            "OUTBOUND_ALLOW": "notifications=127.0.0.0/8",
            "OUTBOUND_PORTS": str(phone_port),
        }
        manage(env, "migrate", "--verbosity=0")
        manage(env, "createcachetable")
        manage(env, "bootstrap")
        said = manage(env, "shell", "-c", SETUP.format(port=phone_port, people=options.people))
        keys = json.loads(said.split("keys ")[1].splitlines()[0])
        log = stack.enter_context((folder / "log").open("wb"))
        gunicorn = str(Path(sys.executable).with_name("gunicorn"))
        for command in (
            [gunicorn, "-c", "python:sreportal.gunicorn_conf", "sreportal.wsgi"],
            [sys.executable, "manage.py", "pager", "--resume"],
        ):
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
            stack.callback(process.wait, timeout=40)
            stack.callback(process.terminate)
            if command[0] == gunicorn:
                await_port(port, process)
        thanked = [_alert(port, keys, number, options) for number in range(options.people)]
        until = time.monotonic() + 60
        while len(phones.rang) < options.people and time.monotonic() < until:
            time.sleep(0.1)
        return sorted(phones.rang.get(n, float("inf")) - at for n, at in enumerate(thanked))


def _alert(port: int, keys: list[str], number: int, options: argparse.Namespace) -> float:
    """Send one alert in its turn; return when it was thanked for."""
    body = {
        "routing_key": keys[number],
        "event_action": "trigger",
        "payload": {"summary": f"Disk of host-{number} is full", "source": f"host-{number}",
                    "severity": "critical"},
    }  # fmt: skip
    message = request("/v2/enqueue", json.dumps(body).encode(), {"Connection": "close"})
    found = send(port, lambda _n: message, connections=1, seconds=0, first=0, wanted=(202,))
    if found.failed or not found.seconds:
        raise SystemExit(f"not thanked for: {found.refused}")
    thanked = time.monotonic()
    time.sleep(1 / options.a_second)
    return thanked


def main() -> int:
    """Measure, print, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--a-second", type=float, default=4.0)
    options = parser.parse_args()
    took = run(options)
    p50, p99 = statistics.median(took), took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"{len(took)} alerts: p50 {p50:.2f} s, p99 {p99:.2f} s, longest {took[-1]:.2f} s")
    print(
        json.dumps({
            "name": "alert_to_page", "ours": p99, "peer": P99_S, "peer_name": "limit",
            "ratio": p99 / P99_S, "unit": "s from 2xx to the telephone, p99",
            "lower_is_better": True, "p50": p50,
        })
    )  # fmt: skip
    return 0 if p50 <= P50_S and p99 <= P99_S else 1


if __name__ == "__main__":
    sys.exit(main())
