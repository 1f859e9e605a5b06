"""How many alerts a second become durable, each with its key check, incident, escalation, timeline?

The portal (gunicorn, two workers) and alerta-server (the same) take alerts in turns from the same
eight connections, on one PostgreSQL that is as durable as in production: one alert a request on an
empty and on a full database (100,000 stored), then webhooks of Alertmanager with 50 alerts each.
Every alert is a condition that was never seen: alerta stores it, the portal also opens an incident,
finds the policy and plans its escalation. What webhooks bring is compared with what alerta takes one
by one, and, without a goal, with what its own webhooks bring. Then the portal alone on SQLite.

For each new alert alerta reads all that it has of the same host, so what is stored slows it down by
how few hosts there are. The full database is measured twice: of one host, with which alerta takes as few
alerts a second as when the goal was set beside it (24), and of as many hosts as alerts, which is the best
case for it and has no goal.

    .venv/bin/python benchmarks/alert_intake.py
    .venv/bin/python benchmarks/alert_intake.py --ours --rounds 2 --seconds 3
    .venv/bin/python benchmarks/alert_intake.py --hosts 8
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import alerta_peer, intake_portal  # noqa: E402
from benchmarks.alert_senders import Make, Round, request, send  # noqa: E402
from benchmarks.ingest import DURABLE  # noqa: E402
from tests import servers  # noqa: E402

CONNECTIONS = 8
STORED = 100_000
BATCH = 50
HOSTS = 1
CASES = ("empty", "full_many_hosts", "full", "webhooks")
GOALS = {"empty": 12.0, "full": 40.0, "webhooks": 100.0, "p99": 8.0, "sqlite": 300.0}
OK = (200, 201, 202)


@dataclass
class Side:
    """One of the two.

    Args:
        name: As printed.
        port: On loopback.
        alert: Makes a request with one alert, of one of so many hosts.
        webhook: Makes one with fifty.
        store: Fills its database, with alerts of so many hosts and no others.
        rounds: What came of it, by case.
        next: The next number that was not sent.
    """

    name: str
    port: int
    alert: Callable[..., bytes]
    webhook: Make
    store: Callable[[int], None] = lambda hosts: None  # noqa: ARG005
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    next: int = 1

    def run(self, case: str, seconds: float, *, hosts: int = STORED, keep: bool = True) -> None:
        """Send for some seconds."""
        one = partial(self.alert, hosts=hosts)
        make = self.webhook if case == "webhooks" else one
        found = send(
            self.port, make, connections=CONNECTIONS, seconds=seconds, first=self.next, wanted=OK
        )
        self.next += 1_000_000
        if found.failed:
            raise SystemExit(f"{self.name}, {case}: {found.failed} refused: {found.refused}")
        if keep:
            self.rounds.setdefault(case, []).append(found)

    def speed(self, case: str) -> float:
        """Median of the alerts a second."""
        size = BATCH if case == "webhooks" else 1
        return size * statistics.median(found.per_second for found in self.rounds[case])

    def p99_ms(self, case: str) -> float:
        """99th percentile over all rounds."""
        took = sorted(each for found in self.rounds[case] for each in found.seconds)
        return took[int(len(took) * 0.99)] * 1000


@lru_cache(maxsize=1)
def _message() -> bytes:
    """Return a body of Alertmanager's webhook for the group @N@."""
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": "Disk@N@", "severity": "critical", "instance": f"host-{index}",
                "service": "shop", "environment": "Production",
            },
            "annotations": {"summary": f"Disk of host-{index} is full"},
            "startsAt": "2026-03-02T11:59:30.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.org/graph?g0.expr=1",
            "fingerprint": f"@X@{index:08x}",
        }
        for index in range(BATCH)
    ]  # fmt: skip
    body = {
        "version": "4", "groupKey": '{}:{alertname="Disk@N@"}', "truncatedAlerts": 0,
        "status": "firing", "receiver": "portal", "groupLabels": {"alertname": "Disk@N@"},
        "commonLabels": {"severity": "critical"}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.org:9093", "alerts": alerts,
    }  # fmt: skip
    return json.dumps(body).encode()


def message(number: int) -> bytes:
    """Return a body of Alertmanager's webhook: a group that was never seen."""
    return _message().replace(b"@N@", b"%d" % number).replace(b"@X@", b"%08x" % number)


