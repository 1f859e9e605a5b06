"""Chaos experiments: break something on purpose, look, and put it back.

    from chaos.chaos_engineering import create_chaos_experiments

    orchestrator = create_chaos_experiments(target_url="http://127.0.0.1:8000/health")
    result = orchestrator.run_experiment("network_latency")
    results = orchestrator.run_all_experiments()
    summary = orchestrator.get_experiment_summary()

Works without the portal. A run is a process of its own; this one waits, and undoes what is left
when the runner dies or hangs.
"""

import contextlib
import os
import socket
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos import recovery
from chaos.domain.catalogue import CATALOGUE, check_parameters, experiment_called
from chaos.domain.journal import is_critical_journal, journal
from chaos.domain.states import EntryState
from chaos.domain.steady_state import Tolerance
from chaos.domain.target import belongs_to_the_portal, is_loopback, parse_target
from chaos.injectors.registry import INJECTORS
from chaos.ledger import Ledger, RefusedError, default_folder
from chaos.processes import module_command, module_environment
from chaos.spec import Aim, Order, Spans, context_of, spec_of

__all__ = ["ChaosOrchestrator", "Tolerance", "create_chaos_experiments"]

Journal = dict[str, Any]
LOOK_EVERY_S = 0.05


def create_chaos_experiments(
    target_url: str = "",
    cluster_name: str = "",
    service_name: str = "",
    db_instance_id: str = "",
    *,
    state_dir: str | os.PathLike[str] | None = None,
    duration_s: float = 10.0,
    settle_s: float = 10.0,
    grace_s: float = 5.0,
    tolerance: Tolerance | None = None,
    region: str = "",
    endpoint_url: str = "",
) -> "ChaosOrchestrator":
    """Return an orchestrator for one target; nothing is touched yet.

    Args:
        target_url: HTTP address that is probed, and that network faults sit in front of.
        cluster_name: ECS cluster.
        service_name: ECS service in it.
        db_instance_id: RDS instance.
        state_dir: Where the undo ledger lies; `$XDG_STATE_HOME/sreportal-chaos` unless given.
            One experiment at a time in each.
        duration_s: How long a fault lasts.
        settle_s: How long the target may take to be steady before and after.
        grace_s: How much longer than `duration_s` a fault may be there, whatever happens.
        tolerance: What is still steady: 90 % good answers within 2 s unless given.
        region: AWS region; boto3's choice unless given.
        endpoint_url: Another endpoint of AWS, e.g. a simulator.

    Raises:
        ValueError: If an argument cannot be; the message names it.
    """
    is_local = bool(target_url) and is_loopback(_addresses(parse_target(target_url).host))
    aim = Aim(
        *(target_url, cluster_name, service_name, db_instance_id),
        region=region,
        endpoint_url=endpoint_url,
        is_local=is_local,
    )
    return ChaosOrchestrator(
        aim,
        folder=Path(state_dir) if state_dir is not None else default_folder(),
        spans=Spans(duration_s, settle_s, grace_s),
        tolerance=tolerance or Tolerance(),
    )


class ChaosOrchestrator:
    """Runs experiments one after another and keeps their journals."""

    def __init__(self, aim: Aim, *, folder: Path, spans: Spans, tolerance: Tolerance) -> None:
        self._aim, self._spans, self._tolerance = aim, spans, tolerance
        self._ledger = Ledger(folder)
        self._journals: list[Journal] = []

    def run_experiment(self, name: str, **parameters: float) -> Journal:
        """Run one experiment, wait for it, and return its journal.

        Returns:
            A dict ready for JSON: `experiment`, `status`, `verdict`, `deviated`, `steady_states`
            (`before`, `during`, `after`), `run`, `rollbacks`, `evidence`, `duration` (s) and more.
            `passed` only if the fault was seen at work, the target stayed steady and the fault is
            gone; a refused experiment has status `refused` and the reason.

        Raises:
            ValueError: If there is no such experiment or parameter; the message names it.
        """
        experiment = experiment_called(name)
        values = check_parameters(experiment, parameters)
        spec = spec_of(Order(experiment, values, self._aim, self._spans, self._tolerance))
        recovery.recover(self._ledger.folder)
        run_id = self._begin(spec)
        found = self._journal(run_id)
        self._journals.append(found)
        return found

    def run_all_experiments(self) -> list[Journal]:
        """Run every experiment, the least harmful first, and return their journals.

        The first that is critical is the last: a fault that is still there, or a target that did
        not come back, was unsteady from the start, or got worse than its critical share.
        """
        journals = []
        for experiment in sorted(CATALOGUE, key=lambda row: row.impact):
            journals.append(self.run_experiment(experiment.name))
            if is_critical_journal(journals[-1]):
                break
        return journals

    def get_experiment_summary(self) -> dict[str, Any]:
        """Return how many of this orchestrator's runs showed what, and a line for each."""
        shown = ("id", "status", "verdict", "deviated", "critical", "reason", "duration", "start")
        return {
            "total": len(self._journals),
            "verdicts": dict(Counter(row["verdict"] for row in self._journals)),
            "experiments": [
                {"experiment": row["experiment"]["title"], **{name: row[name] for name in shown}}
                for row in self._journals
            ],
        }

    def _begin(self, spec: Mapping[str, Any]) -> str:
        """Run the order unless something speaks against it; return the run's id."""
        if reason := self._refusal(spec):
            return self._ledger.record_refusal(spec, reason)
        try:
            run_id = self._ledger.create_run(spec, lasts_s=self._spans.longest_s)
        except RefusedError as refused:
            return self._ledger.record_refusal(spec, str(refused))
        self._run(run_id)
        return run_id

    def _refusal(self, spec: Mapping[str, Any]) -> str:
        context = context_of(spec, self._ledger.folder)
        ours = belongs_to_the_portal(context.target, context.db_instance, os.environ)
        return ours or INJECTORS[spec["experiment"]].refusal(context)

    def _run(self, run_id: str) -> None:
        reason = "The caller was interrupted."
        try:
            folder = str(self._ledger.folder.resolve())
            runner = subprocess.Popen(  # noqa: S603 our own interpreter and module
                module_command(
                    "chaos.runner", recovery.runner_mark(run_id), f"--state-dir={folder}"
                ),
                env=module_environment(inherit=True),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            reason = self._wait(runner, run_id)
        finally:
            recovery.settle(self._ledger, run_id, reason=reason)
            with contextlib.suppress(NameError):
                runner.wait()

    def _wait(self, runner: subprocess.Popen[bytes], run_id: str) -> str:
        """Wait until the runner ends or must; return the reason in case it did not finish."""
        while True:
            try:
                code = runner.wait(LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                if reason := recovery.overdue(self._ledger, self._ledger.run(run_id)):
                    return reason
            else:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                return f"The runner {how} before it was done."

    def _journal(self, run_id: str) -> Journal:
        run = self._ledger.run(run_id)
        rollbacks = [
            {
                "name": f"undo {entry.fault}",
                "status": "succeeded" if entry.state == EntryState.UNDONE else "failed",
                "note": entry.note,
            }
            for entry in self._ledger.entries(run_id)
        ]
        return journal(run["spec"], run, rollbacks)


def _addresses(host: str) -> list[str]:
    with contextlib.suppress(OSError, UnicodeError):
        return [str(row[4][0]) for row in socket.getaddrinfo(host, None)]
    return []
