"""The address that a sender is told."""

import uuid

from django.conf import settings

from incidents.models import Integration

__all__ = ["address_of"]

_PATHS = {
    Integration.Kind.PAGERDUTY: "/v2/enqueue",
    Integration.Kind.OPSGENIE: "/v2/alerts",
}


def address_of(kind: str, key: str) -> str:
    """Return where a sender of `kind` sends; PagerDuty's and Opsgenie's carry the key elsewhere."""
    if kind == Integration.Kind.HEALTHCHECKS:
        return f"{settings.PORTAL_URL}/ping/{uuid.UUID(key)}"
    path = _PATHS.get(Integration.Kind(kind), f"/integrations/v1/{kind}/{key}/")
    return f"{settings.PORTAL_URL}{path}"
