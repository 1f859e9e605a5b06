"""Overrides that are kept in a calendar elsewhere: read, and followed."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q

from accounts.models import User
from core import audit, encryption, http_client
from core.audit import Who
from core.errors import DomainError, InvalidInput
from core.http_client import QUERY_BODY_CAP, Deadline, OutboundError
from oncall.domain.events import FoundOverride, Unreadable, overrides_in
from oncall.models import Override, OverrideFeed, Schedule
from oncall.services.schedules import delete_override, save_override

__all__ = ["follow_due", "read_feed", "remove_feed", "set_feed"]

log = structlog.get_logger(__name__)
FEATURE = "calendar"
EVERY, AHEAD = timedelta(minutes=15), timedelta(days=180)
ACTOR = "calendar"
_TIMEOUT_S = 20


@transaction.atomic
def set_feed(schedule: Schedule, url: str, *, actor: Who, now: datetime) -> OverrideFeed:
    """Have the overrides of a schedule read from a calendar; it is read at the next tick.

    Raises:
        InvalidInput: The address may not be asked.
    """
    url = url.strip().replace("webcal://", "https://", 1)
    if problem := http_client.check_address(url, feature=FEATURE):
        raise InvalidInput(problem, field="url")
    feed, _ = OverrideFeed.objects.update_or_create(
        schedule=schedule,
        defaults={
            "sealed_url": encryption.encrypt(url),
            "read_at": None,
            "good_at": None,
            "problem": "",
        },
    )
    audit.record(act="override_feed.set", subject=schedule, actor=actor, now=now)
    return feed


@transaction.atomic
def remove_feed(schedule: Schedule, *, actor: Who, now: datetime) -> None:
    """Follow a calendar no more; overrides that came from it and lie ahead go with it."""
    OverrideFeed.objects.filter(schedule=schedule).delete()
    _follow(schedule, [], now=now)
    audit.record(act="override_feed.removed", subject=schedule, actor=actor, now=now)


def follow_due(*, now: datetime) -> int:
    """Read every calendar that is due; returns how many were read."""
    due = OverrideFeed.objects.filter(Q(read_at=None) | Q(read_at__lte=now - EVERY))
    return sum(read_feed(feed, now=now) for feed in due.select_related("schedule")[:50])


def read_feed(feed: OverrideFeed, *, now: datetime) -> bool:
    """Read one calendar and do as it says; returns whether it could be read.

    What cannot be read changes nothing: nobody loses their override because a server is down.
    """
    schedule = feed.schedule
    try:
        found, remarks = overrides_in(
            _fetched(feed), _people(), zone=schedule.timezone, after=now, before=now + AHEAD
        )
    except (OutboundError, Unreadable) as error:
        OverrideFeed.objects.filter(pk=feed.pk).update(read_at=now, problem=str(error)[:2000])
        log.warning("calendar_not_read", schedule=schedule.slug, reason=str(error))
        return False
    with transaction.atomic():
        # Another process may read it too, or it was removed meanwhile.
        if not OverrideFeed.objects.select_for_update().filter(pk=feed.pk).exists():
            return False
        _follow(schedule, found, now=now)
        OverrideFeed.objects.filter(pk=feed.pk).update(
            read_at=now, good_at=now, problem="\n".join(remarks)[:2000]
        )
    return True


def _fetched(feed: OverrideFeed) -> bytes:
    answer = http_client.request(
        feed.url, feature=FEATURE, deadline=Deadline(_TIMEOUT_S), body_cap=QUERY_BODY_CAP
    )
    if answer.status != 200:
        raise Unreadable(f"Its server answers {answer.status}.")
    return answer.body


def _follow(schedule: Schedule, found: list[FoundOverride], *, now: datetime) -> None:
    """Have the overrides of a schedule that come from a calendar be what was found in it.

    From now on only: who was on call until now stays so.
    """
    rows = list(
        Override.objects.filter(schedule=schedule, ends_at__gt=now)
        .exclude(feed_uid="")
        .order_by("-pk")
    )
    by_uid = {row.feed_uid: row for row in rows}
    # Identities were made in another way before.
    by_content = {(row.person_id, row.starts_at, row.ends_at): row for row in rows}
    gone = {row.pk: row for row in rows}
    for event in found:
        known = by_uid.get(event.uid)
        known = known or by_content.get((event.person, event.starts_at, event.ends_at))
        _take_over(event, gone.pop(known.pk, None) if known else None, schedule, now=now)
    for row in gone.values():
        delete_override(row, actor=ACTOR, now=now)


def _take_over(
    event: FoundOverride, known: Override | None, schedule: Schedule, *, now: datetime
) -> None:
    has_begun = known is not None and known.starts_at <= now
    fields = {
        "person_id": event.person,
        "starts_at": known.starts_at if known and has_begun else max(event.starts_at, now),
        "ends_at": event.ends_at,
        "feed_uid": event.uid,
    }
    if known and all(getattr(known, name) == value for name, value in fields.items()):
        return
    override = known or Override(schedule=schedule, reason="From a calendar")
    try:
        with transaction.atomic():
            save_override(override, fields=fields, actor=ACTOR, now=now)
    except DomainError as error:
        log.warning("override_not_taken_over", schedule=schedule.slug, reason=str(error))


def _people() -> dict[str, int]:
    """Return by what names active people are known, in lower case."""
    known: dict[str, int] = {}
    for person in User.objects.filter(is_active=True):
        for name in (person.get_full_name(), person.username, person.email):
            if name:
                known[name.lower()] = person.pk
    return known
