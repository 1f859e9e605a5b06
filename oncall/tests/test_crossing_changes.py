"""What two people change at the same moment: neither undoes what the other did, nor deadlocks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from accounts.models import User
from accounts.tests.cast import person
from catalog.models import Service
from core.errors import Conflict, DomainError, NotFound
from oncall.models import (
    EscalationPolicy,
    HolidayCalendar,
    Override,
    Schedule,
    ServicePolicy,
    ShiftSwap,
)
from oncall.services.feeds import set_feed
from oncall.services.holidays import delete_calendar, save_calendar
from oncall.services.policies import delete_policy, save_policy
from oncall.services.schedules import (
    accept_swap,
    ask_for_swap,
    delete_override,
    delete_schedule,
    save_override,
    save_schedule,
    withdraw_swap,
)

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
WHO: dict[str, Any] = {"actor": "test", "now": NOW}
ROUNDS = 10


def rota(*people: User) -> list[dict[str, Any]]:
    return [
        {"name": "Daily", "first_on": date(2026, 3, 1), "handover_at": time(9), "unit": "days",
         "every": 1, "people": list(people)}
    ]  # fmt: skip


def schedule_of(*people: User, slug: str = "pay") -> Schedule:
    fields = {"slug": slug, "name": slug}
    return save_schedule(Schedule(), fields=fields, layers=rota(*people), **WHO)


def override_of(schedule: Schedule, who: User, begins: datetime = NOW + DAY) -> Override:
    fields = {"schedule": schedule, "person": who, "starts_at": begins, "ends_at": begins + DAY}
    return save_override(Override(), fields=fields, **WHO)


def change_policy(
    policy: EscalationPolicy, services: list[Service] | None = None, **fields: Any
) -> EscalationPolicy:
    return save_policy(policy, fields=fields, levels=None, timings=None, services=services, **WHO)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_what_was_deleted_meanwhile_does_not_come_back() -> None:
    """Whoever saves what they had read before hears that it is gone."""
    alice = person("alice")
    schedule = schedule_of(alice)
    override = override_of(schedule, alice)
    swap = ShiftSwap(schedule=schedule, starts_at=NOW, ends_at=NOW + DAY)
    swap = ask_for_swap(swap, actor=alice, now=NOW)
    policy = change_policy(EscalationPolicy(), slug="p", name="P")
    calendar = save_calendar(HolidayCalendar(), fields={"slug": "c", "name": "C"}, days=None, **WHO)
    delete_override(Override.objects.get(), **WHO)
    with pytest.raises(NotFound):
        save_override(override, fields={"reason": "typo"}, **WHO)
    with pytest.raises(NotFound):
        delete_override(override, **WHO)
    delete_schedule(Schedule.objects.get(), **WHO)
    delete_policy(EscalationPolicy.objects.get(), **WHO)
    delete_calendar(HolidayCalendar.objects.get(), **WHO)
    refused: list[Callable[[], object]] = [
        lambda: save_schedule(schedule, fields={"name": "new"}, layers=None, **WHO),
        lambda: delete_schedule(schedule, **WHO),
        lambda: set_feed(schedule, "https://c.example.org/x.ics", **WHO),
        lambda: ask_for_swap(swap, actor=alice, now=NOW),
        lambda: accept_swap(swap, actor=person("bob"), now=NOW),
        lambda: withdraw_swap(swap, actor=alice, now=NOW),
        lambda: change_policy(policy, name="new"),
        lambda: delete_policy(policy, **WHO),
        lambda: save_calendar(calendar, fields={"name": "new"}, days=None, **WHO),
        lambda: delete_calendar(calendar, **WHO),
    ]
    for change in refused:
        with pytest.raises(NotFound):
            change()
    for model in (Schedule, Override, EscalationPolicy, HolidayCalendar, ShiftSwap):
        assert not model.objects.exists()


@pytest.mark.django_db
@pytest.mark.both_databases
def test_only_what_is_given_changes() -> None:
    """The other fields stay as somebody else left them meanwhile."""
    alice = person("alice")
    schedule = schedule_of(alice)
    override = override_of(schedule, alice)
    policy = change_policy(EscalationPolicy(), slug="p", name="P")
    calendar = save_calendar(HolidayCalendar(), fields={"slug": "c", "name": "C"}, days=None, **WHO)
    later = NOW + 3 * DAY
    save_override(Override.objects.get(), fields={"ends_at": later}, **WHO)
    save_schedule(Schedule.objects.get(), fields={"timezone": "Asia/Tokyo"}, layers=None, **WHO)
    change_policy(EscalationPolicy.objects.get(), loops=7)
    save_calendar(HolidayCalendar.objects.get(), fields={"country": "DE"}, days=None, **WHO)
    assert save_override(override, fields={"reason": "typo"}, **WHO).ends_at == later
    saved = save_schedule(schedule, fields={"name": "new"}, layers=None, **WHO)
    assert (saved.name, saved.timezone) == ("new", "Asia/Tokyo")
    assert change_policy(policy, name="new").loops == 7
    assert save_calendar(calendar, fields={"name": "new"}, days=None, **WHO).country == "DE"
    for row in (override, schedule, policy, calendar):
        before = row.updated_at
        row.refresh_from_db()
        assert row.updated_at > before
    assert (schedule.name, policy.name, calendar.name) == ("new", "new", "new")


@pytest.mark.django_db
@pytest.mark.both_databases
def test_an_override_that_is_over_cannot_be_taken_back() -> None:
    """Again and again, it would have lasted until now each time."""
    row = override_of(schedule_of(person("alice")), person("bob"), NOW)
    stale = Override.objects.get()
    ended = NOW + timedelta(hours=1)
    delete_override(row, actor="test", now=ended)
    for later in (ended, ended + 5 * DAY):
        with pytest.raises(Conflict, match="It is over"):
            delete_override(stale, actor="test", now=later)
    assert Override.objects.get().ends_at == ended


def at_once(*deeds: Callable[[], object]) -> list[Exception]:
    """Do several things at the same moment; returns what went wrong but was no refusal."""
    start = Barrier(len(deeds))

    def do(deed: Callable[[], object]) -> Exception | None:
        start.wait(10)
        try:
            deed()
        except DomainError:
            return None
        except Exception as error:  # noqa: BLE001 what it was is for the test
            return error
        finally:
            connections.close_all()
        return None

    with ThreadPoolExecutor(len(deeds)) as threads:
        return [error for error in threads.map(do, deeds) if error is not None]


@pytest.mark.django_db(transaction=True)
def test_policies_that_become_the_default_at_once_take_turns() -> None:
    policies = [change_policy(EscalationPolicy(), slug=s, name=s) for s in "abcd"]
    change_policy(policies[0], is_default=True)
    for _ in range(ROUNDS):
        stale = list(EscalationPolicy.objects.order_by("-pk"))
        deeds = [partial(change_policy, row, is_default=True) for row in stale]
        assert at_once(*deeds) == []
        assert EscalationPolicy.objects.filter(is_default=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_policies_that_take_services_from_each_other_take_turns() -> None:
    services = [Service.objects.create(slug=slug, name=slug) for slug in ("a", "b", "c", "d")]
    one, other = (change_policy(EscalationPolicy(), slug=slug, name=slug) for slug in "po")
    for _ in range(ROUNDS):
        change_policy(one, services[:2])
        change_policy(other, services[2:])
        deeds = (
            lambda: change_policy(one, services[2:0:-1]),
            lambda: change_policy(other, [services[0], services[3]]),
        )
        assert at_once(*deeds) == []
        assert ServicePolicy.objects.count() == 4


def changes_of(schedule: Schedule, alice: User, bob: User) -> dict[str, Callable[[], object]]:
    """Return what can be changed about a schedule, on rows that were read before."""
    override = override_of(schedule, alice, NOW + 40 * DAY)
    swap = ShiftSwap(schedule=schedule, starts_at=NOW, ends_at=NOW + 5 * DAY)
    swap = ask_for_swap(swap, actor=alice, now=NOW)
    return {
        "put": lambda: save_schedule(schedule, fields={"name": "n"}, layers=rota(bob), **WHO),
        "override": lambda: save_override(override, fields={"reason": "typo"}, **WHO),
        "swap": lambda: accept_swap(swap, actor=bob, now=NOW),
        "feed": lambda: set_feed(schedule, "https://c.example.org/x.ics", **WHO),
        "take back": lambda: delete_override(override, **WHO),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["put", "override", "swap", "feed", "take back"])
def test_a_schedule_is_deleted_beside_a_change_of_it(what: str) -> None:
    alice, bob = person("alice"), person("bob")
    for _ in range(ROUNDS):
        schedule = schedule_of(alice, bob)
        change = changes_of(schedule, alice, bob)[what]
        assert at_once(partial(delete_schedule, Schedule.objects.get(), **WHO), change) == []
        assert not Schedule.objects.exists()
        assert not Override.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_overrides_that_change_places_take_turns() -> None:
    alice = person("alice")
    pay, shop = schedule_of(alice), schedule_of(alice, slug="shop")
    one, other = override_of(pay, alice), override_of(shop, alice)
    for _ in range(ROUNDS):
        moves = [
            partial(save_override, row, fields={"schedule": to}, **WHO)
            for row, to in ((one, shop), (other, pay))
        ]
        assert at_once(*moves) == []
        one.refresh_from_db()
        other.refresh_from_db()
        pay, shop = shop, pay
