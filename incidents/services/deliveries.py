"""What became of messages after their provider took them, as it tells later.

A page only moves forward: what was delivered stays so, what failed is not delivered any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from incidents.models import Page, TimelineEntry
from incidents.services import undelivered
from incidents.services.repeats import TOGETHER
from notifications.models import ContactMethod

__all__ = ["Report", "note"]

DELIVERED = "page_delivered"


@dataclass(frozen=True)
class Report:
    """What a provider says about a message that it took.

    Args:
        incident: Of its first page.
        key: Of that page.
        attempt: Which try at it this was.
        provider_id: As the provider calls the message.
        is_delivered: Whether it arrived.
        problem: Why it did not and will not, "" where that is not said.
        blames_way: Whether that lies with the way; with one that is busy nothing is wrong.
    """

    incident: int
    key: str
    attempt: int
    provider_id: str
    is_delivered: bool = False
    problem: str = ""
    blames_way: bool = False


def note(report: Report, *, now: datetime) -> bool:
    """Write a report down; where a message did not arrive, go on as where it was not sent.

    Returns:
        Whether it was understood: False while the message is still being sent.
    """
    pages = _noted(report, now=now)
    if pages is None:
        return False
    undelivered.fall_back(pages, now=now)
    return True


@transaction.atomic
def _noted(report: Report, *, now: datetime) -> list[Page] | None:
    """Write it down; returns the pages that are lost by it, None while it is too soon."""
    first = Page.objects.filter(
        incident=report.incident, key=report.key, attempts=report.attempt
    ).first()
    if first is None or not report.provider_id or not (report.is_delivered or report.problem):
        return []
    if first.state == Page.State.SENDING:
        return None
    pages = _pages_of(report, first)
    if pages and report.problem:
        return _lose(pages, report, now=now)
    if pages:
        _confirm(pages, now=now)
    return []


def _pages_of(report: Report, first: Page) -> list[Page]:
    """Return the pages of the message of which nobody said yet what became of it, locked."""
    sent = Page.objects.select_for_update().filter(
        person_id=first.person_id,
        created_at__range=(first.created_at - TOGETHER, first.created_at + TOGETHER),
        method_id=first.method_id,
        provider_id=report.provider_id,
        state=Page.State.SENT,
    )
    pages = list(sent.order_by("pk"))
    told = TimelineEntry.objects.filter(
        incident__in={page.incident_id for page in pages},
        act=DELIVERED,
        facts__page__in=[page.key for page in pages],
    )
    known = set(told.values_list("facts__page", flat=True))
    return [page for page in pages if page.key not in known]


def _lose(pages: list[Page], report: Report, *, now: datetime) -> list[Page]:
    problem = report.problem[:500]
    Page.objects.filter(pk__in=[page.pk for page in pages]).update(
        state=Page.State.FAILED, problem=problem
    )
    # Whatever waits for the way's next minute need not: nobody was bothered by this one.
    changed = {"failed_at": now, "problem": problem} if report.blames_way else {}
    _way_of(pages).update(next_at=None, **changed)
    undelivered.next_level_at_once(pages, problem, now=now)
    return pages


def _confirm(pages: Sequence[Page], *, now: datetime) -> None:
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            incident_id=page.incident_id,
            at=now,
            kind=TimelineEntry.Kind.PAGE,
            act=DELIVERED,
            actor="portal",
            text=f"{page.target} by {page.channel}.",
            facts={"page": page.key},
        )
        for page in pages
    )
    _way_of(pages).update(delivered_at=now, problem="")


def _way_of(pages: Sequence[Page]) -> QuerySet[ContactMethod]:
    return ContactMethod.objects.filter(pk__in={page.method_id for page in pages if page.method_id})
