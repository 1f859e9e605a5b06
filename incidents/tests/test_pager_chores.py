"""Each of a pager's chores fails alone: the others are done, and whoever is to be called is called."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest

from core import ticks
from core.health import Status
from core.models import JobSlot
from incidents.models import Heartbeat, Maintenance, Silence
from incidents.services import heartbeats, lifecycle, sending
from incidents.services.pager import Pager
from incidents.services.sending import Done
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.senders import integration_of
from users_api import health

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CHORES = {
    "beat": "ticks.beat",
    "steps": "due.Queues.fire_steps",
    "deadlines": "due.Queues.fire_deadlines",
    "silences": "due.end_silences",
    "held": "due.call_for_held",
    "heartbeats": "heartbeats.check",
    "maintenance": "maintenance.silence_due",
    "audit": "audit_paging",
}


class AtOnce:
    """Stands where a pager's senders and its recorder are: in the test's own thread."""

    waiting = 0

    def __init__(self, *_args: object, **_named: object) -> None: ...

    def submit(self, work: Callable[..., None], *args: Any) -> Future[None]:
        work(*args)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def put(self, done: Done) -> None:
        sending.record([done], owner="pager-1")


@pytest.fixture
def ticking(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Pager:
    monkeypatch.setattr("incidents.services.pager.ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr("incidents.services.pager.Recorder", AtOnce)
    return Pager(lambda: portal.now, owner="pager-1")


def fails(*_args: object, **_named: object) -> int:
    raise OverflowError("must have magnitude <= 999999999")


def declare(portal: Portal) -> None:
    """Open an incident without letting any pager look."""
    opening = lifecycle.Opening("P0", "5xx spike", service_id=portal.service.pk)
    lifecycle.declare(opening, now=portal.now, actor="test")


@pytest.mark.parametrize("chore", CHORES)
def test_a_chore_that_fails_keeps_no_page_from_going_out(
    chore: str, ticking: Pager, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is the steps: what they made before goes out."""
    declare(portal)
    if chore == "steps":
        assert ticking._queues.fire_steps(now=portal.now) == 1
    monkeypatch.setattr(f"incidents.services.pager.{CHORES[chore]}", fails)
    ticking.tick()
    assert portal.paged() == [(0, "alice")]
    portal.now += timedelta(seconds=90)
    ticking.tick()
    if chore != "beat":
        assert health.check_pager(portal.now).status is Status.DEGRADED
        assert f"{chore} (OverflowError)" in health.check_pager(portal.now).detail
    assert JobSlot.objects.get(job=f"pager.{chore}").detail == {"error": "OverflowError"}


def test_health_forgets_a_chore_that_works_again(
    ticking: Pager, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("incidents.services.pager.maintenance.silence_due", fails)
        ticking.tick()
    assert health.check_pager(portal.now).status is Status.DEGRADED
    portal.now += timedelta(minutes=3)
    ticking.tick()
    assert health.check_pager(portal.now).status is Status.HEALTHY


def test_one_maintenance_that_cannot_be_worked_out_leaves_the_others_silenced(
    ticking: Pager, portal: Portal
) -> None:
    """Its rule was stored before such rules were refused; whom another service needs is called."""
    hour = timedelta(hours=1)
    spans = {"starts_at": portal.now - 120 * hour, "ends_at": portal.now - 119 * hour}
    rules = (
        "FREQ=DAILY;INTERVAL=1000000000",
        "FREQ=WEEKLY;INTERVAL=99999999999999999999",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY",
    )
    for rule in rules:
        Maintenance.objects.create(
            service=integration_of("generic")[0].service, rule=rule, comment=rule, **spans
        )
    declare(portal)
    ticking.tick()
    assert portal.paged() == [(0, "alice")]
    assert Silence.objects.get().comment == "FREQ=DAILY"
    assert health.check_pager(portal.now).status is Status.DEGRADED


def test_one_heartbeat_that_cannot_alert_leaves_the_others_alerting(
    ticking: Pager, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    integration, _key = integration_of("healthchecks")
    for name in ("broken", "sound"):
        Heartbeat.objects.create(
            integration=integration, name=name, sender_key=name,
            period=timedelta(minutes=1), grace=timedelta(minutes=1),
            state=Heartbeat.State.UP, due_at=portal.now, ended_at=portal.now, last_sign_at=portal.now,
        )  # fmt: skip
    words = heartbeats._silence

    def silence(heartbeat: Heartbeat) -> str:
        return str(fails()) if heartbeat.name == "broken" else words(heartbeat)

    monkeypatch.setattr(heartbeats, "_silence", silence)
    ticking.tick()
    assert dict(Heartbeat.objects.values_list("name", "state")) == {"broken": "up", "sound": "down"}
    assert ticks.failures("pager.", since=portal.now) == {"pager.heartbeats": "OverflowError"}
