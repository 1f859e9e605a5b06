"""Steps that fire in one batch do what each would have done alone, and none of them twice."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from incidents.models import (
    CallDecision,
    EscalationRun,
    Incident,
    LadderSnapshot,
    Page,
    TimelineEntry,
)
from incidents.queries.decisions import with_decisions
from incidents.services import due, firing, lifecycle, pages
from incidents.services.claims import LEASE, Queue
from incidents.services.pages import Calls, Gone, Place, Way
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from notifications.models import ContactMethod
from notifications.services.contacts import remove_method
from oncall.models import EscalationPolicy, FallbackContact, LevelTarget, PolicyLevel

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def _declare(portal: Portal, severity: str = "P0", service: int | None = 0) -> Incident:
    opening = lifecycle.Opening(
        severity, "5xx spike", service_id=portal.service.pk if service == 0 else service
    )
    return lifecycle.declare(opening, now=portal.now, actor="test")


@pytest.fixture
def trusting(portal: Portal) -> due.Queues:
    """A pager's look that has fired its first steps: it no longer claims what it fires."""
    _declare(portal)
    queues = due.Queues()
    assert queues.fire_steps(now=portal.now) == 1
    return queues


def _mixed_world(portal: Portal) -> None:
    """Make incidents that differ in all that a step depends on."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    turns = EscalationPolicy.objects.create(slug="turns", name="Turns", is_default=True)
    level = PolicyLevel.objects.create(policy=turns, number=1, name="L1", mode="round_robin")
    for name in ("bob", "carol"):
        LevelTarget.objects.create(level=level, person=portal.people[name])
    both = PolicyLevel.objects.create(policy=turns, number=2, name="L2", acknowledgements=2)
    for name in ("alice", "dave"):
        LevelTarget.objects.create(level=both, person=portal.people[name])
    ContactMethod.objects.filter(person=portal.people["carol"]).delete()
    for severity in ("P0", "P1", "P2", "P3") * 3:
        _declare(portal, severity)
        _declare(portal, severity, None)


def _evidence() -> list[Any]:
    """Return what was done, beside when and by which numbers."""
    pages_ = Page.objects.order_by("incident", "cycle", "loop", "step", "target", "reason")
    told = with_decisions([*TimelineEntry.objects.order_by("incident", "at", "pk")])
    return [
        list(pages_.values_list("incident", "step", "loop", "target", "reason", "severity", "due_at")),
        [(each.incident_id, each.act, each.text, each.facts) for each in told],
        list(EscalationRun.objects.order_by("pk").values_list(
            "incident", "state", "loop", "position", "due_at", "look_at", "claims", "ended_at")),
        list(Incident.objects.order_by("pk").values_list("unreached", flat=True)),
    ]  # fmt: skip


class _Undo(Exception):
    """Ends a trial; nothing of it stays."""


def _trial(portal: Portal, step: Callable[[], object]) -> list[Any]:
    """Return what came of five hours of looks, in a world that is forgotten afterwards."""
    found: list[Any] = []
    began = portal.now
    with pytest.raises(_Undo), transaction.atomic():
        for _ in range(75):
            step()
            first = Incident.objects.earliest("pk")
            if portal.now == began + timedelta(minutes=8) and first.status == "triggered":
                lifecycle.acknowledge(first.pk, now=portal.now, actor=portal.people["alice"])
            portal.now += timedelta(minutes=4)
        found = _evidence()
        raise _Undo
    portal.now = began
    return found


def test_a_batch_does_what_its_steps_do_one_by_one(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for whose turn it is in a round robin, which depends on the order of the steps."""
    _mixed_world(portal)
    monkeypatch.setattr(firing, "take_turns", lambda _policy, _level, count: [1] * count)
    queues = due.Queues()

    def together() -> None:
        while queues.fire_steps(now=portal.now):
            pass

    def one_by_one() -> None:
        queue = firing.queue()
        while rows := queue.claim(now=portal.now, limit=1):
            for row in rows:
                firing.fire([firing.Claimed.of(row, portal.now + LEASE)], now=portal.now)

    alone = _trial(portal, one_by_one)
    batch = _trial(portal, together)
    assert batch == alone
    assert len(batch[0]) > 60
    assert {reason for *_, reason, _severity, _due in batch[0]} == {
        "escalation",
        "unresolved",
        "fallback",
    }


