"""The drill: whoever dies in the middle of an experiment, the fault does not stay.

These tests kill real processes with SIGKILL while a real fault is applied, and look for the fault
from outside: in the process table, and by connecting to it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos import recovery
from chaos.chaos_engineering import create_chaos_experiments
from chaos.domain.states import EntryState
from chaos.ledger import Ledger, UndoEntry
from chaos.processes import end_marked, marked
from chaos.tests.target import Target, eventually, serving

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
FAULTS = ["network_latency", "connection_reset", "cpu_exhaustion", "memory_leak"]
CONTROLLER = """
import sys
from chaos.chaos_engineering import create_chaos_experiments
url, state, name, duration = sys.argv[1:]
create_chaos_experiments(
    target_url=url, state_dir=state, duration_s=float(duration), grace_s=2
).run_experiment(name)
"""


@pytest.fixture
def target() -> Iterator[Target]:
    """A server to hurt."""
    with serving() as made:
        yield made


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The undo ledger of the test's own state folder; whatever fails, nothing stays."""
    made = Ledger(tmp_path)
    yield made
    recovery.stop(tmp_path)
    for entry in made.entries():
        end_marked(entry.marker)


def applied(ledger: Ledger) -> UndoEntry | None:
    """Return the fault that is applied now."""
    found = [entry for entry in ledger.entries() if entry.state == EntryState.APPLIED]
    return found[0] if found else None


def wait_for_fault(ledger: Ledger) -> tuple[UndoEntry, int]:
    """Wait until a fault is applied; return its entry and the runner's process id."""
    eventually(lambda: applied(ledger))
    entry = applied(ledger)
    assert entry is not None
    assert marked(entry.marker), "an applied fault is a living process"
    [runner] = marked(f"--run={entry.run_id}")
    return entry, runner


def controller(target: Target, state: Path, name: str, duration_s: float) -> subprocess.Popen:
    """Start an experiment from a process of its own, without Django."""
    return subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, target.url, str(state), name, str(duration_s)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
    )


