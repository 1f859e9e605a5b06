"""The process that does one experiment, and nothing after it.

    python -m chaos.runner --run=ID --state-dir=FOLDER

It writes each fault into the ledger before it makes it. Whatever ends this process early, its
caller, the watchdog or the next run undoes what the ledger still holds.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos import recovery
from chaos.domain.journal import iso
from chaos.domain.states import EntryState, RunState
from chaos.domain.steady_state import Sample, is_critical, judge
from chaos.injectors.base import InjectError
from chaos.injectors.registry import INJECTORS
from chaos.ledger import Ledger, UndoEntry
from chaos.probe import HttpProbe, observe
from chaos.spec import context_of, tolerance_of

__all__ = ["Run", "main"]

# So many good answers in a row are a steady state.
STEADY = 10
PAUSE_S = 0.05
# The share of bad answers is taken over so many of the last, so that a late fault counts as well.
LAST = 20


class Run:
    """One run of one experiment.

    Args:
        ledger: Where faults are written down.
        run_id: The run.
        spec: Its order.
        is_orphan: Whether whoever asked for the run is gone.
    """

    def __init__(
        self, ledger: Ledger, run_id: str, spec: dict[str, Any], is_orphan: Callable[[], bool]
    ) -> None:
        self._ledger, self._run_id, self._spec = ledger, run_id, spec
        self._is_orphan = is_orphan
        self._context = context_of(spec, ledger.folder)
        self._tolerance = tolerance_of(spec)
        self._injector = INJECTORS[spec["experiment"]]
        self._result: dict[str, Any] = {
            "steady_states": {},
            "activities": [],
            "evidence": None,
            "critical": False,
            "reason": "",
        }

    def perform(self) -> None:
        """Do the experiment from the first probe to the last, and close the run."""
        before = self._look("before")
        if self._met("before") is False:
            self._result["critical"] = True
            state = self._give_up("The target was not steady before the fault.")
        else:
            state = self._break(before)
            self._look("after")
        self._ledger.finish(self._run_id, state, result=self._result, reason=self._result["reason"])

    def _break(self, before: list[Sample]) -> RunState:
        """Write the fault down, make it, look, and end it."""
        name, injector, entry = self._spec["experiment"], self._injector, None
        try:
            entry = self._ledger.arm(
                self._run_id,
                name,
                params=injector.params(self._context),
                snapshot=injector.snapshot(self._context),
                ttl_s=self._spec["duration_s"]
                + self._spec["grace_s"]
                + injector.undoing_s(self._context),
            )
            with self._activity(f"inject {name}"):
                injector.inject(entry, self._ledger.folder)
            self._ledger.move(entry, EntryState.APPLIED)
            return self._watch(entry, before)
        except (OSError, InjectError) as error:
            self._result["reason"] = f"{name} could not be made: {error}"
            return RunState.FAILED
        finally:
            if entry:
                recovery.undo(self._ledger, entry)

    def _watch(self, entry: UndoEntry, before: list[Sample]) -> RunState:
        """Look at the target until the time is over or it is worse than allowed."""
        deadline = time.monotonic() + self._spec["duration_s"]
        probe = self._probe(entry)
        samples: list[Sample] = []
        state = RunState.COMPLETED
        while state == RunState.COMPLETED and time.monotonic() < deadline:
            if probe:
                samples.append(probe.ask())
            state = self._verdict_of(samples)
            time.sleep(max(0.0, min(PAUSE_S, deadline - time.monotonic())))
        if probe:
            self._result["steady_states"]["during"] = judge(samples, self._tolerance)
        self._result["evidence"] = self._injector.evidence(entry, before, samples)
        return state

    def _verdict_of(self, samples: list[Sample]) -> RunState:
        if self._is_orphan():
            return self._give_up("Whoever asked for the run is gone.")
        if is_critical(samples[-LAST:], self._tolerance):
            self._result["critical"] = True
            return self._give_up("The target got worse than its critical share allows.")
        return RunState.COMPLETED

    def _give_up(self, reason: str) -> RunState:
        self._result["reason"] = reason
        return RunState.ABORTED

    def _look(self, moment: str) -> list[Sample]:
        probe = self._probe(None)
        if not probe:
            return []
        samples = observe(probe, self._tolerance, wanted=STEADY, within_s=self._spec["settle_s"])
        self._result["steady_states"][moment] = judge(samples, self._tolerance)
        return samples

    def _met(self, moment: str) -> bool | None:
        found = self._result["steady_states"].get(moment)
        return found["met"] if found else None

    def _probe(self, entry: UndoEntry | None) -> HttpProbe | None:
        if not self._context.target:
            return None
        via = self._injector.address(entry, self._ledger.folder) if entry else None
        return HttpProbe(self._context.target, via=via)

    @contextmanager
    def _activity(self, name: str) -> Iterator[None]:
        start, status = time.time(), "failed"
        try:
            yield
            status = "succeeded"
        finally:
            self._result["activities"].append(
                {"name": name, "status": status, "start": iso(start), "end": iso(time.time())}
            )


def main() -> None:
    """Do the run that the command line names, if nobody did."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--run", required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    given = parser.parse_args()
    caller = os.getppid()
    ledger = Ledger(given.state_dir)
    if (spec := ledger.begin(given.run)) is not None:
        Run(ledger, given.run, spec, lambda: os.getppid() != caller).perform()


if __name__ == "__main__":
    main()
