"""Figures of an ECS service: read from a simulated AWS, and from recorded answers."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from sre.capacity_planning import (
    Boto3MissingError,
    CapacityPlanner,
    CapacityRecommendations,
    CapacityTarget,
)
from sre.cloudwatch import period_for

NOW = datetime(2026, 5, 3, 12, 0, 30, tzinfo=UTC)
REGION = "eu-west-1"
SERVICE = {"ClusterName": "shop", "ServiceName": "web"}


@pytest.fixture
def cloud() -> Iterator[None]:
    """A simulated AWS with the service `web` of two wanted tasks, each 512 CPU units and 1 GiB."""
    with mock_aws():
        ecs = boto3.client("ecs", REGION)
        ecs.create_cluster(clusterName="shop")
        ecs.register_task_definition(
            family="web",
            cpu="512",
            memory="1024",
            containerDefinitions=[{"name": "web", "image": "web"}],
        )
        ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=2)
        yield


def publish(name: str, percent: Sequence[float | None]) -> None:
    """Publish one sample a minute, the last for the minute that ended at noon; None is a gap."""
    first = NOW.replace(second=0) - timedelta(minutes=len(percent))
    dimensions = [{"Name": key, "Value": value} for key, value in SERVICE.items()]
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
            if value is not None
        ],
    )


def stubbed(name: str) -> tuple[Any, Stubber]:
    """Return a client that answers only what its stubber was told."""
    make: Any = boto3.client
    client = make(name, region_name=REGION)
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber


def denied(stubber: Stubber, method: str) -> None:
    """Make the next call of `method` be refused for want of permission."""
    stubber.add_client_error(method, "AccessDeniedException", "not authorized", 400)


def planner(**clients: Any) -> CapacityPlanner:
    """Return a planner at NOW."""
    return CapacityPlanner(**clients, clock=lambda: NOW, region=REGION)


def result(query: int, values: list[float], status: str = "Complete") -> dict[str, Any]:
    """Return one entry of MetricDataResults as CloudWatch sends it."""
    times = [NOW.replace(second=0) - timedelta(minutes=60 - n) for n in range(len(values))]
    return {"Id": f"q{query}", "Values": values, "Timestamps": times, "StatusCode": status}


def service_answer(**fields: Any) -> dict[str, Any]:
    """Return DescribeServices for one active service."""
    counts = {"desiredCount": 4, "runningCount": 4, "pendingCount": 0}
    return {"services": [{"serviceName": "web", "status": "ACTIVE", **counts, **fields}]}


def test_figures_are_fractions_of_what_the_samples_say(cloud: None) -> None:
    """Half an hour at 40 % and half at 60 % averages 0.5, 0.6 at most and of late."""
    publish("CPUUtilization", [40.0] * 30 + [60.0] * 30)
    analysis = planner().analyze_current_capacity("shop", "web", hours=1)
    assert analysis["cpu"] == {
        "average": pytest.approx(0.5),
        "maximum": pytest.approx(0.6),
        "recent": pytest.approx(0.6),
        "samples": 60,
        "expected": 60,
        "complete": True,
    }
    assert analysis["window"] == {
        "start": "2026-05-03T11:00:00+00:00",
        "end": "2026-05-03T12:00:00+00:00",
        "period_s": 60,
    }


def test_a_gap_is_a_gap(cloud: None) -> None:
    """Minutes without a task lower the number of samples, not the average."""
    publish("CPUUtilization", [80.0] * 20 + [None] * 40)
    cpu = planner().analyze_current_capacity("shop", "web", hours=1)["cpu"]
    assert (cpu["average"], cpu["samples"]) == (pytest.approx(0.8), 20)


def test_what_nobody_measured_is_unknown(cloud: None) -> None:
    """No sample is None with the reason, never zero."""
    analysis = planner().analyze_current_capacity("shop", "web", hours=1)
    assert analysis["memory"]["average"] is None
    assert "no sample of AWS/ECS MemoryUtilization" in analysis["reasons"]["memory"]
    assert analysis["connections"]["used"] is None
    assert analysis["reasons"]["connections"] == "No database instance is named."


def test_tasks_and_their_size(cloud: None) -> None:
    """Counts come from the service, sizes from the definition it runs."""
    tasks = planner().analyze_current_capacity("shop", "web", hours=1)["tasks"]
    assert (tasks["desired"], tasks["cpu_units"], tasks["memory_mib"]) == (2, 512, 1024)


def test_an_unknown_service_is_said_so(cloud: None) -> None:
    """Its counts are None, not zero tasks."""
    analysis = planner().analyze_current_capacity("shop", "nowhere", hours=1)
    assert analysis["tasks"]["running"] is None
    assert "no service nowhere" in analysis["reasons"]["tasks"]


def test_the_answer_is_json(cloud: None) -> None:
    """Scripts store it as it is."""
    analysis = planner().analyze_current_capacity("shop", "web", hours=1)
    assert json.loads(json.dumps(analysis)) == analysis


def test_pages_are_joined_and_the_last_word_on_completeness_counts() -> None:
    """A first page is partial by nature; with the second it is whole."""
    cloudwatch, stubber = stubbed("cloudwatch")
    first = [result(0, [10.0] * 30, "PartialData"), result(1, [20.0] * 60)]
    second = [result(0, [30.0] * 30), result(2, [50.0] * 60), result(3, [50.0] * 60)]
    expected = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY}
    stubber.add_response(
        "get_metric_data", {"MetricDataResults": first, "NextToken": "more"}, expected
    )
    stubber.add_response(
        "get_metric_data", {"MetricDataResults": second}, {**expected, "NextToken": "more"}
    )
    ecs, ecs_stubber = stubbed("ecs")
    ecs_stubber.add_response("describe_services", service_answer())
    analysis = planner(cloudwatch=cloudwatch, ecs=ecs).analyze_current_capacity(
        "shop", "web", hours=1
    )
    assert analysis["cpu"]["average"] == pytest.approx(0.2)
    assert (analysis["cpu"]["samples"], analysis["cpu"]["complete"]) == (60, True)
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_incomplete_data_says_so(status: str) -> None:
    """What CloudWatch does not vouch for is incomplete, and nothing is advised on it."""
    cloudwatch, stubber = stubbed("cloudwatch")
    values = [] if status == "Forbidden" else [90.0] * 60
    results = [result(number, values, status) for number in range(4)]
    stubber.add_response("get_metric_data", {"MetricDataResults": results})
    ecs, ecs_stubber = stubbed("ecs")
    ecs_stubber.add_response("describe_services", service_answer())
    advice = CapacityRecommendations(planner(cloudwatch=cloudwatch, ecs=ecs))
    found = advice.generate_recommendations("shop", "web", hours=1)
    assert {row["action"] for row in found} == {"abstain"}


def test_denied_calls_name_the_action_and_raise_nothing() -> None:
    """Without permissions every figure is unknown, with what to allow."""
    cloudwatch, metrics = stubbed("cloudwatch")
    denied(metrics, "get_metric_data")
    ecs, services = stubbed("ecs")
    denied(services, "describe_services")
    rds, instances = stubbed("rds")
    denied(instances, "describe_db_instances")
    analysis = planner(cloudwatch=cloudwatch, ecs=ecs, rds=rds).analyze_current_capacity(
        "shop", "web", db_instance="users", load_balancer="app/web/1", hours=1
    )
    reasons = analysis["reasons"]
    assert "cloudwatch:GetMetricData was denied" in reasons["cpu"]
    assert "cloudwatch:GetMetricData was denied" in reasons["p95_ms"]
    assert "ecs:DescribeServices was denied" in reasons["tasks"]
    assert "rds:DescribeDBInstances was denied" in reasons["connection_limit"]
    assert analysis["cpu"]["average"] is analysis["tasks"]["running"] is None
    assert analysis["connections"]["limit"] is analysis["p95_ms"]["median"] is None


def test_response_time_is_told_in_milliseconds_by_period() -> None:
    """Seconds become milliseconds; the middle and the worst period are shown, not a mean."""
    cloudwatch, stubber = stubbed("cloudwatch")
    loads = [result(number, [50.0] * 60) for number in range(4)]
    times = [result(4, [0.1] * 40 + [0.5] * 20)]
    stubber.add_response("get_metric_data", {"MetricDataResults": loads + times})
    ecs, ecs_stubber = stubbed("ecs")
    ecs_stubber.add_response("describe_services", service_answer())
    analysis = planner(cloudwatch=cloudwatch, ecs=ecs).analyze_current_capacity(
        "shop", "web", load_balancer="app/web/1", hours=1
    )
    p95 = analysis["p95_ms"]
    assert (p95["median"], p95["worst"], p95["over_target"]) == (100.0, 500.0, 20)


@pytest.mark.parametrize(
    ("value", "limit", "source"),
    [
        ("150", 150, "parameter group"),
        ("LEAST({DBInstanceClassMemory/9531392},5000)", 450, "4 GiB of db.t3.medium"),
        ("{DBInstanceClassMemory/12582880}", 341, "4 GiB of db.t3.medium"),
    ],
)
def test_connection_limit_and_where_it_is_from(value: str, limit: int, source: str) -> None:
    """A number is exact; AWS's formula of memory gives an estimate that is called one."""
    cloudwatch, stubber = stubbed("cloudwatch")
    figures = [result(number, [90.0] * 60) for number in range(6)]
    stubber.add_response("get_metric_data", {"MetricDataResults": figures})
    ecs, ecs_stubber = stubbed("ecs")
    ecs_stubber.add_response("describe_services", service_answer())
    rds, rds_stubber = stubbed("rds")
    group = {"DBParameterGroupName": "custom", "ParameterApplyStatus": "in-sync"}
    instance = {"DBInstanceClass": "db.t3.medium", "DBParameterGroups": [group]}
    rds_stubber.add_response("describe_db_instances", {"DBInstances": [instance]})
    rds_stubber.add_response(
        "describe_db_parameters",
        {"Parameters": [{"ParameterName": "autovacuum", "ParameterValue": "1"}], "Marker": "2"},
    )
    rds_stubber.add_response(
        "describe_db_parameters",
        {"Parameters": [{"ParameterName": "max_connections", "ParameterValue": value}]},
    )
    analysis = planner(cloudwatch=cloudwatch, ecs=ecs, rds=rds).analyze_current_capacity(
        "shop", "web", db_instance="users", hours=1
    )
    connections = analysis["connections"]
    assert connections["limit"] == limit
    assert source in connections["limit_source"]
    assert connections["used"] == pytest.approx(90 / limit)


