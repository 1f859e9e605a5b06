"""A pager that starts after a long absence waits, until somebody says that pages may go out."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from core import ticks
from incidents.services.pager import PROCESS, Pager
from incidents.tests.oncall_portal import Portal, portal

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class Waits(threading.Event):
    """Counts how often it was waited for; something happens at the third, and the tenth is the end."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self.count, self._then = 0, then

    def wait(self, timeout: float | None = None) -> bool:
        self.count += 1
        if self.count == 3:
            self._then()
        if self.count == 10:
            self.set()
        return self.is_set()


def waits(portal: Portal, then: Callable[[], None], *, resumed: bool = False) -> int:
    """Return how often a pager looked, before it called, whether it may."""
    stop = Waits(then)
    pager = Pager(lambda: portal.now, owner="late")
    pager._guard(stop, resumed=resumed)
    return stop.count


def test_one_that_another_calls_beside_goes_on(portal: Portal) -> None:
    """`pager --resume` on one machine holds for those that wait on others, also once it has ended."""
    ticks.beat(PROCESS, now=portal.now - timedelta(hours=2))
    assert waits(portal, lambda: None) == 10
    assert waits(portal, lambda: ticks.beat(PROCESS, now=portal.now)) == 3


def test_one_that_is_told_and_one_after_a_short_absence_do_not_wait(portal: Portal) -> None:
    ticks.beat(PROCESS, now=portal.now - timedelta(hours=2))
    assert waits(portal, lambda: None, resumed=True) == 0
    ticks.beat(PROCESS, now=portal.now - timedelta(minutes=59))
    assert waits(portal, lambda: None) == 0


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "0.5", "1e9", "often"])
def test_rubbish_for_how_often_to_audit_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match="seconds from 1 to 3600"):
        call_command("pager", f"--audit-every={value}")
