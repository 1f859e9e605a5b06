"""`/api/v1/schedules/`, `/api/v1/overrides/`, `/api/v1/policies/`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from catalog.models import Service
from oncall.models import EscalationPolicy, Override, Schedule

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    for name in ("alice", "bob", "carol"):
        person(name)


@pytest.fixture
def api() -> Client:
    return signed_in(Role.MANAGER)


def weekly(**values: Any) -> dict[str, Any]:
    return {
        "slug": "payments",
        "name": "Payments",
        "timezone": "Europe/London",
        "layers": [
            {
                "name": "Weekly",
                "first_on": "2026-03-02",
                "handover_at": "09:00",
                "unit": "weeks",
                "every": 1,
                "people": ["alice", "bob"],
            }
        ],
        **values,
    }


def test_a_schedule_says_who_is_on_call(api: Client) -> None:
    made = send(api, "post", "schedules/", weekly(), status=201)
    assert made["on_call_now"] == "alice"
    assert made["layers"][0]["people"] == ["alice", "bob"]
    assert made["layers"][0]["handover_at"] == "09:00:00"
    (listed,) = send(api, "get", "schedules/", status=200)["results"]
    assert listed["on_call_now"] == "alice"
    rota = send(
        api, "get", "schedules/payments/shifts/?from=2026-03-02T00:00:00Z&to=2026-03-16T09:00:00Z",
        status=200,
    )  # fmt: skip
    assert [(shift["person"], shift["starts_at"]) for shift in rota["shifts"]] == [
        ("alice", "2026-03-02T09:00:00Z"), ("bob", "2026-03-09T09:00:00Z"),
    ]  # fmt: skip
    assert rota["gaps"] == [
        {"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-02T09:00:00Z"}
    ]


def test_layers_are_replaced_and_restricted(api: Client) -> None:
    """Nobody of the old layers stays on call; hours over midnight hold on the next morning."""
    send(api, "post", "schedules/", weekly(), status=201)
    night = {
        "name": "Nights", "first_on": "2026-03-01", "people": ["carol"],
        "restrictions": [{"begins": "22:00", "ends": "11:00", "weekdays": [6]}],
    }  # fmt: skip
    changed = send(api, "patch", "schedules/payments/", {"layers": [night]}, status=200)
    assert changed["on_call_now"] == "carol"
    assert Schedule.objects.get().layers.count() == 1


def test_an_override_takes_over_and_is_taken_back(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(api, "post", "schedules/", weekly(), status=201)
    said = {
        "schedule": "payments", "person": "carol", "reason": "Dentist",
        "starts_at": "2026-03-02T09:30:00Z", "ends_at": "2026-03-02T12:00:00Z",
    }  # fmt: skip
    made = send(api, "post", "overrides/", said, status=201)
    assert made["created_by"] == "user:the-manager"
    assert made["starts_at"] == "2026-03-02T10:00:00Z", "who was on call stays so"
    assert send(api, "get", "schedules/payments/", status=200)["on_call_now"] == "carol"
    nobody = {**said, "person": None}
    newer = send(api, "post", "overrides/", nobody, status=201)
    assert send(api, "get", "schedules/payments/", status=200)["on_call_now"] is None
    later = MONDAY + timedelta(minutes=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    send(api, "delete", f"overrides/{newer['id']}/", status=204)
    assert send(api, "get", "schedules/payments/", status=200)["on_call_now"] == "carol"
    # What has begun is ended, so that the past stays what it was.
    assert Override.objects.get(pk=newer["id"]).ends_at == later
    assert len(send(api, "get", "overrides/?person=carol", status=200)["results"]) == 1


def test_an_override_of_somebody_who_left_is_shortened(api: Client) -> None:
    """What else changes is refused to nobody for its person's sake; nobody such is put in."""
    send(api, "post", "schedules/", weekly(), status=201)
    said = {
        "schedule": "payments", "person": "carol",
        "starts_at": "2026-03-03T09:00:00Z", "ends_at": "2026-03-03T12:00:00Z",
    }  # fmt: skip
    path = f"overrides/{send(api, 'post', 'overrides/', said, status=201)['id']}/"
    User.objects.filter(username="carol").update(is_active=False)
    changed = send(api, "patch", path, {"ends_at": "2026-03-03T11:00:00Z"}, status=200)
    assert (changed["person"], changed["ends_at"]) == ("carol", "2026-03-03T11:00:00Z")
    send(api, "patch", path, {"person": "bob"}, status=200)
    refused = send(api, "patch", path, {"person": "carol"}, status=400)
    assert refused["errors"] == {"person": ["carol is no longer active."]}


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "field"),
    [
        ("9999-12-31T00:00:00Z", "9999-12-31T10:00:00Z", "starts_at"),
        ("2099-12-31T00:00:00Z", "2100-01-01T10:00:00Z", "ends_at"),
        ("0001-01-01T00:00:00Z", "2026-03-03T10:00:00Z", "starts_at"),
    ],
)
def test_who_takes_over_beyond_all_calendars_is_refused(
    api: Client, starts_at: str, ends_at: str, field: str
) -> None:
    send(api, "post", "schedules/", weekly(), status=201)
    said = {"schedule": "payments", "starts_at": starts_at, "ends_at": ends_at}
    for resource in ("overrides/", "swaps/"):
        body = {**said, "person": "carol"} if resource == "overrides/" else said
        refused = send(api, "post", resource, body, status=400)
        assert refused["errors"] == {field: ["Use a date from 2000-01-01 to 2099-12-31."]}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"timezone": "Europe/Lundun"}, "timezone"),
        ({"slug": "Pay ments"}, "slug"),
        ({"layers": [{"name": "x", "first_on": "2026-03-02", "people": []}]}, "layers[0].people"),
        (
            {"layers": [{"name": "x", "first_on": "2026-03-02", "people": ["alice"]},
                        {"name": "x", "first_on": "2026-03-02", "people": ["nobody"]}]},
            "layers[1].people",
        ),
        (
            {"layers": [{"name": "x", "first_on": "2026-03-02", "people": ["alice"],
                         "unit": "hours", "every": 5}]},
            "layers[0].every",
        ),
        # What some tools say for no time at all.
        ({"layers": [{"name": "x", "first_on": "0001-01-01", "people": ["alice"]}]},
         "layers[0].first_on"),
        ({"layers": [{"name": "x", "first_on": "9999-12-31", "people": ["alice"]}]},
         "layers[0].first_on"),
        (
            {"layers": [{"name": "x", "first_on": "2026-03-02", "people": ["alice"],
                         "restrictions": [{"begins": "09:00", "ends": "17:00",
                                           "weekdays": [7]}]}]},
            "layers[0].restrictions[0].weekdays",
        ),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused(
    api: Client, change: dict[str, Any], names: str
) -> None:
    answer = send(api, "post", "schedules/", weekly(**change), status=400)
    assert list(answer["errors"]) == [names]
    assert not Schedule.objects.exists()


