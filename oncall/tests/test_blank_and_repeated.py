"""What a script sends whose variable is not set, or twice: refused by its name, or once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from core.models import AuditEntry
from oncall.models import EscalationPolicy, LayerRestriction

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
SCHEDULE: dict[str, Any] = {"slug": "main", "name": "Main", "layers": []}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    person("alice")
    return signed_in(Role.MANAGER)


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("blank", ["", "%20"])
def test_a_bound_without_a_value_is_refused(api: Client, name: str, blank: str) -> None:
    """It would be another window than was meant; left out it is the usual one."""
    send(api, "post", "schedules/", SCHEDULE, status=201)
    calendar = {"slug": "uk", "name": "UK", "country": "GB"}
    send(api, "post", "holiday-calendars/", calendar, status=201)
    for path in ("schedules/main/shifts/", "holiday-calendars/uk/holidays/"):
        assert api.get(f"/api/v1/{path}").status_code == 200
        refused = send(api, "get", f"{path}?{name}={blank}", status=400)
        assert refused["errors"] == {name: ["Give a value, or leave it out."]}


def test_a_page_without_a_day_shows_the_present(api: Client) -> None:
    """A form whose field is left empty sends it all the same."""
    send(api, "post", "schedules/", SCHEDULE, status=201)
    assert api.get("/oncall/main/?from=").status_code == 200


def test_a_day_of_work_is_kept_once(api: Client) -> None:
    made = send(
        api, "post", "policies/", {"slug": "own", "name": "Own", "work_days": [1, 0, 0]}, status=201
    )
    assert made["work_days"] == [0, 1]
    assert EscalationPolicy.objects.get(slug="own").work_days == [0, 1]
    told = AuditEntry.objects.count()
    again = send(api, "patch", "policies/own/", {"work_days": [0, 0, 1]}, status=200)
    assert again["work_days"] == [0, 1]
    assert AuditEntry.objects.count() == told
    for wrong in ([0, 7], [True], ["0"], [], {"0": 1}, "01"):
        refused = send(api, "patch", "policies/own/", {"work_days": wrong}, status=400)
        assert list(refused["errors"]) == ["work_days"]


def test_a_day_of_a_layer_is_kept_once(api: Client) -> None:
    def layers(days: list[int]) -> list[dict[str, Any]]:
        rule = {"begins": "09:00", "ends": "17:00", "weekdays": days}
        return [
            {"name": "Office", "first_on": "2026-03-02", "handover_at": "09:00", "unit": "weeks",
             "every": 1, "people": ["alice"], "restrictions": [rule]}
        ]  # fmt: skip

    made = send(api, "post", "schedules/", {**SCHEDULE, "layers": layers([4, 0, 4])}, status=201)
    assert made["layers"][0]["restrictions"][0]["weekdays"] == [0, 4]
    assert LayerRestriction.objects.get().weekdays == [0, 4]
    told = AuditEntry.objects.count()
    send(api, "patch", "schedules/main/", {"layers": layers([0, 4, 0])}, status=200)
    assert AuditEntry.objects.count() == told
