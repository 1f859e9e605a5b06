"""Telling subscribers of maintenance: that it comes, begins, is over, or was called off.

What was told is a row, written together with a notice for each subscriber: whoever comes second, or
after a crash, finds all of it or nothing.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from incidents.models import Maintenance
from statuspage.domain.maintenance_news import Lead, News
from statuspage.models import MaintenanceAnnouncement, MaintenanceNotice, Subscriber
from statuspage.models.subscribers import Delivery
from statuspage.queries.maintenance_news import Due, due
from statuspage.services.notices import write

__all__ = ["announce_due"]

_OVERTAKEN = "What came after it was told instead."
# What may have reached somebody.
_HEARD = (Delivery.SENT, Delivery.UNCERTAIN, Delivery.SENDING)


def announce_due(*, lead: Lead, now: datetime, is_over: Callable[[], bool]) -> int:
    """Write the notices of what is to be told of maintenance; returns of how many news.

    Args:
        lead: How long before it begins it is told.
        now: When.
        is_over: Asked before each, whether no other is to be begun.
    """
    return sum(not is_over() and _announce(one, now) for one in due(lead=lead, now=now))


@transaction.atomic
def _announce(one: Due, now: datetime) -> bool:
    """Write what one of them asks for; False where it is told already, or is no news any more."""
    # Held: whoever calls it off waits, and is told of as somebody who heard of it.
    rows = Maintenance.objects.select_for_update(of=("self",), no_key=True)
    row = rows.filter(pk=one.maintenance).first()
    is_called_off = row is not None and row.cancelled_at is not None
    if row is None or (is_called_off and one.news not in {News.COMPLETED, News.CANCELLED}):
        return False
    told, is_first = MaintenanceAnnouncement.objects.get_or_create(
        maintenance=row,
        occurrence_at=one.starts_at,
        kind=one.news,
        defaults={"at": now, "ends_at": one.ends_at},
    )
    if is_first:
        before = MaintenanceNotice.objects.filter(
            announcement__maintenance=row, announcement__occurrence_at=one.starts_at
        )
        before.filter(state=Delivery.DUE).update(state=Delivery.FAILED, error=_OVERTAKEN)
        write(
            _concerned(one, before),
            lambda key: MaintenanceNotice(subscriber_id=key, announcement=told, send_at=now),
        )
    return is_first


def _concerned(one: Due, before: QuerySet[MaintenanceNotice]) -> QuerySet[Subscriber]:
    """Return who asked to hear of it; that nothing comes of it, who knows that it was to come."""
    if one.news is News.CANCELLED:
        heard = before.filter(state__in=_HEARD)
        return Subscriber.objects.filter(pk__in=heard.values("subscriber"))
    return Subscriber.objects.wanting(one.components)
