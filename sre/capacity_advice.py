"""What to change, by the operations guide's targets; or why nothing can be said.

CPU 70 % average, memory 80 % average, connections up to 80 % of the limit, p95 below 200 ms.
The rules see only figures (`CapacityPlanner.analyze_current_capacity`), so they can be read,
tested and replayed without a cloud.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any, TypedDict

__all__ = ["Recommendation", "recommend"]

CPU_TARGET = 0.70
MEMORY_TARGET = 0.80
CONNECTIONS_TARGET = 0.80
P95_TARGET_MS = 200.0
MEMORY_RESERVE = 1.15
MINIMUM_TASKS = 2
MINIMUM_SAMPLES = 60
MINIMUM_COVERAGE = 0.5
# Less than two whole weeks may hold no busy day; downsizing on it is guessing.
DOWNSIZE_AFTER = timedelta(days=14)
# Task memory (MiB) that Fargate offers for a task's CPU units: from, to; steps of 1 GiB above.
FARGATE_MEMORY = {
    256: (512, 2048),
    512: (1024, 4096),
    1024: (2048, 8192),
    2048: (4096, 16384),
    4096: (8192, 30720),
}

Recommendation = TypedDict(
    "Recommendation",
    {
        "action": str,
        "resource": str,
        "from": float | None,
        "to": float | None,
        "reason": str,
        "evidence": dict[str, Any],
        "confidence": str,
        "risk": str,
    },
)
"""What to do.

`action` is `scale_out`, `scale_in`, `raise_memory`, `raise_connections`, `reduce_latency` or
`abstain`; `from` and `to` are in the resource's own unit, None where no figure follows; `evidence`
holds the figures the rule saw; `confidence` and `risk` are `low`, `medium` or `high`.
"""

Analysis = Mapping[str, Any]
Rule = Callable[[Analysis], Recommendation | None]


def recommend(
    analysis: Analysis, *, figures: Collection[str] | None = None
) -> list[Recommendation]:
    """Return what to change, in the order of the guide; empty when all is within its target.

    Args:
        analysis: As `CapacityPlanner.analyze_current_capacity` returns it.
        figures: Those of `cpu`, `memory`, `connections`, `p95_ms` to judge; all unless given.
    """
    judged = RULES if figures is None else figures
    found: Iterable[Recommendation | None] = (
        rule(analysis) for name, rule in RULES.items() if name in judged
    )
    return [recommendation for recommendation in found if recommendation]


def cpu(analysis: Analysis) -> Recommendation | None:
    """Keep the average at 70 %: more tasks above it, fewer far below it after two weeks."""
    figure, running = analysis["cpu"], analysis["tasks"]["running"]
    resource = f"tasks of {analysis['cluster']}/{analysis['service']}"
    if gap := _gap("cpu", figure, figure["average"], analysis):
        return _abstain("CPU", resource, gap, figure)
    if not running:
        gap = analysis["reasons"].get("tasks", "No task runs.")
        return _abstain("CPU", resource, gap, figure)
    average = figure["average"]
    wanted = max(ceil(round(running * average / CPU_TARGET, 6)), MINIMUM_TASKS)
    if average > CPU_TARGET:
        reason = f"CPU averages {average:.0%} of what {running} tasks have; the target is 70 %."
        return _make(
            "scale_out",
            resource,
            before=running,
            after=wanted,
            reason=reason,
            figure=figure,
            analysis=analysis,
            risk="low",
        )
    if wanted >= running or figure["maximum"] > CPU_TARGET:
        return None
    reason = f"CPU averages {average:.0%}, so {wanted} tasks would average 70 % or less."
    if _length(analysis) < DOWNSIZE_AFTER:
        gap = f"{reason} Shrinking needs 14 days of figures."
        return _abstain("CPU", resource, gap, figure)
    # At most half at a time: the next reading shows whether the rest can go.
    wanted = max(wanted, ceil(running / 2))
    return _make(
        "scale_in",
        resource,
        before=running,
        after=wanted,
        reason=reason,
        figure=figure,
        analysis=analysis,
        risk="medium",
    )


def memory(analysis: Analysis) -> Recommendation | None:
    """Keep the average at 80 %: memory does not shrink with more tasks, each needs its own."""
    figure, tasks = analysis["memory"], analysis["tasks"]
    resource = f"memory (MiB) of each task of {analysis['cluster']}/{analysis['service']}"
    if gap := _gap("memory", figure, figure["average"], analysis):
        return _abstain("Memory", resource, gap, figure)
    if figure["average"] <= MEMORY_TARGET:
        return None
    reason = f"Memory averages {figure['average']:.0%} of what tasks have; the target is 80 %."
    has = tasks["memory_mib"]
    needed = (
        has * max(figure["maximum"] * MEMORY_RESERVE, figure["average"] / MEMORY_TARGET)
        if has
        else None
    )
    size = fargate_memory(tasks["cpu_units"], needed) if needed else None
    if needed and size is None:
        reason += " Fargate offers no such memory for the task's CPU: raise both."
    return _make(
        "raise_memory",
        resource,
        before=has,
        after=size,
        reason=reason,
        figure=figure,
        analysis=analysis,
        risk="low",
    )


def connections(analysis: Analysis) -> Recommendation | None:
    """Keep a fifth of the database's connections free: what is refused there is an error."""
    figure = analysis["connections"]
    resource = "database connections"
    if gap := _gap("connections", figure, figure["maximum"], analysis):
        return _abstain("Connections", resource, gap, figure)
    if figure["used"] is None:
        gap = analysis["reasons"].get("connection_limit", "The limit is not known.")
        return _abstain("Connections", resource, gap, figure)
    if figure["used"] <= CONNECTIONS_TARGET:
        return None
    limit = figure["limit"]
    reason = (
        f"{figure['maximum']:.0f} of {limit} connections were in use ({figure['limit_source']});"
        " keep a fifth free: smaller pools, or a higher limit."
    )
    wanted = ceil(figure["maximum"] / CONNECTIONS_TARGET)
    return _make(
        "raise_connections",
        resource,
        before=limit,
        after=wanted,
        reason=reason,
        figure=figure,
        analysis=analysis,
        risk="medium",
    )