def test_a_step_that_another_pager_fired_meanwhile_is_left(
    portal: Portal, trusting: due.Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read the rows as due; the second gets the lock when the first has fired them."""
    for _ in range(3):
        _declare(portal)
    real = Queue.take
    read: list[list[Any]] = []

    def stale(self: Queue, **kwargs: Any) -> list[Any]:
        read.append(read[0] if read else real(self, **kwargs))
        return list(read[-1])

    monkeypatch.setattr(Queue, "take", stale)
    other = due.Queues()
    other._claims_first = False
    assert trusting.fire_steps(now=portal.now) == 3
    before = _evidence()
    EscalationRun.objects.update(look_at=portal.now)
    firing.fire_due(other.steps, now=portal.now, limit=10)
    after = _evidence()
    assert len(before[0]) == 4
    assert (after[0], after[1]) == (before[0], before[1])
    assert set(EscalationRun.objects.values_list("position", flat=True)) == {1}


def test_the_first_steps_of_a_pager_are_claimed(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended the pager before it is among them, and the claim outlives the transaction."""
    _declare(portal)
    _declare(portal)

    def dies(_claims: Any, **_kwargs: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(firing, "fire", dies)
        with pytest.raises(SystemExit):
            due.Queues().fire_steps(now=portal.now)
    assert set(EscalationRun.objects.values_list("claims", flat=True)) == {1}
    assert not Page.objects.exists()


def test_steps_after_the_first_leave_no_claim_behind(
    portal: Portal, trusting: due.Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pager that dies gives what it had taken back at once."""
    incident = _declare(portal)
    with monkeypatch.context() as patch:
        patch.setattr(pages, "insert", _dies)
        with pytest.raises(_Killed), transaction.atomic():
            trusting.fire_steps(now=portal.now)
    assert incident.runs.get().claims == 0
    assert due.Queues().fire_steps(now=portal.now) == 1
    assert incident.pages.count() == 1


class _Killed(BaseException):
    """What ends a process; nothing catches it."""


def _dies(*_args: Any, **_kwargs: Any) -> None:
    raise _Killed


def test_one_that_fails_among_many_is_found_and_the_others_fire(
    portal: Portal, trusting: due.Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = _declare(portal, "P1"), _declare(portal, "P2")
    real = firing._Batch._decided

    def decided(self: Any, case: Any) -> Any:
        if case.at.severity == "P1":
            raise RuntimeError("poison")
        return real(self, case)

    monkeypatch.setattr(firing._Batch, "_decided", decided)
    for _ in range(12):
        trusting.fire_steps(now=portal.now)
        portal.now += LEASE
    assert good.pages.exists()
    assert bad.runs.get().state == "quarantined"


def test_a_ladder_that_many_walks_have_is_stored_once(portal: Portal) -> None:
    for severity in ("P0", "P0", "P3", "P3"):
        _declare(portal, severity)
    assert LadderSnapshot.objects.count() == 2
    assert EscalationRun.objects.count() == 4
    PolicyLevel.objects.filter(number=1).update(name="First")
    PolicyLevel.objects.filter(number=4).delete()
    incident = _declare(portal)
    assert len(incident.runs.get().ladder.steps) == 3
    assert LadderSnapshot.objects.count() == 3


def test_what_decided_a_call_is_stored_once_for_all_that_share_it(portal: Portal) -> None:
    """Many incidents of one place are decided together; each of them tells the whole of it."""
    for _ in range(50):
        _declare(portal)
    before = CallDecision.objects.count()
    assert due.Queues().fire_steps(now=portal.now) == 50
    assert CallDecision.objects.count() == before + 1
    stored = TimelineEntry.objects.filter(act="call")
    assert all(each.facts.keys() == {"loop", "level", "decision"} for each in stored)
    told = with_decisions([*stored])
    assert len(told) == 50
    assert {each.facts["called"][0]["whom"] for each in told} == {"user:alice"}
    assert all("decision" not in each.facts for each in told)


def test_pages_by_a_method_that_is_removed_stay(portal: Portal) -> None:
    incident = portal.open_incident()
    method = ContactMethod.objects.get(person=portal.people["alice"])
    remove_method(method, actor="test", now=portal.now)
    page = incident.pages.get()
    assert (page.method, page.target, page.state) == (None, "user:alice", "sent")


@pytest.fixture
def on_postgresql() -> None:
    """Skip where the database has one writer at a time."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps foreign keys, and one writer")


@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.parametrize("gone", ["person", "method"])
def test_nothing_is_made_for_what_no_longer_exists(portal: Portal, gone: str) -> None:
    """What a foreign key would refuse is refused: a page must lead somewhere."""
    incident = _declare(portal)
    method = ContactMethod.objects.get(person=portal.people["alice"])
    way = Way("user:alice", "email", portal.now, method.person_id, method.pk)
    missing = way._replace(person=10**9) if gone == "person" else way._replace(method=10**9)
    place = Place(1, "P0", "escalation")
    of = [(incident.pk, None)]
    with pytest.raises(Gone):
        pages.insert([Calls(place, way, of), Calls(place, missing, of)], now=portal.now)
    assert not Page.objects.exists()


@pytest.fixture
def held_elsewhere() -> Iterator[Callable[[int], Callable[[], None]]]:
    """Hold incidents in another session; returns what lets go."""
    threads: list[threading.Thread] = []

    def hold(incident: int) -> Callable[[], None]:
        is_held, let_go = threading.Event(), threading.Event()

        def run() -> None:
            with transaction.atomic():
                Incident.objects.select_for_update().get(pk=incident)
                is_held.set()
                let_go.wait(20)
            connection.close()

        thread = threading.Thread(target=run)
        threads.append(thread)
        thread.start()
        assert is_held.wait(20)

        def release() -> None:
            let_go.set()
            thread.join(20)

        return release

    yield hold
    for thread in threads:
        thread.join(20)


@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.django_db(transaction=True)
def test_one_whose_incident_is_held_waits_and_holds_up_nobody(
    portal: Portal, trusting: due.Queues, held_elsewhere: Callable[[int], Callable[[], None]]
) -> None:
    held, free = _declare(portal), _declare(portal)
    release = held_elsewhere(held.pk)
    try:
        assert trusting.fire_steps(now=portal.now) == 1
        assert trusting.fire_steps(now=portal.now) == 0
        assert (free.pages.count(), held.pages.count()) == (1, 0)
    finally:
        release()
    assert trusting.fire_steps(now=portal.now) == 1
    assert held.pages.count() == 1
    assert portal.now == MONDAY


@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.django_db(transaction=True)
def test_pagers_side_by_side_fire_each_step_once(portal: Portal) -> None:
    """Four at the same moment, in small batches; what one holds the others leave."""
    count = 120
    for number in range(count):
        _declare(portal, ("P0", "P1", "P2", "P3")[number % 4])
    ready = threading.Barrier(4)
    fired: list[int] = []

    def look() -> None:
        queues = due.Queues()
        ready.wait(20)
        while EscalationRun.objects.filter(state="running", look_at__lte=portal.now).exists():
            fired.append(queues.fire_steps(now=portal.now, limit=7))
        connection.close()

    pagers = [threading.Thread(target=look) for _ in range(4)]
    for each in pagers:
        each.start()
    for each in pagers:
        each.join(60)
    assert sum(fired) >= count
    assert Page.objects.count() == count
    assert TimelineEntry.objects.filter(act="call").count() == count
    assert set(EscalationRun.objects.values_list("position", "claims")) == {(1, 0)}
