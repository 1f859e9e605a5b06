"""Forgetting the requests of senders that are older than what is kept."""

from datetime import datetime

from django.conf import settings

from incidents.models import InboundEvent

CHUNK = 1_000


def forget_requests(*, now: datetime) -> int:
    """Delete requests that came longer ago than `INTAKE_RETENTION`, as far as nobody waits for them.

    Alerts, their logs, incidents and pages stay. So do requests in the inbox, until somebody has
    settled them.

    Returns:
        How many went. Each chunk commits by itself.
    """
    before = now - settings.INTAKE_RETENTION
    # In the order of their keys, which is that in which they came: none but the oldest is looked at.
    kept = InboundEvent.objects.exclude(state__in=InboundEvent.WAITING).order_by("pk")
    gone = 0
    while True:
        oldest = kept.values_list("pk", "received_at")[:CHUNK]
        old = [pk for pk, received_at in oldest if received_at < before]
        if not old:
            return gone
        # Without their bodies, which Django would read.
        InboundEvent.objects.filter(pk__in=old).only("pk").delete()
        gone += len(old)
