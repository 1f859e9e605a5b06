"""A failover of RDS, over boto3 and HTTP, against an RDS that speaks its protocol."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from chaos import recovery
from chaos.chaos_engineering import ChaosOrchestrator, create_chaos_experiments
from chaos.domain.states import EntryState
from chaos.tests.target import Target, serving

INSTANCE = """<DBInstances><DBInstance><DBInstanceIdentifier>users</DBInstanceIdentifier>
<DBInstanceStatus>{status}</DBInstanceStatus><MultiAZ>{standby}</MultiAZ>
<AvailabilityZone>{zone}</AvailabilityZone></DBInstance></DBInstances>"""
EVENT = """<Event><SourceIdentifier>users</SourceIdentifier><SourceType>db-instance</SourceType>
<Message>{message}</Message><EventCategories><EventCategory>{category}</EventCategory>
</EventCategories><Date>{at}</Date></Event>"""
DENIED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>not allowed</Message></Error></ErrorResponse>"""


class Handler(BaseHTTPRequestHandler):
    """Answers the three calls that the injector makes."""

    protocol_version = "HTTP/1.1"
    server: "FakeRds"

    def do_POST(self) -> None:
        """Find the call in the form, and answer it."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, text = self.server.answer({name: values[0] for name, values in form.items()})
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class FakeRds(ThreadingHTTPServer):
    """The instance `users`, which is away for a few questions after each reboot.

    Attributes:
        standby: Whether it has one.
        away_for: So many questions.
        denied: Calls that are not allowed.
        forced: What each reboot asked for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.standby, self.away_for, self.away = True, 2, 0
        self.zone = "eu-west-1a"
        self.denied: set[str] = set()
        self.forced: list[bool] = []
        self.events: list[str] = []

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, form: dict[str, str]) -> tuple[int, str]:
        """Return status and XML for one call."""
        name = form["Action"]
        if name in self.denied:
            return 403, DENIED
        if name == "RebootDBInstance":
            self._reboot(is_forced=form.get("ForceFailover") == "true")
        inside = f"<Events>{''.join(self.events)}</Events>" if name == "DescribeEvents" else ""
        if name == "DescribeDBInstances":
            status, self.away = ("rebooting" if self.away else "available"), max(0, self.away - 1)
            standby = str(self.standby).lower()
            inside = INSTANCE.format(status=status, standby=standby, zone=self.zone)
        return 200, f"<{name}Response><{name}Result>{inside}</{name}Result></{name}Response>"

    def _reboot(self, *, is_forced: bool) -> None:
        self.forced.append(is_forced)
        self.away = self.away_for
        if is_forced:
            self.zone = "eu-west-1b"
        category = "failover" if is_forced else "availability"
        message = "Multi-AZ instance failover started" if is_forced else "DB instance restarted"
        at = datetime.now(UTC).isoformat()
        self.events.append(EVENT.format(message=message, category=category, at=at))


@pytest.fixture
def rds(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRds]:
    """The instance, and credentials that mean nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with FakeRds() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def target() -> Iterator[Target]:
    """The service that keeps its data there."""
    with serving() as made:
        yield made


def orchestrator(rds: FakeRds, target: Target, state: Path, **options: Any) -> ChaosOrchestrator:
    """Return an orchestrator of short experiments on the database."""
    short: dict[str, Any] = {"duration_s": 0.5, "settle_s": 3, "region": "eu-west-1"}
    return create_chaos_experiments(
        target_url=target.url,
        db_instance_id="users",
        state_dir=state,
        endpoint_url=rds.url,
        **(short | options),
    )


def test_the_standby_takes_over(rds: FakeRds, target: Target, tmp_path: Path) -> None:
    """A failover is forced, RDS tells of it, and the run waits until the database is back."""
    found = orchestrator(rds, target, tmp_path).run_experiment("database_failure")
    assert (found["verdict"], found["simulated"], rds.forced) == ("passed", True, [True])
    assert found["evidence"]["events"] == ["Multi-AZ instance failover started"]
    assert "eu-west-1b instead of eu-west-1a" in found["rollbacks"][0]["note"]


def test_without_a_standby_it_restarts(rds: FakeRds, target: Target, tmp_path: Path) -> None:
    """RDS refuses to force a failover of an instance without a standby: none is asked for."""
    rds.standby = False
    found = orchestrator(rds, target, tmp_path).run_experiment("database_failure")
    assert (found["verdict"], rds.forced) == ("passed", [False])


def test_a_database_that_stays_away_is_critical(
    rds: FakeRds, target: Target, tmp_path: Path
) -> None:
    """Not back in time: failed, and nothing else begins until it is."""
    rds.away_for = 10_000
    made = orchestrator(rds, target, tmp_path, settle_s=0.5)
    found = made.run_experiment("database_failure")
    assert (found["verdict"], found["critical"]) == ("failed", True)
    assert "still rebooting" in found["rollbacks"][0]["note"]
    rds.away = 0
    assert [entry.state for entry in recovery.recover(tmp_path)] == [EntryState.UNDONE]


def test_refusals_name_what_is_missing(rds: FakeRds, target: Target, tmp_path: Path) -> None:
    """No instance, one that is away already, and an action that is not allowed."""
    nameless = create_chaos_experiments(target_url=target.url, state_dir=tmp_path)
    assert "db_instance_id" in nameless.run_experiment("database_failure")["reason"]
    made = orchestrator(rds, target, tmp_path)
    rds.away = 1
    assert "is rebooting" in made.run_experiment("database_failure")["reason"]
    rds.denied = {"DescribeDBInstances"}
    denied = made.run_experiment("database_failure")["reason"]
    assert "rds:DescribeDBInstances was denied" in denied
    assert rds.forced == []