@pytest.mark.parametrize(("days", "period_s"), [(1, 60), (14.9, 60), (15, 300), (63, 3600)])
def test_periods_follow_what_cloudwatch_keeps(days: float, period_s: int) -> None:
    """A minute for 15 days, five minutes for 63, then hours."""
    assert period_for(timedelta(days=days)) == period_s


def test_bad_arguments_are_refused_before_aws_is_asked() -> None:
    """Names are needed, and the window must be within CloudWatch's memory."""
    with pytest.raises(ValueError, match="need a name"):
        planner().analyze_current_capacity("", "web")
    with pytest.raises(ValueError, match="hours"):
        planner().analyze_current_capacity("shop", "web", hours=0)


def test_bugs_are_not_taken_for_refusals() -> None:
    """An error that is not AWS's passes."""
    with pytest.raises(AttributeError):
        planner(cloudwatch=object(), ecs=object()).analyze_current_capacity("shop", "web")


def test_without_boto3_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing and building works without boto3; reading says what is missing."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Boto3MissingError, match="pip install boto3"):
        CapacityPlanner().analyze_current_capacity("shop", "web")


def test_many_services_are_read_in_one_call(cloud: None) -> None:
    """Each target keeps its own figures; what it does not name is unknown, with that reason."""
    publish("CPUUtilization", [40.0] * 60)
    asked: list[int] = []
    cloudwatch = boto3.client("cloudwatch", REGION)
    cloudwatch.meta.events.register(
        "before-parameter-build.cloudwatch.GetMetricData",
        lambda params, **_: asked.append(len(params["MetricDataQueries"])),
    )
    targets = {
        1: CapacityTarget("shop", "web"),
        2: CapacityTarget("shop", "idle"),
        3: CapacityTarget(db_instance="users", max_connections=100),
    }
    found = planner(cloudwatch=cloudwatch).analyze_targets(targets, hours=1)
    assert asked == [10]
    assert found[1]["cpu"]["average"] == pytest.approx(0.4)
    assert found[2]["cpu"]["average"] is None
    assert "no service idle" in found[2]["reasons"]["tasks"]
    assert found[3]["reasons"]["cpu"] == "No ECS cluster and service are named."
    assert found[3]["connections"]["limit"] == 100
