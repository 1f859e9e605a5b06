"""Does paging lose nothing, whatever dies? Kills the portal's processes while alerts pour in.

Twenty alerts a second, each an incident of its own with three steps, for which some people answer.
Meanwhile web server, pagers, worker and beat are killed with SIGKILL at random and replaced, and
some escalations are stopped behind the portal's back, which only its auditor can notice. Senders,
receivers and whoever answers keep journals; afterwards they are compared with the evidence views
(`paging_checker.py`). Exit status 1 when a promise was broken.

    .venv/bin/python benchmarks/kill_drill.py --kills 200
    .venv/bin/python benchmarks/kill_drill.py --kills 100 --redis-restarts 12 --database-restarts 5
    .venv/bin/python benchmarks/kill_drill.py --kills 100 --needed 2
    .venv/bin/python benchmarks/kill_drill.py --kills 20 --mutant lease-too-short   # must fail

Everything listens on loopback and ends with this process. Redis and PostgreSQL are throw-away ones,
the latter as durable as in production; every other time PostgreSQL is not even asked to end.
"""

import argparse
import contextlib
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.drill_evidence import Journals, Views, evidence  # noqa: E402
from benchmarks.drill_receivers import Receivers  # noqa: E402
from benchmarks.drill_servers import Servers, started  # noqa: E402
from benchmarks.paging_checker import Evidence, Sent, Verdict, judge  # noqa: E402
from benchmarks.paging_mutants import MUTANTS  # noqa: E402
from tests.servers import free_port  # noqa: E402

RATE = 20
# Whom each level calls, by how many must answer: with two the first calls a pair.
LEVELS = {1: (("l1",), ("l2",), ("l3",)), 2: (("l1", "l1b"), ("l2",), ("l3",))}
AFTER_S = (0, 4, 16)
PROCESSES = ("web", "pager", "pager", "worker", "beat")
# A page cut in half is repeated when its lease is over, 30 seconds; audits come every ten.
# Until everybody was called whose page waits behind those of 200 kills; minutes on a slow machine.
SETTLES_WITHIN_S = 400
PYTHON = sys.executable


