"""Undoing what a run left, whoever died: fence first, then undo, last injected first.

Everything here may be done twice, by two processes at once, and long after: undoing is idempotent
and the ledger closes a run once.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chaos.domain.states import EntryState, RunState
from chaos.injectors.base import UndoError
from chaos.injectors.registry import INJECTORS
from chaos.ledger import Ledger, UndoEntry
from chaos.processes import end_marked, marked

__all__ = ["overdue", "recover", "runner_mark", "settle", "stop", "undo", "watch"]

# A run just written down may not have its runner yet.
YOUNG_S = 10.0
LOOK_EVERY_S = 0.2
RETRY_AFTER_LOOKS = 25


def runner_mark(run_id: str) -> str:
    """Return the argument by which a run's runner is known."""
    return f"--run={run_id}"


def undo(ledger: Ledger, entry: UndoEntry) -> UndoEntry:
    """Undo one fault and write down whether it is gone; a failure is an answer, not an exception."""
    try:
        note, state = INJECTORS[entry.fault].undo(entry), EntryState.UNDONE
    except (UndoError, OSError, LookupError) as error:
        note, state = f"{type(error).__name__}: {error}", EntryState.FAILED
    # Another process may have undone it meanwhile; what is undone stays so.
    with contextlib.suppress(ValueError):
        ledger.move(entry, state, note=note)
    [found] = [row for row in ledger.entries(entry.run_id) if row.seq == entry.seq]
    return found


def settle(ledger: Ledger, run_id: str, *, reason: str) -> list[UndoEntry]:
    """End a run: kill its runner, undo what is left, and close it as interrupted if it is open.

    Returns:
        What had to be undone here, and how that went.
    """
    end_marked(runner_mark(run_id), group=True)
    undone = [undo(ledger, entry) for entry in ledger.entries(run_id, unfinished=True)]
    ledger.finish(run_id, RunState.INTERRUPTED, reason=reason)
    for file in ledger.folder.glob(f"{run_id}.*"):
        file.unlink(missing_ok=True)
    return undone


def overdue(ledger: Ledger, run: dict[str, Any]) -> str:
    """Return why a run must end now, "" while it may go on."""
    now = time.time()
    if now > run["deadline_at"]:
        return "The run was not over at its deadline."
    for entry in ledger.entries(run["run_id"], unfinished=True):
        if now > entry.expires_at:
            return f"{entry.fault} was not undone at its deadline."
    return ""


def recover(folder: Path) -> list[UndoEntry]:
    """Undo what dead and overdue runs left, and try again what could not be undone before.

    Returns:
        What was undone here, and how that went; nothing of runs that are well.
    """
    ledger = Ledger(folder)
    undone = _end_dead_and_overdue(ledger)
    alive = {run["run_id"] for run in ledger.open_runs()}
    tried = {(entry.run_id, entry.seq) for entry in undone}
    return undone + [
        undo(ledger, entry)
        for entry in ledger.entries(unfinished=True)
        if entry.run_id not in alive and (entry.run_id, entry.seq) not in tried
    ]


def watch(folder: Path, *, sleep: Callable[[float], object]) -> Iterator[list[UndoEntry]]:
    """Undo what dead and overdue runs leave, five times a second, for ever.

    What could not be undone is tried again every five seconds.

    Yields:
        After each look, what was undone.
    """
    ledger = Ledger(folder)
    while True:
        yield recover(folder)
        for _ in range(RETRY_AFTER_LOOKS):
            sleep(LOOK_EVERY_S)
            yield _end_dead_and_overdue(ledger)


def _end_dead_and_overdue(ledger: Ledger) -> list[UndoEntry]:
    undone: list[UndoEntry] = []
    for run in ledger.open_runs():
        if reason := overdue(ledger, run) or _dead(run):
            undone += settle(ledger, run["run_id"], reason=reason)
    return undone


def stop(folder: Path) -> list[UndoEntry]:
    """End every run now, and return what had to be undone."""
    ledger = Ledger(folder)
    return [
        entry
        for run in ledger.open_runs()
        for entry in settle(ledger, run["run_id"], reason="Somebody stopped all experiments.")
    ]


def _dead(run: dict[str, Any]) -> str:
    if marked(runner_mark(run["run_id"])):
        return ""
    if run["state"] == RunState.NEW and time.time() < run["started_at"] + YOUNG_S:
        return ""
    return "The runner died."
