"""The undo ledger: what was or will be broken, written down before it is.

A local SQLite file with synchronous=FULL on the machine that injects, so that it survives a kill
and a loss of power, and does not live in what the experiments break. Each step is a commit of its
own; each method opens and closes its connection, so that a forked process shares nothing.
"""

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.domain.states import UNFINISHED, EntryState, RunState, next_entry_state

__all__ = ["Ledger", "RefusedError", "UndoEntry", "default_folder"]

OPEN = (RunState.NEW, RunState.RUNNING)

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, spec TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    started_at REAL NOT NULL, deadline_at REAL NOT NULL, ended_at REAL, result TEXT
)""",
    """CREATE TABLE IF NOT EXISTS entries (
    run_id TEXT NOT NULL REFERENCES runs, seq INTEGER NOT NULL, fault TEXT NOT NULL,
    params TEXT NOT NULL, snapshot TEXT NOT NULL, state TEXT NOT NULL, ttl_s REAL NOT NULL,
    expires_at REAL NOT NULL, note TEXT NOT NULL DEFAULT '', PRIMARY KEY (run_id, seq)
)""",
)


class RefusedError(Exception):
    """A run may not begin now; the message says why."""


@dataclass(frozen=True)
class UndoEntry:
    """One fault and how things were before it.

    Attributes:
        run_id: Its run.
        seq: 1, 2, 3 … in the order of injection; undone from the last.
        fault: Which injector made it, and so undoes it.
        params: Everything needed to undo it, no credentials.
        snapshot: How things were before.
        state: Where it is.
        ttl_s: After so long the fault ends by itself, where its mechanism allows it.
        expires_at: The same as an instant (s since the epoch).
        note: What undoing it found.
    """

    run_id: str
    seq: int
    fault: str
    params: dict[str, Any]
    snapshot: dict[str, Any]
    state: EntryState
    ttl_s: float
    expires_at: float
    note: str = ""

    @property
    def marker(self) -> str:
        """The argument by which the fault's processes are known."""
        return f"--fault={self.run_id}.{self.seq}"


