"""What became of a message is written down, also when that takes a while: nobody is called twice."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, OperationalError, connections

from incidents.models import Page
from incidents.services import due, lifecycle, recording, sending
from incidents.services.lifecycle import Opening
from incidents.services.recording import Recorder
from incidents.services.sending import Done
from incidents.tests.oncall_portal import Portal, portal
from notifications.models import ContactMethod

__all__ = ["portal"]


def sent(portal: Portal, incidents: int = 1) -> list[Done]:
    """Send pages, without recording what became of them."""
    for number in range(incidents):
        opening = Opening("P0", f"incident {number}", service_id=portal.service.pk)
        lifecycle.declare(opening, now=portal.now, actor="test")
    due.Queues().fire_steps(now=portal.now)
    bundles = sending.claim(owner="pager-1", now=portal.now, limit=100)
    return [sending.send(bundle, clock=lambda: portal.now) for bundle in bundles]


def states() -> list[str]:
    return list(Page.objects.order_by("pk").values_list("state", flat=True))


@contextmanager
def held(method: ContactMethod) -> Iterator[None]:
    """Hold a row, as another session would."""
    other = connections["default"].copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT FROM notifications_contactmethod WHERE id = %s FOR UPDATE", [method.pk]
            )
        yield
        other.rollback()
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_costs_no_second_call(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the database waits for a lock: recording waits on."""
    done = sent(portal)
    tried = threading.Event()
    genuine = sending.record

    def impatient(*args: object, **kwargs: object) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        try:
            genuine(*args, **kwargs)  # type: ignore[arg-type]
        except OperationalError:
            tried.set()
            raise

    monkeypatch.setattr(sending, "record", impatient)
    recorder = Recorder("pager-1")
    with held(ContactMethod.objects.get(person__username="alice")):
        for each in done:
            recorder.put(each)
        assert tried.wait(timeout=30)
    recorder.close()
    assert states() == ["sent"]


@pytest.mark.django_db
def test_what_cannot_be_written_keeps_no_other_waiting(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is refused for good, one for a while: the third is written at the first try."""
    monkeypatch.setattr(recording, "_AGAIN_AFTER_S", 0.0)
    done = sent(portal, incidents=3)
    poison, busy, well = (each.bundle.first.pk for each in done)
    tries: list[set[int]] = []
    genuine = sending.record

    def record(some: list[Done], *, owner: str) -> None:
        pages = {each.bundle.first.pk for each in some}
        tries.append(pages)
        if poison in pages:
            raise IntegrityError("It contradicts what is stored.")
        if busy in pages and tries.count({busy}) < 3:
            raise OperationalError("The row is locked.")
        genuine(some, owner=owner)

    monkeypatch.setattr(sending, "record", record)
    recorder = Recorder.__new__(Recorder)
    recorder._owner = "pager-1"
    recorder._write(done)
    assert tries == [{poison, busy, well}, {poison}, {busy}, {well}, {busy}, {busy}]
    assert states() == ["sending", "sent", "sent"]


@pytest.mark.django_db
def test_in_the_end_it_is_left_to_the_lease(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("The database is read-only.")

    now = iter(range(0, 1000, 10))
    monkeypatch.setattr("incidents.services.recording.time.sleep", lambda _: None)
    monkeypatch.setattr("incidents.services.recording.time.monotonic", lambda: next(now))
    done = sent(portal)
    monkeypatch.setattr(sending, "record", refuse)
    recorder = Recorder.__new__(Recorder)
    recorder._owner = "pager-1"
    recorder._write(done)
    assert states() == ["sending"]
