"""Bodies as their senders write them, for the tests of the intake."""

import json
from typing import Any

ALERTMANAGER: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrors"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "portal",
    "groupLabels": {"alertname": "HighErrors"},
    "commonLabels": {"alertname": "HighErrors", "severity": "critical"},
    "commonAnnotations": {"summary": "Errors above 5 %"},
    "externalURL": "http://am.example.org:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrors", "severity": "critical", "instance": "a"},
            "annotations": {
                "summary": "Errors above 5 % on a",
                "runbook_url": "https://wiki.example.org/errors",
            },
            "startsAt": "2026-03-02T11:59:30.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.org/graph?g0.expr=1",
            "fingerprint": "c1a2b3c4d5e6f708",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "HighErrors", "severity": "warning", "instance": "b"},
            "annotations": {},
            "startsAt": "2026-03-02T11:00:00Z",
            "endsAt": "2026-03-02T11:30:00Z",
            "fingerprint": "0000000000000001",
        },
    ],
}
PAGERDUTY: dict[str, Any] = {
    "event_action": "trigger",
    "dedup_key": "db-1/disk",
    "client": "Monitor",
    "client_url": "https://monitor.example.org/1",
    "payload": {
        "summary": "Disk of db-1 is full",
        "source": "db-1",
        "severity": "critical",
        "timestamp": "2026-03-02T12:00:00.000+0000",
        "component": "disk",
        "custom_details": {"used": "99 %"},
    },
    "links": [],
    "images": [],
}
OPSGENIE: dict[str, Any] = {
    "message": "Queue is stuck",
    "alias": "queue/1",
    "description": "No message was taken for 10 min.",
    "responders": [{"name": "NOC", "type": "team"}],
    "tags": ["queue"],
    "details": {"region": "eu"},
    "priority": "P1",
}
ALARM: dict[str, Any] = {
    "AlarmName": "cpu-high",
    "AlarmDescription": "CPU of the cluster. severity: critical",
    "AWSAccountId": "123456789012",
    "NewStateValue": "ALARM",
    "OldStateValue": "OK",
    "NewStateReason": "Threshold Crossed: 95 > 80",
    "StateChangeTime": "2026-03-02T12:00:00.000+0000",
    "Region": "EU (Frankfurt)",
    "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:cpu-high",
    "Trigger": {
        "MetricName": "CPUUtilization",
        "Namespace": "AWS/ECS",
        "Dimensions": [{"name": "ClusterName", "value": "main"}],
    },
}
SNS: dict[str, Any] = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "Subject": 'ALARM: "cpu-high" in EU (Frankfurt)',
    "Message": json.dumps(ALARM),
    "Timestamp": "2026-03-02T12:00:01.000Z",
    "SignatureVersion": "2",
    "Signature": "c2lnbmF0dXJl",
    "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem",
}
GRAFANA: dict[str, Any] = {
    **ALERTMANAGER,
    "version": "1",
    "orgId": 1,
    "title": "[FIRING:1] HighErrors",
    "state": "alerting",
    "message": "…",
    "alerts": [
        {
            **ALERTMANAGER["alerts"][0],
            "generatorURL": "?orgId=1",
            "values": {"B": 12.5},
            "panelURL": "https://grafana.example.org/d/1?viewPanel=2",
        }
    ],
}
GRAFANA_LEGACY: dict[str, Any] = {
    "ruleId": 7,
    "ruleName": "Latency",
    "ruleUrl": "https://grafana.example.org/rule/7",
    "orgId": 1,
    "state": "alerting",
    "title": "[Alerting] Latency",
    "message": "Too slow",
    "evalMatches": [{"value": 100, "metric": "p95", "tags": None}],
    "tags": {"severity": "warning"},
}
SENTRY_EVENT: dict[str, Any] = {
    "action": "triggered",
    "data": {
        "event": {
            "title": "ZeroDivisionError: division by zero",
            "level": "error",
            "issue_id": "1117540176",
            "web_url": "https://sentry.example.org/issues/1117540176/",
            "tags": [["environment", "production"]],
        },
        "triggered_rule": "Errors of production",
    },
}
SENTRY_METRIC: dict[str, Any] = {
    "action": "critical",
    "data": {
        "metric_alert": {"id": "5"},
        "description_title": "Errors above 100",
        "description_text": "200 errors in the last 10 minutes",
        "web_url": "https://sentry.example.org/alerts/5/",
    },
}
DATADOG: dict[str, Any] = {
    "id": "1234",
    "event_type": "metric_alert_monitor",
    "title": "[P2] [Triggered on {host:web-1}] CPU is high",
    "body": "%%% CPU is high https://app.datadoghq.com/monitors/42?to_ts=1 %%%",
    "date": "1772452800000",
    "last_updated": "1772452800000",
    "org": {"id": "1", "name": "Example"},
}
UPTIME_KUMA: dict[str, Any] = {
    "heartbeat": {
        "monitorID": 3,
        "status": 0,
        "time": "2026-03-02 12:00:00.123",
        "timezone": "Europe/Berlin",
        "timezoneOffset": "+01:00",
        "msg": "connect ECONNREFUSED",
        "important": True,
        "duration": 60,
    },
    "monitor": {"id": 3, "name": "Shop", "url": "https://shop.example.org", "tags": []},
    "msg": "[Shop] [Down] connect ECONNREFUSED",
}
GENERIC: dict[str, Any] = {
    "title": "Backup failed",
    "state": "alerting",
    "severity": "error",
    "id": "backup-7",
    "link": "https://backup.example.org/7",
}
PAGERDUTY_INCIDENT: dict[str, Any] = {
    "id": "Q1W2E3R4",
    "type": "incident",
    "self": "https://api.pagerduty.com/incidents/Q1W2E3R4",
    "html_url": "https://shop.pagerduty.com/incidents/Q1W2E3R4",
    "number": 512,
    "status": "triggered",
    "incident_key": "disk-full",
    "created_at": "2026-03-02T12:00:00Z",
    "title": "Disk of db-1 is full",
    "service": {"id": "PSHOP01", "type": "service_reference", "summary": "Shop"},
    "assignees": [{"id": "PALICE1", "type": "user_reference", "summary": "Alice Ames"}],
    "escalation_policy": {"id": "PPOLIC1", "summary": "Shop by night"},
    "teams": [{"id": "PTEAM01", "type": "team_reference", "summary": "Storage"}],
    "priority": {"id": "PPRIO01", "type": "priority_reference", "summary": "P2"},
    "urgency": "high",
    "conference_bridge": None,
    "resolve_reason": None,
}
PAGERDUTY_WEBHOOK: dict[str, Any] = {
    "event": {
        "id": "01FAKEEVENT0000000000000001",
        "event_type": "incident.triggered",
        "resource_type": "incident",
        "occurred_at": "2026-03-02T12:00:00.250Z",
        "agent": {"id": "PSHOP01", "type": "service_reference", "summary": "Shop"},
        "client": None,
        "data": PAGERDUTY_INCIDENT,
    }
}
WEBHOOKS = {
    "alertmanager": ALERTMANAGER,
    "grafana": GRAFANA,
    "sentry": SENTRY_EVENT,
    "datadog": DATADOG,
    "uptimekuma": UPTIME_KUMA,
    "pagerduty": PAGERDUTY_WEBHOOK,
    "generic": GENERIC,
}
