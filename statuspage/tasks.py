"""Beat's entry into the status page."""

from datetime import timedelta
from time import monotonic

from celery import shared_task
from django.conf import settings

from core.clock import now
from statuspage.domain.maintenance_news import Lead
from statuspage.services import (
    exporting,
    maintenance_news,
    publishing,
    sending,
    subscriptions,
)

# A task may take a minute; one more message takes no more than a third of that.
_SEND_FOR_S = 30


@shared_task(name="statuspage.tell", ignore_result=True, expires=15)
def tell() -> None:
    """Beat tick: write the notices of public updates and of maintenance, and send what is due by email."""
    until = monotonic() + _SEND_FOR_S

    def is_over() -> bool:
        return monotonic() > until

    sending.give_up_abandoned(now=now())
    publishing.announce_due(now=now(), is_over=is_over)
    lead = Lead(
        repeated=timedelta(hours=settings.STATUSPAGE_ANNOUNCE_HOURS),
        reminder=timedelta(hours=settings.STATUSPAGE_REMIND_HOURS),
    )
    maintenance_news.announce_due(lead=lead, now=now(), is_over=is_over)
    sending.give_up_stale(now=now())
    sending.send_due(now=now(), is_over=is_over)


@shared_task(name="statuspage.forget", ignore_result=True)
def forget() -> None:
    """Beat tick: forget addresses whose owners did not answer, and notices of long ago."""
    subscriptions.forget_unanswered(now=now())
    sending.forget_old(now=now())


@shared_task(name="statuspage.export", ignore_result=True, expires=60)
def export() -> None:
    """Beat tick: write the copy of the page, where one is wanted."""
    if settings.STATUSPAGE_EXPORT:
        exporting.export(settings.STATUSPAGE_EXPORT, now=now())