def outside(run_id: str) -> list[str]:
    """Return the command lines of a run's processes, asked of the system and not of ourselves."""
    listed = subprocess.run(
        ["ps", "-axww", "-o", "stat=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in listed if run_id in line and not line.startswith("Z")]


def is_listening(port: int) -> bool:
    """Return whether somebody answers on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def begin(
    target: Target, state: Path, name: str, **options: Any
) -> tuple[threading.Thread, list[dict[str, Any]]]:
    """Run an experiment in a thread; its journal will be in the list."""
    orchestrator = create_chaos_experiments(target_url=target.url, state_dir=state, **options)
    journals: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: journals.append(orchestrator.run_experiment(name)))
    thread.start()
    return thread, journals


@pytest.mark.parametrize("name", FAULTS)
def test_killed_runner_leaves_nothing(
    target: Target, tmp_path: Path, ledger: Ledger, name: str
) -> None:
    """SIGKILL for the runner: its caller undoes the fault, says interrupted, never passed."""
    thread, journals = begin(target, tmp_path, name, duration_s=30)
    entry, runner = wait_for_fault(ledger)
    ports = [int(file.read_text()) for file in tmp_path.glob("*.port")]
    assert len(outside(entry.run_id)) >= 2, "runner and fault are seen from outside"
    assert all(is_listening(port) for port in ports)
    os.kill(runner, signal.SIGKILL)
    assert eventually(lambda: not outside(entry.run_id)) < 5
    thread.join(10)
    [journal] = journals
    assert (journal["status"], journal["verdict"]) == ("interrupted", "failed")
    assert [entry.state for entry in ledger.entries()] == [EntryState.UNDONE]
    assert journal["rollbacks"][0]["status"] == "succeeded"
    assert not any(is_listening(port) for port in ports)


def armed(ledger: Ledger) -> bool:
    """Return whether a fault is written down and not yet noted as applied."""
    return any(entry.state == EntryState.ARMED for entry in ledger.entries())


def undone(ledger: Ledger) -> bool:
    """Return whether a fault is undone."""
    return any(entry.state == EntryState.UNDONE for entry in ledger.entries())


def begun(ledger: Ledger) -> bool:
    """Return whether the runner has claimed its run."""
    return any(run["state"] == "running" for run in ledger.open_runs())


@pytest.mark.parametrize("moment", [begun, armed, applied, undone])
def test_killed_at_each_step(
    target: Target, tmp_path: Path, ledger: Ledger, moment: Callable[[Ledger], object]
) -> None:
    """Killed at its start, between writing down and making, at work, or undoing: all is undone."""
    thread, journals = begin(target, tmp_path, "network_latency", duration_s=1)
    eventually(lambda: moment(ledger))
    [run] = ledger.open_runs()
    kill_runner(run["run_id"])
    thread.join(10)
    assert journals[0]["status"] == "interrupted"
    assert outside(run["run_id"]) == []
    assert ledger.entries(unfinished=True) == ledger.open_runs() == []


def kill_runner(run_id: str) -> None:
    """Kill a run's runner if it is still there."""
    for runner in marked(f"--run={run_id}"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(runner, signal.SIGKILL)


def wait_until_past(moment: float) -> None:
    """Wait for a point of the monotonic clock (s)."""
    eventually(lambda: time.monotonic() > moment)


def test_killed_at_any_moment(target: Target, tmp_path: Path, ledger: Ledger) -> None:
    """Eight runs, each killed a little later than the one before: none leaves a trace."""
    for number in range(8):
        thread, journals = begin(target, tmp_path, "network_latency", duration_s=0.2, settle_s=0.5)
        eventually(ledger.open_runs)
        [run] = ledger.open_runs()
        killed_after = time.monotonic() + number * 0.12
        wait_until_past(killed_after)
        kill_runner(run["run_id"])
        thread.join(10)
        assert journals[0]["status"] in {"interrupted", "completed"}
        assert outside(run["run_id"]) == []
        assert ledger.entries(unfinished=True) == ledger.open_runs() == []


@pytest.mark.parametrize("command", [["-m", "chaos", "watch"], ["manage.py", "chaos_watchdog"]])
def test_watchdog_undoes_what_the_dead_left(
    target: Target, tmp_path: Path, ledger: Ledger, command: list[str]
) -> None:
    """Caller and runner killed: the watchdog removes the fault as soon as it is up."""
    watchdog = subprocess.Popen(
        [sys.executable, *command, "--state-dir", str(tmp_path)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SREPORTAL_DATA": str(tmp_path / "portal")},
        stdout=subprocess.DEVNULL,
    )
    try:
        caller = controller(target, tmp_path, "cpu_exhaustion", 30)
        entry, runner = wait_for_fault(ledger)
        os.kill(caller.pid, signal.SIGKILL)
        os.kill(runner, signal.SIGKILL)
        caller.wait()
        eventually(lambda: not outside(entry.run_id), within_s=20)
        eventually(lambda: not ledger.open_runs())
        assert [row.state for row in ledger.entries()] == [EntryState.UNDONE]
    finally:
        watchdog.kill()
        watchdog.wait()


def test_orphaned_runner_puts_things_back(target: Target, tmp_path: Path, ledger: Ledger) -> None:
    """Only the caller is killed: the runner sees it, undoes the fault and says aborted."""
    caller = controller(target, tmp_path, "network_latency", 30)
    entry, _ = wait_for_fault(ledger)
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    assert eventually(lambda: not marked(entry.marker)) < 5
    eventually(lambda: not ledger.open_runs())
    assert ledger.run(entry.run_id)["state"] == "aborted"


def test_stop_ends_every_experiment(target: Target, tmp_path: Path, ledger: Ledger) -> None:
    """The kill switch, from another process: runner and fault are gone, the caller is told."""
    thread, journals = begin(target, tmp_path, "memory_leak", duration_s=30)
    entry, _ = wait_for_fault(ledger)
    subprocess.run(
        [sys.executable, "-m", "chaos", "stop", "--state-dir", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert outside(entry.run_id) == []
    thread.join(10)
    assert (journals[0]["status"], journals[0]["verdict"]) == ("interrupted", "failed")


@pytest.mark.parametrize("name", ["network_latency"])
def test_recover_undoes_what_the_dead_left(
    target: Target, tmp_path: Path, ledger: Ledger, name: str
) -> None:
    """Caller and runner killed: the next `recover()` removes the fault and closes the run."""
    caller = controller(target, tmp_path, name, 30)
    entry, runner = wait_for_fault(ledger)
    os.kill(caller.pid, signal.SIGKILL)
    os.kill(runner, signal.SIGKILL)
    caller.wait()
    # A run is left alone as long as its runner lives, and that one is not ours to wait for.
    eventually(lambda: not marked(f"--run={entry.run_id}"))
    assert marked(entry.marker), "nobody is left to undo it"
    assert [done.state for done in recovery.recover(tmp_path)] == [EntryState.UNDONE]
    assert marked(entry.marker) == []
    assert recovery.recover(tmp_path) == []


@pytest.mark.parametrize("name", ["cpu_exhaustion"])
def test_fault_ends_by_itself_when_everybody_is_dead(
    target: Target, tmp_path: Path, ledger: Ledger, name: str
) -> None:
    """Caller and runner killed and nobody recovers: the fault is gone by its own TTL."""
    caller = controller(target, tmp_path, name, 0.5)
    entry, runner = wait_for_fault(ledger)
    os.kill(runner, signal.SIGSTOP)
    os.kill(caller.pid, signal.SIGKILL)
    os.kill(runner, signal.SIGKILL)
    caller.wait()
    eventually(lambda: not marked(entry.marker), within_s=entry.ttl_s + 2)


def test_hung_runner_is_fenced_at_its_deadline(
    target: Target, tmp_path: Path, ledger: Ledger
) -> None:
    """A runner that neither ends nor dies is killed with its faults, then undone."""
    thread, journals = begin(target, tmp_path, "network_latency", duration_s=0.5, grace_s=1.5)
    entry, runner = wait_for_fault(ledger)
    os.kill(runner, signal.SIGSTOP)
    thread.join(15)
    assert journals[0]["status"] == "interrupted"
    assert "deadline" in journals[0]["reason"]
    assert marked(f"--run={entry.run_id}") == marked(entry.marker) == []


def test_recover_leaves_a_living_run_alone(target: Target, tmp_path: Path, ledger: Ledger) -> None:
    """Recovery is for the dead; a run within its deadline keeps its fault, and is the only one."""
    caller = controller(target, tmp_path, "network_latency", 30)
    entry, runner = wait_for_fault(ledger)
    assert recovery.recover(tmp_path) == []
    assert marked(entry.marker)
    second = create_chaos_experiments(target_url=target.url, state_dir=tmp_path)
    refused = second.run_experiment("cpu_exhaustion")
    assert (refused["status"], "under way" in refused["reason"]) == ("refused", True)
    os.kill(runner, signal.SIGKILL)
    assert caller.wait(10) == 0
    assert marked(entry.marker) == []


def test_what_cannot_be_undone_is_said_by_exit_code(tmp_path: Path, ledger: Ledger) -> None:
    """`recover` exits 1 while a fault stays, and 0 when there is nothing to do."""

    def recover() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chaos", "recover", "--state-dir", str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert (recover().returncode, recover().stdout) == (0, "")
    run_id = ledger.create_run({}, lasts_s=0)
    ledger.arm(run_id, "unheard_of", params={}, snapshot={}, ttl_s=0)
    done = recover()
    assert (done.returncode, f"{run_id} unheard_of failed" in done.stdout) == (1, True)
