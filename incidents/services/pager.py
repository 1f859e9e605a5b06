"""The pager: looks at what is due, again and again. Several may run; none needs a broker.

A tick claims rows, does what they are about, and hands pages to senders: threads with a connection
of their own, so that a slow provider holds up nothing but its own page. Each of its chores fails
alone: whatever cannot be worked out, the others are done and pages go out.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import connection, connections

from core import http_client, ticks
from core.http_client import Deadline, OutboundError
from core.models import ProcessHeartbeat
from incidents.services import due, heartbeats, maintenance, sending
from incidents.services.auditor import PATIENCE, audit_paging, overdue_pages
from incidents.services.bundles import Bundle
from incidents.services.recording import DOWN, Recorder

__all__ = ["CHORES", "PROCESS", "Pager", "Work", "settle"]

log = structlog.get_logger(__name__)
PROCESS = "pager"
# How `core.ticks.failures` names what failed of a pager's chores.
CHORES = f"{PROCESS}."
BEAT_EVERY = timedelta(seconds=2)
# Few, so that senders are not kept waiting, and a pager that dies takes few claims with it.
AT_A_TIME = 10
STEPS_AT_A_TIME = 2000
# Seconds after which a message that is still being sent keeps no place from others: its provider is
# slow. So many times the senders there are threads at most.
SLOW_AFTER_S = 1.0
ROOM_FOR_SLOW = 8
# So many outcomes may wait to be written before nothing more is sent.
UNRECORDED = 100
AUDIT_EVERY = timedelta(seconds=60)
HEARTBEATS_EVERY = timedelta(seconds=5)
HELD_EVERY = timedelta(seconds=5)
MAINTENANCE_EVERY = timedelta(minutes=1)
CLOCK_EVERY = timedelta(minutes=1)
# Far below the lease of any message: whose clock is ahead by that takes what others still send for cut.
CLOCK_MAY_DIFFER = timedelta(seconds=5)
# A chore that fails each time says so as often.
FAILED_EVERY = timedelta(minutes=1)
# A pager that was away for longer waits, so that a restored backup does not call everybody.
RESTORED_AFTER = timedelta(hours=1)
GUARD = timedelta(minutes=10)
LOOK_EVERY_S = 1.0
Clock = Callable[[], datetime]
T = TypeVar("T")


@dataclass
class Work:
    """What a tick did."""

    steps: int = 0
    deadlines: int = 0
    silences: int = 0
    pages: int = 0

    @property
    def any(self) -> bool:
        """Whether there may be more to do at once."""
        return bool(self.steps or self.deadlines or self.silences or self.pages)


class Pager:
    """One pager of this machine.

    Args:
        clock: Reads the present.
        owner: Its name among all pagers.
        senders: Pages it sends at the same time.
        audit_every: How often it looks for who should have been called, and how late that may be.
        reference: Reads the clock with which its own is compared; None where there is no other.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        owner: str = "",
        senders: int = 0,
        audit_every: timedelta = AUDIT_EVERY,
        reference: Clock | None = None,
    ) -> None:
        self._reference = reference
        self._audit_every = audit_every
        self._clock = clock
        self._queues = due.Queues()
        self._owner = owner or ticks.instance_name()
        self._most = senders or settings.PAGER_SENDERS
        self._recorder = Recorder(self._owner)
        self._threads = self._most * ROOM_FOR_SLOW
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="sender")
        self._sending: dict[Future[None], float] = {}
        self._next: dict[str, datetime] = {}
        self._audits = 0
        self._held_at: datetime | None = None

    def run(self, stop: threading.Event, *, pause_s: float = 0.25, resumed: bool = False) -> None:
        """Tick until `stop` is set; then let what is being sent finish."""
        self._guard(stop, resumed=resumed)
        while not stop.is_set():
            try:
                busy = self.tick().any
            except DOWN as error:
                log.warning("pager_waits_for_the_database", error=type(error).__name__)
                connections.close_all()
                busy = False
            self._rest(stop, pause_s, busy=busy)
        self._pool.shutdown(wait=True)
        self._recorder.close()

    def _rest(self, stop: threading.Event, pause_s: float, *, busy: bool) -> None:
        """Wait for a free sender, or for a moment; woken at once when asked to stop."""
        if self._free() < 1:
            wait(self._sending, timeout=pause_s, return_when=FIRST_COMPLETED)
        # While there is much to do, a moment's wait lets the next claim take more at once.
        stop.wait(0.005 if busy else pause_s)

    def tick(self) -> Work:
        """Do what is due now."""
        now = self._clock()
        self._do("beat", partial(ticks.beat, PROCESS, now=now), now, every=BEAT_EVERY)
        queues = self._queues
        steps = partial(queues.fire_steps, now=now, limit=STEPS_AT_A_TIME)
        deadlines = partial(queues.fire_deadlines, now=now, limit=AT_A_TIME)
        work = Work(
            steps=self._do("steps", steps, now) or 0,
            deadlines=self._do("deadlines", deadlines, now) or 0,
            silences=self._do("silences", partial(due.end_silences, now=now), now) or 0,
            pages=self._do("pages", self._send, now) or 0,
        )
        self._do("held", partial(self._call_for_held, now), now, every=HELD_EVERY)
        # Whoever these alert is called by the next tick; they hold up no page that is due.
        check, silence = (
            partial(heartbeats.check, now=now),
            partial(maintenance.silence_due, now=now),
        )
        self._do("heartbeats", check, now, every=HEARTBEATS_EVERY)
        self._do("maintenance", silence, now, every=MAINTENANCE_EVERY)
        self._do("clock", self._compare_clocks, now, every=CLOCK_EVERY)
        # Where more steps are due than were taken, the pager is behind, which needs no second opinion.
        if work.steps < STEPS_AT_A_TIME:
            self._do("audit", partial(self._audit, now), now, every=self._audit_every)
        return work

    def _do(
        self, chore: str, work: Callable[[], T], now: datetime, *, every: timedelta = timedelta()
    ) -> T | None:
        """Do one chore when it is its time; its failure is noted, and left for the next time.

        Raises:
            django.db.DatabaseError, django.db.InterfaceError: The database is away, for all of them.
        """
        if not self._is_time(chore, every, now):
            return None
        try:
            return work()
        except Exception as error:
            if not connection.is_usable():
                raise
            if self._is_time(f"{chore} failed", FAILED_EVERY, now):
                log.exception("chore_failed", chore=chore)
                _note_failure(chore, error, now=now)
        return None

    def _is_time(self, what: str, every: timedelta, now: datetime) -> bool:
        # A clock that was set back is no reason to wait until it is that late again.
        if timedelta() < self._next.get(what, now) - now <= every:
            return False
        self._next[what] = now + every
        return True

    def _send(self) -> int:
        self._sending = {each: at for each, at in self._sending.items() if not each.done()}
        free = self._free()
        if self._recorder.waiting > UNRECORDED:
            return 0
        return len(
            sending.claim(
                owner=self._owner, now=self._clock(), limit=free, hand_over=self._begin_to_send
            )
        )

    def _begin_to_send(self, bundle: Bundle) -> None:
        self._sending[self._pool.submit(self._send_one, bundle)] = time.monotonic()

    def _free(self) -> int:
        """Return how many more messages may be sent now: slow ones count against the threads alone."""
        slow_since = time.monotonic() - SLOW_AFTER_S
        quick = sum(not each.done() and at > slow_since for each, at in self._sending.items())
        return min(self._most - quick, self._threads - len(self._sending))

    def _send_one(self, bundle: Bundle) -> None:
        self._recorder.put(sending.send(bundle, clock=self._clock))

    def _call_for_held(self, now: datetime) -> None:
        due.call_for_held(now=now, since=self._held_at)
        self._held_at = now

    def _audit(self, now: datetime) -> None:
        patience = min(PATIENCE, self._audit_every)
        self._audits += 1
        findings = audit_paging(now=now, patience=patience, turn=self._audits)
        for finding in findings:
            log.error("paging_repaired", incident=finding.incident, found=finding.what)
        if overdue := overdue_pages(now=now, patience=patience):
            log.error("paging_is_behind", pages=overdue)
        if settings.DEAD_MAN_URL and not findings and not overdue:
            self._pool.submit(_tell_the_watcher)

    def _compare_clocks(self) -> None:
        """Say that its clock is off, by the other one, so that whoever asks is told of the present."""
        if self._reference is None:
            return
        at = self._reference()
        apart = abs(at - self._clock())
        if apart > CLOCK_MAY_DIFFER:
            said = f"{apart.total_seconds():.0f} s from the database's"
            log.error("clock_is_off", found=said)
            ticks.note_failure(f"{CHORES}clock", said, now=at)

    def _guard(self, stop: threading.Event, *, resumed: bool) -> None:
        """After an hour without any pager wait ten minutes, or until one calls: it may be a restore."""
        last = ProcessHeartbeat.objects.latest_at(PROCESS)
        now = self._clock()
        if resumed or last is None or now - last <= RESTORED_AFTER:
            return
        log.warning("pager_waits_after_a_long_absence", since=last.isoformat())
        until = time.monotonic() + GUARD.total_seconds()
        while time.monotonic() < until and not stop.wait(LOOK_EVERY_S):
            if self._has_begun(now):
                log.info("pager_goes_on_as_another_does")
                return

    def _has_begun(self, since: datetime) -> bool:
        """Return whether a pager ran since: somebody said that it may, or another one has waited."""
        try:
            last = ProcessHeartbeat.objects.latest_at(PROCESS)
        except DOWN:
            connections.close_all()
            return False
        return last is not None and last >= since


def _note_failure(chore: str, error: Exception, *, now: datetime) -> None:
    first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    try:
        ticks.note_failure(f"{CHORES}{chore}", type(first).__name__, now=now)
    except DOWN:
        log.exception("chore_failure_not_noted", chore=chore)


def _tell_the_watcher() -> None:
    try:
        http_client.request(
            settings.DEAD_MAN_URL, feature="dead_man", deadline=Deadline(10), truncate=True
        )
    except OutboundError as error:
        log.warning("dead_man_not_told", reason=str(error))


def settle(*, clock: Clock, owner: str = "", most: int = 50) -> int:
    """Do all that is due now, one after the other, until nothing is; returns the pages tried.

    For tests and one-off runs: everything happens in the calling thread.
    """
    tried = 0
    queues = due.Queues()
    for _ in range(most):
        now = clock()
        work = queues.fire_steps(now=now) + queues.fire_deadlines(now=now)
        work += due.end_silences(now=now) + due.call_for_held(now=now)
        pages = sending.send_due(owner=owner or ticks.instance_name(), clock=clock)
        tried += pages
        if not work + pages:
            return tried
    raise RuntimeError(f"still something due after {most} rounds")
