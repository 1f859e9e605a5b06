"""Ticks survive being doubled, late and missed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from core import ticks
from core.models import JobSlot, ProcessHeartbeat

NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def run(slot: datetime) -> bool:
    with transaction.atomic():
        row = ticks.claim("job", slot, now=NOON)
        if row is None:
            return False
        ticks.finish(row, now=NOON, done=1)
        return True


def test_doubled_tick_works_once() -> None:
    """The second tick for one slot finds it taken."""
    assert run(NOON) is True
    assert run(NOON) is False
    assert JobSlot.objects.get().detail == {"done": 1}


def test_first_tick_has_missed_nothing() -> None:
    """A job that never ran starts with the slot that is due."""
    assert ticks.pending_slots("job", until=NOON, limit=10) == [NOON]


def test_missed_slots_are_due_oldest_first() -> None:
    """Three missed minutes are three slots, each for its own time."""
    run(NOON)
    until = NOON + timedelta(minutes=3, seconds=40)
    expected = [NOON + timedelta(minutes=step) for step in (1, 2, 3)]
    assert ticks.pending_slots("job", until=until, limit=10) == expected
    assert ticks.pending_slots("job", until=until, limit=2) == expected[:2]


def test_nothing_is_pending_when_the_newest_slot_ran() -> None:
    """A tick that comes early, or after the clock went back, has nothing to do."""
    run(NOON)
    assert ticks.pending_slots("job", until=NOON, limit=10) == []
    assert ticks.pending_slots("job", until=NOON - timedelta(hours=1), limit=10) == []


def test_crash_gives_the_slot_back() -> None:
    """Work that fails rolls its claim back, so that the next tick does it."""
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ticks.claim("job", NOON, now=NOON)
        raise ZeroDivisionError
    assert run(NOON) is True


def test_claim_outside_a_transaction_is_a_mistake(transactional_db: None) -> None:
    """A claim that commits before its work would lose the work in a crash."""
    with pytest.raises(RuntimeError, match="transaction"):
        ticks.claim("job", NOON, now=NOON)


def test_heartbeat_is_one_row_per_process() -> None:
    """Signs of life of one process renew its row."""
    ticks.beat("web", now=NOON)
    ticks.beat("web", now=NOON + timedelta(seconds=15))
    row = ProcessHeartbeat.objects.get()
    assert row.at == NOON + timedelta(seconds=15)
    assert ProcessHeartbeat.objects.latest_at("web") == row.at
    assert ProcessHeartbeat.objects.latest_at("worker") is None
