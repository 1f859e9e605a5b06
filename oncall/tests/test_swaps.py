"""Whoever accepts a swap takes the place of whoever asked, and of nobody else."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from core.errors import Conflict, InvalidInput
from oncall.domain.spans import Span
from oncall.forms import SwapForm
from oncall.models import Override, Schedule, ShiftSwap
from oncall.queries.rotas import shifts
from oncall.services.schedules import accept_swap, ask_for_swap, save_override, save_schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def march(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.fixture
def people() -> dict[str, User]:
    return {name: person(name) for name in ("alice", "bob", "carol", "dave")}


@pytest.fixture
def schedule(people: dict[str, User]) -> Schedule:
    """Alice and bob take weekly turns from 2 March, 09:00 on."""
    layer = {
        "name": "Weekly",
        "first_on": date(2026, 3, 2),
        "handover_at": time(9),
        "unit": "weeks",
        "every": 1,
        "people": [people["alice"], people["bob"]],
    }
    fields = {"slug": "payments", "name": "Payments"}
    return save_schedule(Schedule(), fields=fields, layers=[layer], actor="test", now=NOW)


def asked(
    schedule: Schedule, by: User, starts_at: datetime, ends_at: datetime, now: datetime = NOW
) -> ShiftSwap:
    swap = ShiftSwap(schedule=schedule, starts_at=starts_at, ends_at=ends_at)
    return ask_for_swap(swap, actor=by, now=now)


def on_call(schedule: Schedule, start: datetime, end: datetime) -> list[tuple[str, datetime]]:
    """Return who is on call in turn, and from when."""
    names = dict(User.objects.values_list("pk", "username"))
    return [(names[shift.person], shift.span.start) for shift in shifts(schedule, Span(start, end))]


def test_nobody_else_is_replaced(schedule: Schedule, people: dict[str, User]) -> None:
    """Alice asks until the 12th, and is on call until the 9th: then it is bob's turn."""
    swap = asked(schedule, people["alice"], march(8), march(12))
    accept_swap(swap, actor=people["carol"], now=NOW)
    assert on_call(schedule, march(7), march(12)) == [
        ("alice", march(7)), ("carol", march(8)), ("bob", march(9)),
    ]  # fmt: skip


def test_each_of_their_turns_is_taken(schedule: Schedule, people: dict[str, User]) -> None:
    swap = asked(schedule, people["alice"], march(8), march(20))
    done = accept_swap(swap, actor=people["carol"], now=NOW)
    assert on_call(schedule, march(8), march(20)) == [
        ("carol", march(8)), ("bob", march(9)), ("carol", march(16)),
    ]  # fmt: skip
    assert done.override == Override.objects.earliest("starts_at")


def test_who_is_not_on_call_cannot_ask(schedule: Schedule, people: dict[str, User]) -> None:
    for name, begins in (("dave", 3), ("alice", 10)):
        with pytest.raises(InvalidInput, match="You are not on call in that time"):
            asked(schedule, people[name], march(begins), march(begins + 1))
    with pytest.raises(InvalidInput, match="within a year"):
        asked(schedule, people["alice"], march(3), march(3) + timedelta(days=367))
    assert not ShiftSwap.objects.exists()


def test_only_who_could_accept_is_asked(schedule: Schedule, people: dict[str, User]) -> None:
    """Not oneself, and nobody who may not respond; the page does not offer them."""
    viewer, alice = person("vic", Role.VIEWER), people["alice"]
    for other, why in ((alice, "Ask somebody else"), (viewer, "vic cannot accept")):
        swap = ShiftSwap(schedule=schedule, offered_to=other, starts_at=march(3), ends_at=march(4))
        with pytest.raises(InvalidInput, match=why) as error:
            ask_for_swap(swap, actor=alice, now=NOW)
        assert list(error.value.fields) == ["offered_to"]
    assert not ShiftSwap.objects.exists()
    offered = SwapForm().asked_by(alice).fields["offered_to"].queryset  # type: ignore[attr-defined]
    assert offered.query.order_by == ("username",)
    assert {user.username for user in offered} == {"bob", "carol", "dave"}


def test_who_was_replaced_meanwhile_is_not_again(
    schedule: Schedule, people: dict[str, User]
) -> None:
    """Bob took all of it by an override: there is no place of alice's to take."""
    swap = asked(schedule, people["alice"], march(4), march(5))
    fields = {"schedule": schedule, "person": people["bob"]}
    times = {"starts_at": march(4), "ends_at": march(5)}
    save_override(Override(), fields={**fields, **times}, actor="test", now=NOW)
    with pytest.raises(Conflict, match="alice is no longer on call in that time"):
        accept_swap(swap, actor=people["carol"], now=NOW)
    swap.refresh_from_db()
    assert swap.state == ShiftSwap.State.ASKED


def test_a_swap_accepted_late_is_for_what_is_to_come(
    schedule: Schedule, people: dict[str, User]
) -> None:
    swap = asked(schedule, people["alice"], march(2), march(6))
    accept_swap(swap, actor=people["carol"], now=march(5))
    assert on_call(schedule, march(2), march(6)) == [("alice", march(2)), ("carol", march(5))]
    late = asked(schedule, people["alice"], march(6), march(7), now=march(5))
    with pytest.raises(Conflict):
        accept_swap(late, actor=people["carol"], now=march(7))


def override(schedule: Schedule, who: User, starts_at: datetime) -> Override:
    fields = {"schedule": schedule, "person": who, "starts_at": starts_at, "ends_at": march(3)}
    return save_override(Override(), fields=fields, actor="test", now=NOW)


def test_a_new_override_begins_now_at_the_earliest(
    schedule: Schedule, people: dict[str, User]
) -> None:
    """Who was on call stays so."""
    assert override(schedule, people["carol"], march(2)).starts_at == NOW
    assert on_call(schedule, march(2), march(3)) == [("alice", march(2)), ("carol", NOW)]


def test_of_an_override_that_has_begun_only_the_end_changes(
    schedule: Schedule, people: dict[str, User]
) -> None:
    row = override(schedule, people["carol"], NOW)
    later = NOW + timedelta(hours=1)
    for change in ({"person": people["bob"]}, {"starts_at": later}, {"starts_at": march(2)}):
        with pytest.raises(InvalidInput, match="It has begun"):
            save_override(Override.objects.get(pk=row.pk), fields=change, actor="test", now=later)
    fields = {"person": people["carol"], "starts_at": NOW, "ends_at": march(4)}
    row = Override.objects.get(pk=row.pk)
    assert save_override(row, fields=fields, actor="test", now=later).ends_at == march(4)
    with pytest.raises(InvalidInput, match="It is over"):
        save_override(row, fields={"ends_at": march(6)}, actor="test", now=march(5))
