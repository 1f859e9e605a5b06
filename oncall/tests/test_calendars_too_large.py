"""A calendar that is too much to read keeps nobody else waiting, and says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from time import monotonic
from typing import Any

import pytest

from accounts.tests.cast import person
from core import http_client
from oncall.domain import events
from oncall.domain.events import Known, Unreadable, overrides_in
from oncall.models import Override, OverrideFeed, Schedule
from oncall.services import feeds
from oncall.tests.test_calendar_events import calendar

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOURLY = "UID:{0} DTSTART:20200101T{1:02}{2:02}00Z DURATION:PT1H RRULE:FREQ=HOURLY SUMMARY:ann"
POISON = calendar(*(HOURLY.format(n, n % 24, n % 60) for n in range(2000)))
GOOD = calendar("UID:1 DTSTART:20260305T090000Z DURATION:PT8H SUMMARY:ann")
OF_OLD = "UID:1 DTSTART:19010101T000000Z DURATION:PT1H RRULE:FREQ=HOURLY;COUNT=20000 SUMMARY:ann"


class Elsewhere:
    """Calendars elsewhere, by their addresses; what is called answers in another way."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[], bytes]] = {}
        self.asked: list[str] = []

    def __call__(self, url: str, **_asked: Any) -> http_client.Response:
        name = url.rsplit("/", maxsplit=1)[1]
        self.asked.append(name)
        found = self.answers[name]
        return http_client.Response(200, {}, found() if callable(found) else found, 1.0)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    found = Elsewhere()
    monkeypatch.setattr(http_client, "request", found)
    monkeypatch.setattr(feeds, "_READ_WITHIN_S", 0.3)
    person("ann")
    return found


def followed(name: str) -> OverrideFeed:
    """Have a schedule of that name follow the calendar of that name."""
    schedule = Schedule.objects.create(slug=name, name=name)
    return feeds.set_feed(schedule, f"https://c.example.org/{name}", actor="test", now=NOW)


def problem_of(feed: OverrideFeed) -> str:
    feed.refresh_from_db()
    return feed.problem


@pytest.mark.django_db
@pytest.mark.both_databases
def test_the_next_calendar_is_read_after_one_that_takes_too_long(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {"a": POISON, "b": GOOD}
    poison, good = followed("a"), followed("b")
    begun = monotonic()
    assert feeds.follow_due(now=NOW) == 1
    assert monotonic() - begun < 10
    assert "Reading it takes too long" in problem_of(poison)
    assert poison.good_at is None
    assert problem_of(good) == ""
    assert Override.objects.get().schedule_id == good.pk


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_calendar_is_read_by_one_tick_at_a_time(elsewhere: Elsewhere) -> None:
    """Another tick that comes while it is read leaves it, and reads it a quarter of an hour later."""

    def slow() -> bytes:
        assert feeds.follow_due(now=NOW + timedelta(minutes=1)) == 0
        return GOOD

    elsewhere.answers = {"a": slow}
    followed("a")
    assert feeds.follow_due(now=NOW) == 1
    assert elsewhere.asked == ["a"]
    elsewhere.answers = {"a": GOOD}
    assert feeds.follow_due(now=NOW + QUARTER) == 1


@pytest.mark.django_db
@pytest.mark.both_databases
def test_the_calendar_that_was_tried_longest_ago_comes_first(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a tick that has read for long begins no other."""
    elsewhere.answers = dict.fromkeys("abc", GOOD)
    for name, ago in (("a", 20), ("b", 40), ("c", None)):
        at = None if ago is None else NOW - timedelta(minutes=ago)
        OverrideFeed.objects.filter(pk=followed(name).pk).update(read_at=at)
    monkeypatch.setattr(feeds, "_BEGIN_WITHIN_S", -1)
    assert feeds.follow_due(now=NOW) == 0
    monkeypatch.undo()
    monkeypatch.setattr(http_client, "request", elsewhere)
    assert feeds.follow_due(now=NOW) == 3
    assert elsewhere.asked == ["c", "b", "a"]


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_fault_of_ours_in_one_calendar_is_said_and_the_next_is_read(
    elsewhere: Elsewhere,
) -> None:
    def broken() -> bytes:
        raise RuntimeError("Nobody thought of this.")

    elsewhere.answers = {"a": broken, "b": GOOD}
    feed, _ = followed("a"), followed("b")
    assert feeds.follow_due(now=NOW) == 1
    assert "a fault of the portal" in problem_of(feed)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_calendar_that_was_replaced_while_it_was_read_is_not_followed(
    elsewhere: Elsewhere,
) -> None:
    def replaced() -> bytes:
        schedule = Schedule.objects.get()
        feeds.set_feed(schedule, "https://c.example.org/b", actor="test", now=NOW)
        return GOOD

    elsewhere.answers = {"a": replaced, "b": calendar()}
    feed = followed("a")
    assert feeds.follow_due(now=NOW) == 0
    assert not Override.objects.exists()
    feed.refresh_from_db()
    assert feed.read_at is None
    assert feeds.follow_due(now=NOW) == 1


def read(body: bytes, has_time: Callable[[], bool] = lambda: True) -> None:
    overrides_in(
        body,
        Known({}, {"ann": 1}),
        zone="UTC",
        after=NOW,
        before=NOW + timedelta(days=180),
        has_time=has_time,
    )


def test_reading_ends_in_time_whatever_repeats() -> None:
    ends = monotonic() + 0.2
    with pytest.raises(Unreadable, match="Reading it takes too long"):
        read(POISON, lambda: monotonic() < ends)
    assert monotonic() - ends < 5


def test_reading_ends_amid_the_repetitions_of_one_rule() -> None:
    """Before those that count: nothing of it is in the years that are asked for."""
    read(calendar(OF_OLD))
    asked = count()
    with pytest.raises(Unreadable, match="Reading it takes too long"):
        read(calendar(OF_OLD), lambda: next(asked) < 1000)
    assert next(asked) < 1100


def test_a_document_that_is_too_large_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 1)
    with pytest.raises(Unreadable, match="It has 2 events on"):
        read(calendar("UID:1 SUMMARY:ann", "UID:2 SUMMARY:ann"))
    monkeypatch.undo()
    monkeypatch.setattr(events, "MOST_LINES", 5)
    with pytest.raises(Unreadable, match="have it hold less of what is over"):
        read(calendar("UID:1 SUMMARY:ann"))