class Portal:
    """The portal's processes, forked by the nursery, killed by the drill."""

    def __init__(self, env: dict[str, str], folder: Path, mutant: str) -> None:
        self._nursery = subprocess.Popen(
            [
                *(PYTHON, "benchmarks/portal_nursery.py", "--log", str(folder / "portal.log")),
                *(("--mutant", mutant) if mutant else ()),
            ],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        assert self._read() == "ready"
        self._pids = [self._start(name) for name in PROCESSES]

    def _read(self) -> str:
        assert self._nursery.stdout is not None
        line: str = self._nursery.stdout.readline()
        return line.strip()

    def _start(self, name: str) -> int:
        assert self._nursery.stdin is not None
        with self._lock:
            self._nursery.stdin.write(f"start {name}\n")
            self._nursery.stdin.flush()
            return int(self._read())

    def kill_one(self, dice: random.Random) -> str:
        """Kill one process at random, its children with it, and start it anew."""
        slot = dice.randrange(len(PROCESSES))
        name, pid = PROCESSES[slot], self._pids[slot]
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            victims = [psutil.Process(pid)]
            if name == "web":
                workers = victims[0].children()
                # As often only a worker of it, which gunicorn replaces by itself.
                if workers and dice.random() < 0.5:
                    os.kill(dice.choice(workers).pid, signal.SIGKILL)
                    return "web worker"
                victims += workers
            for victim in victims:
                victim.kill()
        time.sleep(dice.uniform(0, 0.3))
        self._pids[slot] = self._start(name)
        return name

    def end(self) -> None:
        """End all of them."""
        for pid in self._pids:
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
                    process.kill()
        self._nursery.kill()
        self._nursery.wait()


def send_alerts(
    url: str, journals: Journals, stop: threading.Event, due: "queue.Queue[str]"
) -> None:
    """Send alerts until told to stop and none is left; one that is not thanked for is sent again."""
    patience = 300
    while patience and not (stop.is_set() and due.empty()):
        # Afterwards an alert is still sent again for a while, then its sender gives up.
        patience -= stop.is_set()
        with contextlib.suppress(queue.Empty):
            key = due.get(timeout=0.2)
            body = {"title": f"Alert {key}", "dedup_key": key, "severity": "P1", "state": "firing"}
            request = urllib.request.Request(
                url, json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    if 200 <= answer.status < 300:
                        journals.sent.append(Sent(key, datetime.now(UTC)))
            except OSError:
                time.sleep(0.1)
                due.put(key)


SETUP = """
import sys
from datetime import timedelta
from core import encryption
from core.clock import now
from accounts.models import User
from catalog.models import Service
from notifications.models import ContactMethod
from incidents.models import Integration
from incidents.services.integrations import save_integration
from oncall.models import *
from slo.models import Slo, ThresholdRule
# What the portal alerts about by itself calls by another ladder, and no journal knows of it.
Slo.objects.update(is_enabled=False)
ThresholdRule.objects.update(is_enabled=False)
port, ladder, needed = int({port}), {ladder}, {needed}
def person_of(name):
    person = User.objects.create_user(name, "", role="responder")
    ContactMethod.objects.create(person=person, kind="webhook", label="drill", verified_at=now(),
        sealed_address=encryption.encrypt(f"http://127.0.0.1:{{port}}/{{name}}"))
    return person
service = Service.objects.create(slug="drill", name="Drill")
policy = EscalationPolicy.objects.create(slug="drill", name="Drill", loops=1,
    repeat_after=timedelta(seconds=4))
for number, (names, wait) in enumerate(ladder, 1):
    level = PolicyLevel.objects.create(policy=policy, number=number, name=f"L{{number}}",
        acknowledgements=needed)
    for name in names:
        LevelTarget.objects.create(level=level, person=person_of(name))
    Timing.objects.create(policy=policy, severity="P1", level=number, after=timedelta(seconds=wait))
FallbackContact.objects.create(person=person_of("fallback"))
ServicePolicy.objects.create(service=service, policy=policy)
key = save_integration(Integration(), fields=dict(kind="generic", name="Drill", service=service,
    severity_map={{"p1": "P1"}}), actor="drill", now=now())
print("key", key)
"""


def manage(env: dict[str, str], *arguments: str) -> str:
    """Run a management command and return what it printed."""
    done = subprocess.run(
        [PYTHON, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


def is_settled(found: Evidence) -> bool:
    """Return whether nothing more is to be expected."""
    open_pages = [page for page in found.pages if page.state in {"waiting", "sending"}]
    return not open_pages and not judge(found).broken["no-step-is-skipped"]


def drill(options: argparse.Namespace) -> tuple[Verdict, Journals, dict[str, float]]:
    """Run one drill."""
    dice = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-drill-"))
    journals, figures = Journals(), {}
    try:
        with started(options.database) as below:
            levels = LEVELS[options.needed]
            receivers = Receivers(journals, random.Random(options.seed + 1), options.needed)
            port = free_port()
            env = {
                **os.environ,
                "SREPORTAL_DATA": str(folder / "data"),
                "DATABASE_URL": below.database_url,
                "REDIS_URL": below.redis.url,
                "PORT": str(port),
                "PORTAL_URL": f"http://127.0.0.1:{port}",
                "DEMO": "0",
                # Each page by itself: a message is then one page, and each can be judged.
                "PAGE_EVERY_S": "0",
                "LOG_FORMAT": "json",
                "WEB_WORKERS": "2" if below.database_url else "1",
                "OUTBOUND_ALLOW": "notifications=127.0.0.0/8",
                "OUTBOUND_PORTS": str(receivers.port),
            }
            manage(env, "migrate", "--verbosity=0")
            manage(env, "createcachetable")
            manage(env, "bootstrap")
            manage(env, "collectstatic", "--noinput", "--verbosity=0")
            ladder = [*zip(levels, AFTER_S, strict=True)]
            setup = SETUP.format(port=receivers.port, ladder=ladder, needed=options.needed)
            said = manage(env, "shell", "-c", setup)
            key = said.split("key ")[1].split()[0]
            url = f"http://127.0.0.1:{port}/integrations/v1/generic/{key}/"
            views = Views(env, folder / "data" / "sreportal.sqlite3")
            portal = Portal(env, folder, options.mutant)
            try:
                figures = _storm(options, dice, (portal, below), views, journals, url)
                look = partial(evidence, views, journals, levels, options.needed)
                found = _settled(look, options.settle)
            finally:
                portal.end()
            if options.keep:
                print(f"log: {folder / 'portal.log'}", file=sys.stderr)
            return judge(found), journals, {**figures, "incidents": len(found.incidents)}
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _storm(
    options: argparse.Namespace,
    dice: random.Random,
    victims: tuple[Portal, Servers],
    views: Views,
    journals: Journals,
    url: str,
) -> dict[str, float]:
    """Send and kill; returns what was done."""
    due: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    senders = [
        threading.Thread(target=send_alerts, args=(url, journals, stop, due)) for _ in range(8)
    ]
    for sender in senders:
        sender.start()
    length = max(10.0, options.kills * options.pause)
    portal, below = victims
    what = [""] * options.kills
    what += ["redis"] * options.redis_restarts + ["postgresql"] * options.database_restarts
    moments = sorted((dice.uniform(2, length), name) for name in what)
    began, number, sabotaged, next_sabotage = time.monotonic(), 0, 0, 3.0
    while (passed := time.monotonic() - began) < length or moments:
        while number < passed * options.rate and passed < length:
            due.put(f"alert-{options.seed}-{number}")
            number += 1
        if moments and moments[0][0] <= passed:
            _, name = moments.pop(0)
            done = below.restart(name, dice) if name else portal.kill_one(dice)
            journals.kills.append(done)
        if passed >= next_sabotage:
            sabotaged += views.sabotage(dice)
            next_sabotage += 1
        time.sleep(0.01)
    stop.set()
    for sender in senders:
        sender.join(timeout=60)
    return {"alerts": number, "sabotaged": sabotaged, "seconds": round(length, 1)}


def _settled(look: Callable[[], Evidence], within_s: float) -> Evidence:
    """Wait until nothing more is to be expected, or too long."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        is_late = time.monotonic() > deadline
        if is_late:
            print("Judged although not all has settled: broken promises may be late ones.")
        if is_late or is_settled(found):
            # What was on its way when the views were read has arrived by now.
            time.sleep(1)
            return look()
        time.sleep(1)


def main() -> int:
    """Run the drill, say what happened, and fail when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--redis-restarts", type=int, default=0)
    parser.add_argument("--database-restarts", type=int, default=0)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument(
        "--needed", type=int, choices=sorted(LEVELS), default=1, help="how many answers"
    )
    parser.add_argument("--rate", type=int, default=RATE, help="alerts a second")
    parser.add_argument("--pause", type=float, default=0.7, help="seconds from kill to kill")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="")
    parser.add_argument("--settle", type=float, default=SETTLES_WITHIN_S, help="seconds at most")
    parser.add_argument("--keep", action="store_true", help="keep the portal's log")
    options = parser.parse_args()
    verdict, journals, figures = drill(options)
    repeats = sum(message.is_repeat for message in journals.received)
    print(f"{len(journals.sent)} alerts thanked for, {len(journals.received)} messages received,")
    print(f"{repeats} marked as repeats, {len(journals.acknowledged)} answered, {figures}")
    counts = {name: journals.kills.count(name) for name in sorted(set(journals.kills))}
    print(f"killed: {counts}")
    for name, checked in verdict.checked.items():
        broken = verdict.broken[name]
        print(f"{'BROKEN' if broken else 'holds ':7} {name} ({checked} looked at)")
        for line in broken[:5]:
            print(f"        {line}")
    broken_count = sum(len(lines) for lines in verdict.broken.values())
    print(
        json.dumps(
            {
                "name": "kill_drill",
                "ours": broken_count,
                "peer": 0,
                "peer_name": "promises broken that are allowed",
                "ratio": float(broken_count),
                "unit": "broken promises",
                "lower_is_better": True,
            }
        )
    )
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
