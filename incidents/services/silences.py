"""Silences: made, changed and ended early."""

from collections.abc import Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import audit
from core.again import again_if_crossed
from core.audit import Who
from core.bulk import update_rows
from core.changes import differing
from core.errors import Conflict, InvalidInput
from core.inserts import Inserts
from core.locking import lock, locked
from incidents.domain.silencing import YEARS, can_begin, matcher_problem
from incidents.models import Alert, Silence, TimelineEntry
from incidents.queries.configuration import current
from incidents.queries.silences import silence_for
from incidents.services import grouping, timeline
from incidents.services.acts import Acts

__all__ = ["check_silence", "end_silence", "release", "save_silence", "save_within"]

LONGEST = timedelta(days=366)
_MOST_MATCHERS = 20


@again_if_crossed
@transaction.atomic
def save_silence(
    silence: Silence, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> Silence:
    """Create or change a silence; alerts that fire already and have no incident are held back too.

    What still fires and it no longer holds back calls at once.

    Args:
        silence: A stored one is what it is now, afterwards; a new one is a draft and stays so.
        fields: What to set.
        actor: Who.
        now: The present.

    Returns:
        It, as it is stored.

    Raises:
        InvalidInput: Names what is wrong.
        Conflict: It has ended.
        NotFound: The stored one was deleted.
    """
    acts = Acts()
    if silence.pk is None:
        # What is undone, and done again, must not pass for a stored one.
        silence = copy(silence)
    save_within(silence, acts, fields=fields, actor=actor, now=now)
    acts.record(now=now)
    return silence


def save_within(
    silence: Silence, acts: Acts, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> None:
    """Do what `save_silence` does within the caller's transaction, who records `acts` last."""
    is_new = silence.pk is None
    if not is_new:
        lock(silence)
        if silence.is_ended or silence.ends_at <= now:
            raise Conflict("It has ended; make another one.")
        fields = differing(silence, fields)
        if not fields:
            return
        _refuse_other_than_planned(silence, fields)
    for name, value in fields.items():
        setattr(silence, name, value)
    check_silence(silence, now=now)
    if is_new:
        silence.created_by = audit.actor_name(actor)[:200]
    silence.save()
    _hold_back(silence, now=now)
    if not is_new:
        _release(silence, acts, now=now)
    act = "silence.created" if is_new else "silence.changed"
    acts.add(act, silence, actor, **_plain(fields))


@again_if_crossed
@transaction.atomic
def end_silence(silence: Silence, *, actor: Who, now: datetime) -> Silence:
    """End a silence now; the pager then calls for what still fires.

    Raises:
        Conflict: It has ended already.
        NotFound: It was deleted with its service.
    """
    silence = locked(silence)
    if silence.is_ended or silence.ends_at <= now:
        raise Conflict("It has ended already.")
    silence.starts_at = min(silence.starts_at, now - timedelta(seconds=1))
    silence.ends_at = now
    silence.save(update_fields=["starts_at", "ends_at", "updated_at"])
    audit.record(act="silence.ended", subject=silence, actor=actor, now=now)
    return silence


def release(silence: Silence, *, now: datetime) -> None:
    """Call for what still fires of what a silence held back, unless it or another one still does.

    Within the caller's transaction.

    Raises:
        django.db.IntegrityError: Somebody else opened one of the incidents in the same moment.
    """
    acts = Acts()
    _release(silence, acts, now=now)
    acts.record(now=now)


def _release(silence: Silence, acts: Acts, *, now: datetime) -> None:
    inserts = Inserts()
    held = Alert.objects.firing().filter(silenced_by=silence).select_for_update(of=("self",))
    alerts = list(held.order_by("pk"))
    grouping.place(alerts, acts, inserts, current(), now=now)
    inserts.write()
    placed = (
        {"id": a.pk, "incident_id": a.incident_id, "silenced_by_id": a.silenced_by_id}
        for a in alerts
    )
    update_rows(Alert, list(placed))
    said = Inserts()
    for alert in alerts:
        if alert.incident is not None:
            # The alert no longer names the silence, and whoever is called asks why so late.
            timeline.add(
                said, alert.incident, TimelineEntry.Kind.ALERT, "released", now=now,
                text=f"No longer silenced: {alert.title}"[:1000],
                alert=alert.pk, silence=silence.pk, until=silence.ends_at.isoformat(),
            )  # fmt: skip
    said.write()


def check_silence(silence: Silence, *, now: datetime) -> None:
    """Refuse a silence that cannot be.

    Raises:
        InvalidInput: Names the field.
    """
    _check_matchers(silence)
    if not can_begin(silence.starts_at):
        message = f"A silence begins in the years {YEARS[0]} to {YEARS[-1]}."
        raise InvalidInput(message, field="starts_at")
    if not silence.starts_at < silence.ends_at <= silence.starts_at + LONGEST:
        raise InvalidInput("A silence ends after it starts, within a year.", field="ends_at")
    if silence.ends_at <= now:
        raise InvalidInput("A silence ends later than now.", field="ends_at")
    if not silence.comment.strip():
        raise InvalidInput("Say why, for whoever wonders at 3 a.m.", field="comment")


def _refuse_other_than_planned(silence: Silence, fields: Mapping[str, Any]) -> None:
    """Refuse to move the silence of an occurrence: budgets and pages go by its maintenance.

    That it ends early they know of.
    """
    row = silence.maintenance
    if row is None or silence.occurrence_at is None:
        return
    moved = fields.keys() & {"service", "matchers", "starts_at", "is_maintenance"}
    planned_end = silence.occurrence_at + (row.ends_at - row.starts_at)
    if fields.get("ends_at", planned_end) > planned_end:
        moved.add("ends_at")
    message = f"It is of maintenance {row.pk}: end it early, or call that off and plan it anew."
    if moved:
        raise InvalidInput(message, field=min(moved))


def _check_matchers(silence: Silence) -> None:
    matchers = silence.matchers
    if not isinstance(matchers, list) or len(matchers) > _MOST_MATCHERS:
        raise InvalidInput(
            f"A list of up to {_MOST_MATCHERS} matchers is wanted.", field="matchers"
        )
    for matcher in matchers:
        if problem := matcher_problem(matcher):
            raise InvalidInput(problem, field="matchers")
    if silence.service_id is None and not matchers:
        message = "It would silence everything: name a service or a matcher."
        raise InvalidInput(message, field="matchers")


def _hold_back(silence: Silence, *, now: datetime) -> None:
    """Mark what fires without an incident; incidents that are open go on: people work on them."""
    loose = Alert.objects.firing().filter(incident=None, silenced_by=None, pages=True)
    if silence.service_id is not None:
        loose = loose.filter(service=silence.service_id)
    for alert in loose.order_by("pk")[:1000]:
        if (found := silence_for(alert, now=now)) is not None:
            Alert.objects.filter(pk=alert.pk, incident=None).update(silenced_by=found)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) for name, value in fields.items()}
