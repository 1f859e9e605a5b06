"""A calendar that is read again and again: overrides are once each, and the past stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.cast import person
from core import http_client
from oncall.models import Override, OverrideFeed, Schedule
from oncall.services import feeds
from oncall.services.schedules import save_override
from oncall.tests.test_calendar_events import calendar

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
DAILY = "UID:1 DTSTART:20260305T090000Z DTEND:20260305T170000Z RRULE:FREQ=DAILY;COUNT=3 SUMMARY:bob"
CAROL = (
    "UID:1 RECURRENCE-ID:20260306T090000Z DTSTART:20260306T090000Z DTEND:20260306T170000Z "
    "SUMMARY:carol"
)
TODAY = "UID:7 DTSTART:20260302T080000Z DTEND:20260302T160000Z SUMMARY:{}"


@pytest.fixture
def people() -> dict[str, User]:
    return {name: person(name) for name in ("bob", "carol")}


class Followed:
    """A calendar that a schedule follows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        self.schedule = Schedule.objects.create(slug="payments", name="Payments")
        monkeypatch.setattr(http_client, "request", self._answer)
        self.feed = feeds.set_feed(
            self.schedule, "https://c.example.org/x.ics", actor="test", now=NOW
        )

    def _answer(self, _url: str, **_asked: Any) -> http_client.Response:
        return http_client.Response(200, {}, calendar(*self.events), 1.0)

    def read(self, *events: str, now: datetime = NOW) -> list[Override]:
        """Have the calendar hold these events, read it, and return what there is."""
        self.events = list(events)
        assert feeds.read_feed(self.feed, now=now)
        return list(Override.objects.order_by("starts_at", "pk"))


@pytest.fixture
def followed(people: Any, monkeypatch: pytest.MonkeyPatch) -> Followed:
    return Followed(monkeypatch)


def said(rows: list[Override]) -> list[tuple[str, int, int]]:
    return [(str(row.person), row.starts_at.day, row.starts_at.hour) for row in rows]


def test_reading_again_changes_nothing(followed: Followed) -> None:
    """Nor does an occurrence that somebody else took."""
    first = followed.read(DAILY, CAROL)
    assert said(first) == [("bob", 5, 9), ("carol", 6, 9), ("bob", 7, 9)]
    for times in range(1, 4):
        again = followed.read(CAROL, DAILY, now=NOW + times * QUARTER)
        assert [(row.pk, row.updated_at) for row in again] == [
            (row.pk, row.updated_at) for row in first
        ]


def test_an_emptied_calendar_leaves_nothing(followed: Followed) -> None:
    """Of what has begun the past."""
    followed.read(DAILY, CAROL, TODAY.format("bob"))
    (left,) = followed.read(now=NOW + QUARTER)
    assert (left.starts_at, left.ends_at) == (NOW, NOW + QUARTER)


def test_rows_that_were_doubled_are_cleaned(followed: Followed, people: dict[str, User]) -> None:
    """Those with an identity of before; the one that is kept is the oldest."""
    for name in ("bob", "carol", "carol", "carol"):
        Override.objects.create(
            schedule=followed.schedule,
            person=people[name],
            starts_at=datetime(2026, 3, 6, 9, tzinfo=UTC),
            ends_at=datetime(2026, 3, 6, 17, tzinfo=UTC),
            feed_uid="x" * 64,
        )
    kept = Override.objects.filter(person=people["carol"]).earliest("pk").pk
    rows = followed.read(DAILY, CAROL)
    assert said(rows) == [("bob", 5, 9), ("carol", 6, 9), ("bob", 7, 9)]
    assert rows[1].pk == kept


def test_an_override_that_stands_above_a_calendar_stays_there(
    followed: Followed, people: dict[str, User]
) -> None:
    """What a person decided later is not covered by reading again."""
    (row,) = followed.read("UID:1 DTSTART:20260305T090000Z DURATION:PT8H SUMMARY:bob")
    Override.objects.filter(pk=row.pk).update(feed_uid="made in another way")
    fields = {"schedule": followed.schedule, "person": people["carol"]}
    times = {"starts_at": row.starts_at, "ends_at": row.ends_at}
    ours = save_override(Override(), fields={**fields, **times}, actor="test", now=NOW)
    rows = followed.read("UID:1 DTSTART:20260305T090000Z DURATION:PT8H SUMMARY:bob")
    assert [each.pk for each in rows] == [row.pk, ours.pk]


def test_somebody_else_takes_over_from_now_on(followed: Followed) -> None:
    """Whoever was on call until now was."""
    (bob,) = followed.read(TODAY.format("bob"))
    assert bob.starts_at == NOW
    rows = followed.read(TODAY.format("carol"), now=NOW + QUARTER)
    assert [(str(row.person), row.starts_at, row.ends_at) for row in rows] == [
        ("bob", NOW, NOW + QUARTER),
        ("carol", NOW + QUARTER, bob.ends_at),
    ]
    assert followed.read(TODAY.format("carol"), now=NOW + 2 * QUARTER) == rows


def test_what_has_begun_can_last_longer(followed: Followed) -> None:
    (row,) = followed.read(TODAY.format("bob"))
    longer = TODAY.format("bob").replace("T160000Z", "T180000Z")
    (changed,) = followed.read(longer, now=NOW + QUARTER)
    assert (changed.pk, changed.starts_at) == (row.pk, NOW)
    assert changed.ends_at == row.ends_at + timedelta(hours=2)


def test_a_calendar_that_was_removed_meanwhile_is_not_followed(followed: Followed) -> None:
    followed.events = [DAILY]
    OverrideFeed.objects.all().delete()
    assert not feeds.read_feed(followed.feed, now=NOW)
    assert not Override.objects.exists()
