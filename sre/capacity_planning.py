"""How full an ECS service is, what to change, and the policy that scales it.

    >>> planner = CapacityPlanner(region="eu-west-1")
    >>> analysis = planner.analyze_current_capacity("cluster-name", "service-name")
    >>> analysis["cpu"]["average"]  # fraction of what is provisioned, None when unknown
    0.52
    >>> CapacityRecommendations(planner).generate_recommendations("cluster-name", "service-name")
    [...]

Fractions, never percent. A figure that could not be read is None and `reasons` says why; it is
never zero. Clients are boto3's, made when first needed (`sre.aws` tells why), or passed in.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sre import aws
from sre.autoscaling import AutoScalingPolicy, ScalingError, ServiceNotFoundError
from sre.aws import Boto3MissingError, UnreadableError
from sre.capacity_advice import Recommendation, recommend
from sre.cloudwatch import Metric, MetricReader, Samples, period_for
from sre.database_limits import ConnectionLimit, connection_limit

__all__ = [
    "AutoScalingPolicy",
    "Boto3MissingError",
    "CapacityPlanner",
    "CapacityRecommendations",
    "CapacityTarget",
    "Recommendation",
    "ScalingError",
    "ServiceNotFoundError",
]

P95_TARGET_MS = 200.0
# Long enough to have samples that came late, short enough to be the present.
RECENT = timedelta(minutes=5)
MAX_HOURS = 455 * 24  # CloudWatch forgets after 455 days.
NO_ECS_SERVICE = "No ECS cluster and service are named."

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class CapacityTarget:
    """What belongs together and is read together; what is empty is unknown, with that reason.

    Attributes:
        cluster: Name of the ECS cluster.
        service: Name of the ECS service.
        db_instance: RDS instance identifier.
        load_balancer: As in its ARN, e.g. `app/users/50dc6c495c0c9188`.
        max_connections: What the database really allows, when known better.
    """

    cluster: str = ""
    service: str = ""
    db_instance: str | None = None
    load_balancer: str | None = None
    max_connections: int | None = None

    @property
    def has_tasks(self) -> bool:
        """Whether an ECS service is named."""
        return bool(self.cluster and self.service)


class CapacityPlanner:
    """Reads what is provisioned and how much of it is used.

    Args:
        cloudwatch: boto3 client, made when first needed unless given; `ecs` and `rds` likewise.
        ecs: See `cloudwatch`.
        rds: See `cloudwatch`.
        clock: Returns the present, aware.
        region: AWS region of clients made here; boto3's own choice unless given.
        endpoint_url: Other endpoint for clients made here.
    """

    def __init__(
        self,
        cloudwatch: Any = None,
        ecs: Any = None,
        rds: Any = None,
        clock: Callable[[], datetime] | None = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        self._clients = {"cloudwatch": cloudwatch, "ecs": ecs, "rds": rds}
        self._clock = clock or partial(datetime.now, UTC)
        self._unreachable: dict[str, str] = {}
        self._make = partial(aws.client, region=region, endpoint_url=endpoint_url)

    def analyze_current_capacity(
        self,
        cluster: str,
        service: str,
        *,
        db_instance: str | None = None,
        load_balancer: str | None = None,
        max_connections: int | None = None,
        hours: float = 24,
    ) -> dict[str, Any]:
        """Return how full a service was in the last hours; no refusal of AWS is raised.

        Args:
            cluster: Name of the ECS cluster.
            service: Name of the ECS service.
            db_instance: RDS instance identifier; its connections are unknown without.
            load_balancer: As in its ARN, e.g. `app/users/50dc6c495c0c9188`; p95 is unknown without.
            max_connections: What the database really allows, when known better.
            hours: Length of the window, which ends at the last whole period.

        Returns:
            A dict ready for JSON: `cluster`, `service`, `window` (`start`, `end`, `period_s`);
            `tasks` (`desired`, `running`, `pending`, `cpu_units`, `memory_mib`); `cpu` and
            `memory` (`average`, `maximum`, `recent`, the average of the window's last five minutes,
            as fractions), `connections` (`average`, `maximum` in
            connections, `limit`, `limit_source`, `used` as fraction of the limit), `p95_ms`
            (`median`, `worst` of the periods' percentiles, `over_target` periods), each with
            `samples`, `expected` and `complete`; and `reasons`, a sentence for every figure that
            is None or incomplete.

        Raises:
            ValueError: If a name is empty or `hours` is not within CloudWatch's memory.
            Boto3MissingError: If a client is needed and boto3 is not installed.
        """
        if not cluster or not service:
            raise ValueError("cluster and service need a name")
        target = CapacityTarget(cluster, service, db_instance, load_balancer, max_connections)
        return self.analyze_targets({"": target}, hours=hours)[""]

    def analyze_targets(
        self, targets: Mapping[Key, CapacityTarget], *, hours: float = 24
    ) -> dict[Key, dict[str, Any]]:
        """Return the analysis of each target under its key, the samples of all read together.

        One GetMetricData call holds 500 metrics, of whichever targets; counts and limits are asked
        per target. A service of AWS that cannot be reached is not tried again for the next target.

        Raises:
            ValueError: If `hours` is not within CloudWatch's memory.
            Boto3MissingError: If a client is needed and boto3 is not installed.
        """
        if not 0.1 <= hours <= MAX_HOURS:
            raise ValueError(f"hours must be between 0.1 and {MAX_HOURS}")
        self._unreachable.clear()
        reader = self._reader(hours)
        metrics = {key: _metrics(target) for key, target in targets.items()}
        found = reader.read(
            {(key, name): metric for key, part in metrics.items() for name, metric in part.items()}
        )
        return {
            key: self._analysis(target, {name: found[key, name] for name in metrics[key]}, reader)
            for key, target in targets.items()
        }

    def _analysis(
        self, target: CapacityTarget, samples: Mapping[str, Samples], reader: MetricReader
    ) -> dict[str, Any]:
        reasons: dict[str, str] = {}
        return {
            "cluster": target.cluster,
            "service": target.service,
            "window": {
                "start": reader.start.isoformat(),
                "end": reader.end.isoformat(),
                "period_s": reader.period_s,
            },
            "tasks": self._tasks(target, reasons),
            "cpu": _utilisation("cpu", samples, reader.end - RECENT, reasons),
            "memory": _utilisation("memory", samples, reader.end - RECENT, reasons),
            "connections": self._connections(samples, target, reasons),
            "p95_ms": _response_time(samples, target.load_balancer, reasons),
            "reasons": reasons,
        }

    def client(self, name: str) -> Any:
        """Return the client of that name, made when first needed."""
        if self._clients.get(name) is None:
            self._clients[name] = self._make(name)
        return self._clients[name]

    def _reader(self, hours: float) -> MetricReader:
        now = self._clock()
        if now.tzinfo is None:
            raise ValueError("the clock must return aware datetimes")
        length = timedelta(hours=hours)
        period_s = period_for(length)
        # The last whole period: a running one would count as a dip.
        end = datetime.fromtimestamp(now.timestamp() // period_s * period_s, UTC)
        return MetricReader(lambda: self.client("cloudwatch"), end - length, end, period_s)

    def _ask(self, name: str, action: str, call: Callable[[Any], Any]) -> Any:
        """Return what a client answers; one that could not be reached is not tried again."""
        if name in self._unreachable:
            raise UnreadableError(action, self._unreachable[name])
        try:
            return aws.read(action, lambda: call(self.client(name)))
        except UnreadableError as error:
            if not error.answered:
                self._unreachable[name] = error.reason
            raise

    def _tasks(self, target: CapacityTarget, reasons: dict[str, str]) -> dict[str, Any]:
        tasks = dict.fromkeys(("desired", "running", "pending", "cpu_units", "memory_mib"))
        cluster, service = target.cluster, target.service
        if not target.has_tasks:
            reasons["tasks"] = NO_ECS_SERVICE
            return tasks
        try:
            found = self._ask(
                "ecs",
                "ecs:DescribeServices",
                lambda ecs: ecs.describe_services(cluster=cluster, services=[service]),
            )
            active = [row for row in found["services"] if row.get("status") != "INACTIVE"]
            if not active:
                reasons["tasks"] = f"There is no service {service} in the cluster {cluster}."
                return tasks
            row = active[0]
            tasks |= {name: row.get(f"{name}Count") for name in ("desired", "running", "pending")}
            tasks |= self._task_size(row.get("taskDefinition"), reasons)
        except UnreadableError as error:
            reasons["tasks"] = error.reason
        return tasks

    def _task_size(self, definition: str | None, reasons: dict[str, str]) -> dict[str, Any]:
        if not definition:
            return {}
        try:
            found = self._ask(
                "ecs",
                "ecs:DescribeTaskDefinition",
                lambda ecs: ecs.describe_task_definition(taskDefinition=definition),
            )["taskDefinition"]
        except UnreadableError as error:
            reasons["task_size"] = error.reason
            return {}
        return {"cpu_units": _whole(found.get("cpu")), "memory_mib": _whole(found.get("memory"))}

    def _connections(
        self, samples: Mapping[str, Samples], target: CapacityTarget, reasons: dict[str, str]
    ) -> dict[str, Any]:
        if not target.db_instance:
            reasons["connections"] = "No database instance is named."
            nothing = _nothing("average", "maximum")
            return {**nothing, "limit": None, "limit_source": "", "used": None}
        figure = _spread("connections", samples, 1, reasons)
        limit = self._limit(target.db_instance, target.max_connections, reasons)
        peak = figure["maximum"]
        used = peak / limit.connections if limit and peak is not None else None
        return {
            **figure,
            "limit": limit.connections if limit else None,
            "limit_source": limit.source if limit else "",
            "used": used,
        }

    def _limit(
        self, db_instance: str, stated: int | None, reasons: dict[str, str]
    ) -> ConnectionLimit | None:
        if stated:
            return ConnectionLimit(stated, "stated by the caller")
        try:
            return connection_limit(partial(self._ask, "rds"), db_instance)
        except UnreadableError as error:
            reasons["connection_limit"] = error.reason
            return None


class CapacityRecommendations:
    """Says what to change, by the operations guide's targets.

    Args:
        planner: Reads AWS; a `CapacityPlanner()` unless given.
    """

    def __init__(self, planner: CapacityPlanner | None = None) -> None:
        self._planner = planner or CapacityPlanner()

    def generate_recommendations(
        self, cluster: str, service: str, **options: Any
    ) -> list[Recommendation]:
        """Analyse a service and return recommendations, `abstain` with the reason among them.

        `options` are those of `analyze_current_capacity`; the rules are in `sre.capacity_advice`.
        """
        return recommend(self._planner.analyze_current_capacity(cluster, service, **options))


def _metrics(target: CapacityTarget) -> dict[str, Metric]:
    wanted: dict[str, Metric] = {}
    if target.has_tasks:
        ecs = {"ClusterName": target.cluster, "ServiceName": target.service}
        for figure in ("CPU", "Memory"):
            for statistic in ("Average", "Maximum"):
                metric = Metric("AWS/ECS", f"{figure}Utilization", ecs, statistic)
                wanted[f"{figure.lower()}_{statistic.lower()}"] = metric
    if target.db_instance:
        rds = {"DBInstanceIdentifier": target.db_instance}
        for statistic in ("Average", "Maximum"):
            metric = Metric("AWS/RDS", "DatabaseConnections", rds, statistic)
            wanted[f"connections_{statistic.lower()}"] = metric
    if target.load_balancer:
        alb = {"LoadBalancer": target.load_balancer}
        wanted["p95"] = Metric("AWS/ApplicationELB", "TargetResponseTime", alb, "p95")
    return wanted


def _utilisation(
    name: str, samples: Mapping[str, Samples], recent: datetime, reasons: dict[str, str]
) -> dict[str, Any]:
    if f"{name}_average" not in samples:
        reasons[name] = NO_ECS_SERVICE
        return _nothing("average", "maximum", "recent")
    present = samples[f"{name}_average"].mean_since(recent)
    return {
        **_spread(name, samples, 100, reasons),
        "recent": present / 100 if present is not None else None,
    }


def _spread(
    name: str, samples: Mapping[str, Samples], unit: float, reasons: dict[str, str]
) -> dict[str, Any]:
    average, maximum = samples[f"{name}_average"], samples[f"{name}_maximum"]
    if reason := average.reason or maximum.reason:
        reasons[name] = reason
    return {
        "average": average.mean / unit if average.mean is not None else None,
        "maximum": maximum.highest / unit if maximum.highest is not None else None,
        **average.coverage,
    }


def _response_time(
    samples: Mapping[str, Samples], load_balancer: str | None, reasons: dict[str, str]
) -> dict[str, Any]:
    if not load_balancer:
        reasons["p95_ms"] = "No load balancer is named."
        return {**_nothing("median", "worst"), "over_target": None}
    found = samples["p95"]
    if found.reason:
        reasons["p95_ms"] = found.reason
    # Percentiles of periods cannot be averaged into one of the window: median and worst are shown.
    over = sum(value * 1000 > P95_TARGET_MS for value in found.values)
    return {
        "median": found.median * 1000 if found.median is not None else None,
        "worst": found.highest * 1000 if found.highest is not None else None,
        "over_target": over if found.values else None,
        **found.coverage,
    }


def _nothing(*names: str) -> dict[str, Any]:
    return {**dict.fromkeys(names), "samples": 0, "expected": 0, "complete": False}


def _whole(text: Any) -> int | None:
    return int(text) if str(text or "").isdigit() else None
