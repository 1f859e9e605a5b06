"""Faults of an ECS service: fewer tasks, or one that is stopped.

AWS ends none of this by itself: until it is undone, it stays.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.domain.steady_state import Sample
from chaos.injectors.base import Context, InjectError, Injector, UndoError
from chaos.ledger import UndoEntry
from sre import aws
from sre.aws import Boto3MissingError, UnreadableError

__all__ = ["InstanceTermination", "Scaling"]

UNNAMED = "No cluster_name and service_name are given."
LOOK_EVERY_S = 0.5


class EcsFault(Injector):
    """A fault of one ECS service."""

    def refusal(self, context: Context) -> str:
        """Refuse without a service, where AWS does not let us read it, and below one task."""
        if not context.cluster or not context.service:
            return UNNAMED
        fewer = int(context.parameters.get("tasks", 1))
        try:
            found = describe(self.params_of(context))
        except (UnreadableError, InjectError, Boto3MissingError) as error:
            return str(error)
        if min(found["desiredCount"], found["runningCount"]) - fewer < 1:
            running, desired = found["runningCount"], found["desiredCount"]
            return f"{running} of {desired} tasks run; {fewer} less would leave none."
        return ""

    @staticmethod
    def params_of(context: Context) -> dict[str, Any]:
        """Return how to reach the service."""
        return {
            "cluster": context.cluster,
            "service": context.service,
            "region": context.region,
            "endpoint_url": context.endpoint_url,
        }


class Scaling(EcsFault):
    """Fewer tasks than wanted."""

    def params(self, context: Context) -> dict[str, Any]:
        """Return the service and how many tasks less."""
        return {**self.params_of(context), "tasks": int(context.parameters["tasks"])}

    def snapshot(self, context: Context) -> dict[str, Any]:
        """Return how many tasks are wanted."""
        return {"desired": _asked(self.params_of(context))["desiredCount"]}

    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Want fewer."""
        try:
            _set_desired(entry.params, _fewer(entry))
        except UnreadableError as error:
            raise InjectError(error.reason) from error

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Ask ECS whether fewer tasks run."""
        try:
            found = describe(entry.params)
        except (UnreadableError, InjectError) as error:
            return {"observed": False, "reason": str(error), **_simulated(entry)}
        fell = found["runningCount"] < entry.snapshot["desired"]
        return {
            "observed": found["desiredCount"] == _fewer(entry) and fell,
            "desired": found["desiredCount"],
            "running": found["runningCount"],
            "desired_before": entry.snapshot["desired"],
            **_simulated(entry),
        }

    def undo(self, entry: UndoEntry) -> str:
        """Want as many as before, unless somebody has wanted another number since."""
        wanted = entry.snapshot["desired"]
        try:
            present = describe(entry.params)["desiredCount"]
            if present not in {wanted, _fewer(entry)}:
                return f"Somebody has set {present} tasks since; that is left alone."
            if present != wanted:
                _set_desired(entry.params, wanted)
                present = describe(entry.params)["desiredCount"]
        except (UnreadableError, InjectError) as error:
            raise UndoError(str(error)) from error
        if present != wanted:
            raise UndoError(f"{present} tasks are wanted instead of {wanted}")
        return f"{wanted} tasks are wanted, as before."


class InstanceTermination(EcsFault):
    """One task is stopped; the service has to replace it."""

    def params(self, context: Context) -> dict[str, Any]:
        """Return the service and which of its tasks will be stopped."""
        named = self.params_of(context)
        task = _running_tasks(named)[0]
        return {**named, "task": task, "within_s": context.settle_s}

    def snapshot(self, context: Context) -> dict[str, Any]:
        """Return how many tasks run."""
        return {"running": _asked(self.params_of(context))["runningCount"]}

    def undoing_s(self, context: Context) -> float:
        """Return how long the replacement may take (s)."""
        return context.settle_s

    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Stop the task."""
        params, reason = entry.params, f"chaos run {entry.run_id}"
        try:
            aws.read(
                "ecs:StopTask",
                lambda: _client(params).stop_task(
                    cluster=params["cluster"], task=params["task"], reason=reason
                ),
            )
        except UnreadableError as error:
            raise InjectError(error.reason) from error

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Ask ECS whether the task was stopped, and by us."""
        try:
            task = _task(entry.params)
        except UnreadableError as error:
            return {"observed": False, "reason": error.reason, **_simulated(entry)}
        reason = task.get("stoppedReason", "")
        return {
            "observed": task.get("desiredStatus") == "STOPPED" and entry.run_id in reason,
            "task": entry.params["task"],
            "stopped_reason": reason,
            **_simulated(entry),
        }

    def undo(self, entry: UndoEntry) -> str:
        """See that as many tasks run as before: there is nothing to put back."""
        deadline = time.monotonic() + entry.params["within_s"]
        wanted = entry.snapshot["running"]
        try:
            while (running := _settled(entry)) is None or running < wanted:
                if time.monotonic() > deadline:
                    seen = "the stopped one still ends" if running is None else f"{running} run"
                    raise UndoError(f"of {wanted} tasks {seen}")
                time.sleep(LOOK_EVERY_S)
        except (UnreadableError, InjectError) as error:
            raise UndoError(str(error)) from error
        return f"{running} tasks run; {wanted} did before."


def describe(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the service as ECS describes it.

    Raises:
        InjectError: If there is none.
        UnreadableError: If AWS does not say.
    """
    answer = aws.read(
        "ecs:DescribeServices",
        lambda: _client(params).describe_services(
            cluster=params["cluster"], services=[params["service"]]
        ),
    )
    for found in answer["services"]:
        if found["status"] == "ACTIVE":
            return dict(found)
    raise InjectError(f"There is no service {params['service']} in {params['cluster']}.")


def _asked(params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return describe(params)
    except UnreadableError as error:
        raise InjectError(error.reason) from error


def _running_tasks(params: Mapping[str, Any]) -> list[str]:
    try:
        answer = aws.read(
            "ecs:ListTasks",
            lambda: _client(params).list_tasks(
                cluster=params["cluster"], serviceName=params["service"], desiredStatus="RUNNING"
            ),
        )
    except UnreadableError as error:
        raise InjectError(error.reason) from error
    if not answer["taskArns"]:
        raise InjectError(f"ECS lists no running task of {params['service']}.")
    return sorted(answer["taskArns"])


def _task(params: Mapping[str, Any]) -> dict[str, Any]:
    answer = aws.read(
        "ecs:DescribeTasks",
        lambda: _client(params).describe_tasks(cluster=params["cluster"], tasks=[params["task"]]),
    )
    return next(iter(answer["tasks"]), {})


def _settled(entry: UndoEntry) -> int | None:
    """Return how many tasks run, None while the stopped one may be counted among them."""
    task = _task(entry.params)
    if task.get("desiredStatus") == "STOPPED" and task.get("lastStatus") != "STOPPED":
        return None
    return int(describe(entry.params)["runningCount"])


def _set_desired(params: Mapping[str, Any], count: int) -> None:
    aws.read(
        "ecs:UpdateService",
        lambda: _client(params).update_service(
            cluster=params["cluster"], service=params["service"], desiredCount=count
        ),
    )


def _fewer(entry: UndoEntry) -> int:
    return max(1, int(entry.snapshot["desired"]) - int(entry.params["tasks"]))


def _client(params: Mapping[str, Any]) -> Any:
    return aws.client("ecs", region=params["region"], endpoint_url=params["endpoint_url"])


def _simulated(entry: UndoEntry) -> dict[str, bool]:
    return {"simulated": bool(entry.params["endpoint_url"])}
