"""Holidays: by law and one's own; what layers, working hours and fairness make of them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service
from core.clock import now
from core.errors import NotFound
from core.models import AuditEntry
from incidents.models import EscalationRun
from incidents.services.intake import AlertSignal, receive
from incidents.tests.oncall_portal import Portal, portal
from oncall.domain.escalations import WorkingHours, after_working_time
from oncall.domain.holidays import Days, problem_of
from oncall.domain.rotations import HolidayRule, Layer, Unit, turns
from oncall.domain.schedules import fairness, final, gaps
from oncall.domain.spans import Span
from oncall.models import EscalationPolicy, HolidayCalendar, Schedule
from oncall.services.holidays import delete_calendar, save_calendar

__all__ = ["portal"]

BERLIN = ZoneInfo("Europe/Berlin")
XMAS = date(2026, 12, 25)  # A Friday.


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[misc,arg-type]


def hours(spans: Any) -> float:
    return sum((span.length for span in spans), timedelta()) / timedelta(hours=1)


def layer(person: int, rule: HolidayRule, holidays: Any) -> Layer:
    return Layer((person,), BERLIN, date(2026, 1, 1), time(9), Unit.WEEKS, 1,
                 holidays=holidays, on_holidays=rule)  # fmt: skip


class TestDays:
    def test_of_the_law_and_its_parts(self) -> None:
        assert Days("DE").name_of(XMAS) == "Christmas Day"
        assert date(2026, 1, 6) not in Days("DE")
        assert date(2026, 1, 6) in Days("DE", "BY")
        assert date(2031, 1, 1) in Days("US")
        assert XMAS not in Days()

    def test_own_days_and_worked_ones(self) -> None:
        days = Days("DE", own={date(2026, 12, 24): "Christmas Eve"}, worked=frozenset({XMAS}))
        found = days.between(date(2026, 12, 23), date(2026, 12, 26))
        assert [day.day for day, _ in found] == [24, 26]
        assert found[0][1] == "Christmas Eve"
        assert Days(own={XMAS: ""}).name_of(XMAS) == "Holiday"

    @pytest.mark.parametrize(
        ("country", "part", "word"),
        [("", "", ""), ("DE", "BY", ""), ("", "BY", "country"), ("ZZ", "", "law"), ("DE", "XX", "parts")],
    )  # fmt: skip
    def test_what_is_unknown_is_said(self, country: str, part: str, word: str) -> None:
        problem = problem_of(country, part)
        assert word in problem
        assert bool(problem) is bool(word)


class TestLayers:
    window = Span(at(2026, 12, 24), at(2026, 12, 28))

    def test_one_that_does_not_hold_on_holidays_leaves_them_open(self) -> None:
        found = final([layer(1, HolidayRule.NEVER, Days("DE"))], [], self.window)
        assert gaps(found, self.window) == [Span(at(2026, 12, 25), at(2026, 12, 27))]

    def test_one_of_holidays_only_fills_exactly_them(self) -> None:
        layers = [
            layer(1, HolidayRule.AS_USUAL, Days("DE")),
            layer(2, HolidayRule.ONLY, Days("DE")),
        ]
        found = final(layers, [], self.window)
        assert [(shift.person, shift.span) for shift in found] == [
            (1, Span(at(2026, 12, 24), at(2026, 12, 25))),
            (2, Span(at(2026, 12, 25), at(2026, 12, 27))),
            (1, Span(at(2026, 12, 27), at(2026, 12, 28))),
        ]

    def test_a_holiday_is_a_day_of_the_layers_clock_even_when_that_changes(self) -> None:
        """25 October 2026 has 25 hours in Berlin, 29 March 23."""
        for day, length in ((date(2026, 10, 25), 25), (date(2026, 3, 29), 23)):
            days = Days(own={day: "x"})
            window = Span(
                at(day.year, day.month, day.day - 1), at(day.year, day.month, day.day + 1, 12)
            )
            found = turns(layer(1, HolidayRule.ONLY, days), window)
            assert hours(turn.span for turn in found) == length

    def test_both_rules_share_the_time_without_rest(self) -> None:
        window = Span(at(2026, 1, 1, 9), at(2027, 1, 1))
        parts = [
            [turn.span for turn in turns(layer(1, rule, Days("DE", "BY")), window)]
            for rule in HolidayRule
        ]
        as_usual, never, only = map(hours, parts)
        assert as_usual == never + only == hours([window])
        assert only == 24 * len(Days("DE", "BY").between(date(2026, 1, 2), date(2026, 12, 31))) + 15

    def test_holidays_weigh_like_weekends(self) -> None:
        shift = final(
            [layer(1, HolidayRule.AS_USUAL, ())], [], Span(at(2026, 12, 25), at(2026, 12, 26))
        )
        assert fairness(shift, BERLIN)[1].weekends == timedelta()
        assert fairness(shift, BERLIN, Days("DE"))[1].weekends == timedelta(days=1)


class TestWorkingHours:
    def test_holidays_are_not_waited_through(self) -> None:
        working = WorkingHours(BERLIN, holidays=Days("DE"))
        due = after_working_time(at(2026, 12, 24, 16), timedelta(hours=2), working)
        assert due == at(2026, 12, 28, 10)

    def test_a_calendar_without_any_working_day_calls_all_the_same(self) -> None:
        class Always:
            def __contains__(self, day: object) -> bool:
                return True

        start = at(2026, 12, 24, 16)
        due = after_working_time(start, timedelta(hours=2), WorkingHours(BERLIN, holidays=Always()))
        assert due == start + timedelta(hours=2)


@pytest.mark.django_db
class TestApi:
    @pytest.fixture(autouse=True)
    def client_of_a_manager(self) -> None:
        self.client: Client = signed_in(Role.MANAGER)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        ask = getattr(self.client, method)
        return ask(f"/api/v1/{path}", body, content_type="application/json")

    def test_a_schedule_follows_a_calendar(self) -> None:
        days = [
            {"on": "2026-12-24", "name": "Christmas Eve"},
            {"on": "2026-12-26", "is_worked": True},
        ]
        body = {
            "slug": "bavaria",
            "name": "Bavaria",
            "country": "de",
            "subdivision": "BY",
            "days": days,
        }
        made = self.send("post", "holiday-calendars/", body)
        assert made.status_code == 201, made.content
        assert made.json()["country"] == "DE"
        shown = self.send(
            "get", "holiday-calendars/bavaria/holidays/?from=2026-12-20&to=2026-12-31"
        )
        assert [row["on"] for row in shown.json()] == ["2026-12-24", "2026-12-25"]
        people = [
            User.objects.create_user(name, role=Role.RESPONDER).username for name in ("a", "b")
        ]
        layers = [
            {"name": name, "first_on": "2026-01-01", "people": [person], "on_holidays": rule}
            for name, person, rule in zip(
                ("usual", "feast"), people, ("as_usual", "only"), strict=True
            )
        ]
        body = {
            "slug": "ops",
            "name": "Ops",
            "timezone": "Europe/Berlin",
            "holidays": "bavaria",
            "layers": layers,
        }
        assert self.send("post", "schedules/", body).status_code == 201
        url = (
            "schedules/ops/shifts/?from=2026-12-23T00:00:00%2B01:00&to=2026-12-27T00:00:00%2B01:00"
        )
        shifts = self.send("get", url).json()["shifts"]
        assert [shift["person"] for shift in shifts] == ["a", "b", "a"]
        assert shifts[1]["starts_at"] == "2026-12-23T23:00:00Z"
        assert shifts[1]["ends_at"] == "2026-12-25T23:00:00Z"
        assert AuditEntry.objects.filter(act="holidays.created").exists()
        gone = self.send("delete", "holiday-calendars/bavaria/")
        assert gone.status_code == 409
        page = self.client.get("/oncall/ops/?from=2026-12-21").content.decode()
        assert "25 Dec <small>Christmas Day</small>" in page
        assert "26 Dec <small>" not in page, "it is worked"
        assert Schedule.objects.get().holidays == HolidayCalendar.objects.get()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"country": "ZZ"}, "country"),
            ({"country": "DE", "subdivision": "XX"}, "subdivision"),
            ({"days": [{"on": "yesterday"}]}, "days"),
            ({"days": [{"on": "2026-01-01"}, {"on": "2026-01-01"}]}, "days"),
            ({"slug": "Not A Slug"}, "slug"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_rubbish_is_refused_by_name(self, body: Any, field: str) -> None:
        answer = self.send("post", "holiday-calendars/", {"slug": "x", "name": "X", **body})
        assert answer.status_code == 400
        assert any(name.startswith(field) for name in answer.json()["errors"])

    def test_a_wrong_window_is_refused(self) -> None:
        HolidayCalendar.objects.create(slug="x", name="X")
        for query, field in (
            ("from=x", "from"),
            ("from=2026-02-01&to=2026-01-01", "to"),
            ("to=2200-01-01", "to"),
        ):
            answer = self.send("get", f"holiday-calendars/x/holidays/?{query}")
            assert answer.status_code == 400
            assert field in answer.json()["errors"]


@pytest.mark.django_db
def test_an_escalation_of_working_hours_waits_over_holidays() -> None:
    """The policy's holidays travel in the snapshot: P3 of the guide waits for working time."""
    calendar = HolidayCalendar.objects.create(slug="de", name="Germany", country="DE")
    EscalationPolicy.objects.update(is_default=False)
    policy = EscalationPolicy.objects.create(slug="p", name="P", is_default=True, holidays=calendar)
    policy.levels.create(number=1, name="L1")
    service = Service.objects.create(slug="shop", name="Shop")
    now = datetime(2026, 12, 24, 16, tzinfo=UTC)
    receive(
        AlertSignal("test", "x", firing=True, severity="P3", title="x", service=service), now=now
    )
    snapshot = EscalationRun.objects.get().snapshot.content
    assert "2026-12-25" in snapshot["hours"]["holidays"]
    calendar.days.create(on=date(2027, 1, 4), name="Closed")
    receive(
        AlertSignal("test", "y", firing=True, severity="P3", title="y", service=service), now=now
    )
    assert "2027-01-04" in EscalationRun.objects.latest("pk").snapshot.content["hours"]["holidays"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "opened_at", "due_at"),
    [
        # 16:30 on Monday, a holiday; nine to one on Tuesday are four hours.
        ("America/Los_Angeles", "2026-03-03T00:30:00Z", "2026-03-03T21:00:00Z"),
        ("Pacific/Auckland", "2026-03-01T21:00:00Z", "2026-03-03T00:00:00Z"),
    ],
)
def test_a_holiday_that_is_over_in_utc_already_is_not_worked(
    portal: Portal, zone: str, opened_at: str, due_at: str
) -> None:
    calendar = HolidayCalendar.objects.create(slug="own", name="Own")
    calendar.days.create(on=date(2026, 3, 2), name="Closed")
    portal.policy.holidays, portal.policy.timezone = calendar, zone
    portal.policy.save()
    portal.now = datetime.fromisoformat(opened_at)
    portal.open_incident(severity="P2")
    assert EscalationRun.objects.get().due_at == datetime.fromisoformat(due_at)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_calendar_keeps_what_others_change_while_somebody_edits_it() -> None:
    fields = {"slug": "berlin", "name": "Berlin", "country": "DE"}
    save: dict[str, Any] = {"days": None, "actor": "test", "now": now()}
    calendar = save_calendar(HolidayCalendar(), fields=fields, **save)
    as_read, too_late = HolidayCalendar.objects.get(), HolidayCalendar.objects.get()
    save_calendar(calendar, fields={"subdivision": "BE"}, **save)
    saved = save_calendar(as_read, fields={"name": "Germany, Berlin"}, **save)
    assert (saved.name, saved.subdivision) == ("Germany, Berlin", "BE")
    delete_calendar(calendar, actor="test", now=now())
    with pytest.raises(NotFound):
        save_calendar(too_late, fields={"name": "Again"}, **save)
    assert not HolidayCalendar.objects.exists()
