"""Maintenance: planned, made silent occurrence by occurrence, and called off.

An occurrence becomes a silence a little before it begins, so that its end, what fires through it and
who is called afterwards are those of every silence.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from core import audit
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.locking import lock_in_order, locked
from core.recurrence import parse_rule, starts
from incidents import public_pages
from incidents.domain.silencing import YEARS, can_begin
from incidents.models import Maintenance, Silence
from incidents.public_pages import PublicWords
from incidents.services.acts import Acts
from incidents.services.silences import end_silence, save_within

__all__ = [
    "cancel_maintenance",
    "check_maintenance",
    "on_change",
    "plan",
    "save_public_words",
    "silence_due",
]

log = structlog.get_logger(__name__)
LONGEST = timedelta(days=31)
# So long before an occurrence begins its silence stands, and so long no pager may be there to make it.
AHEAD = timedelta(hours=1)


class Listener(Protocol):
    """Told of maintenance that was planned or called off."""

    def __call__(self, maintenance: Maintenance, *, actor: Who, now: datetime) -> None:
        """Follow it, within the transaction."""


_listeners: list[Listener] = []


def on_change(listener: Listener) -> None:
    """Have apps above told, in the same transaction, when maintenance is planned or called off."""
    if listener not in _listeners:
        _listeners.append(listener)


@transaction.atomic
def plan(
    *, fields: Mapping[str, Any], actor: Who, now: datetime, words: PublicWords | None = None
) -> Maintenance:
    """Plan maintenance; what is going on already is silent at once.

    Args:
        fields: Of the row.
        actor: Who.
        now: When.
        words: What the public reads of it; None: neutral ones.

    Raises:
        InvalidInput: Names what is wrong.
    """
    row = Maintenance(**fields, created_by=audit.actor_name(actor)[:200])
    check_maintenance(row, now=now)
    row.save(force_insert=True)
    acts = Acts()
    acts.add("maintenance.planned", row, actor, **{n: str(value) for n, value in fields.items()})
    # The audit last: who is told, and what falls silent, waits for rows of others.
    _silence(row, actor, acts, now=now)
    _tell(row, actor, now)
    acts.record(now=now)
    if words is not None:
        public_pages.save(row, words, actor=actor, now=now)
    return row


@transaction.atomic
def save_public_words(
    row: Maintenance, *, said: Mapping[str, Any], actor: Who, now: datetime
) -> Maintenance:
    """Say what the public reads of maintenance, or that it reads nothing.

    Args:
        row: It.
        said: Names of `PublicWords` → what is changed; of the others what it reads by now stays.
        actor: Who.
        now: When.

    Raises:
        NotFound: It was deleted with its service.
        ValidationError: With the messages by field of the words.
    """
    # Held: nobody else keeps the first words of it in this moment.
    row = locked(row)
    words = replace(public_pages.words_of([row.pk])[row.pk], **said)
    public_pages.save(row, words, actor=actor, now=now)
    return row


@transaction.atomic
def cancel_maintenance(row: Maintenance, *, actor: Who, now: datetime) -> Maintenance:
    """Call maintenance off: what is silent ends now, nothing follows.

    Raises:
        Conflict: It was called off already, or is over.
    """
    row = Maintenance.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.cancelled_at is not None or (not row.rule and row.ends_at <= now):
        raise Conflict("It is over, or was called off already.")
    row.cancelled_at = now
    row.save(update_fields=["cancelled_at", "updated_at"])
    # All of them before the audit, and who is told holds what they change: others hold it and wait for that.
    held = lock_in_order(Silence.objects.filter(maintenance=row, ends_at__gt=now))
    _tell(row, actor, now)
    for silence in Silence.objects.filter(pk__in=held):
        end_silence(silence, actor=actor, now=now)
    audit.record(act="maintenance.cancelled", subject=row, actor=actor, now=now)
    return row


def check_maintenance(row: Maintenance, *, now: datetime) -> None:
    """Refuse maintenance that cannot be.

    Raises:
        InvalidInput: Names the field.
    """
    if not can_begin(row.starts_at):
        message = f"It begins in the years {YEARS[0]} to {YEARS[-1]}."
        raise InvalidInput(message, field="starts_at")
    if not row.starts_at < row.ends_at <= row.starts_at + LONGEST:
        raise InvalidInput("It ends after it starts, within a month.", field="ends_at")
    if not row.rule and row.ends_at <= now:
        raise InvalidInput("It ends later than now.", field="ends_at")
    if not row.comment.strip():
        raise InvalidInput("Say what is done, for whoever wonders.", field="comment")
    if row.rule:
        try:
            parse_rule(row.rule, start=row.starts_at, zone=row.timezone)
        except ValueError as error:
            raise InvalidInput(str(error), field="rule") from error
        _refuse_without_gaps(row)


def _refuse_without_gaps(row: Maintenance) -> None:
    """Refuse repetitions that follow each other for more than a month: nobody would be called."""
    length = row.ends_at - row.starts_at
    began = until = row.starts_at
    a_year = row.starts_at + timedelta(days=366)
    for start in starts(row.rule, row.starts_at, row.timezone, row.starts_at, a_year):
        began, until = (start if start > until else began), max(until, start + length)
        if until - began > LONGEST:
            raise InvalidInput(
                "Its repetitions leave no gap, so nobody would be called for more than a month:"
                " make it shorter, or repeat it less often.",
                field="rule",
            )


def silence_due(*, now: datetime) -> int:
    """Make silences of occurrences that begin soon or go on; returns how many were made.

    Raises:
        ExceptionGroup: At the end, where some could not be; the log says which, all others are.
    """
    going_on = Q(rule="", ends_at__gt=now, starts_at__lte=now + AHEAD) | ~Q(rule="")
    rows = Maintenance.objects.filter(going_on, cancelled_at=None)
    made, failures = 0, []
    for row in rows.select_related("service"):
        try:
            with transaction.atomic():
                acts = Acts()
                made += _silence(row, None, acts, now=now)
                acts.record(now=now)
        except Exception as error:
            if not connection.is_usable():
                raise
            log.exception("maintenance_not_silenced", maintenance=row.pk)
            failures.append(error)
    if failures:
        raise ExceptionGroup("maintenance that could not be made silent", failures)
    return made


def _silence(row: Maintenance, actor: Who, acts: Acts, *, now: datetime) -> int:
    made = 0
    for begins, ends in row.spans(now, now + AHEAD):
        if Silence.objects.filter(maintenance=row, occurrence_at=begins).exists():
            continue
        fields = {
            "service": row.service,
            "starts_at": begins,
            "ends_at": ends,
            "comment": row.comment,
            "is_maintenance": True,
            "maintenance": row,
            "occurrence_at": begins,
        }
        try:
            with transaction.atomic():
                # It may have been called off since it was read.
                if not lock_in_order(Maintenance.objects.filter(pk=row.pk, cancelled_at=None)):
                    return made
                by = actor or row.created_by
                save_within(Silence(), acts, fields=fields, actor=by, now=now)
        except IntegrityError:
            # Another pager made it in the same moment.
            continue
        made += 1
    return made


def _tell(row: Maintenance, actor: Who, now: datetime) -> None:
    for listener in _listeners:
        listener(row, actor=actor, now=now)
