"""Durable ingest over HTTP in batches of 1,000 events, against the view one would write first.

    python benchmarks/ingest.py [--seconds 10]

Starts a throw-away PostgreSQL that is as durable as in production, then gunicorn with the portal
and, in the same processes, the peer: `json.loads` and `bulk_create` in a view without token or
validation. The same clients send the same bytes to both in turns. The portal's side includes its
token. Then the same on SQLite. Goal: ten times the peer on both.

The portal takes batches before most of its middleware, and the peer is an ordinary view behind it:
less than a hundredth of what the peer's batch costs.
"""

import argparse
import gzip
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402

BATCH = 1_000
CLIENTS = 8
ROUND_S = 1.0
GOAL = 10.0
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str
    path: str
    token: str = ""


def bodies(count: int = 8) -> list[bytes]:
    """Return batches of events as many senders would make them: 20 endpoints, two minutes."""
    dice = random.Random(7)
    now = datetime.now(UTC)
    return [json.dumps([_event(dice, now) for _ in range(BATCH)]).encode() for _ in range(count)]


def _event(dice: random.Random, now: datetime) -> dict[str, object]:
    at = now - timedelta(seconds=dice.uniform(0, 120))
    return {
        "service": "users-api",
        "endpoint": f"/api/things/{dice.randrange(20)}",
        "method": dice.choice(["GET", "GET", "GET", "POST"]),
        "status": dice.choice([200] * 18 + [404, 500]),
        "duration_ms": round(dice.lognormvariate(4, 1), 3),
        "timestamp": at.isoformat().replace("+00:00", "Z"),
    }


def run_round(side: Side, port: int, batches: list[bytes], seconds: float) -> float:
    """Send for some seconds from all clients; return events per second that were answered 2xx."""
    sent = [0] * CLIENTS
    failures: list[str] = []
    started = time.perf_counter()
    end = started + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Content-Type": "application/json", "Connection": "keep-alive"}
        if side.token:
            headers["Authorization"] = f"Bearer {side.token}"
        turn = number
        while time.perf_counter() < end and not failures:
            connection.request("POST", side.path, batches[turn % len(batches)], headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200 or json.loads(answer)["accepted"] != BATCH:
                failures.append(f"{side.name}: {response.status} {answer[:300]!r}")
                return
            sent[number] += BATCH
            turn += 1
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(failures[0])
    return sum(sent) / (time.perf_counter() - started)


def compare(sides: list[Side], port: int, seconds: float) -> dict[str, list[float]]:
    """Return the speeds of both sides, measured in turns so that both see the same machine."""
    batches = bodies()
    speeds: dict[str, list[float]] = {side.name: [] for side in sides}
    for side in sides:
        run_round(side, port, batches, 0.5)
    for number in range(max(3, round(seconds / ROUND_S))):
        for side in sides if number % 2 else reversed(sides):
            speeds[side.name].append(run_round(side, port, batches, ROUND_S))
    return speeds


SETUP = """
from accounts.models import User
from accounts.services.tokens import create_token
from catalog.models import Service
from core import clock
alice = User.objects.create_user("alice", role="admin")
Service.objects.create(slug="users-api", name="Users API")
print(create_token(user=alice, name="sender", scopes=["ingest"], now=clock.now())[1])
"""


@contextmanager
def portal(database_url: str, workers: int) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Run gunicorn on a new database; yield its port, an ingest token and the environment."""
    with tempfile.TemporaryDirectory(prefix="sreportal-ingest-") as folder:
        env = {
            **os.environ,
            "SREPORTAL_DATA": folder,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.naive.settings",
            "DEMO": "0",
            "LOG_LEVEL": "ERROR",
        }
        (Path(folder) / "static").mkdir()
        manage(env, "migrate", "--run-syncdb", "-v0")
        manage(env, "createcachetable")
        token = manage(env, "shell", "--no-imports", "-c", SETUP).split()[-1]
        port = servers.free_port()
        with _gunicorn(env, port, workers):
            yield port, token, env


def manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def _gunicorn(env: dict[str, str], port: int, workers: int) -> Iterator[None]:
    command = [
        *(sys.executable, "-m", "gunicorn", "sreportal.wsgi:application"),
        *("--bind", f"127.0.0.1:{port}", "--workers", str(workers)),
        *("--worker-class", "sreportal.web_worker.WholeRequestWorker", "--threads", "4"),
        *("--log-level", "error"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        await_port(port, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/health/live")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("gunicorn did not start")


MERGE = """
import time
from core import clock
from telemetry.services.compaction import compact_all
started = time.perf_counter(); merged = compact_all(now=clock.now)
print(merged, time.perf_counter() - started)
"""


def measure(name: str, database_url: str, workers: int, seconds: float) -> dict[str, object]:
    """Compare both sides on one database; also merge what came in, and say how long that took."""
    with portal(database_url, workers) as (port, token, env):
        sides = [
            Side("ours", "/api/v1/telemetry/requests", token),
            Side("naive", "/naive/requests"),
        ]
        speeds = compare(sides, port, seconds)
        merged, merge_s = manage(env, "shell", "--no-imports", "-c", MERGE).split()[-2:]
    ours, naive = statistics.median(speeds["ours"]), statistics.median(speeds["naive"])
    events = int(merged) * BATCH
    return {
        "database": name,
        "ours": round(ours),
        "peer": round(naive),
        "ratio": round(ours / naive, 2),
        "ours_with_merging": round(1 / (1 / ours + float(merge_s) / events)),
        "rounds": len(speeds["ours"]),
    }


def main() -> int:
    """Measure on both databases; 1 when the goal is missed on one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="per side and database")
    seconds = parser.parse_args().seconds
    servers.POSTGRESQL_FLAGS.update(DURABLE)
    with ExitStack() as stack:
        url = stack.enter_context(servers.postgresql_server())
        results = [measure("PostgreSQL", url, 2, seconds)]
    results.append(measure("SQLite", "", 1, seconds))
    size = len(bodies(1)[0])
    print(f"Batches of {BATCH} events ({size} bytes, {len(gzip.compress(bodies(1)[0]))} gzipped),")
    print(f"{CLIENTS} clients, events/s answered 2xx, median of rounds of {ROUND_S:g} s:\n")
    print(f"{'database':<12}{'ours':>12}{'naive':>12}{'ratio':>8}{'ours, merging included':>26}")
    for row in results:
        print(
            f"{row['database']:<12}{row['ours']:>12,}{row['peer']:>12,}{row['ratio']:>8}"
            f"{row['ours_with_merging']:>26,}"
        )
    worst = min(results, key=lambda row: float(str(row["ratio"])))
    print(
        json.dumps({
            "name": "ingest",
            "ours": worst["ours"],
            "peer": worst["peer"],
            "peer_name": "Django view: json.loads and bulk_create",
            "ratio": worst["ratio"],
            "unit": "events/s",
            "lower_is_better": False,
            "goal": GOAL,
            "databases": results,
        })
    )  # fmt: skip
    return 0 if float(str(worst["ratio"])) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