def ours(portal: intake_portal.Portal) -> Side:
    """Return the portal's side."""
    managers = portal.keys["alertmanager"]

    def webhook(number: int) -> bytes:
        key = managers[number % len(managers)]
        return request(f"/integrations/v1/alertmanager/{key}/", message(number))

    def alert(number: int, hosts: int) -> bytes:
        return intake_portal.alert(portal.keys["pagerduty"], number, hosts)

    return Side("portal", portal.port, alert, webhook)


@contextlib.contextmanager
def sides(url: str, options: argparse.Namespace) -> Iterator[list[Side]]:
    """Run both."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(servers.throw_away_redis())
        own = stack.enter_context(servers.own_database(url))
        portal = stack.enter_context(intake_portal.serving(own, redis, workers=2))
        found = [replace(ours(portal), store=partial(_fill_once, own))]
        if not options.ours:
            theirs = stack.enter_context(servers.own_database(url))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alerta-")))
            port = servers.free_port()
            stack.enter_context(alerta_peer.serving(theirs, port, folder / "log"))
            peer = Side(
                "alerta",
                port,
                alerta_peer.alert,
                lambda number: alerta_peer.webhook(message(number)),
                partial(alerta_peer.store, theirs, STORED),
            )
            found.append(peer)
        yield found


@lru_cache(maxsize=1)
def _filled(database_url: str) -> None:
    intake_portal.store(database_url, STORED)


def _fill_once(database_url: str, hosts: int) -> None:
    _filled(database_url)


def on_postgresql(options: argparse.Namespace) -> list[Side]:
    """Measure the cases in turns."""
    servers.POSTGRESQL_FLAGS.update(DURABLE)
    with servers._throw_away_postgresql() as url, sides(url, options) as both:
        for case in CASES:
            hosts = options.hosts if case == "full" else STORED
            for side in both:
                if case.startswith("full"):
                    side.store(hosts)
                side.run(case, 1.0, hosts=hosts, keep=False)
            for number in range(options.rounds):
                for side in both if number % 2 else reversed(both):
                    side.run(case, options.seconds, hosts=hosts)
        return both


def on_sqlite(options: argparse.Namespace) -> Side:
    """Measure the portal as `make run` starts it: one web process, SQLite."""
    with servers.throw_away_redis() as redis, intake_portal.serving("", redis, workers=1) as portal:
        side = ours(portal)
        side.run("sqlite", 1.0, keep=False)
        for _ in range(options.rounds):
            side.run("sqlite", options.seconds)
        return side


def main() -> int:
    """Measure, print, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=5, help="of each side and case")
    parser.add_argument("--hosts", type=int, default=HOSTS, help="of which the stored alerts are")
    parser.add_argument("--ours", action="store_true", help="leave the peer out")
    options = parser.parse_args()
    found = on_postgresql(options)
    sqlite = on_sqlite(options)
    print(f"{'case':<16}{'side':<10}{'alerts/s':>12}{'p99 ms':>10}")
    for case in CASES:
        for side in found:
            print(f"{case:<16}{side.name:<10}{side.speed(case):>12.0f}{side.p99_ms(case):>10.1f}")
    print(f"{'sqlite':<16}{'portal':<10}{sqlite.speed('sqlite'):>12.0f}"
          f"{sqlite.p99_ms('sqlite'):>10.1f}")  # fmt: skip
    if options.ours:
        return 0
    own, peer = found
    ratios = {case: own.speed(case) / peer.speed(case) for case in CASES[:3]}
    ratios["webhooks"] = own.speed("webhooks") / peer.speed("empty")
    ratios["p99"] = min(peer.p99_ms(case) / own.p99_ms(case) for case in ("empty", "full"))
    ratios["sqlite"] = sqlite.speed("sqlite")
    beside = own.speed("webhooks") / peer.speed("webhooks")
    print(f"webhooks beside its webhooks {beside:.1f}")
    for name, ratio in ratios.items():
        goal = f"goal {GOALS[name]:g}" if name in GOALS else "no goal"
        print(f"{name:<16}{ratio:>10.1f}  {goal}")
    print(
        json.dumps({
            "name": "alert_intake",
            "ours": own.speed("empty"),
            "peer": peer.speed("empty"),
            "peer_name": f"alerta-server {alerta_peer.VERSION}",
            "ratio": ratios["empty"],
            "unit": "alerts/s",
            "lower_is_better": False,
            "goals": GOALS,
            "ratios": ratios,
        })
    )  # fmt: skip
    return 0 if all(ratios[name] >= goal for name, goal in GOALS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
