"""An RDS instance that fails over to its standby, or restarts where it has none."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.domain.steady_state import Sample
from chaos.injectors.base import Context, InjectError, Injector, UndoError
from chaos.ledger import UndoEntry
from sre import aws
from sre.aws import Boto3MissingError, UnreadableError

__all__ = ["DatabaseFailure"]

LOOK_EVERY_S = 0.5
AVAILABLE = "available"
# Of what RDS tells about an instance, what says that it was away.
AWAY = frozenset({"availability", "failover"})


class DatabaseFailure(Injector):
    """The database is away for as long as RDS takes."""

    def refusal(self, context: Context) -> str:
        """Refuse without an instance, and one that is not available anyway."""
        if not context.db_instance:
            return "No db_instance_id is given."
        try:
            status = _describe(_reached(context))["DBInstanceStatus"]
        except (UnreadableError, Boto3MissingError) as error:
            return str(error)
        return "" if status == AVAILABLE else f"{context.db_instance} is {status}, not available."

    def params(self, context: Context) -> dict[str, Any]:
        """Return the instance and how long it may be away."""
        return {**_reached(context), "within_s": context.settle_s}

    def snapshot(self, context: Context) -> dict[str, Any]:
        """Return where the instance is, and whether it has a standby."""
        try:
            found = _describe(_reached(context))
        except UnreadableError as error:
            raise InjectError(error.reason) from error
        return {"zone": found.get("AvailabilityZone"), "standby": bool(found.get("MultiAZ"))}

    def undoing_s(self, context: Context) -> float:
        """Return how long the database may be away (s)."""
        return context.settle_s

    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Reboot the instance, over to its standby where it has one."""
        try:
            aws.read(
                "rds:RebootDBInstance",
                lambda: _client(entry.params).reboot_db_instance(
                    DBInstanceIdentifier=entry.params["db_instance"],
                    ForceFailover=entry.snapshot["standby"],
                ),
            )
        except UnreadableError as error:
            raise InjectError(error.reason) from error

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Ask RDS what happened to the instance since the fault was written down."""
        simulated = {"simulated": bool(entry.params["endpoint_url"])}
        try:
            events = _events(entry)
        except UnreadableError as error:
            return {"observed": False, "reason": error.reason, **simulated}
        away = [event["Message"] for event in events if AWAY & set(event["EventCategories"])]
        return {"observed": bool(away), "events": away, **simulated}

    def undo(self, entry: UndoEntry) -> str:
        """See that the instance is available: there is nothing to put back."""
        deadline = time.monotonic() + entry.params["within_s"]
        try:
            while (found := _describe(entry.params))["DBInstanceStatus"] != AVAILABLE:
                if time.monotonic() > deadline:
                    raise UndoError(f"the instance is still {found['DBInstanceStatus']}")
                time.sleep(LOOK_EVERY_S)
        except UnreadableError as error:
            raise UndoError(error.reason) from error
        zone, usual = found.get("AvailabilityZone"), entry.snapshot["zone"]
        moved = "" if zone == usual else f", in {zone} instead of {usual}"
        return f"The instance is available{moved}."


def _reached(context: Context) -> dict[str, Any]:
    return {
        "db_instance": context.db_instance,
        "region": context.region,
        "endpoint_url": context.endpoint_url,
    }


def _describe(params: Mapping[str, Any]) -> dict[str, Any]:
    answer = aws.read(
        "rds:DescribeDBInstances",
        lambda: _client(params).describe_db_instances(DBInstanceIdentifier=params["db_instance"]),
    )
    return dict(answer["DBInstances"][0])


def _events(entry: UndoEntry) -> list[dict[str, Any]]:
    since = datetime.fromtimestamp(entry.expires_at - entry.ttl_s, UTC)
    answer = aws.read(
        "rds:DescribeEvents",
        lambda: _client(entry.params).describe_events(
            SourceIdentifier=entry.params["db_instance"],
            SourceType="db-instance",
            StartTime=since,
        ),
    )
    return list(answer["Events"])


def _client(params: Mapping[str, Any]) -> Any:
    return aws.client("rds", region=params["region"], endpoint_url=params["endpoint_url"])
