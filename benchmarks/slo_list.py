"""The list of objectives with 1,000 SLOs: how long the server takes for it, and how often it asks.

    python benchmarks/slo_list.py [--requests 300]

A portal on PostgreSQL holds 1,000 SLOs with weeks of minutes, judged once. Asked in this process,
through all middleware, by somebody signed in: the list as it is opened, other pages, sorts, a filter
and a search, in turns; then the poll of a page whose figures did not change. Beside it a portal of
100 SLOs, for the number of statements.

Goals: the 95th percentile at most 60 ms; as many statements with 1,000 SLOs as with 100; a poll of
unchanged rows answers 304 after one statement beside those that find out who asks.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import ingest  # noqa: E402
from tests import servers  # noqa: E402

SLOS, FEW = 1_000, 100
DAYS = 40
GOAL_P95_MS = 60.0
ASKED = ("", "?page=7", "?sort=service", "?sort=slug&page=40", "?state=exhausted", "?q=shop+7")
HTMX = {"HX-Request": "true", "HX-Target": "rows"}
# Who is signed in: the session and its user.
IDENTITY = 2


def measure(slos: int, requests: int) -> dict[str, Any]:
    """Fill the portal and return what the list costs; runs in a process of its own."""
    import django

    django.setup()

    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from accounts.models import User
    from accounts.roles import Role
    from benchmarks import slo_world
    from core.clock import floor_minute, now
    from slo.services import evaluation

    settings.ALLOWED_HOSTS = ["testserver"]
    end = floor_minute(now())
    begun = end.replace(hour=0, minute=0) - timedelta(days=DAYS)
    hours = {begun + timedelta(hours=n) for n in range(DAYS * 24 + end.hour + 1)}
    slo_world.make_slos(slos, since=begun, now=now())
    slo_world.write_history(slos, since=begun, until=end, events=100, hours=hours)
    evaluation.refresh_statuses(watermark=end, now=end + evaluation.CLOSE_AFTER)
    client = Client()
    client.force_login(User.objects.create_user("lead", role=Role.MANAGER))

    def get(query: str, **headers: str) -> Any:
        answer = client.get(f"/slo/{query}", headers=headers)
        if answer.status_code not in {200, 304}:
            raise SystemExit(f"/slo/{query} answered {answer.status_code}")
        return answer

    statements = {}
    for query in ASKED:
        get(query)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            get(query)
        statements[query] = len(asked)
    took = []
    for number in range(requests):
        begin = time.perf_counter()
        get(ASKED[number % len(ASKED)])
        took.append((time.perf_counter() - begin) * 1000)
    tag = get("", **HTMX)["ETag"]
    polls = []
    for _ in range(requests):
        begin = time.perf_counter()
        answer = get("", **HTMX, **{"If-None-Match": tag})
        polls.append((time.perf_counter() - begin) * 1000)
    with CaptureQueriesContext(connection) as asked:
        answer = get("", **HTMX, **{"If-None-Match": tag})
    return {
        "statements": statements,
        "p50_ms": statistics.median(took),
        "p95_ms": statistics.quantiles(took, n=20)[-1],
        "poll_status": answer.status_code,
        "poll_p95_ms": statistics.quantiles(polls, n=20)[-1],
        "poll_statements": len(asked) - IDENTITY,
    }


def run(slos: int, requests: int) -> dict[str, Any]:
    """Return what `measure` finds, on a new PostgreSQL."""
    with (
        servers.postgresql_server() as url,
        tempfile.TemporaryDirectory(prefix="sreportal-list-") as folder,
    ):
        env = {
            **os.environ,
            "SREPORTAL_DATA": folder,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "sreportal.settings",
            "DEMO": "0",
            "LOG_LEVEL": "ERROR",
        }
        ingest.manage(env, "migrate", "-v0")
        ingest.manage(env, "createcachetable")
        ingest.manage(env, "collectstatic", "--noinput", "-v0")
        command = [sys.executable, __file__, "--measure", str(slos), "--requests", str(requests)]
        done = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> int:
    """Measure, print a table and a line of JSON; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.requests)))
        return 0
    many, few = run(SLOS, options.requests), run(FEW, options.requests)
    goals = {
        "p95": many["p95_ms"] <= GOAL_P95_MS,
        "statements": many["statements"] == few["statements"],
        "poll": many["poll_status"] == 304 and many["poll_statements"] <= 1,
    }
    print(f"{'':32}{SLOS:>10} SLOs{FEW:>10} SLOs")
    for label, key in (
        ("median, ms", "p50_ms"),
        ("95th percentile, ms", "p95_ms"),
        ("poll, 95th percentile, ms", "poll_p95_ms"),
        ("poll, statements", "poll_statements"),
        ("poll, status", "poll_status"),
    ):
        print(f"{label:32}{many[key]:>15.4g}{few[key]:>15.4g}")
    for query in ASKED:
        name = f"statements of /slo/{query}"
        print(f"{name:32}{many['statements'][query]:>15}{few['statements'][query]:>15}")
    print(
        json.dumps({
            "name": "slo_list",
            "ours": many["p95_ms"],
            "peer": GOAL_P95_MS,
            "peer_name": "limit",
            "ratio": round(many["p95_ms"] / GOAL_P95_MS, 3),
            "unit": "ms of the server, p95",
            "lower_is_better": True,
            "goals": goals,
            "many": many,
            "few": few,
        })
    )  # fmt: skip
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
