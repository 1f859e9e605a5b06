"""The scaling policy, against a simulated AWS and recorded refusals."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from sre.capacity_planning import AutoScalingPolicy, ScalingError, ServiceNotFoundError

REGION = "eu-west-1"
WHERE = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def autoscaling() -> Iterator[Any]:
    """A simulated AWS with the service `web`; the client sees what is set."""
    with mock_aws():
        ecs = boto3.client("ecs", REGION)
        ecs.create_cluster(clusterName="shop")
        ecs.register_task_definition(
            family="web", containerDefinitions=[{"name": "web", "image": "web", "memory": 512}]
        )
        ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=2)
        yield boto3.client("application-autoscaling", REGION)


def scaler(service: str = "web") -> AutoScalingPolicy:
    """Return the documented object."""
    return AutoScalingPolicy("shop", service, region=REGION)


def policies(client: Any) -> list[Any]:
    """Return the policies AWS has."""
    found = client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    return list(found)


def test_the_policy_is_made_and_read_back(autoscaling: Any) -> None:
    """The documented call registers the target, puts the policy and reports both."""
    made = scaler().create_scaling_policy(
        metric_type="ECSServiceAverageCPUUtilization",
        target_value=70.0,
        min_capacity=2,
        max_capacity=10,
    )
    assert made["changed"]
    assert made["changes"] == {
        "min_capacity": [None, 2],
        "max_capacity": [None, 10],
        "target_value": [None, 70.0],
    }
    (policy,) = policies(autoscaling)
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert (policy["PolicyName"], tracking["TargetValue"]) == (made["policy_name"], 70.0)
    (target,) = autoscaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)


def test_the_same_call_again_changes_nothing(autoscaling: Any) -> None:
    """It is idempotent: no second policy, nothing written."""
    scaler().create_scaling_policy()
    again = scaler().create_scaling_policy()
    assert (again["changed"], again["changes"]) == (False, {})
    assert len(policies(autoscaling)) == 1


def test_cpu_and_memory_have_a_policy_each(autoscaling: Any) -> None:
    """The guide's two calls leave two policies on one target."""
    scaler().create_scaling_policy()
    scaler().create_scaling_policy("ECSServiceAverageMemoryUtilization", 80.0)
    assert len(policies(autoscaling)) == 2


def test_a_dry_run_shows_the_difference_and_writes_nothing(autoscaling: Any) -> None:
    """What would change is returned; AWS keeps what it had."""
    scaler().create_scaling_policy()
    planned = scaler().create_scaling_policy(target_value=60.0, max_capacity=20, dry_run=True)
    assert planned["changes"] == {"max_capacity": [10, 20], "target_value": [70.0, 60.0]}
    assert not planned["changed"]
    (policy,) = policies(autoscaling)
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0


def test_a_policy_of_another_name_is_changed_in_place(autoscaling: Any) -> None:
    """Two policies on one metric would fight; the cooldown somebody chose stays."""
    autoscaling.register_scalable_target(**WHERE, MinCapacity=1, MaxCapacity=3)
    autoscaling.put_scaling_policy(
        **WHERE,
        PolicyName="ours",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 50.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
            },
            "ScaleInCooldown": 300,
        },
    )
    assert scaler().create_scaling_policy()["policy_name"] == "ours"
    (policy,) = policies(autoscaling)
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert (tracking["TargetValue"], tracking["ScaleInCooldown"]) == (70.0, 300)


def test_an_unknown_service_gets_no_policy(autoscaling: Any) -> None:
    """A typing error must not leave a target behind."""
    with pytest.raises(ServiceNotFoundError, match="nowhere"):
        scaler("nowhere").create_scaling_policy()
    assert policies(autoscaling) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric_type": "ALBRequestCountPerTarget"}, "metric_type"),
        ({"target_value": 9.9}, "target_value"),
        ({"target_value": 91}, "target_value"),
        ({"target_value": float("nan")}, "target_value"),
        ({"min_capacity": 0}, "min_capacity"),
        ({"min_capacity": 11}, "min_capacity"),
        ({"max_capacity": 2.5}, "whole"),
    ],
)
def test_arguments_out_of_bounds_are_refused(arguments: dict[str, Any], words: str) -> None:
    """Before AWS is asked."""
    with pytest.raises(ValueError, match=words):
        AutoScalingPolicy("shop", "web", client=object(), ecs=object()).create_scaling_policy(
            **arguments
        )


def test_a_denied_write_raises_with_the_action() -> None:
    """A policy that was not written is never reported as written."""
    ecs = boto3.client("ecs", REGION)
    client = boto3.client("application-autoscaling", REGION)
    with Stubber(ecs) as services, Stubber(client) as calls:
        services.add_response(
            "describe_services", {"services": [{"serviceName": "web", "status": "ACTIVE"}]}
        )
        calls.add_response("describe_scalable_targets", {"ScalableTargets": []})
        calls.add_response("describe_scaling_policies", {"ScalingPolicies": []})
        calls.add_client_error("register_scalable_target", "AccessDeniedException", "no", 400)
        with pytest.raises(ScalingError, match="RegisterScalableTarget was denied"):
            AutoScalingPolicy("shop", "web", client, ecs).create_scaling_policy()
