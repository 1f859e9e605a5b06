"""What `bootstrap` makes, and what it leaves alone."""

import json
from datetime import UTC, datetime

import pytest
from celery import current_app
from django.core.management import call_command
from django_celery_beat.models import (
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from accounts.models import ApiToken, User
from accounts.roles import Role
from core import bootstrap
from sreportal import defaults
from sreportal.beat import PortalScheduler
from sreportal.schedule import SCHEDULE, Tick

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = Tick("Count sheep", "sheep.count", 30, "Nobody sleeps otherwise.")

pytestmark = pytest.mark.django_db


def row() -> PeriodicTask:
    """Return the row of the test's tick."""
    return PeriodicTask.objects.get(name=TICK.name)


def test_a_row_that_nobody_can_read_stops_neither_start_nor_scheduler() -> None:
    """Whatever was written into the schedule, the portal starts and its own ticks run."""
    every, _ = IntervalSchedule.objects.get_or_create(every=5, period=IntervalSchedule.SECONDS)
    sunrise = SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    never = CrontabSchedule.objects.create(hour="-1")
    for number, row in enumerate(
        [
            {"headers": "{", "interval": every}, {"headers": "[]", "interval": every},
            {"headers": f'{{"{defaults.WRITTEN}": "soon"}}', "interval": every},
            {"solar": sunrise}, {"crontab": never},
        ]
    ):  # fmt: skip
        PeriodicTask.objects.create(name=f"odd {number}", task="sheep.count", **row)
    defaults.sync_schedule((TICK,))
    read = PortalScheduler(app=current_app, lazy=True).all_as_schedule()
    assert TICK.name in read
    assert {name for name in read if name.startswith("odd")} == {"odd 2"}


def test_first_admin_can_sign_in() -> None:
    """An empty database gets one admin, whose generated password works."""
    password = defaults.create_first_admin()
    assert password is not None
    admin = User.objects.get()
    assert admin.username == "admin"
    assert admin.has_role(Role.ADMIN)
    assert admin.check_password(password)


def test_no_admin_is_added_beside_others() -> None:
    """Where somebody has an account, bootstrap makes none."""
    User.objects.create_user("alice", "alice@example.org")
    assert defaults.create_first_admin() is None
    assert User.objects.count() == 1


def test_tick_becomes_a_row_that_expires_with_its_interval() -> None:
    """A tick that finds no worker within its interval is dropped, not queued up."""
    defaults.sync_schedule((TICK,))
    assert row().interval.every == 30
    assert row().expire_seconds == 30
    assert row().description == TICK.reason


def test_changed_interval_follows_until_an_admin_edits_it() -> None:
    """An upgrade may change an interval; an admin's own choice outlives every upgrade."""
    defaults.sync_schedule((TICK,))
    defaults.sync_schedule((Tick(TICK.name, TICK.task, 45, TICK.reason),))
    assert row().interval.every == 45

    own, _ = IntervalSchedule.objects.get_or_create(every=2, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.filter(name=TICK.name).update(interval=own)
    defaults.sync_schedule((Tick(TICK.name, "sheep.count_all", 60, TICK.reason),))
    assert row().interval == own
    assert row().task == "sheep.count_all"


def test_switched_off_stays_off() -> None:
    """An admin who disables a tick finds it disabled after the next start."""
    defaults.sync_schedule((TICK,))
    PeriodicTask.objects.filter(name=TICK.name).update(enabled=False)
    defaults.sync_schedule((TICK,))
    assert not row().enabled


def test_vanished_tick_goes_and_foreign_rows_stay() -> None:
    """What the portal no longer schedules is removed; what an admin added is not the portal's."""
    defaults.sync_schedule((TICK,))
    foreign = PeriodicTask.objects.create(
        name="Mine", task="mine", interval=row().interval, headers=json.dumps({"own": 1})
    )
    defaults.sync_schedule(())
    assert list(PeriodicTask.objects.values_list("name", flat=True)) == [foreign.name]


def test_every_tick_names_a_task_that_exists() -> None:
    """A misspelt task would be dropped by the worker for ever."""
    current_app.loader.import_default_modules()
    assert {tick.task for tick in SCHEDULE} <= set(current_app.tasks)
    assert len({tick.name for tick in SCHEDULE}) == len(SCHEDULE)


def test_bootstrap_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """The second run prints no password and changes nothing."""
    call_command("bootstrap")
    assert "Password: " in capsys.readouterr().out
    before = list(PeriodicTask.objects.values_list("pk", "interval_id"))
    call_command("bootstrap")
    assert "Password: " not in capsys.readouterr().out
    assert list(PeriodicTask.objects.values_list("pk", "interval_id")) == before


def test_creators_run_once_each_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apps' defaults are made in the order of registration, and not twice."""
    monkeypatch.setattr(bootstrap, "_CREATORS", [])
    made: list[str] = []

    def first(now: datetime) -> None:
        made.append(f"first at {now:%H:%M}")

    def second(now: datetime) -> None:
        made.append("second")

    for creator in (first, second, first):
        bootstrap.register(creator)
    bootstrap.run(now=NOW)
    assert made == ["first at 12:00", "second"]


def test_demonstration_token_is_new_at_every_start() -> None:
    """Where the Users API asks for a token, the generator has one, and only the newest works."""
    defaults.create_first_admin()
    first = defaults.demonstration_token(now=NOW)
    second = defaults.demonstration_token(now=NOW)
    assert first.startswith("srp_")
    assert first != second
    assert ApiToken.objects.filter(revoked_at=None).count() == 1


def test_no_admin_no_demonstration_token() -> None:
    """Nobody owns a token that nobody made."""
    assert defaults.demonstration_token(now=NOW) == ""
