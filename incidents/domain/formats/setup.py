"""What to paste into each sender so that it reaches an integration."""

import json
from dataclasses import dataclass

from incidents.domain.formats.datadog import TEMPLATE

__all__ = ["Step", "steps_for"]

# Alertmanager's own defaults are `error` and none, whatever the alert says. What is chosen here
# comes to what the webhook receiver makes of the same labels; PagerDuty's API takes no other words.
_PAGERDUTY_SEVERITY = """
        severity: >-
          {{ if match "(?i)^(critical|page|fatal)$" .CommonLabels.severity -}} critical
          {{- else if match "(?i)^(warning|warn|low)$" .CommonLabels.severity -}} warning
          {{- else if match "(?i)^(info|none|debug)$" .CommonLabels.severity -}} info
          {{- else -}} error {{- end }}
        details:
          priority: '{{ .CommonLabels.priority }}'
"""
_OPSGENIE_PRIORITY = """
        priority: >-
          {{ if match "(?i)^P[0-3]$" .CommonLabels.priority -}}
          {{- if match "0" .CommonLabels.priority -}} P1
          {{- else if match "1" .CommonLabels.priority -}} P2
          {{- else if match "2" .CommonLabels.priority -}} P3
          {{- else -}} P4 {{- end -}}
          {{- else if match "(?i)^(critical|page|fatal)$" .CommonLabels.severity -}} P2
          {{- else if match "(?i)^(warning|warn|low)$" .CommonLabels.severity -}} P4
          {{- else if match "(?i)^(info|none|debug)$" .CommonLabels.severity -}} P5
          {{- else -}} P3 {{- end }}
"""
_PAGERDUTY_MIRROR = (
    "To mirror PagerDuty's incidents, add this URL there under Integrations, Generic Webhooks (v3),"
    " with all events of incidents, and put the secret that it then shows into the signing secret"
    " of this integration."
)


@dataclass(frozen=True)
class Step:
    """One thing to do at the sender: what, and the text to copy."""

    what: str
    code: str


def steps_for(kind: str, *, portal: str, url: str, key: str, topic: str = "") -> list[Step]:
    """Return how a sender of `kind` is set up.

    Args:
        kind: Format of the integration.
        portal: The portal's address.
        url: Where this sender sends.
        key: The integration's key, or a placeholder.
        topic: ARN of the one topic that may send, of Amazon SNS; "" where none was named.
    """
    found = _amazon_sns(url, topic) if kind == "amazon_sns" else _STEPS[kind](portal, url, key)
    return [Step(what, code.strip() + "\n") for what, code in found]


def _alertmanager(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    code = f"""
receivers:
  - name: sreportal
    webhook_configs:
      - url: {url}
        send_resolved: true
"""
    return [("Add a receiver to alertmanager.yml and route to it.", code)]


def _pagerduty(portal: str, url: str, key: str) -> list[tuple[str, str]]:
    manager = f"""
receivers:
  - name: sreportal
    pagerduty_configs:
      - url: {url}
        routing_key: {key}
        send_resolved: true{_PAGERDUTY_SEVERITY}"""
    curl = f"""
curl -X POST {url} -H 'Content-Type: application/json' -d '{{
  "routing_key": "{key}", "event_action": "trigger", "dedup_key": "test",
  "payload": {{"summary": "Test", "source": "shell", "severity": "info"}}}}'
"""
    return [
        ("Give clients of the Events API v2 this address and routing key; try it.", curl),
        ("Alertmanager, by its PagerDuty receiver.", manager),
        ("Clients of the older API v1 (as Healthchecks) send here, with the key as service key.",
         f"{portal}/generic/2010-04-15/create_event.json"),
        (_PAGERDUTY_MIRROR, f"{portal}/integrations/v1/pagerduty/{key}/"),
    ]  # fmt: skip


def _opsgenie(portal: str, url: str, key: str) -> list[tuple[str, str]]:
    manager = f"""
receivers:
  - name: sreportal
    opsgenie_configs:
      - api_url: {portal}/
        api_key: {key}
        send_resolved: true{_OPSGENIE_PRIORITY}"""
    curl = f"""
curl -X POST {url} -H 'Authorization: GenieKey {key}' \\
  -H 'Content-Type: application/json' -d '{{"message": "Test", "alias": "test", "priority": "P5"}}'
"""
    return [
        ("Give clients of the alert API this address and key; try it.", curl),
        ("Alertmanager, by its Opsgenie receiver.", manager),
    ]


def _amazon_sns(url: str, topic: str) -> list[tuple[str, str]]:
    protocol, _, _ = url.partition("://")
    code = (
        f"aws sns subscribe --topic-arn {topic or 'TOPIC'} --protocol {protocol}"
        f" --notification-endpoint {url}"
    )
    what = "Subscribe it to the topic of your alarms; the portal confirms by itself."
    return [(what if topic else f"{what} TOPIC stands for the topic's ARN.", code)]


def _grafana(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    return [("Add a contact point of type Webhook with this URL, method POST.", url)]


def _sentry(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    what = (
        "Make an internal integration with this webhook URL, tick issue and alert rule actions, and"
        " put its client secret into the signing secret of this integration."
    )
    return [(what, url)]


def _datadog(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    return [
        ("Add a webhook with this URL.", url),
        ("Give it this payload; the default one tells its state only in its title.",
         json.dumps(dict(TEMPLATE), indent=2)),
    ]  # fmt: skip


def _uptimekuma(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    return [
        ("Add a notification of type Webhook, body Preset application/json, with this URL.", url)
    ]


def _healthchecks(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    return [
        ("Ask this address at the end of the job.", f"curl -fsS -m 10 --retry 5 {url}"),
        ("Or tell when it starts, and its exit status.",
         f"curl -fsS {url}/start; run-the-job; curl -fsS {url}/$?"),
    ]  # fmt: skip


def _generic(_portal: str, url: str, _key: str) -> list[tuple[str, str]]:
    code = f"""
curl -X POST {url} -H 'Content-Type: application/json' \\
  -d '{{"title": "Test", "state": "firing", "severity": "warning", "dedup_key": "test"}}'
"""
    return [("POST any JSON, or a form; give it a mapping where the names are others.", code)]


_STEPS = {
    "alertmanager": _alertmanager,
    "datadog": _datadog,
    "generic": _generic,
    "grafana": _grafana,
    "healthchecks": _healthchecks,
    "opsgenie": _opsgenie,
    "pagerduty": _pagerduty,
    "sentry": _sentry,
    "uptimekuma": _uptimekuma,
}
