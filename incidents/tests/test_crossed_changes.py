"""A person and an alert change one incident in the same moment: what both did stands, and nobody hears of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.errors import Conflict
from core.models import AuditEntry
from core.tests.crossing import beside, until_somebody_waits
from incidents.models import Alert, Incident, Silence
from incidents.services import due, intake, lifecycle, merging, silences
from incidents.services.intake import AlertSignal
from incidents.services.pager import Pager
from incidents.services.silences import end_silence, save_silence
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from incidents.tests.test_pager_chores import ticking

__all__ = ["portal", "ticking"]

pytestmark = pytest.mark.django_db(transaction=True)


def signal(portal: Portal) -> AlertSignal:
    """Say that a disk is wrong."""
    return AlertSignal(
        source="test",
        dedup_key="disk",
        firing=True,
        severity="P1",
        title="The disk is wrong",
        service=portal.service,
    )


def _patient(seconds: int) -> None:
    """Have this session look for deadlocks last, so that the other one is the victim."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL deadlock_timeout = %s", [f"{seconds}s"])


@pytest.fixture
def incident(portal: Portal) -> Incident:
    found = portal.alert("disk")
    assert found is not None
    return found


def test_who_resolves_beside_an_end_of_its_alert_hears_nothing_of_a_deadlock(
    portal: Portal, incident: Incident
) -> None:
    """An alert is locked before its incident when it ends, and after it when people end both."""
    with transaction.atomic():
        _patient(60)
        list(Alert.objects.filter(incident=incident).select_for_update())
        doing, failed = beside(
            lambda: lifecycle.resolve(incident.pk, now=portal.now, actor="alice")
        )
        until_somebody_waits(doing)
        list(Incident.objects.filter(pk=incident.pk).select_for_update())
    doing.join(30)
    assert not failed
    incident.refresh_from_db()
    assert (incident.status, incident.resolved_by) == ("resolved", "alice")
    assert incident.timeline.filter(act="resolve").count() == 1


def test_an_alert_that_ends_beside_a_merge_ends(portal: Portal, incident: Incident) -> None:
    other = portal.alert("other")
    assert other is not None
    with transaction.atomic():
        _patient(60)
        list(Incident.objects.filter(pk=incident.pk).select_for_update())
        doing, failed = beside(lambda: portal.alert("disk", firing=False))
        until_somebody_waits(doing)
        merging.merge(incident.pk, into=other.pk, now=portal.now, actor="alice")
    doing.join(30)
    assert not failed
    assert not Alert.objects.firing().filter(dedup_key="disk").exists()
    other.refresh_from_db()
    assert other.status == "triggered"


@pytest.mark.parametrize("how", [lifecycle.reopen, merging.unmerge])
def test_who_takes_up_an_incident_beside_an_alert_that_opens_one_hears_of_that_one(
    portal: Portal, incident: Incident, how: Callable[..., object]
) -> None:
    if how is lifecycle.reopen:
        portal.alert("disk", firing=False)
    else:
        other = portal.open_incident("other")
        merging.merge(incident.pk, into=other.pk, now=portal.now, actor="alice")
        lifecycle.resolve(other.pk, now=portal.now, actor="alice")
    portal.now += timedelta(minutes=1)
    with transaction.atomic():
        assert portal.alert("disk") != incident
        doing, failed = beside(lambda: how(incident.pk, now=portal.now, actor="alice"))
        until_somebody_waits(doing)
    doing.join(30)
    assert [type(error) for error in failed] == [Conflict]


def test_who_relates_two_incidents_waits_for_both_before_the_audit(
    portal: Portal, incident: Incident
) -> None:
    """Else whoever holds the other and waits for the audit waits for ever."""
    other = portal.alert("other")
    assert other is not None
    with transaction.atomic():
        list(Incident.objects.filter(pk=other.pk).select_for_update())
        doing, failed = beside(
            lambda: merging.relate(incident.pk, to=other, now=portal.now, actor="alice")
        )
        until_somebody_waits(doing)
        lifecycle.note(other.pk, text="Looking.", now=portal.now, actor="bob")
    doing.join(30)
    assert not failed
    assert other.related.get() == incident


