"""Which format reads the webhooks of which kind of integration."""

from collections.abc import Callable, Mapping
from typing import Any

from incidents.domain.events import Reading
from incidents.domain.formats import (
    alertmanager,
    datadog,
    generic,
    grafana,
    pagerduty_webhooks,
    sentry,
    uptime_kuma,
)
from incidents.domain.formats.context import Context

__all__ = ["WEBHOOKS"]

Reader = Callable[[Any, Context], Reading]

# Opsgenie, SNS and PagerDuty's Events API have addresses and answers of their own.
WEBHOOKS: Mapping[str, Reader] = {
    "alertmanager": alertmanager.read,
    "datadog": datadog.read,
    "generic": generic.read,
    "grafana": grafana.read,
    "pagerduty": pagerduty_webhooks.read,
    "sentry": sentry.read,
    "uptimekuma": uptime_kuma.read,
}
