"""alerta-server, the open alert console that teams run today, as the peer of the intake.

It is installed into a folder of its own, from the package index, once. It runs as its handbook
says: gunicorn with two workers, PostgreSQL, an API key that each request carries.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.alert_senders import request  # noqa: E402
from benchmarks.ingest import await_port  # noqa: E402

__all__ = ["KEY", "alert", "installed", "serving", "store", "webhook"]

VERSION = "9.1.0"
KEY = "benchmark-key-of-alerta"
_HEADERS = {"Authorization": f"Key {KEY}"}


def installed() -> Path:
    """Return the folder of alerta's programs; installs them where they are missing."""
    folder = ROOT / ".venv" / f"alerta-{VERSION}"
    binaries = folder / "bin"
    if not (binaries / "alertad").exists():
        print(f"Installing alerta-server {VERSION} (once)…", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        packages = [f"alerta-server=={VERSION}", "psycopg2-binary", "gunicorn", "setuptools<81"]
        subprocess.run([binaries / "pip", "install", "--quiet", *packages], check=True)
    return binaries


@contextlib.contextmanager
def serving(database_url: str, port: int, log: Path) -> Iterator[None]:
    """Run alerta on an empty database until the end of the block."""
    binaries = installed()
    env = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url.replace("postgres://", "postgresql://"),
        "AUTH_REQUIRED": "True",
        "ADMIN_USERS": "admin",
        "SECRET_KEY": "benchmark",
    }
    env["PYTHONDONTWRITEBYTECODE"] = ""
    command = [str(binaries / "alertad"), "key", "--username", "admin", "--key", KEY]
    subprocess.run(command, env=env, check=True, capture_output=True)
    gunicorn = [
        *(str(binaries / "gunicorn"), "alerta:create_app()", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(gunicorn, env=env, stdout=out, stderr=out)
        try:
            await_port(port, process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=40)


def alert(number: int, hosts: int) -> bytes:
    """Return the request of one alert, a condition of its own on one of so many hosts."""
    host = f"host-{number % hosts}"
    body = {
        "resource": host,
        "event": f"Disk {number} full",
        "environment": "Production",
        "severity": "critical",
        "service": ["Shop"],
        "text": f"Disk {number} of {host} is full",
        "origin": "monitor",
        "attributes": {"runbookUrl": "https://wiki.example.org/disk"},
    }
    return request("/alert", json.dumps(body).encode(), _HEADERS)


def webhook(body: bytes) -> bytes:
    """Return the request of a message of Alertmanager."""
    return request("/webhooks/prometheus", body, _HEADERS)


def store(database_url: str, count: int, hosts: int) -> None:
    """Keep the newest alert and so many copies of it, of so many hosts: alerta reads all of a host."""
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM alerts WHERE id <>"
            " (SELECT id FROM alerts ORDER BY receive_time DESC LIMIT 1)"
        )
        cursor.execute(
            "INSERT INTO alerts SELECT made.*"
            " FROM (SELECT * FROM alerts ORDER BY receive_time DESC LIMIT 1) AS one"
            " CROSS JOIN generate_series(1, %s) AS n"
            " CROSS JOIN LATERAL jsonb_populate_record(NULL::alerts, to_jsonb(one) ||"
            " jsonb_build_object('id', md5(n::text), 'event', 'Stored ' || n,"
            " 'resource', 'host-' || n %% %s)) AS made",
            [count, hosts],
        )
    with contextlib.closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            # Nothing of what was deleted is left in its way.
            cursor.execute("VACUUM FULL ANALYZE alerts")
