"""What is written back as it was read changes nothing, and the audit says nothing of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from core.models import AuditEntry

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
LAYERS = [
    {
        "name": "Weekly",
        "first_on": "2026-03-02",
        "people": ["ann", "bob"],
        "restrictions": [{"begins": "22:00", "ends": "06:00", "weekdays": [4, 0]}],
    },
    {"name": "Days", "first_on": "2026-03-02", "unit": "days", "people": ["ann"]},
]
LEVELS = [
    {"number": 2, "name": "Two", "mode": "round_robin", "targets": [{"role": "admin"}]},
    {"number": 1, "name": "One", "targets": [{"schedule": "main"}, {"person": "bob"}]},
]
TIMINGS = [
    {"phase": "unacknowledged", "severity": "P0", "level": level, "after": f"00:0{level}:00"}
    for level in (2, 1)
]
RESOURCES: dict[str, dict[str, Any]] = {
    "holiday-calendars": {
        "slug": "uk",
        "name": "UK",
        "country": "GB",
        "days": [{"on": "2026-12-31", "name": "Eve"}, {"on": "2026-12-24", "name": "Eve"}],
    },
    "schedules": {"slug": "main", "name": "Main", "layers": LAYERS},
    "overrides": {
        "schedule": "main",
        "person": "ann",
        "starts_at": "2026-03-03T10:00:00Z",
        "ends_at": "2026-03-03T12:00:00Z",
    },
    "policies": {"slug": "own", "name": "Own", "levels": LEVELS, "timings": TIMINGS},
    "silences": {
        "matchers": [{"name": "title", "op": "=~", "value": "Disk.*"}],
        "starts_at": "2026-03-02T10:00:00Z",
        "ends_at": "2026-03-02T12:00:00Z",
        "comment": "Disks",
    },
    "users": {"username": "eve", "email": "eve@example.org", "role": "viewer"},
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, client: Client) -> Client:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    for name, role in (("ann", Role.ADMIN), ("bob", Role.RESPONDER)):
        User.objects.create_user(username=name, role=role)
    client.force_login(User.objects.get(username="ann"))
    return client


def send(api: Client, method: str, path: str, body: dict[str, Any], status: int = 200) -> Any:
    """Send JSON and return the answer's."""
    answer = getattr(api, method)(f"/api/v1/{path}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def address(api: Client, resource: str) -> str:
    """Make a row, with what it needs, and return its address."""
    if resource in {"overrides", "policies"}:
        send(api, "post", "schedules/", RESOURCES["schedules"], 201)
    row = send(api, "post", f"{resource}/", RESOURCES[resource], 201)
    return f"{resource}/{row.get('slug', row.get('id'))}/"


def told() -> list[tuple[str, dict[str, Any]]]:
    """Return what the audit tells, oldest first."""
    return list(AuditEntry.objects.order_by("seq").values_list("act", "changes"))


@pytest.mark.both_databases
@pytest.mark.django_db
@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("resource", RESOURCES)
def test_what_was_read_can_be_written_back(api: Client, resource: str, method: str) -> None:
    if (resource, method) == ("users", "put"):
        pytest.skip("People are changed by PATCH only.")
    path = address(api, resource)
    read, before = api.get(f"/api/v1/{path}").json(), told()
    assert send(api, method, path, read) == read
    assert api.get(f"/api/v1/{path}").json() == read
    assert told() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("resource", "change", "said"),
    [
        ("holiday-calendars", {"name": "Wales"}, {"name": "Wales"}),
        ("holiday-calendars", {"days": []}, {"days": "[]"}),
        ("schedules", {"description": "Search"}, {"description": "Search"}),
        ("overrides", {"reason": "Leave"}, {"reason": "Leave"}),
        ("policies", {"loops": 5}, {"loops": "5"}),
        ("silences", {"comment": "Racks"}, {"comment": "Racks"}),
    ],
)
def test_the_audit_tells_what_is_other_than_before(
    api: Client, resource: str, change: dict[str, Any], said: dict[str, str]
) -> None:
    path = address(api, resource)
    read = api.get(f"/api/v1/{path}").json()
    send(api, "put", path, {**read, **change})
    assert told()[-1][1] == said


@pytest.mark.django_db
def test_the_audit_tells_whom_a_policy_calls_and_when(api: Client) -> None:
    path = address(api, "policies")
    read = api.get(f"/api/v1/{path}").json()
    levels = [{**level, "targets": [{"role": "manager"}]} for level in read["levels"]]
    send(api, "patch", path, {"levels": levels})
    levels_said = "['L1 One: all [role manager]', 'L2 Two: round_robin [role manager]']"
    assert told()[-1] == ("policy.changed", {"levels": levels_said})
    send(api, "patch", path, {"timings": read["timings"][:1]})
    assert told()[-1][1] == {"timings": "['unacknowledged P0 L1 after 0:01:00 high']"}
    service = send(api, "post", "services/", {"slug": "pay", "name": "Pay"}, 201)["slug"]
    send(api, "patch", path, {"called_for": [service]})
    assert told()[-1][1] == {"called_for": "['pay']"}
    count = len(told())
    send(api, "patch", path, {"called_for": [service], "levels": [*reversed(levels)]})
    assert len(told()) == count


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"person": "bob"}, {"role": "admin"}])
def test_a_target_that_names_somebody_else_as_well_is_refused(
    api: Client, other: dict[str, Any]
) -> None:
    """Whom it names first is stored already, which makes it no better."""
    path = address(api, "policies")
    levels = [{"number": 1, "name": "One", "targets": [{"schedule": "main"}]}]
    send(api, "patch", path, {"levels": levels, "timings": []})
    levels[0]["targets"] = [{"schedule": "main", **other}]
    refused = send(api, "patch", path, {"levels": levels}, 400)
    assert list(refused["errors"]) == ["levels[0].targets[0]"]


@pytest.mark.django_db
def test_who_takes_turns_stays_when_they_were_deactivated(api: Client) -> None:
    """As on the page: they are taken out by whoever edits it, nobody new is put in."""
    path = address(api, "schedules")
    User.objects.filter(username="bob").update(is_active=False)
    read = api.get(f"/api/v1/{path}").json()
    send(api, "put", path, {**read, "description": "Search"})
    assert api.get(f"/api/v1/{path}").json()["layers"] == read["layers"]
    layers = [{**layer, "people": ["ann"]} for layer in read["layers"]]
    send(api, "patch", path, {"layers": layers})
    refused = send(api, "patch", path, {"layers": read["layers"]}, 400)
    assert refused["errors"] == {"layers[0].people": ["No longer active: bob."]}
    refused = send(api, "post", "schedules/", {**RESOURCES["schedules"], "slug": "other"}, 400)
    assert refused["errors"] == {"layers[0].people": ["No longer active: bob."]}


@pytest.mark.django_db
def test_an_override_of_somebody_deactivated_says_so(api: Client) -> None:
    path = address(api, "overrides")
    User.objects.filter(username="ann").update(is_active=False)
    api.force_login(User.objects.create_user(username="zoe", role=Role.MANAGER))
    later = (NOW + timedelta(days=2)).isoformat()
    refused = send(api, "patch", path, {"person": "ann", "ends_at": later}, 400)
    assert refused["errors"] == {"person": ["ann is no longer active."]}