def default_folder() -> Path:
    """Return where state is kept when nobody says: below XDG_STATE_HOME."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "sreportal-chaos"


class Ledger:
    """The ledger in one state folder, which is made for its owner alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._path = folder / "ledger.sqlite3"
        with self._writing() as database:
            for statement in SCHEMA:
                database.execute(statement)
        self._path.chmod(0o600)

    def create_run(self, spec: Mapping[str, Any], *, lasts_s: float) -> str:
        """Write down a run that is about to begin, and return its id.

        Raises:
            RefusedError: If another run is open, or a fault of an earlier one is still there.
        """
        run_id, now = secrets.token_hex(8), time.time()
        with self._writing() as database:
            _refuse_a_second(database)
            database.execute(
                "INSERT INTO runs (run_id, spec, state, started_at, deadline_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (run_id, json.dumps(spec), RunState.NEW, now, now + lasts_s),
            )
        return run_id

    def record_refusal(self, spec: Mapping[str, Any], reason: str) -> str:
        """Write down a run that did not begin, and return its id."""
        run_id, now = secrets.token_hex(8), time.time()
        with self._writing() as database:
            database.execute(
                "INSERT INTO runs (run_id, spec, state, reason, started_at, deadline_at, ended_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run_id, json.dumps(spec), RunState.REFUSED, reason, now, now, now),
            )
        return run_id

    def begin(self, run_id: str) -> dict[str, Any] | None:
        """Claim a run: its spec the first time, None ever after."""
        with self._writing() as database:
            claimed = database.execute(
                "UPDATE runs SET state = ? WHERE run_id = ? AND state = ?",
                (RunState.RUNNING, run_id, RunState.NEW),
            )
            if claimed.rowcount != 1:
                return None
        spec: dict[str, Any] = self.run(run_id)["spec"]
        return spec

    def finish(
        self,
        run_id: str,
        state: RunState,
        *,
        result: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """Close a run once; whoever comes later changes nothing."""
        with self._writing() as database:
            database.execute(
                "UPDATE runs SET state = ?, result = ?, reason = ?, ended_at = ?"
                " WHERE run_id = ? AND state IN (?, ?)",
                (
                    state,
                    json.dumps(result) if result is not None else None,
                    reason,
                    time.time(),
                    run_id,
                    RunState.NEW,
                    RunState.RUNNING,
                ),
            )

    def run(self, run_id: str) -> dict[str, Any]:
        """Return a run.

        Raises:
            LookupError: If there is none.
        """
        for found in self._runs("WHERE run_id = ?", run_id):
            return found
        raise LookupError(f"there is no run {run_id}")

    def open_runs(self) -> list[dict[str, Any]]:
        """Return the runs that nobody has closed, oldest first."""
        return self._runs("WHERE state IN (?, ?) ORDER BY started_at", *OPEN)

    def arm(
        self,
        run_id: str,
        fault: str,
        *,
        params: dict[str, Any],
        snapshot: dict[str, Any],
        ttl_s: float,
    ) -> UndoEntry:
        """Write down a fault before it is injected."""
        expires_at = time.time() + ttl_s
        with self._writing() as database:
            [(seq,)] = database.execute(
                "SELECT COALESCE(MAX(seq), 0) + 1 FROM entries WHERE run_id = ?", (run_id,)
            )
            database.execute(
                "INSERT INTO entries (run_id, seq, fault, params, snapshot, state, ttl_s, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run_id, seq, fault, json.dumps(params), json.dumps(snapshot)),
                    *(EntryState.ARMED, ttl_s, expires_at),
                ),
            )
        return UndoEntry(run_id, seq, fault, params, snapshot, EntryState.ARMED, ttl_s, expires_at)

    def move(self, entry: UndoEntry, state: EntryState, *, note: str = "") -> None:
        """Write down what became of a fault.

        Raises:
            ValueError: If that cannot follow the state it is in.
        """
        key = (entry.run_id, entry.seq)
        with self._writing() as database:
            [(present,)] = database.execute(
                "SELECT state FROM entries WHERE run_id = ? AND seq = ?", key
            ).fetchall()
            database.execute(
                "UPDATE entries SET state = ?, note = ? WHERE run_id = ? AND seq = ?",
                (next_entry_state(EntryState(present), state), note, *key),
            )

    def entries(self, run_id: str | None = None, *, unfinished: bool = False) -> list[UndoEntry]:
        """Return entries, the last injected first: the order of undoing."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT run_id, seq, fault, params, snapshot, state, ttl_s, expires_at, note"
                " FROM entries WHERE run_id = COALESCE(?, run_id)"
                " ORDER BY expires_at - ttl_s DESC, seq DESC",
                (run_id,),
            ).fetchall()
        found = [
            UndoEntry(
                run_id=row[0],
                seq=row[1],
                fault=row[2],
                params=json.loads(row[3]),
                snapshot=json.loads(row[4]),
                state=EntryState(row[5]),
                ttl_s=row[6],
                expires_at=row[7],
                note=row[8],
            )
            for row in rows
        ]
        return [entry for entry in found if not unfinished or entry.state in UNFINISHED]

    def _runs(self, condition: str, *values: str) -> list[dict[str, Any]]:
        with self._reading() as database:
            rows = database.execute(
                "SELECT run_id, spec, state, reason, started_at, deadline_at, ended_at, result"  # noqa: S608 conditions are written in this file
                f" FROM runs {condition}",
                values,
            ).fetchall()
        names = ("run_id", "spec", "state", "reason", "started_at", "deadline_at", "ended_at")
        return [
            {
                **dict(zip(names, row, strict=False)),
                "spec": json.loads(row[1]),
                "result": json.loads(row[7]) if row[7] else None,
            }
            for row in rows
        ]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(
            sqlite3.connect(self._path, timeout=20, isolation_level=None)
        ) as database:
            yield database

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            # A rollback journal: older SQLite can corrupt a WAL with several writers.
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _refuse_a_second(database: sqlite3.Connection) -> None:
    for (run_id,) in database.execute("SELECT run_id FROM runs WHERE state IN (?, ?)", OPEN):
        raise RefusedError(f"Run {run_id} is under way; one at a time.")
    for run_id, fault in database.execute(
        "SELECT run_id, fault FROM entries WHERE state IN (?, ?, ?)", sorted(UNFINISHED)
    ):
        raise RefusedError(f"{fault} of run {run_id} is not undone; see to that first.")
