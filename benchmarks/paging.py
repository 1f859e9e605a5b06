"""How many escalation steps fire a second, and what does an empty tick cost among a million timers?

A full firing is what `manage.py pager` does for one step: look up whom it calls, make the page with
its key, write the timeline, set when the next step is due. As many pagers as the machine has cores
share the work, up to two. Ticks are measured with a million runs that wait for something later; then
again where another session holds an old snapshot, as a backup or a report does, under which more
steps have fired. PostgreSQL is a throw-away one, as durable as in production.

    .venv/bin/python benchmarks/paging.py
    .venv/bin/python benchmarks/paging.py --quick     # a tenth of everything, for a first look
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import ingest
from tests import servers

GOAL_FIRINGS = 40_000
GOAL_TICK_MS = 1.0
# When the steps are due that fire under an old snapshot: before anybody is called for the second time.
LATER = timedelta(minutes=10)


def prepare(due: int, later: int, waiting: int) -> None:
    """Make who is on call, and so many incidents whose first step is due now, later, or tomorrow."""
    from django.db import connection

    from accounts.models import User
    from catalog.models import Service
    from core import encryption
    from core.clock import now
    from incidents.models import EscalationRun, Incident, LadderSnapshot
    from notifications.models import ContactMethod
    from oncall.domain.escalations import Phase
    from oncall.models import EscalationPolicy, LevelTarget, PolicyLevel, ServicePolicy
    from oncall.queries.policies import ladder_of

    at = now()
    service = Service.objects.create(slug="shop", name="Shop")
    policy = EscalationPolicy.objects.create(slug="shop", name="Shop", loops=3)
    for number, name in enumerate(("alice", "bob"), 1):
        person = User.objects.create_user(name, f"{name}@example.org", role="responder")
        ContactMethod.objects.create(
            person=person,
            kind="webhook",
            label="phone",
            verified_at=at,
            sealed_address=encryption.encrypt("https://example.org/"),
        )
        level = PolicyLevel.objects.create(policy=policy, number=number, name=name)
        LevelTarget.objects.create(level=level, person=person)
    ServicePolicy.objects.create(service=service, policy=policy)
    ladder = ladder_of(policy, "P1", Phase.UNACKNOWLEDGED)
    LadderSnapshot.objects.create(digest="shop", content=ladder.to_json() if ladder else {})
    total = due + later + waiting
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO {Incident._meta.db_table} (service_id, "group", severity,
            is_severity_set, title, summary, status, cycle, opened_at, acknowledged_by, resolved_by,
            is_flapping, response, resolution, unreached, created_at, updated_at)
            SELECT %s, 'g' || n, 'P1', false, 'Incident ' || n, '', 'triggered', 1, %s, '', '',
            false, 'on_track', 'on_track', '', %s, %s FROM generate_series(1, %s) n""",
            [service.pk, at, at, at, total],
        )
        cursor.execute(
            f"""INSERT INTO {EscalationRun._meta.db_table} (incident_id, cycle, phase, policy_name,
            snapshot_id, loop, position, state, started_at, due_at, look_at, claims, problem)
            SELECT i.id, 1, 'unacknowledged', 'Shop', 'shop', 0, 0, 'running', %s, i.due, i.due, 0, ''
            FROM (SELECT id, %s + CASE WHEN row_number() OVER (ORDER BY id) <= %s THEN interval '0'
            WHEN row_number() OVER (ORDER BY id) <= %s THEN %s::interval ELSE interval '1 day' END AS due
            FROM {Incident._meta.db_table}) i""",
            [at, at, due, due + later, f"{LATER.total_seconds()} s"],
        )
        cursor.execute("VACUUM ANALYZE")
        # What was loaded is written now, and not while something is measured.
        cursor.execute("CHECKPOINT")


