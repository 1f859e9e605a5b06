"""An AWS with services that are as full as a test wants."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import boto3

from capacity.models import CapacityReport
from catalog.models import Service

NOW = datetime(2026, 5, 3, 12, 1, 30, tzinfo=UTC)
SLOT = NOW.replace(minute=0, second=0)
REGION = "eu-west-1"


def on_ecs(slug: str, **values: object) -> Service:
    """Make a service of the catalog that runs on ECS under its slug."""
    named = {"ecs_cluster": "shop", "ecs_service": slug, "aws_region": REGION}
    return Service.objects.create(**{"slug": slug, "name": slug, **named, **values})


def run_on_ecs(slug: str, *, cpu: Sequence[float], memory: Sequence[float]) -> None:
    """Run a service of two tasks in the simulated AWS; percent a minute, the last just over."""
    ecs = boto3.client("ecs", REGION)
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(
        family=slug,
        cpu="512",
        memory="1024",
        containerDefinitions=[{"name": slug, "image": slug}],
    )
    ecs.create_service(cluster="shop", serviceName=slug, taskDefinition=slug, desiredCount=2)
    publish(slug, "CPUUtilization", cpu)
    publish(slug, "MemoryUtilization", memory)


def publish(slug: str, name: str, percent: Sequence[float]) -> None:
    """Publish one sample a minute for a service, the last for the minute before NOW's."""
    first = NOW.replace(second=0) - timedelta(minutes=len(percent))
    dimensions = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": slug}]
    boto3.client("cloudwatch", REGION).put_metric_data(
        Namespace="AWS/ECS",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Timestamp": first + timedelta(minutes=minute),
                "Value": value,
                "Unit": "Percent",
            }
            for minute, value in enumerate(percent)
        ],
    )


def reading(service: Service, at: datetime = SLOT, **values: object) -> CapacityReport:
    """Keep a report as if AWS had been read at `at`."""
    window = {"window_start": at - timedelta(hours=3), "window_end": at}
    return CapacityReport.objects.create(
        **{"service": service, "read_at": at, "status": "healthy", **window, **values}
    )
