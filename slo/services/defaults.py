"""The Users API's service, SLIs and SLOs, as every new portal has them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import Service
from slo.models import Sli
from slo.services import objectives

ACTOR = "system"
SERVICE = "users-api"

DEFAULTS: tuple[dict[str, Any], ...] = (
    {
        "slug": "users-api-availability",
        "name": "Users API availability",
        "sli": {"kind": Sli.Kind.AVAILABILITY, "error_from": 500},
        "objective": Decimal("0.999"),
        "description": "99.9 % of requests are not answered with a server error.",
    },
    {
        "slug": "users-api-latency",
        "name": "Users API latency",
        "sli": {"kind": Sli.Kind.LATENCY, "threshold_ms": 200},
        "objective": Decimal("0.95"),
        "description": "95 % of requests are answered within 200 ms.",
    },
    {
        "slug": "users-api-success",
        "name": "Users API success",
        "sli": {"kind": Sli.Kind.SUCCESS, "error_from": 400},
        "objective": Decimal("0.99"),
        "description": "99 % of requests succeed; the caller's own errors count as failures too.",
    },
    {
        "slug": "users-api-freshness",
        "name": "Users API freshness",
        "sli": {"kind": Sli.Kind.FRESHNESS, "freshness_source": "users", "threshold_s": 60},
        "objective": Decimal("0.995"),
        "window_days": 7,
        "description": "99.5 % of freshness reports say that the data is younger than a minute.",
    },
)


@transaction.atomic
def ensure_defaults(*, now: datetime) -> None:
    """Create the Users API with its four SLOs once; what people changed or deleted stays so."""
    service, is_new = Service.objects.get_or_create(
        slug=SERVICE,
        defaults={
            "name": "Users API",
            "tier": Service.Tier.HIGH,
            "description": "The reference service that comes with the portal.",
        },
    )
    if not is_new:
        return
    for default in DEFAULTS:
        fields = {key: value for key, value in default.items() if key != "sli"}
        sli = objectives.create_sli(
            slug=default["slug"], service=service, actor=ACTOR, now=now, **default["sli"]
        )
        objectives.create_slo(sli=sli, actor=ACTOR, now=now, **fields)
