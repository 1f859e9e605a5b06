"""Who is on call of two schedules at once is shown before it matters, and fails nothing."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from oncall.models import EscalationPolicy, LevelTarget, Override, PolicyLevel, Schedule
from oncall.queries.reachability import notes
from oncall.services.schedules import save_override, save_schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
TUESDAY, FRIDAY = datetime(2026, 3, 3, 9, tzinfo=UTC), datetime(2026, 3, 6, 9, tzinfo=UTC)
DAY = timedelta(days=1)
WHO: dict[str, Any] = {"actor": "test", "now": NOW}


@pytest.fixture(autouse=True)
def schedules(monkeypatch: pytest.MonkeyPatch) -> tuple[Schedule, Schedule]:
    """Ann is always on call of Pay, and bob of Shop, but on Tuesday and on Friday."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    ann, bob = person("ann"), person("bob")
    pay, shop = schedule_of("pay", ann), schedule_of("shop", bob)
    schedule_of("other", person("carol"))
    for day in (TUESDAY, FRIDAY):
        fields = {"schedule": shop, "person": ann, "starts_at": day}
        save_override(Override(), fields={**fields, "ends_at": day + timedelta(hours=2)}, **WHO)
    return pay, shop


def schedule_of(slug: str, who: User) -> Schedule:
    layer = {
        "name": "Always",
        "first_on": date(2026, 1, 5),
        "handover_at": time(9),
        "people": [who],
    }
    fields = {"slug": slug, "name": slug.title()}
    return save_schedule(Schedule(), fields=fields, layers=[layer], **WHO)


@pytest.mark.parametrize(("slug", "other"), [("pay", "shop"), ("shop", "pay")])
def test_shifts_of_the_api_name_them(slug: str, other: str) -> None:
    said = send(signed_in(Role.VIEWER), "get", f"schedules/{slug}/shifts/", status=200)
    assert said["overlaps"] == [
        {
            "person": "ann",
            "schedule": other,
            "starts_at": f"{day:%Y-%m-%dT%H}:00:00Z",
            "ends_at": f"{day:%Y-%m-%d}T11:00:00Z",
        }
        for day in (TUESDAY, FRIDAY)
    ]
    assert (
        send(signed_in(Role.RESPONDER), "get", "schedules/other/shifts/", status=200)["overlaps"]
        == []
    )


def test_a_schedules_page_shows_them() -> None:
    client, said = signed_in(Role.VIEWER), "On call of another schedule at the same time"
    page = client.get("/oncall/pay/").content.decode()
    assert said in page
    assert page.count('<a href="/oncall/shop/">Shop</a>') == 2
    assert said not in client.get("/oncall/other/").content.decode()


def test_the_check_notes_them_and_fails_nothing(
    schedules: tuple[Schedule, Schedule], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of schedules by which somebody is called, each pair and person once."""
    assert notes(now=NOW) == []
    policy = EscalationPolicy.objects.create(slug="p", name="P", is_default=True)
    level = PolicyLevel.objects.create(policy=policy, number=1, name="All")
    for schedule in schedules:
        LevelTarget.objects.create(level=level, schedule=schedule)
    (note,) = notes(now=NOW)
    assert (note.kind, note.subject, note.starts_at) == ("overlap", "schedule:pay", TUESDAY)
    assert note.message == "ann is on call of Shop at the same time, and 1 more time."
    with pytest.raises(SystemExit):
        call_command("oncall_check", "--json")
    said = json.loads(capsys.readouterr().out)
    assert "overlap" not in {hole["kind"] for hole in said["holes"]}
    assert [each["subject"] for each in said["notes"]] == ["schedule:pay"]
    with pytest.raises(SystemExit):
        call_command("oncall_check")
    assert "note: schedule:pay: ann is on call of Shop" in capsys.readouterr().out
    page = signed_in(Role.VIEWER).get("/oncall/check/").content.decode()
    assert "Worth a look" in page
    assert "ann is on call of Shop" in page


def test_no_list_of_them_is_without_an_end(
    schedules: tuple[Schedule, Schedule], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first fifty, and how many more there are."""
    pay, _ = schedules
    policy = EscalationPolicy.objects.create(slug="p", name="P", is_default=True)
    level = PolicyLevel.objects.create(policy=policy, number=1, name="All")
    ann = User.objects.get(username="ann")
    for number in range(52):
        twin = schedule_of(f"twin-{number}", ann if number == 0 else person(f"p{number}"))
        begins = NOW + timedelta(days=1)
        fields = {"schedule": twin, "person": ann, "starts_at": begins}
        save_override(Override(), fields={**fields, "ends_at": begins + DAY}, **WHO)
        LevelTarget.objects.create(level=level, schedule=twin)
    LevelTarget.objects.create(level=level, schedule=pay)
    client, count = signed_in(Role.VIEWER), len(notes(now=NOW))
    page = client.get("/oncall/check/").content.decode()
    assert page.count("is on call of") == 50
    assert f"And {count - 50:,} more." in page
    with pytest.raises(SystemExit):
        call_command("oncall_check")
    assert f"note: And {count - 50} more; --json names all of them." in capsys.readouterr().out
    page = client.get("/oncall/pay/").content.decode()
    assert page.count('</a></span><span class="nowrap">') == 50
    assert " more.</p>" in page
