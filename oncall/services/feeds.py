"""Overrides that are kept in a calendar elsewhere: read, and followed."""

from collections import defaultdict
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import User
from accounts.roles import Role
from core import audit, encryption, http_client
from core.audit import Who
from core.errors import DomainError, InvalidInput
from core.http_client import Deadline, OutboundError
from core.locking import lock_in_order, locked
from oncall.domain.events import FoundOverride, Known, Unreadable, overrides_in
from oncall.models import Override, OverrideFeed, Schedule
from oncall.services.schedules import delete_override, save_override

__all__ = ["follow_due", "read_feed", "remove_feed", "set_feed"]

log = structlog.get_logger(__name__)
FEATURE = "calendar"
EVERY, AHEAD = timedelta(minutes=15), timedelta(days=180)
ACTOR = "calendar"
# A worker's thread reads one calendar after the other; together they end before the next tick.
_BEGIN_WITHIN_S, _FETCH_WITHIN_S, _READ_WITHIN_S = 20, 10, 5
_BODY_CAP = 4 * 1024 * 1024
_OURS = "It could not be read because of a fault of the portal, whose log says more."


@transaction.atomic
def set_feed(schedule: Schedule, url: str, *, actor: Who, now: datetime) -> OverrideFeed:
    """Have the overrides of a schedule read from a calendar; it is read at the next tick.

    Raises:
        InvalidInput: The address may not be asked.
        NotFound: The schedule was deleted meanwhile.
    """
    schedule = locked(schedule)
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
    schedule = locked(schedule)
    OverrideFeed.objects.filter(schedule=schedule).delete()
    _follow(schedule, [], now=now)
    audit.record(act="override_feed.removed", subject=schedule, actor=actor, now=now)


def follow_due(*, now: datetime) -> int:
    """Read the calendars that are due, the one that was tried longest ago first.

    Each is claimed before it is read, so that no other tick reads it as well. What is left after a
    while is for the next tick.

    Returns:
        How many were read.
    """
    begun, read = monotonic(), 0
    rows = OverrideFeed.objects.filter(_is_due(now)).select_related("schedule")
    for feed in rows.order_by(F("read_at").asc(nulls_first=True), "pk"):
        if monotonic() - begun > _BEGIN_WITHIN_S:
            log.warning("calendars_left_for_later")
            break
        claim = OverrideFeed.objects.filter(_is_due(now), pk=feed.pk, sealed_url=feed.sealed_url)
        if claim.update(read_at=now):
            read += _read_whatever(feed, now=now)
    return read


def _is_due(now: datetime) -> Q:
    return Q(read_at=None) | Q(read_at__lte=now - EVERY)


def _read_whatever(feed: OverrideFeed, *, now: datetime) -> bool:
    """Read one calendar; whatever is wrong with it, the next one is read."""
    try:
        return read_feed(feed, now=now)
    except Exception:
        log.exception("calendar_reading_failed", schedule=feed.schedule.slug)
        _same(feed).update(read_at=now, problem=_OURS)
        return False


def read_feed(feed: OverrideFeed, *, now: datetime) -> bool:
    """Read one calendar and do as it says; returns whether it could be read.

    What cannot be read changes nothing: nobody loses their override because a server is down.
    """
    schedule = feed.schedule
    try:
        body = _fetched(feed)
        ends = monotonic() + _READ_WITHIN_S
        found, remarks = overrides_in(
            body,
            _known(),
            zone=schedule.timezone,
            after=now,
            before=now + AHEAD,
            has_time=lambda: monotonic() < ends,
        )
    except (OutboundError, Unreadable) as error:
        _same(feed).update(read_at=now, problem=str(error)[:2000])
        log.warning("calendar_not_read", schedule=schedule.slug, reason=str(error))
        return False
    with transaction.atomic():
        # It may have been removed meanwhile, or replaced by another.
        lock_in_order(Schedule.objects.filter(pk=schedule.pk))
        if not lock_in_order(_same(feed)):
            return False
        _follow(schedule, found, now=now)
        _same(feed).update(read_at=now, good_at=now, problem="\n".join(remarks)[:2000])
    return True


def _same(feed: OverrideFeed) -> QuerySet[OverrideFeed]:
    """Return the row of a calendar, as long as it is that calendar."""
    return OverrideFeed.objects.filter(pk=feed.pk, sealed_url=feed.sealed_url)


def _fetched(feed: OverrideFeed) -> bytes:
    answer = http_client.request(
        feed.url, feature=FEATURE, deadline=Deadline(_FETCH_WITHIN_S), body_cap=_BODY_CAP
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


def _known() -> Known:
    """Return by what active people are known.

    Addresses and user names are given by admins. A full name is what somebody says of themself: it
    counts of responders, who may take over anyway, where one person alone is called so, and nobody
    goes by it as a user name or an address.
    """
    everybody = list(User.objects.all())
    active = [person for person in everybody if person.is_active]
    users = {person.username.lower(): person.pk for person in active}
    addresses = {person.email.lower(): person.pk for person in active if person.email}
    named: dict[str, set[int]] = defaultdict(set)
    for person in active:
        if person.has_role(Role.RESPONDER) and person.get_full_name():
            named[person.get_full_name().lower()].add(person.pk)
    given = {word.lower() for person in everybody for word in (person.username, person.email)}
    own = {name: people for name, people in named.items() if name not in given}
    alone = {name: pk for name, people in own.items() if len(people) == 1 for pk in people}
    shared = frozenset(name for name, people in own.items() if len(people) > 1)
    return Known(addresses, {**alone, **users, **addresses}, shared)
