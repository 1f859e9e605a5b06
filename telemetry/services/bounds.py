"""Which latency bounds a service is counted over."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from core import audit
from core.errors import InvalidInput
from telemetry.domain.buckets import own_bounds
from telemetry.models import ServiceTelemetry


@transaction.atomic
def set_own_bounds(
    service_id: int, bounds_ms: Iterable[int], *, now: datetime, actor: audit.Actor | str | None
) -> ServiceTelemetry:
    """Give a service latency bounds of its own besides the default ones.

    Counts made before keep the bounds of their time; reporters learn of the change by being
    refused with the new list.

    Raises:
        InvalidInput: More than ten, or one outside of what is possible.
    """
    try:
        own = own_bounds(bounds_ms)
    except (TypeError, ValueError) as error:
        raise InvalidInput(str(error), field="own_bounds_ms") from error
    ServiceTelemetry.objects.get_or_create(service_id=service_id)
    known = ServiceTelemetry.objects.select_for_update().get(pk=service_id)
    before, known.own_bounds_ms = known.own_bounds_ms, list(own)
    known.save(update_fields=["own_bounds_ms"])
    audit.record(
        act="telemetry.set_own_bounds",
        subject=known,
        actor=actor,
        now=now,
        changes={"own_bounds_ms": [before, list(own)]},
    )
    return known
