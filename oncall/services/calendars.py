"""Secret addresses of calendars: made, read and revoked."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.tokens import digest_of
from core import audit
from core.audit import Who
from core.errors import Conflict
from oncall.models import CalendarFeed, Schedule

__all__ = ["find_feed", "make_feed", "revoke_feed"]

MOST_FEEDS = 20
_NOTED_EVERY = timedelta(hours=1)


@transaction.atomic
def make_feed(
    *, person: User, schedule: Schedule | None, now: datetime, token: Who = None
) -> tuple[CalendarFeed, str]:
    """Make an address of a calendar; returns its row and the secret in it, which nobody sees again.

    The audit names the token, where a program makes it for them.

    Raises:
        Conflict: The person has many already.
    """
    own = CalendarFeed.objects.filter(person=person, revoked_at=None)
    if own.count() >= MOST_FEEDS:
        raise Conflict(f"There are {MOST_FEEDS} calendars already; revoke one first.")
    secret = secrets.token_urlsafe(32)
    feed = CalendarFeed.objects.create(
        person=person, schedule=schedule, digest=_digest(secret), created_at=now
    )
    what = schedule.slug if schedule else "own shifts"
    by = token or person
    audit.record(act="calendar.made", subject=feed, actor=by, now=now, changes={"shows": what})
    return feed, secret


@transaction.atomic
def revoke_feed(feed: CalendarFeed, *, actor: Who, now: datetime) -> None:
    """Have an address lead nowhere from now on; again changes nothing."""
    if CalendarFeed.objects.filter(pk=feed.pk, revoked_at=None).update(revoked_at=now):
        audit.record(act="calendar.revoked", subject=feed, actor=actor, now=now)


def find_feed(secret: str, *, now: datetime) -> CalendarFeed | None:
    """Return the calendar of a secret, if it still leads anywhere."""
    feed = (
        CalendarFeed.objects.select_related("person", "schedule")
        .filter(digest=_digest(secret), revoked_at=None, person__is_active=True)
        .first()
    )
    if feed is not None and (feed.read_at is None or now - feed.read_at > _NOTED_EVERY):
        CalendarFeed.objects.filter(pk=feed.pk).update(read_at=now)
    return feed


def _digest(secret: str) -> str:
    return digest_of(secret, pepper=settings.TOKEN_PEPPER)
