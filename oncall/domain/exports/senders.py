"""What sends alerts to another tool, with the keys that it sends: who keeps them changes a base URL.

- Grafana OnCall's `integrations` each have a `link` that ends in the token.
- PagerDuty's `services` have `integrations` with an `integration_key`, listed with
  `include[]=integrations`.
- Opsgenie's `integrations` have an `apiKey` where whoever exported them wrote it down; its API does not
  tell it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from oncall.domain.exports.documents import ImportedSender, Lost, rows
from oncall.domain.exports.teams import owner_of

__all__ = ["kind_called", "of_grafana", "of_opsgenie", "of_pagerduty"]

Row = Mapping[str, Any]
_LINK = re.compile(r"/integrations/v1/(?P<kind>\w+)/(?P<token>[0-9A-Za-z-]+)/?$")
# Kinds of Grafana OnCall that are known here by another word; what else it has is any JSON.
_KINDS = {
    "alertmanager": "alertmanager",
    "alertmanager_v2": "alertmanager",
    "legacy_alertmanager": "alertmanager",
    "amazon_sns": "amazon_sns",
    "datadog": "datadog",
    "formatted_webhook": "generic",
    "generic": "generic",
    "grafana": "grafana",
    "grafana_alerting": "grafana",
    "legacy_grafana_alerting": "grafana",
    "sentry": "sentry",
    "sentry_platform": "sentry",
    "uptimekuma": "uptimekuma",
    "webhook": "generic",
}
_ANY_JSON = frozenset({
    "appdynamics", "curler", "elastalert", "fabric", "jira", "kapacitor", "newrelic", "pingdom", "prtg",
    "servicenow", "stackdriver", "uptimerobot", "zabbix", "zendesk",
})  # fmt: skip
# Of these the clients speak Opsgenie's alert API.
_BY_OPSGENIES_API = frozenset({"api", "defaultapi", "prometheus", "alertmanager"})


def kind_called(word: str) -> str:
    """Return the kind of integration that Grafana OnCall's word for one means; "" for none."""
    return _KINDS.get(word) or ("generic" if word in _ANY_JSON else "")


def of_grafana(document: Row) -> Iterator[ImportedSender]:
    """Read the integrations of Grafana OnCall."""
    for row in rows(document, "integrations"):
        name, word = _name(row), str(row.get("type") or "")
        found = _LINK.search(str(row.get("link") or ""))
        kind, lost = kind_called(word), Lost()
        if not kind:
            why = f"“{word or 'nothing'}” is no webhook that can be taken over."
            yield ImportedSender(name, name, refused=why)
            continue
        if word in _ANY_JSON:
            lost.add(
                f"“{word}” is read as any JSON: look at its mapping once it has sent something."
            )
        if any(route for route in rows(row, "routes") if not route.get("is_the_last_route", False)):
            lost.add("Its routes are not carried: all of it calls its default chain.")
        route = row.get("default_route")
        chain = str(route.get("escalation_chain_id") or "") if isinstance(route, Mapping) else ""
        token = found["token"] if found else ""
        yield ImportedSender(name, name, _key(row), kind, token, chain, tuple(lost))


def of_pagerduty(document: Row) -> Iterator[ImportedSender]:
    """Read the services of PagerDuty, with what sends to them."""
    for service in rows(document, "services"):
        policy = service.get("escalation_policy")
        key = str(policy.get("id") or "") if isinstance(policy, Mapping) else ""
        for row in rows(service, "integrations"):
            name = str(row.get("name") or row.get("summary") or row.get("type"))[:100]
            title = f"{_name(service)}: {name}"
            if "email" in str(row.get("type")):
                why = "Alerts by email are not taken here."
                yield ImportedSender(title, _name(service), refused=why)
                continue
            token = str(row.get("integration_key") or "")
            yield ImportedSender(title, _name(service), _key(service), "pagerduty", token, key)


def of_opsgenie(document: Row, called: Mapping[str, str]) -> Iterator[ImportedSender]:
    """Read the integrations of Opsgenie.

    Args:
        document: The export.
        called: Key of the policy by which alerts of a team call, by the team's.
    """
    for row in rows(document, "integrations"):
        name, kind = _name(row), str(row.get("type") or "")
        if kind.lower() not in _BY_OPSGENIES_API:
            why = (
                f"“{kind}” sends to an address of Opsgenie's own: make an integration for it here."
            )
            yield ImportedSender(name, name, refused=why)
            continue
        token = str(row.get("apiKey") or row.get("api_key") or "")
        policy = called.get(owner_of(row), "")
        yield ImportedSender(name, name, _key(row), "opsgenie", token, policy)


def _name(row: Row) -> str:
    return str(row.get("name") or row.get("verbal_name") or row.get("id") or "Imported")[:100]


def _key(row: Row) -> str:
    return str(row.get("id") or "")
