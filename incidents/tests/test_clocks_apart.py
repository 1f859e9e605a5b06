"""Clocks of pagers that differ: no level is called twice or left out, and the portal says that they do."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from core import clock, ticks
from incidents.services import due
from incidents.services.pager import CHORES, Pager
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def shows(at: datetime) -> Callable[[], datetime]:
    return lambda: at


@pytest.mark.parametrize("ahead", [timedelta(minutes=-7), timedelta(minutes=7)], ids=str)
def test_each_level_is_called_once_by_two_that_are_minutes_apart(
    portal: Portal, ahead: timedelta
) -> None:
    incident = portal.alert("disk", severity="P1")
    assert incident is not None
    one, other = due.Queues(), due.Queues()
    for _ in range(90):
        one.fire_steps(now=portal.now)
        other.fire_steps(now=portal.now + ahead)
        portal.now += timedelta(minutes=1)
    called = list(incident.pages.order_by("pk").values_list("target", flat=True))
    names = [target.partition(":")[2] for target in called]
    assert names == list(portal.names[: len(names)])
    assert len(names) >= 3


def test_what_is_due_is_called_after_a_clock_was_set_back(portal: Portal) -> None:
    """The looks of before began an hour later than what is due now."""
    queues = due.Queues()
    queues.fire_steps(now=portal.now + HOUR)
    queues.fire_steps(now=portal.now + HOUR)
    incident = portal.alert("disk", severity="P1")
    assert incident is not None
    portal.now += timedelta(minutes=16)
    assert queues.fire_steps(now=portal.now) == 1
    assert [page.target for page in incident.pages.order_by("pk")] == ["user:alice", "user:bob"]


@pytest.mark.parametrize("off", [timedelta(minutes=-5), timedelta(minutes=5)], ids=str)
def test_a_clock_that_is_off_is_said_at_the_time_of_the_other(off: timedelta) -> None:
    """By its own time it would be said in the past, or in the future, where nobody looks."""
    now = clock.now()
    Pager(shows(now + off), senders=1, reference=shows(now)).tick()
    said = ticks.failures(CHORES, since=now - timedelta(minutes=2))
    assert said == {"pager.clock": "300 s from the database's"}


def test_a_clock_that_is_a_little_off_is_not_told() -> None:
    now = clock.now()
    Pager(shows(now + timedelta(seconds=4)), senders=1, reference=shows(now)).tick()
    assert ticks.failures(CHORES, since=now - timedelta(minutes=2)) == {}


def test_the_database_has_a_clock() -> None:
    assert abs(clock.database_now() - clock.now()) < timedelta(minutes=1)