def firings(count: int, pagers: int, ahead: timedelta = timedelta()) -> float:
    """Fire the step of every run that is due, by pagers side by side; returns firings a second.

    Args:
        count: So many are due.
        pagers: So many processes.
        ahead: How far their clocks are ahead.
    """
    from django.db import connection

    from incidents.models import Page

    before = Page.objects.count()
    connection.close()
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(pagers + 1)
    processes = [context.Process(target=pager, args=(ready, ahead)) for _ in range(pagers)]
    for process in processes:
        process.start()
    ready.wait(60)
    began = time.perf_counter()
    ready.wait(600)
    passed = time.perf_counter() - began
    for process in processes:
        process.join()
    made = Page.objects.count() - before
    if made != count:
        raise SystemExit(f"{made} pages were made of {count}")
    return count / passed


def pager(ready: Any, ahead: timedelta) -> None:
    """Fire until nothing is due, beginning with the others."""
    from django.db import connection

    from core.clock import now
    from core.garbage import keep_what_is_loaded
    from incidents.services import due
    from incidents.services.pager import STEPS_AT_A_TIME

    queues = due.Queues()
    connection.ensure_connection()
    keep_what_is_loaded()
    ready.wait()
    while queues.fire_steps(now=now() + ahead, limit=STEPS_AT_A_TIME):
        pass
    ready.wait()
    connection.close()


def empty_ticks(number: int, ahead: timedelta = timedelta()) -> list[float]:
    """Return what so many ticks cost that find nothing due, in milliseconds."""
    from core.clock import now
    from incidents.services import due

    costs = []
    queues = due.Queues()
    for _ in range(number):
        began = time.perf_counter()
        if queues.fire_steps(now=now() + ahead):
            raise SystemExit("something was due")
        costs.append((time.perf_counter() - began) * 1000)
    return costs


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def measure(due: int, later: int, waiting: int, ticks: int) -> dict[str, float]:
    """Return all figures; the process must have no Django set up yet."""
    servers.POSTGRESQL_FLAGS.update(ingest.DURABLE)
    with (
        tempfile.TemporaryDirectory() as folder,
        servers._throw_away_postgresql() as server,
        servers.own_database(server) as url,
    ):
        os.environ |= {"SREPORTAL_DATA": folder, "DATABASE_URL": url, "REDIS_URL": ""}
        os.environ["DJANGO_SETTINGS_MODULE"] = "sreportal.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        prepare(due, later, waiting)
        try:
            return _measured(url, due, later, ticks)
        finally:
            connection.close()


def _measured(url: str, due: int, later: int, ticks: int) -> dict[str, float]:
    import psycopg2
    from django.db import connection

    pagers = min(2, os.cpu_count() or 1)
    found = {"firings": firings(due, pagers)}
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    found["empty_tick"] = p99(empty_ticks(ticks))
    old = psycopg2.connect(url)
    old.set_session(isolation_level="REPEATABLE READ")
    old.cursor().execute("SELECT count(*) FROM incidents_page")
    found["firings_held"] = firings(later, pagers, LATER)
    found["empty_tick_held"] = p99(empty_ticks(ticks, LATER))
    old.close()
    return found


def main() -> int:
    """Measure, print a table and one JSON line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    share = 10 if options.quick else 1
    found = measure(250_000 // share, 100_000 // share, 1_000_000 // share, 2_000 // share)
    print(f"{'firings a second':<40}{found['firings']:>10.0f}")
    print(f"{'firings a second under an old snapshot':<40}{found['firings_held']:>10.0f}")
    print(f"{'empty tick, p99, ms':<40}{found['empty_tick']:>10.3f}")
    print(f"{'empty tick under an old snapshot, p99, ms':<42}{found['empty_tick_held']:>8.3f}")
    limits = {
        "firings": (found["firings"], GOAL_FIRINGS),
        "empty_tick": (found["empty_tick"], GOAL_TICK_MS),
        "empty_tick_held": (found["empty_tick_held"], 2 * found["empty_tick"]),
    }
    ratios = {name: round(ours / goal, 3) for name, (ours, goal) in limits.items()}
    print(
        json.dumps({
            "name": "paging",
            "ours": round(found["firings"]),
            "peer": GOAL_FIRINGS,
            "peer_name": "goal",
            "ratio": ratios["firings"],
            "unit": "firings a second",
            "lower_is_better": False,
            "ratios": ratios,
        })
    )  # fmt: skip
    is_met = ratios["firings"] >= 1 and ratios["empty_tick"] <= 1 and ratios["empty_tick_held"] <= 1
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
