"""CloudWatch as the source of SLIs, at AWS' own interface."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from core.clock import floor_minute, now
from slo.domain.cloudwatch_queries import read_query
from slo.domain.windows import Window
from slo.models import PullState, Sli, Slo, Source
from slo.queries import SliceReader, counts_of
from slo.services import pulling, sources
from slo.services.pulling import CLOSE_AFTER
from slo.tests.world import MINUTE, World

pytestmark = pytest.mark.django_db

AT = floor_minute(now()) - timedelta(hours=1)
REGION = "eu-central-1"


def metric(name: str) -> str:
    """Return the query of a metric of the load balancer."""
    return json.dumps(
        {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": name,
            "Dimensions": {"LoadBalancer": "app/shop/1"},
            "Stat": "Sum",
        }
    )


@pytest.fixture
def aws(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of an AWS that this process plays."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings.AWS_ENDPOINT_URL = ""
    with mock_aws():
        yield boto3.client("cloudwatch", region_name=REGION)


@pytest.fixture
def slo(aws: Any) -> Slo:
    """Return an SLO on the load balancer's requests."""
    fields = {"slug": "aws", "kind": Source.Kind.CLOUDWATCH, "region": REGION}
    source = sources.save_source(Source(), actor="test", now=now(), fields=fields)
    return World().custom(
        "shop",
        "0.99",
        kind=Sli.Kind.AVAILABILITY,
        source=source,
        bad_query=metric("HTTPCode_ELB_5XX_Count"),
        total_query=metric("RequestCount"),
    )


def put(aws: Any, name: str, value: float, minute: int) -> None:
    """Have AWS measure something in a minute from AT on."""
    aws.put_metric_data(
        Namespace="AWS/ApplicationELB",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "LoadBalancer", "Value": "app/shop/1"}],
                "Timestamp": AT + MINUTE * minute + timedelta(seconds=20),
                "Value": value,
            }
        ],
    )


def sums(slo: Slo, minutes: int) -> tuple[int, int, int]:
    """Return good and all events and measured minutes from AT on."""
    found = counts_of(SliceReader().sums([Window(AT, AT + MINUTE * minutes)])[0], slo.sli.slot)
    return found.good, found.total, found.measured


def test_sums_of_a_minute_become_its_slice(aws: Any, slo: Slo) -> None:
    """3 of 200 requests failed in the first minute; none of 100 in the second, without a datum."""
    put(aws, "RequestCount", 150, 0)
    put(aws, "RequestCount", 50, 0)
    put(aws, "HTTPCode_ELB_5XX_Count", 3, 0)
    put(aws, "RequestCount", 100, 1)
    pulling.tick(now=AT + MINUTE + CLOSE_AFTER)
    assert sums(slo, 1) == (197, 200, 1)
    pulling.tick(now=AT + MINUTE * 2 + CLOSE_AFTER)
    assert sums(slo, 2) == (297, 300, 2)


def test_a_minute_without_requests_is_a_gap(aws: Any, slo: Slo) -> None:
    """Without a datum of all events nobody knows whether AWS or the service was silent."""
    pulling.tick(now=AT + MINUTE + CLOSE_AFTER)
    assert sums(slo, 1) == (0, 0, 0)
    state = PullState.objects.get(sli=slo.sli)
    assert "total_query" in state.reason


def test_late_data_is_counted(aws: Any, slo: Slo) -> None:
    """The last three minutes are asked for again, so what came late is in them."""
    pulling.tick(now=AT + MINUTE + CLOSE_AFTER)
    put(aws, "RequestCount", 100, 0)
    pulling.tick(now=AT + MINUTE * 2 + CLOSE_AFTER)
    assert sums(slo, 1) == (100, 100, 1)


def test_an_average_counts_no_events() -> None:
    """Events are counted by sums; the refusal says which statistics count."""
    query = json.dumps({"Namespace": "n", "MetricName": "m", "Stat": "Average"})
    with pytest.raises(ValueError, match="Sum or SampleCount"):
        read_query(query, counts=True)
    assert read_query(query, counts=False).metrics["m"].stat == "Average"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"Namespace": 3}', '{"Nmespace": "a"}', "[" * 9999]
)
def test_queries_that_are_none_are_refused(text: str) -> None:
    """Whatever is typed is understood or refused in words."""
    with pytest.raises(ValueError, match=r"\w"):
        read_query(text, counts=True)
