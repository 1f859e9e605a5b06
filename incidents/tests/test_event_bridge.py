"""Events of EventBridge, forwarded by SNS: alarms open and resolve as CloudWatch's own do."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from incidents.domain.events import Act, AlertEvent
from incidents.domain.formats import amazon_sns
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable
from incidents.tests import bodies
from incidents.tests.test_formats import changed

ALARM: dict[str, Any] = {
    "version": "0",
    "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
    "detail-type": "CloudWatch Alarm State Change",
    "source": "aws.cloudwatch",
    "account": "123456789012",
    "time": "2026-03-02T12:00:01Z",
    "region": "eu-central-1",
    "resources": [bodies.ALARM["AlarmArn"]],
    "detail": {
        "alarmName": "cpu-high",
        "configuration": {
            "description": bodies.ALARM["AlarmDescription"],
            "metrics": [
                {
                    "id": "30b6c6b2",
                    "metricStat": {
                        "metric": {
                            "name": "CPUUtilization",
                            "namespace": "AWS/ECS",
                            "dimensions": {"ClusterName": "main"},
                        },
                        "period": 300,
                        "stat": "Average",
                    },
                    "returnData": True,
                }
            ],
        },
        "previousState": {"value": "OK", "timestamp": "2026-03-02T11:00:00.000+0000"},
        "state": {
            "value": "ALARM",
            "reason": "Threshold Crossed: 95 > 80",
            "timestamp": "2026-03-02T12:00:00.000+0000",
        },
    },
}
HEALTH: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129",
    "detail-type": "AWS Health Event",
    "source": "aws.health",
    "account": "123456789012",
    "time": "2026-03-02T12:00:00Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": {
        "eventArn": "arn:aws:health:eu-central-1::event/EC2/AWS_EC2_OPERATIONAL_ISSUE/X_1",
        "service": "EC2",
        "eventTypeCode": "AWS_EC2_OPERATIONAL_ISSUE",
        "eventTypeCategory": "issue",
        "statusCode": "open",
        "lastUpdatedTime": "Mon, 02 Mar 2026 12:00:00 GMT",
        "eventDescription": [
            {"language": "de_DE", "latestDescription": "Gestört."},
            {"language": "en_US", "latestDescription": "Launches fail."},
        ],
    },
}


def read(said: Any, **context: Any) -> AlertEvent:
    """Return the one event of what SNS forwards."""
    message = amazon_sns.envelope({**bodies.SNS, "Message": json.dumps(said)})
    (event,) = amazon_sns.read(message, Context("amazon_sns", **context)).events
    return event


def test_an_alarm_is_the_same_whichever_way_it_comes() -> None:
    event, native = read(ALARM), read(bodies.ALARM)
    for name in ("act", "dedup_key", "title", "severity", "detail", "labels", "at", "is_ordered"):
        assert getattr(event, name) == getattr(native, name), name
    assert event.act is Act.TRIGGER
    assert event.facts["Trigger"] == native.facts["Trigger"]


def test_ok_resolves_and_no_data_is_a_note() -> None:
    ok = changed(changed(ALARM, "detail.state.value", "OK"), "detail.previousState.value", "ALARM")
    ended = read(ok)
    assert (ended.act, ended.dedup_key) == (Act.RESOLVE, bodies.ALARM["AlarmArn"])
    assert (ended.is_ordered, ended.fired_before) == (True, True)
    assert read(changed(ALARM, "detail.state.value", "INSUFFICIENT_DATA")).act is Act.NOTE
    with pytest.raises(Unreadable):
        read(changed(ALARM, "detail.state", {}))


@pytest.mark.parametrize("metrics", [[], None, [{"id": "e1", "expression": "a+b"}, {"id": "a"}]])
def test_an_alarm_may_have_any_number_of_metrics(metrics: Any) -> None:
    event = read(changed(ALARM, "detail.configuration.metrics", metrics))
    assert event.labels == {
        "alarm": "cpu-high",
        "region": "eu-central-1",
        "account": "123456789012",
    }
    assert event.facts.get("Trigger", {}).get("Metrics") == (metrics or None)


def test_aws_health_is_an_alert_for_each_of_its_events() -> None:
    event = read(HEALTH)
    assert (event.act, event.dedup_key) == (Act.TRIGGER, HEALTH["detail"]["eventArn"])
    assert event.title == "AWS_EC2_OPERATIONAL_ISSUE in eu-central-1"
    assert (event.detail, event.severity) == ("Launches fail.", "P2")
    assert event.at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    closed = read(changed({**HEALTH, "id": "8"}, "detail.statusCode", "closed"))
    assert (closed.act, closed.dedup_key) == (Act.RESOLVE, event.dedup_key)
    assert read(HEALTH, severity_map={"issue": "P1"}).severity == "P1"
    for odd in ("", "soon", "Mon, 02 Mar", 7, None):
        assert read(changed(HEALTH, "detail.lastUpdatedTime", odd)).dedup_key == event.dedup_key


def test_other_events_are_alerts_of_their_own() -> None:
    other = {**ALARM, "detail-type": "EC2 Instance State-change Notification", "id": "1"}
    assert read(other).dedup_key == "event/1"
    assert read({**HEALTH, "detail": {"service": "EC2"}}).dedup_key == "event/7bf73129"
