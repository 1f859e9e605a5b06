"""One round of judging 1,000 SLOs, against a real Prometheus with Sloth's rules for the same SLOs.

    python benchmarks/slo_round.py [--turns 8] [--sloth-slos 4]

A round reads the windows of every SLO (seven burn windows and 30 days), finds when each budget will
be spent, decides states and burn alerts, and commits what it found: the figures of all, the states
of the 2 % that change, what firing alerts say. One SLO of 25 has spent its budget. Counted is
the CPU of the process and of its PostgreSQL, which is as durable as in production. 35 days of
minutes are stored, 95 of hours; each round is a minute later than the one before. What is compared
runs in turns: windows of 90 days, ten times the events, 10,000 SLOs (of which the minutes of the
hours that windows begin in are stored, and all hours). Then the same on SQLite.

Prometheus has Sloth's rules for a few SLOs: the ratios of seven windows, the one of 30 days as
Sloth makes it from the recorded ratio of five minutes, metadata and alerts. Each SLO has ten series
(five instances, good and bad), scraped every 15 seconds; 31 days of them are written into its
storage beforehand. Its CPU over some evaluations, by evaluation and SLO, is scaled to 1,000 SLOs:
each SLO has rules of its own, so the cost is linear. It is measured before and after the portal.

Goals: at most 1/500 of Prometheus; 90 days at most 1.05 times 30 days; ten times the events at most
1.1 times; 10,000 SLOs at most 12 times 1,000; at most 200 ms on SQLite; at most 1 GB for the minutes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import ingest, otlp_ingest, sloth_peer  # noqa: E402
from tests import servers  # noqa: E402

SLOS = 1_000
EVENTS = 100
DAYS, MINUTE_DAYS = 95, 35
ROUNDS = 10
CHANGING = 0.02
GOALS = {
    "peer": 1 / 500,
    "days_90": 1.05,
    "events_10x": 1.1,
    "slos_10x": 12.0,
    "sqlite_ms": 200.0,
    "minutes_gb": 1.0,
}
LABELS = {
    "peer": "share of Prometheus",
    "days_90": "windows of 90 days by 30",
    "events_10x": "ten times the events",
    "slos_10x": "ten times the SLOs",
    "sqlite_ms": "SQLite until it is committed, ms",
    "minutes_gb": "35 days of minutes, GB",
}


@dataclass(frozen=True)
class Case:
    """What one process of the portal holds.

    Args:
        slos: Number of SLOs.
        events: Mean events an SLI and minute.
        sparse: Whether only the minutes are stored that windows begin in.
    """

    slos: int = SLOS
    events: int = EVENTS
    sparse: bool = False


def serve(case: Case) -> None:
    """Fill the portal, then answer each line of JSON on stdin with what some rounds cost."""
    import django

    django.setup()

    from benchmarks import slo_world
    from core.clock import floor_minute, now
    from slo.domain.blocks import Slice
    from slo.models import Slo, SloStatus
    from slo.services import evaluation, slices

    begun = now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    end = floor_minute(now())
    slo_world.make_slos(case.slos, since=begun, now=now())
    slo_world.write_history(
        case.slos, since=begun, until=end, events=case.events, hours=_hours(case, end)
    )
    evaluation.refresh_statuses(watermark=end, now=end + evaluation.CLOSE_AFTER)
    keys = list(Slo.objects.values_list("pk", flat=True))
    _say(_stored())
    for number, line in enumerate(sys.stdin):
        asked = json.loads(line)
        Slo.objects.update(window_days=asked["days"])
        cost, walls = 0.0, []
        # The first round after other windows were asked for finds every plan new: not counted.
        for turn in range(-1, asked["rounds"]):
            minute = {slot: Slice(case.events, case.events) for slot in range(case.slos)}
            slices.write({end: minute})
            end += timedelta(minutes=1)
            picked = [keys[n] for n in slo_world.some(case.slos, CHANGING, number * 100 + turn)]
            SloStatus.objects.filter(slo__in=picked).update(state="")
            before, started = _cpu_s(), time.perf_counter()
            evaluation.refresh_statuses(watermark=end, now=end + evaluation.CLOSE_AFTER)
            if turn >= 0:
                walls.append(time.perf_counter() - started)
                cost += _cpu_s() - before
        _say({"cpu": cost / asked["rounds"], "wall": statistics.median(walls)})


def _hours(case: Case, end: datetime) -> set[datetime]:
    """Return the starts of the hours whose minutes are stored."""
    if not case.sparse:
        oldest = end - timedelta(days=MINUTE_DAYS)
        return {_hour(oldest) + timedelta(hours=n) for n in range(MINUTE_DAYS * 24 + 2)}
    begins = [
        timedelta(),
        *(timedelta(minutes=n) for n in (5, 30, 60, 120, 360, 1440, 4320, 43200)),
    ]
    return {_hour(end - length + timedelta(hours=n)) for length in begins for n in (0, 1)}


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _cpu_s() -> float:
    """Return the CPU seconds of this process and of the database's process that serves it."""
    from django.db import connection

    mine = time.process_time()
    if connection.vendor != "postgresql":
        return mine
    fields = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text()
    return mine + sum(map(int, fields.rpartition(")")[2].split()[11:13])) * otlp_ingest.TICK_S


