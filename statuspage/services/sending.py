"""Sending what is due by email, each message once at most.

A row is claimed before anything is sent, and only what the mail server surely did not take is sent
again. So a crash in the middle may lose one message, which says that it may have arrived; it doubles
none.
"""

import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.core.mail import EmailMessage
from django.db.models import QuerySet

from notifications.transports.email import failure_of
from statuspage import mails
from statuspage.domain.maintenance_news import STALE_AFTER
from statuspage.models import (
    MaintenanceAnnouncement,
    MaintenanceNotice,
    Notice,
    SubscriptionRequest,
)
from statuspage.models.subscribers import MOST_ATTEMPTS, Delivery
from statuspage.queries import incidents, maintenance_news
from statuspage.queries.incidents import Published
from statuspage.queries.maintenance_news import Work

__all__ = ["forget_old", "give_up_abandoned", "give_up_stale", "send_due"]

Message = TypeVar("Message", Notice, MaintenanceNotice, SubscriptionRequest)
# Longer than the mail server may take for one, three times over.
LEASE = timedelta(minutes=2)
FIRST_WAIT = timedelta(minutes=1)
_AT_ONCE = 200
# Long enough to answer whoever asks why they heard nothing.
KEPT_FOR = timedelta(days=35)
_PART = 1000
_MOST_PARTS = 100
_STALE = "It waited for more than a day: news of then is told to nobody."
_LOST = "Whoever sent it ended before it was known what became of it."


def give_up_abandoned(*, now: datetime) -> int:
    """Note of what nobody finished sending that it may have arrived; returns how many."""
    return sum(
        model.objects.filter(state=Delivery.SENDING, leased_until__lt=now).update(
            state=Delivery.UNCERTAIN, error=_LOST
        )
        for model in (Notice, MaintenanceNotice, SubscriptionRequest)
    )


def give_up_stale(*, now: datetime) -> int:
    """Note of notices that waited too long that nobody is told any more; returns how many."""
    until = now - STALE_AFTER
    due = [
        Notice.objects.filter(state=Delivery.DUE, update__at__lte=until),
        MaintenanceNotice.objects.filter(state=Delivery.DUE, announcement__at__lte=until),
    ]
    return sum(rows.update(state=Delivery.FAILED, error=_STALE) for rows in due)


def forget_old(*, now: datetime) -> int:
    """Delete notices of news that are older than what is kept; returns how many.

    No more than a task has time for at once; each part commits by itself.
    """
    until = now - KEPT_FOR
    gone = _forget(Notice.objects.all(), "update__at", until)
    gone += _forget(MaintenanceNotice.objects.all(), "announcement__at", until)
    # Those with notices left wait for the next time.
    MaintenanceAnnouncement.objects.filter(at__lt=until, notices=None).delete()
    return gone


def _forget(rows: QuerySet[Notice] | QuerySet[MaintenanceNotice], at: str, until: datetime) -> int:
    # In the order of their keys, which is that of the news: none but the oldest is looked at.
    oldest = rows.order_by("pk").values_list("pk", at)
    gone = 0
    for _ in range(_MOST_PARTS):
        old = [pk for pk, when in oldest[:_PART] if when < until]
        gone += rows.filter(pk__in=old).delete()[0]
        if len(old) < _PART:
            break
    return gone


def send_due(*, now: datetime, is_over: Callable[[], bool]) -> int:
    """Send what is due, questions first; returns how many were taken by the mail server.

    Args:
        now: When.
        is_over: Asked before each, whether no other is to be begun.
    """
    sent = 0
    for asked in _due(SubscriptionRequest.objects.all(), now):
        if is_over():
            return sent
        sent += _send(asked, partial(mails.question, asked), now)
    known: dict[int, Published | None] = {}
    for notice in _due(Notice.objects.select_related("subscriber", "update"), now):
        if is_over():
            return sent
        sent += _send(notice, partial(_about, notice, known), now)
    of_work = MaintenanceNotice.objects.select_related("subscriber", "announcement__maintenance")
    works: dict[int, Work | None] = {}
    for told in _due(of_work, now):
        if is_over():
            return sent
        sent += _send(told, partial(_about_work, told, works), now)
    return sent


def _due(rows: QuerySet[Message], now: datetime) -> QuerySet[Message]:
    """Return what is to be sent by now, the oldest first."""
    return rows.filter(state=Delivery.DUE, send_at__lte=now).order_by("send_at", "pk")[:_AT_ONCE]


def _about(notice: Notice, known: dict[int, Published | None]) -> EmailMessage | None:
    """Return the message; None where the incident is gone."""
    pk = notice.update.incident_id
    if pk not in known:
        known[pk] = incidents.of_incident(pk)
    incident = known[pk]
    at = (notice.update.at, notice.update.text)
    places = [
        n for n, one in enumerate(incident.updates if incident else ()) if (one.at, one.text) == at
    ]
    return mails.about(notice, incident, places[0]) if incident and places else None


def _about_work(notice: MaintenanceNotice, known: dict[int, Work | None]) -> EmailMessage | None:
    """Return the message; None where the maintenance is not public, or was called off meanwhile."""
    pk = notice.announcement_id
    if pk not in known:
        known[pk] = maintenance_news.published(notice.announcement)
    work = known[pk]
    return mails.about_maintenance(notice, work) if work else None


def _send(row: Message, compose: Callable[[], EmailMessage | None], now: datetime) -> bool:
    """Claim one, send it, and note what became of it."""
    model = type(row)
    attempt = row.attempts + 1
    claimed = model.objects.filter(pk=row.pk, state=Delivery.DUE).update(
        state=Delivery.SENDING, attempts=attempt, leased_until=now + LEASE
    )
    if not claimed:
        return False
    outcome = _outcome(compose, attempt, now)
    model.objects.filter(pk=row.pk, state=Delivery.SENDING).update(leased_until=None, **outcome)
    return outcome["state"] == Delivery.SENT


def _outcome(
    compose: Callable[[], EmailMessage | None], attempt: int, now: datetime
) -> dict[str, object]:
    mail = compose()
    if mail is None:
        return {
            "state": Delivery.FAILED,
            "error": "It is not public any more, or what came after it was told.",
        }
    try:
        mail.send()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        failed = failure_of(error)
        said = {"error": str(failed)[:200]}
        if failed.is_uncertain:
            return {**said, "state": Delivery.UNCERTAIN}
        if failed.is_final or attempt >= MOST_ATTEMPTS:
            return {**said, "state": Delivery.FAILED}
        return {**said, "state": Delivery.DUE, "send_at": now + FIRST_WAIT * 2 ** (attempt - 1)}
    return {"state": Delivery.SENT, "sent_at": now, "error": ""}