def response_time(analysis: Analysis) -> Recommendation | None:
    """Keep p95 below 200 ms."""
    figure = analysis["p95_ms"]
    resource = f"p95 (ms) of {analysis['service']}"
    if gap := _gap("p95_ms", figure, figure["median"], analysis):
        return _abstain("p95", resource, gap, figure)
    if figure["median"] <= P95_TARGET_MS:
        return None
    busy = (analysis["cpu"]["average"] or 0) > CPU_TARGET
    reason = (
        f"p95 was above 200 ms in {figure['over_target']} of {figure['samples']} periods,"
        f" {figure['median']:.0f} ms in the middle one. "
    ) + (
        "CPU is above its target too: more tasks should help."
        if busy
        else "CPU does not explain it: look at queries and dependencies before adding tasks."
    )
    now, target = round(figure["median"], 1), P95_TARGET_MS
    return _make(
        "reduce_latency",
        resource,
        before=now,
        after=target,
        reason=reason,
        figure=figure,
        analysis=analysis,
        risk="low",
    )


RULES: Mapping[str, Rule] = {
    "cpu": cpu,
    "memory": memory,
    "connections": connections,
    "p95_ms": response_time,
}


def fargate_memory(cpu_units: int | None, needed_mib: float) -> int | None:
    """Return the smallest task memory (MiB) on offer that holds `needed_mib`, None without one."""
    low, high = FARGATE_MEMORY.get(cpu_units or 0, (512, max(FARGATE_MEMORY.values())[1]))
    size = low if needed_mib <= low else ceil(needed_mib / 1024) * 1024
    return size if size <= high else None


def _gap(name: str, figure: Mapping[str, Any], value: float | None, analysis: Analysis) -> str:
    if value is None:
        return str(analysis["reasons"].get(name, "Nobody measures it."))
    if figure["samples"] < MINIMUM_SAMPLES:
        return f"{figure['samples']} samples are too few; {MINIMUM_SAMPLES} are needed."
    if figure["samples"] < MINIMUM_COVERAGE * figure["expected"]:
        return f"Only {figure['samples']} of {figure['expected']} periods have data."
    if not figure["complete"]:
        return str(analysis["reasons"].get(name, "The data is incomplete."))
    return ""


def _length(analysis: Analysis) -> timedelta:
    window = analysis["window"]
    return datetime.fromisoformat(window["end"]) - datetime.fromisoformat(window["start"])


def _confidence(figure: Mapping[str, Any], analysis: Analysis) -> str:
    if figure["samples"] < 0.9 * figure["expected"] or _length(analysis) < timedelta(hours=6):
        return "low"
    return "high" if _length(analysis) >= DOWNSIZE_AFTER else "medium"


def _make(
    action: str,
    resource: str,
    *,
    before: float | None,
    after: float | None,
    reason: str,
    figure: Mapping[str, Any],
    analysis: Analysis,
    risk: str,
) -> Recommendation:
    return {
        "action": action,
        "resource": resource,
        "from": before,
        "to": after,
        "reason": reason,
        "evidence": {**figure, "window": dict(analysis["window"])},
        "confidence": _confidence(figure, analysis),
        "risk": risk,
    }


def _abstain(what: str, resource: str, reason: str, figure: Mapping[str, Any]) -> Recommendation:
    return {
        "action": "abstain",
        "resource": resource,
        "from": None,
        "to": None,
        "reason": f"{what}: {reason}",
        "evidence": dict(figure),
        "confidence": "low",
        "risk": "low",
    }
