"""Asking to be replaced on a page: nothing typed is lost, and each button that is shown works."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from oncall.models import Schedule, ShiftSwap
from oncall.services.schedules import ask_for_swap, save_schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ASK, PAGE = "/oncall/payments/swaps/", "/oncall/payments/"


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    """Two on call, and others of each role."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    roles = {"carol": Role.RESPONDER, "manager": Role.MANAGER, "viewer": Role.VIEWER}
    return {
        name: person(name, roles.get(name, Role.RESPONDER)) for name in ("alice", "bob", *roles)
    }


@pytest.fixture
def schedule(people: dict[str, User]) -> Schedule:
    """Alice and bob take weekly turns from now on."""
    layer = {
        "name": "Weekly", "first_on": date(2026, 3, 2), "handover_at": time(9), "unit": "weeks",
        "every": 1, "people": [people["alice"], people["bob"]],
    }  # fmt: skip
    fields = {"slug": "payments", "name": "Payments"}
    return save_schedule(Schedule(), fields=fields, layers=[layer], actor="test", now=NOW)


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "field", "said"),
    [
        ("tomorrow", "2026-03-02T14:00", "starts_at", "Enter a valid date/time."),
        ("2026-03-02T14:00", "2026-03-02T12:00", "ends_at", "A swap ends after it starts"),
        ("2026-03-10T12:00", "2026-03-10T14:00", "starts_at", "You are not on call in that time."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    schedule: Schedule, people: dict[str, User], starts_at: str, ends_at: str, field: str, said: str
) -> None:
    typed = {"starts_at": starts_at, "ends_at": ends_at, "reason": "Dentist, long planned"}
    answer = as_(people["alice"]).post(ASK, typed)
    assert answer.status_code == 422
    assert said in " ".join(answer.context["swap_form"].errors[field])
    page = answer.content.decode()
    assert "Dentist, long planned" in page
    assert f'value="{starts_at}"' in page
    assert f'action="{PAGE}"' in page, "the other form of the page still goes where it went"
    assert not answer.context["form"].is_bound


def test_taking_over_says_what_is_wrong_at_its_field(
    schedule: Schedule, people: dict[str, User]
) -> None:
    typed = {"person": "bob", "starts_at": "2026-03-01T12:00", "ends_at": "2026-03-01T14:00"}
    answer = as_(people["alice"]).post(PAGE, typed)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["ends_at"])


@pytest.mark.parametrize("offered_to", [None, "bob"])
@pytest.mark.parametrize("who", ["alice", "bob", "carol", "manager", "viewer"])
@pytest.mark.parametrize("action", ["accept", "withdraw"])
def test_a_button_is_shown_to_whom_it_works_for(
    schedule: Schedule, people: dict[str, User], offered_to: str | None, who: str, action: str
) -> None:
    span = {"starts_at": NOW + timedelta(hours=2), "ends_at": NOW + timedelta(hours=4)}
    other = people[offered_to] if offered_to else None
    question = ShiftSwap(schedule=schedule, offered_to=other, **span)
    swap = ask_for_swap(question, actor=people["alice"], now=NOW)
    client, button = as_(people[who]), f"/oncall/swaps/{swap.pk}/{action}/"
    is_shown = button in client.get(PAGE).content.decode()
    if action == "accept":
        assert (button in client.get("/oncall/").content.decode()) == is_shown
    client.post(button)
    swap.refresh_from_db()
    assert (swap.state != ShiftSwap.State.ASKED) == is_shown


def test_a_viewer_who_takes_over_is_told_why_not(
    schedule: Schedule, people: dict[str, User]
) -> None:
    answer = as_(people["viewer"]).post(PAGE, {"person": "viewer"})
    assert answer.status_code == 403
    assert "responder or more" in answer.content.decode()


def test_a_second_tap_asks_and_takes_over_once(schedule: Schedule, people: dict[str, User]) -> None:
    client = as_(people["alice"])
    shown = client.get(PAGE).context
    span = {"starts_at": "2026-03-03T12:00", "ends_at": "2026-03-03T14:00"}
    asked = {**span, "once": shown["swap_form"]["once"].value()}
    taken = {**span, "person": "carol", "once": shown["form"]["once"].value()}
    for _ in range(2):
        assert client.post(ASK, asked).status_code == 302
        assert client.post(PAGE, taken).status_code == 302
    assert ShiftSwap.objects.count() == 1
    assert schedule.overrides.count() == 1


def test_what_was_withdrawn_is_asked_again_from_the_page_before(
    schedule: Schedule, people: dict[str, User]
) -> None:
    client = as_(people["alice"])
    once = client.get(PAGE).context["swap_form"]["once"].value()
    asked = {"starts_at": "2026-03-03T12:00", "ends_at": "2026-03-03T14:00", "once": once}
    for _ in range(2):
        client.post(ASK, asked)
        swap = ShiftSwap.objects.get(state=ShiftSwap.State.ASKED)
        client.post(f"/oncall/swaps/{swap.pk}/withdraw/")


@pytest.mark.parametrize("slug", ["gone", "a\0b", "x" * 5000])
def test_a_calendar_of_a_schedule_that_is_gone_is_none_of_my_shifts(
    people: dict[str, User], slug: str
) -> None:
    answer = as_(people["alice"]).post("/oncall/calendars/", {"schedule": slug})
    assert answer.status_code == 404
    assert not people["alice"].calendar_feeds.exists()