def test_what_is_due_and_was_crossed_does_not_wait_for_its_claim_to_run_out(
    portal: Portal, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = portal.now + timedelta(minutes=5)
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor="alice")
    wake, tried = lifecycle.unacknowledge_locked, []

    def crossed(*args: Any, **values: Any) -> None:
        tried.append(portal.now)
        if len(tried) == 1:
            raise IntegrityError
        wake(*args, **values)

    monkeypatch.setattr(lifecycle, "unacknowledge_locked", crossed)
    portal.now = until
    portal.settle()
    assert tried == [until, until]
    assert portal.paged() == [(0, "alice"), (5, "alice")]


def changed_beside(portal: Portal, silence: Silence, changed: dict[str, Any]) -> Alert:
    """Change a silence while an alert is taken in that it holds back; neither sees the other."""
    with transaction.atomic():
        alert = intake.receive(signal(portal), now=portal.now)
        assert alert is not None
        doing, failed = beside(
            lambda: save_silence(silence, fields=changed, actor="test", now=portal.now)
        )
        doing.join(1)
    doing.join(30)
    assert not failed
    return alert


@pytest.mark.parametrize("ends", ["by itself", "by hand"])
def test_an_alert_that_comes_in_while_its_silence_ends_calls(portal: Portal, ends: str) -> None:
    """Who ends the silence does not see it yet, and it sees a silence that holds."""
    until = portal.now + timedelta(hours=1)
    fields = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": until,
        "comment": "Disks are exchanged.",
    }
    silence = save_silence(Silence(), fields=fields, actor="test", now=portal.now)
    end = until if ends == "by itself" else portal.now + timedelta(minutes=5)
    portal.now = end - timedelta(seconds=1)

    def over() -> None:
        if ends == "by hand":
            end_silence(silence, actor="test", now=end)
        due.end_silences(now=end)

    with transaction.atomic():
        alert = intake.receive(signal(portal), now=portal.now)
        assert alert is not None
        # Before the audit, which only one writes at a time.
        doing, failed = beside(over)
        doing.join(1)
    doing.join(30)
    assert not failed
    portal.now = end
    portal.settle()
    assert [name for _, name in portal.paged()] == ["alice"]


@pytest.mark.parametrize(
    "changed",
    [
        {"matchers": [{"name": "title", "op": "=", "value": "Network"}]},
        {"starts_at": MONDAY + timedelta(minutes=30)},
    ],
    ids=["other alerts", "later"],
)
def test_an_alert_that_comes_in_while_its_silence_is_changed_calls(
    portal: Portal, changed: dict[str, Any]
) -> None:
    """Who changes the silence does not see it yet, and it sees the silence as it was."""
    fields = {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + timedelta(hours=1),
        "comment": "Disks are exchanged.",
    }
    silence = save_silence(Silence(), fields=fields, actor="test", now=portal.now)
    held = portal.alert("held", title="Network")
    portal.now += timedelta(minutes=10)
    alert = changed_beside(portal, silence, changed)
    portal.now += timedelta(seconds=5)
    portal.settle()
    alert.refresh_from_db()
    assert alert.incident is not None
    assert alert.silenced_by is None
    assert "alice" in [name for _, name in portal.paged()]
    # What it still covers stays silent.
    assert held is None
    assert Alert.objects.filter(dedup_key="held", incident=None).exists() is ("matchers" in changed)


@pytest.mark.parametrize("is_another", [True, False], ids=["another pager", "the same one"])
def test_what_a_silence_let_go_while_no_pager_was_there_calls_once_there_is_one(
    portal: Portal, ticking: Pager, is_another: bool
) -> None:
    """An alert that came in beside the change, two hours before a pager looks again."""
    silence = save_silence(Silence(), fields=of_a_day(portal), actor="test", now=portal.now)
    ticking.tick()
    portal.now += timedelta(minutes=10)
    others = [{"name": "title", "op": "=", "value": "Network"}]
    alert = changed_beside(portal, silence, {"matchers": others})
    portal.now += timedelta(hours=2)
    pager = Pager(lambda: portal.now, owner="pager-2") if is_another else ticking
    for _ in range(3):
        pager.tick()
        portal.now += timedelta(seconds=6)
    alert.refresh_from_db()
    assert alert.incident is not None
    assert [name for _, name in portal.paged()] == ["alice"]


