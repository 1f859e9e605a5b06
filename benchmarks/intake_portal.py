"""The portal's web server with keys of every sender the intake benchmarks play."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.alert_senders import request  # noqa: E402
from benchmarks.ingest import await_port  # noqa: E402
from benchmarks.kill_drill import manage  # noqa: E402
from tests.servers import free_port  # noqa: E402

__all__ = ["Portal", "alert", "serving", "store"]

# Twenty teams, so that nothing can be had by looking at one row only.
SETUP = """
import json
from accounts.models import User
from catalog.models import Service
from core.clock import now
from incidents.models import Integration
from incidents.services.integrations import save_integration
from oncall.models import *
EscalationPolicy.objects.update(is_default=False)
policy = EscalationPolicy.objects.create(slug="bench", name="Bench", is_default=True)
person = User.objects.create_user("alice", "", role="responder")
for number in (1, 2, 3):
    level = PolicyLevel.objects.create(policy=policy, number=number, name=f"Level {number}")
    LevelTarget.objects.create(level=level, person=person)
keys = {}
for n in range(20):
    service = Service.objects.create(slug=f"shop-{n}", name=f"Shop {n}")
    for kind in ("pagerduty", "alertmanager"):
        keys.setdefault(kind, []).append(save_integration(Integration(), fields=dict(kind=kind,
            name=f"{kind} {n}", service=service), actor="bench", now=now()))
print("keys", json.dumps(keys))
"""


@dataclass(frozen=True)
class Portal:
    """A running portal.

    Args:
        port: On loopback.
        keys: Of integrations, by kind.
    """

    port: int
    keys: dict[str, list[str]]


@contextlib.contextmanager
def serving(database_url: str, redis_url: str, *, workers: int) -> Iterator[Portal]:
    """Run the web server, as in production, on a new database until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="sreportal-intake-") as folder:
        port = free_port()
        env = {
            **os.environ,
            "SREPORTAL_DATA": folder,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PORT": str(port),
            "PORTAL_URL": f"http://127.0.0.1:{port}",
            "DEMO": "0",
            "LOG_LEVEL": "ERROR",
            "WEB_WORKERS": str(workers),
        }
        manage(env, "migrate", "--verbosity=0")
        manage(env, "createcachetable")
        manage(env, "bootstrap")
        said = manage(env, "shell", "-c", SETUP)
        keys = json.loads(said.split("keys ")[1].splitlines()[0])
        command = [
            *(str(Path(sys.executable).with_name("gunicorn")), "sreportal.wsgi"),
            *("-c", "python:sreportal.gunicorn_conf"),
        ]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
            try:
                await_port(port, process)
                yield Portal(port, keys)
            finally:
                process.terminate()
                process.wait(timeout=40)


def alert(keys: list[str], number: int, hosts: int) -> bytes:
    """Return the request of one alert, a condition of its own on one of so many hosts."""
    host = f"host-{number % hosts}"
    body = {
        "routing_key": keys[number % len(keys)],
        "event_action": "trigger",
        "dedup_key": f"{host}/disk-{number}",
        "client": "Monitor",
        "payload": {
            "summary": f"Disk {number} of {host} is full",
            "source": host,
            "severity": "critical",
            "custom_details": {"runbook": "https://wiki.example.org/disk"},
        },
    }
    return request("/v2/enqueue", json.dumps(body).encode())


# Due far away, as if everybody had been called.
_RUN = (
    "'incident_id', at + n, 'due_at', now() + '9 y'::interval, 'look_at', now() + '9 y'::interval"
)
_COPIES = (
    ("incidents_incident", "'group', 'stored-' || n"),
    ("incidents_alert", "'dedup_key', 'stored-' || n, 'incident_id', at + n"),
    ("incidents_inboundevent", "'uid', md5(n::text)::uuid, 'ext_id', 'stored-' || n"),
    ("incidents_escalationrun", _RUN),
    ("incidents_timelineentry", "'incident_id', at + n"),
)  # fmt: skip


def store(database_url: str, count: int) -> None:
    """Copy the newest incident with what belongs to it so many times."""
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM incidents_incident")
        (last,) = cursor.fetchone() or (0,)
        for table, changes in _COPIES:
            cursor.execute(f"SELECT max(id) FROM {table}")
            (own,) = cursor.fetchone() or (0,)
            changed = changes.replace("at + n", f"{last} + n")
            cursor.execute(
                f"INSERT INTO {table} SELECT made.*"
                f" FROM (SELECT * FROM {table} ORDER BY id DESC LIMIT 1) AS one"
                " CROSS JOIN generate_series(1, %s) AS n"
                f" CROSS JOIN LATERAL jsonb_populate_record(NULL::{table},"
                f" to_jsonb(one) || jsonb_build_object('id', {own} + n, {changed})) AS made",
                [count],
            )
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM {table}))",
                [table],
            )
    with contextlib.closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
