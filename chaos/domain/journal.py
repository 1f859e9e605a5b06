"""The record of a run, in the shape of a Chaos Toolkit journal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chaos.domain.states import RunState, Verdict

__all__ = ["decide", "is_critical_journal", "iso", "journal"]


def decide(
    state: RunState,
    *,
    steady_states: Mapping[str, Mapping[str, Any] | None],
    evidence: Mapping[str, Any] | None,
    undone: bool,
) -> tuple[Verdict, bool]:
    """Return what a run showed, and whether the target deviated.

    A fault that nobody saw at work proves nothing, whatever the target did; one that could not be
    undone is a failure, whatever the target did.
    """
    if state == RunState.REFUSED:
        return Verdict.REFUSED, False
    met = [part.get("met") for name, part in steady_states.items() if part and name != "before"]
    deviated = any(answer is False for answer in met)
    if not undone or state in {RunState.FAILED, RunState.INTERRUPTED}:
        return Verdict.FAILED, deviated
    if deviated:
        return Verdict.DEVIATED, True
    seen = bool(evidence and evidence.get("observed"))
    if state != RunState.COMPLETED or not seen or not met or None in met:
        return Verdict.INCONCLUSIVE, False
    return Verdict.PASSED, False


def journal(
    spec: Mapping[str, Any],
    run: Mapping[str, Any],
    rollbacks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the journal of a run as plain JSON values.

    Args:
        spec: What was asked.
        run: `run_id`, `state`, `started_at`, `ended_at` (s since the epoch) and `result`, the
            runner's own account: `steady_states`, `activities`, `evidence`, `reason`.
        rollbacks: What was undone, `status` `succeeded` or `failed` each.
    """
    state, result = RunState(run["state"]), run["result"] or {}
    empty = dict.fromkeys(("before", "during", "after"))
    steady_states = {**empty, **result.get("steady_states", {})}
    undone = all(row["status"] == "succeeded" for row in rollbacks)
    evidence = result.get("evidence")
    verdict, deviated = decide(state, steady_states=steady_states, evidence=evidence, undone=undone)
    return {
        "id": run["run_id"],
        "experiment": {
            "title": spec["experiment"],
            "description": spec["title"],
            "group": spec["group"],
            "parameters": spec["parameters"],
        },
        "target": spec["target_url"],
        "status": state.value,
        "verdict": verdict.value,
        "deviated": deviated,
        "critical": bool(result.get("critical")) or not undone or _not_back(steady_states),
        "reason": run.get("reason") or result.get("reason", ""),
        "steady_states": steady_states,
        "run": result.get("activities", []),
        "rollbacks": list(rollbacks),
        "evidence": evidence,
        "simulated": bool(evidence and evidence.get("simulated")),
        "start": iso(run["started_at"]),
        "end": iso(run["ended_at"]),
        "duration": round(run["ended_at"] - run["started_at"], 3),
    }


def is_critical_journal(found: Mapping[str, Any]) -> bool:
    """Return whether no further experiment may follow."""
    return bool(found["critical"]) or found["verdict"] == Verdict.FAILED


def iso(at: float) -> str:
    """Return an instant as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _not_back(steady_states: Mapping[str, Any]) -> bool:
    after = steady_states["after"]
    return bool(after) and after["met"] is False