def of_a_day(portal: Portal) -> dict[str, Any]:
    """Return what a silence of the service for a day is made with."""
    return {
        "service": portal.service,
        "starts_at": portal.now,
        "ends_at": portal.now + timedelta(days=1),
        "comment": "Disks are exchanged.",
    }


def crossed_once(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Have something fail the first time as if another one had been faster; returns each try at it."""
    work, tried = getattr(silences, name), []

    def crossed(*args: Any, **values: Any) -> None:
        tried.append(name)
        work(*args, **values)
        if len(tried) == 1:
            raise IntegrityError

    monkeypatch.setattr(silences, name, crossed)
    return tried


def test_who_makes_a_silence_beside_an_alert_hears_nothing_of_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = crossed_once(monkeypatch, "_hold_back")
    made = save_silence(Silence(), fields=of_a_day(portal), actor="test", now=portal.now)
    assert (len(tried), Silence.objects.get()) == (2, made)
    assert AuditEntry.objects.filter(act="silence.created").count() == 1


def test_who_changes_a_silence_beside_an_alert_hears_nothing_of_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held back is let go once, and calls once."""
    silence = save_silence(Silence(), fields=of_a_day(portal), actor="test", now=portal.now)
    assert portal.alert("disk") is None
    tried = crossed_once(monkeypatch, "_release")
    others = [{"name": "title", "op": "=", "value": "Network"}]
    save_silence(silence, fields={"matchers": others}, actor="test", now=portal.now)
    portal.settle()
    assert len(tried) == 2
    assert Silence.objects.get().matchers == others
    assert AuditEntry.objects.filter(act="silence.changed").count() == 1
    assert [name for _, name in portal.paged()] == ["alice"]
    assert Incident.objects.get().timeline.filter(act="released").count() == 1


def test_a_silence_that_is_prolonged_as_it_ends_holds(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pager saw its end before somebody moved that, and does not end it."""
    fields = {**of_a_day(portal), "ends_at": portal.now + timedelta(hours=1)}
    silence = save_silence(Silence(), fields=fields, actor="test", now=portal.now)
    assert portal.alert("disk") is None
    end = portal.now + timedelta(hours=1)
    seen = due._end_silence

    def prolonged(ended: Silence, *, now: datetime) -> None:
        longer, before = {"ends_at": end + timedelta(hours=1)}, end - timedelta(seconds=1)
        save_silence(silence, fields=longer, actor="test", now=before)
        seen(ended, now=now)

    monkeypatch.setattr(due, "_end_silence", prolonged)
    due.end_silences(now=end)
    monkeypatch.setattr(due, "_end_silence", seen)
    portal.now = end + timedelta(minutes=1)
    assert portal.alert("second disk") is None
    assert portal.paged() == []
    portal.fast_forward(minutes=60)
    assert [name for _, name in portal.paged()] == ["alice", "alice"]


def test_a_silence_that_a_pager_ended_is_neither_prolonged_nor_ended_again(portal: Portal) -> None:
    """By whose clock it still lasts for a moment."""
    fields = {**of_a_day(portal), "ends_at": portal.now + timedelta(hours=1)}
    silence = save_silence(Silence(), fields=fields, actor="test", now=portal.now)
    due.end_silences(now=portal.now + timedelta(hours=1))
    late = portal.now + timedelta(minutes=59)
    longer = {"ends_at": portal.now + timedelta(hours=3)}
    with pytest.raises(Conflict, match="It has ended"):
        save_silence(silence, fields=longer, actor="test", now=late)
    with pytest.raises(Conflict, match="It has ended already"):
        end_silence(silence, actor="test", now=late)


def test_silences_that_were_changed_of_late_are_looked_at_together(portal: Portal) -> None:
    """Whoever plans many of them keeps no pager from its work."""

    def queries(titles: int) -> int:
        for number in range(titles):
            matcher = {"name": "title", "op": "=", "value": f"Disk {number}"}
            fields = {
                "service": portal.service,
                "starts_at": portal.now,
                "ends_at": portal.now + timedelta(hours=1),
                "comment": "Disks are exchanged.",
                "matchers": [matcher],
            }
            save_silence(Silence(), fields=fields, actor="test", now=portal.now)
            assert portal.alert(f"disk {titles} {number}", title=f"Disk {number}") is None
        with CaptureQueriesContext(connection) as asked:
            assert due.call_for_held(now=portal.now) == 0
        return len(asked)

    assert queries(1) == queries(5)