def policy(**values: Any) -> dict[str, Any]:
    return {
        "slug": "standard",
        "name": "Standard",
        "levels": [
            {"number": 1, "name": "On call", "targets": [{"schedule": "payments"}]},
            {"number": 2, "name": "Lead", "targets": [{"person": "bob"}]},
        ],
        "timings": [
            {"severity": "P0", "level": 1, "after": "00:00:00"},
            {"severity": "P0", "level": 2, "after": "00:03:00"},
        ],
        **values,
    }


def test_a_policy_is_made_changed_and_deleted(api: Client) -> None:
    send(api, "post", "schedules/", weekly(), status=201)
    Service.objects.create(slug="checkout", name="Checkout")
    made = send(api, "post", "policies/", policy(called_for=["checkout"]), status=201)
    assert made["services"] == ["checkout"]
    assert made["levels"][1]["targets"] == [
        {"schedule": None, "person": "bob", "team": None, "role": "", "channel": None}
    ]
    assert [timing["after"] for timing in made["timings"]] == ["00:00:00", "00:03:00"]
    send(api, "delete", "policies/standard/", status=409)
    send(api, "patch", "policies/standard/", {"called_for": []}, status=200)
    send(api, "delete", "policies/standard/", status=204)


def test_only_one_policy_is_the_default(api: Client) -> None:
    first = {"slug": "one", "name": "One", "is_default": True}
    send(api, "post", "policies/", first, status=201)
    send(api, "post", "policies/", {**first, "slug": "two"}, status=201)
    assert EscalationPolicy.objects.get(is_default=True).slug == "two"


@pytest.mark.parametrize(
    "change",
    [
        {"levels": [{"number": 1, "name": "x", "targets": [{}]}]},
        {"levels": [{"number": 1, "name": "x", "targets": [{"person": "bob", "team": "x"}]}]},
        {"levels": [{"number": 0, "name": "x", "targets": []}]},
        {"levels": [{"number": 1, "name": "x", "targets": []},
                    {"number": 1, "name": "y", "targets": []}]},
        {"timings": [{"severity": "P0", "level": 1, "after": "-00:01:00"}]},
        {"work_begins": "18:00", "work_ends": "09:00"},
        {"loops": 0},
        {"called_for": ["nothing"]},
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused(api: Client, change: dict[str, Any]) -> None:
    send(api, "post", "schedules/", weekly(), status=201)
    send(api, "post", "policies/", policy(**change), status=400)
    assert not EscalationPolicy.objects.exists()


def test_a_responder_overrides_and_changes_no_schedule() -> None:
    api = signed_in(Role.RESPONDER)
    send(api, "post", "schedules/", weekly(), status=403)
    Schedule.objects.create(slug="payments", name="Payments")
    said = {
        "schedule": "payments", "person": "carol",
        "starts_at": MONDAY.isoformat(), "ends_at": (MONDAY + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    send(api, "post", "overrides/", said, status=201)
    send(api, "post", "overrides/", {**said, "ends_at": MONDAY.isoformat()}, status=400)


def test_readiness_of_who_is_on_call_soonest_first(api: Client) -> None:
    send(api, "post", "schedules/", weekly(), status=201)
    rows = send(api, "get", "schedules/payments/readiness/", status=200)
    assert [(row["person"], row["score"]) for row in rows] == [("alice", 0), ("bob", 0)]
    assert rows[0]["checks"][0]["name"] == "reachable"
    assert "readiness 0 of 100" in api.get("/oncall/").content.decode()


def test_an_empty_name_is_nobody_s(api: Client) -> None:
    """A script whose variable is not set does not take whoever is on call away."""
    send(api, "post", "schedules/", weekly(), status=201)
    said = {
        "schedule": "payments", "person": "",
        "starts_at": MONDAY.isoformat(), "ends_at": (MONDAY + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    refused = send(api, "post", "overrides/", said, status=400)
    assert refused["errors"] == {"person": ["Names nothing: use null for none."]}
    made = send(api, "post", "overrides/", {**said, "person": "carol"}, status=201)
    send(api, "patch", f"overrides/{made['id']}/", {"person": ""}, status=400)
    assert send(api, "get", "schedules/payments/", status=200)["on_call_now"] == "carol"
    levels = [{"number": 1, "name": "x", "targets": [{"person": "bob", "schedule": ""}]}]
    refused = send(api, "post", "policies/", policy(levels=levels, timings=[]), status=400)
    assert list(refused["errors"]) == ["levels[0].targets[0].schedule"]
