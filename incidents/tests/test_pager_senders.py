"""Senders of a pager: a slow provider holds up nothing but its own page."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from incidents.services import pager, sending
from incidents.services.pager import Pager


class Outbox:
    """Stands where messages are claimed and sent: those called slow wait until it ends."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.begun: list[str] = []
        self.over = threading.Event()
        self._lock = threading.Lock()

    def claim(self, *, limit: int, hand_over: Callable[[str], object], **_named: Any) -> list[str]:
        """Take as many as may be sent now."""
        taken, self.waiting = self.waiting[: max(limit, 0)], self.waiting[max(limit, 0) :]
        for each in taken:
            hand_over(each)
        return taken

    def send(self, message: str, **_named: Any) -> None:
        """Send one."""
        with self._lock:
            self.begun.append(message)
        if message.startswith("slow"):
            self.over.wait(10)


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    found = Outbox()
    monkeypatch.setattr(sending, "claim", found.claim)
    monkeypatch.setattr(sending, "send", found.send)
    monkeypatch.setattr(sending, "record", lambda _done, **_named: None)
    monkeypatch.setattr(pager, "SLOW_AFTER_S", 0.2)
    yield found
    found.over.set()


def look(of: Pager, times: int) -> None:
    """Let a pager look for messages, now and then."""
    for _ in range(times):
        of._send()
        of._rest(threading.Event(), 0.05, busy=False)


def test_slow_providers_hold_up_nobody_else(outbox: Outbox) -> None:
    """Eight hang for as long as they may: soon after, a ninth message goes out all the same."""
    outbox.waiting = [f"slow {number}" for number in range(8)] + ["quick"]
    one = Pager(timezone.now, owner="pager-1", senders=8)
    look(one, 1)
    assert "quick" not in outbox.begun
    look(one, 10)
    assert "quick" in outbox.begun


def test_slow_ones_are_not_sent_without_end(outbox: Outbox) -> None:
    """Each has a thread, and threads are counted."""
    outbox.waiting = [f"slow {number}" for number in range(100)]
    one = Pager(timezone.now, owner="pager-1", senders=2)
    look(one, 60)
    assert len(outbox.begun) == 2 * pager.ROOM_FOR_SLOW