def _stored() -> dict[str, Any]:
    """Return the bytes that the slices take, with their index."""
    from django.db import connection

    from slo.models import SliceBlock

    if connection.vendor != "postgresql":
        return {"bytes": Path(connection.settings_dict["NAME"]).stat().st_size}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s)", [SliceBlock._meta.db_table])
        return {"bytes": cursor.fetchone()[0]}


def _say(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


class Portal:
    """A process that holds a case and runs rounds when it is told to."""

    def __init__(self, case: Case, database_url: str, folder: str) -> None:
        env = {
            **os.environ,
            "SREPORTAL_DATA": folder,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "sreportal.settings",
            "DEMO": "0",
            "LOG_LEVEL": "ERROR",
        }
        ingest.manage(env, "migrate", "-v0")
        command = [sys.executable, __file__, "--serve", json.dumps(vars(case))]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.stored: int = self._answer()["bytes"]

    def run(self, *, days: int = 30, rounds: int = ROUNDS) -> dict[str, float]:
        """Return the mean CPU seconds and the median seconds of some rounds."""
        if self._process.stdin is None:
            raise SystemExit("The portal's process has no pipes.")
        self._process.stdin.write(json.dumps({"days": days, "rounds": rounds}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("The portal's process ended.")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)


@contextmanager
def portal(case: Case, database_url: str) -> Iterator[Portal]:
    """Yield a filled portal on a new database."""
    with tempfile.TemporaryDirectory(prefix="sreportal-rounds-") as folder:
        found = Portal(case, database_url, folder)
        try:
            yield found
        finally:
            found.close()


def measure_portal(turns: int) -> dict[str, float]:
    """Return the costs of rounds on both databases, in seconds, and the bytes stored."""
    costs: dict[str, list[float]] = {}
    servers.POSTGRESQL_FLAGS.update(ingest.DURABLE)
    with ExitStack() as stack:
        cases = {"base": Case(), "events": Case(events=10 * EVENTS)}
        cases["slos"] = Case(slos=10 * SLOS, sparse=True)
        portals = {}
        for name, case in cases.items():
            _note(f"filling: {name}")
            url = stack.enter_context(servers.postgresql_server())
            portals[name] = stack.enter_context(portal(case, url))
        steps = [("base", 30), ("base", 90), ("events", 30), ("slos", 30)]
        for turn in range(turns + 1):
            _note(f"turn {turn} of {turns}")
            for name, days in steps if turn % 2 else reversed(steps):
                found = portals[name].run(days=days)
                # In the first turn everything is new to the process.
                if turn:
                    costs.setdefault(f"{name}_{days}", []).append(found["cpu"])
                    costs.setdefault(f"{name}_{days}_wall", []).append(found["wall"])
        stored = portals["base"].stored
    _note("filling: SQLite")
    with portal(Case(), "") as embedded:
        embedded.run()
        runs = [embedded.run() for _ in range(turns)]
    return {
        **{name: statistics.median(values) for name, values in costs.items()},
        "sqlite_wall": statistics.median(run["wall"] for run in runs),
        "sqlite_cpu": statistics.median(run["cpu"] for run in runs),
        "bytes": stored,
    }


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=8, help=f"each of {ROUNDS} rounds a case")
    parser.add_argument("--sloth-slos", type=int, default=4, help="SLOs that Prometheus judges")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(Case(**json.loads(asked.serve)))
        return 0
    # Before and after, as a machine's speed changes from minute to minute.
    peers = [sloth_peer.measure(asked.sloth_slos)]
    found = measure_portal(asked.turns)
    peers.append(sloth_peer.measure(asked.sloth_slos))
    peer = statistics.mean(peers) * SLOS
    base = found["base_30"]
    results = {
        "peer": base / peer,
        "days_90": found["base_90"] / base,
        "events_10x": found["events_30"] / base,
        "slos_10x": found["slos_30"] / base,
        "sqlite_ms": found["sqlite_wall"] * 1e3,
        "minutes_gb": found["bytes"] / 1e9,
    }
    print(f"One round of {SLOS:,} SLOs, CPU:\n")
    print(f"{'portal on PostgreSQL':<40}{base * 1e3:>12,.1f} ms")
    print(f"{'  until it is committed':<40}{found['base_30_wall'] * 1e3:>12,.1f} ms")
    print(f"{'portal on SQLite':<40}{found['sqlite_cpu'] * 1e3:>12,.1f} ms")
    print(f"{'Prometheus with Sloth rules':<40}{peer * 1e3:>12,.0f} ms\n")
    print(f"{'':<40}{'found':>12}{'goal':>12}")
    for name, value in results.items():
        print(f"{LABELS[name]:<40}{value:>12.4g}{GOALS[name]:>12.4g}")
    print(
        json.dumps({
            "name": "slo_round",
            "ours": round(base * 1e3, 2),
            "peer": round(peer * 1e3, 1),
            "peer_name": "Prometheus with Sloth's rules",
            "ratio": round(results["peer"], 6),
            "unit": "CPU ms/round",
            "lower_is_better": True,
            "goal": GOALS["peer"],
            "results": {name: round(value, 4) for name, value in results.items()},
        })
    )  # fmt: skip
    return 0 if all(value <= GOALS[name] for name, value in results.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
