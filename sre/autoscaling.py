"""The target-tracking policy that scales an ECS service."""

from functools import partial
from typing import Any, NamedTuple

from sre import aws
from sre.aws import UnreadableError

__all__ = ["METRICS", "AutoScalingPolicy", "ScalingError", "ServiceNotFoundError"]

METRICS = ("ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization")
NAMESPACE = {"ServiceNamespace": "ecs"}
DIMENSION = {"ScalableDimension": "ecs:service:DesiredCount"}


class ScalingError(RuntimeError):
    """AWS refused a step, or what was read back is not what was written."""


class ServiceNotFoundError(LookupError):
    """There is no such service to scale."""


class Settings(NamedTuple):
    """What a policy sets; None where nothing is set yet."""

    min_capacity: int | None
    max_capacity: int | None
    target_value: float | None


class Current(NamedTuple):
    """What AWS has: the policy's name, what it sets, and its whole configuration."""

    name: str
    settings: Settings
    tracking: dict[str, Any]


class AutoScalingPolicy:
    """Keeps a service's average CPU or memory at a target.

    Args:
        cluster: Name of the ECS cluster.
        service: Name of the ECS service.
        client: boto3 client of `application-autoscaling`, made when first needed unless given.
        ecs: boto3 client of ECS, likewise.
        region: AWS region of clients made here.
        endpoint_url: Other endpoint for clients made here.
    """

    def __init__(
        self,
        cluster: str,
        service: str,
        client: Any = None,
        ecs: Any = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        if not cluster or not service:
            raise ValueError("cluster and service need a name")
        self._cluster = cluster
        self._service = service
        self._resource = {"ResourceId": f"service/{cluster}/{service}"}
        self._autoscaling = client
        self._ecs = ecs
        self._make = partial(aws.client, region=region, endpoint_url=endpoint_url)

    def create_scaling_policy(
        self,
        metric_type: str = METRICS[0],
        target_value: float = 70.0,
        min_capacity: int = 2,
        max_capacity: int = 10,
        *,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Create or change the policy for one metric, and read back what AWS now has.

        Called again with the same arguments it changes nothing. A policy that tracks the same
        metric under another name is changed in place, since two would fight.

        Args:
            metric_type: `ECSServiceAverageCPUUtilization` or `…MemoryUtilization`.
            target_value: Percent of what tasks have, 10 to 90, as AWS counts it.
            min_capacity: Fewest tasks.
            max_capacity: Most tasks.
            dry_run: Change nothing, return what would change.

        Returns:
            `policy_name`, `resource_id`, `metric_type`, `before` and `after` (each
            `min_capacity`, `max_capacity`, `target_value`), `changes` (name → [before, after]),
            `changed` and `dry_run`.

        Raises:
            ValueError: If an argument is out of its bounds, before AWS is asked.
            ServiceNotFoundError: If there is no such active service.
            ScalingError: If AWS refuses a step, or reads back something else.
        """
        _check(metric_type, target_value, min_capacity, max_capacity)
        wanted = Settings(min_capacity, max_capacity, float(target_value))
        try:
            self._check_service()
            current = self._current(metric_type)
            before = after = current.settings
            if before != wanted and not dry_run:
                self._write(metric_type, current, wanted)
                after = self._current(metric_type).settings
        except UnreadableError as error:
            raise ScalingError(error.reason) from error
        if after != wanted and not dry_run:
            raise ScalingError(f"AWS reads back {after._asdict()} instead of {wanted._asdict()}.")
        pairs = zip(Settings._fields, before, wanted, strict=True)
        return {
            "policy_name": current.name,
            "resource_id": self._resource["ResourceId"],
            "metric_type": metric_type,
            "before": before._asdict(),
            "after": wanted._asdict(),
            "changes": {field: [old, new] for field, old, new in pairs if old != new},
            "changed": before != wanted and not dry_run,
            "dry_run": dry_run,
        }

    @property
    def _client(self) -> Any:
        if self._autoscaling is None:
            self._autoscaling = self._make("application-autoscaling")
        return self._autoscaling

    @property
    def _ecs_client(self) -> Any:
        if self._ecs is None:
            self._ecs = self._make("ecs")
        return self._ecs

    def _check_service(self) -> None:
        found = aws.read(
            "ecs:DescribeServices",
            lambda: self._ecs_client.describe_services(
                cluster=self._cluster, services=[self._service]
            ),
        )
        if not any(row.get("status") != "INACTIVE" for row in found["services"]):
            raise ServiceNotFoundError(
                f"There is no active service {self._service} in the cluster {self._cluster}."
            )

    def _current(self, metric_type: str) -> Current:
        where = {**NAMESPACE, **self._resource, **DIMENSION}
        targets = aws.read(
            "application-autoscaling:DescribeScalableTargets",
            lambda: self._client.describe_scalable_targets(
                **NAMESPACE, ResourceIds=[self._resource["ResourceId"]], **DIMENSION
            ),
        )["ScalableTargets"]
        target = targets[0] if targets else {}
        policies = aws.read(
            "application-autoscaling:DescribeScalingPolicies",
            lambda: [
                policy
                for page in aws.pages(self._client.describe_scaling_policies, where, "NextToken")
                for policy in page["ScalingPolicies"]
            ],
        )
        name, tracking = f"{self._service}-{metric_type}", {}
        for policy in policies:
            found = policy.get("TargetTrackingScalingPolicyConfiguration", {})
            tracked = found.get("PredefinedMetricSpecification", {})
            if tracked.get("PredefinedMetricType") == metric_type:
                name, tracking = policy["PolicyName"], found
        bounds = target.get("MinCapacity"), target.get("MaxCapacity")
        return Current(name, Settings(*bounds, tracking.get("TargetValue")), tracking)

    def _write(self, metric_type: str, current: Current, wanted: Settings) -> None:
        where = {**NAMESPACE, **self._resource, **DIMENSION}
        if current.settings[:2] != wanted[:2]:
            aws.read(
                "application-autoscaling:RegisterScalableTarget",
                lambda: self._client.register_scalable_target(
                    **where, MinCapacity=wanted.min_capacity, MaxCapacity=wanted.max_capacity
                ),
            )
        if current.settings.target_value == wanted.target_value:
            return
        # Cooldowns and the like that somebody set stay as they are.
        tracking = {
            **current.tracking,
            "TargetValue": wanted.target_value,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric_type},
        }
        aws.read(
            "application-autoscaling:PutScalingPolicy",
            lambda: self._client.put_scaling_policy(
                **where,
                PolicyName=current.name,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=tracking,
            ),
        )


def _check(metric_type: str, target_value: float, minimum: int, maximum: int) -> None:
    if metric_type not in METRICS:
        raise ValueError(f"metric_type must be one of {', '.join(METRICS)}")
    if isinstance(target_value, bool) or not 10 <= target_value <= 90:
        raise ValueError("target_value must be between 10 and 90 percent")
    if not all(type(count) is int for count in (minimum, maximum)):
        raise ValueError("min_capacity and max_capacity must be whole numbers of tasks")
    if not 1 <= minimum <= maximum:
        raise ValueError("min_capacity must be at least 1 and at most max_capacity")
