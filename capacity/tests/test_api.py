"""Who may read capacity reports, and how they are found."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.roles import Role
from capacity.queries import utilisation
from capacity.tests.cast import NOW, SLOT, on_ecs, reading
from catalog.tests.cast import person, team
from core import clock

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/capacity-reports/"


@pytest.fixture
def api(client: Client) -> Client:
    """Return a client of alice, who may read."""
    client.force_login(person("alice"))
    return client


def test_strangers_are_refused(client: Client) -> None:
    """Without a session or a token there is nothing to read."""
    assert client.get(URL).status_code == 401


def test_reports_are_read_only(api: Client) -> None:
    """Nobody writes what AWS said."""
    assert api.post(URL, {}, content_type="application/json").status_code in {403, 405}


def test_a_report_has_its_figures(api: Client) -> None:
    """Fractions, counts and reasons; null is no data."""
    reading(on_ecs("web"), cpu=0.6, errors={"memory": "no sample"}, status="unknown")
    row = api.get(URL).json()["results"][0]
    assert (row["service"], row["cpu"], row["memory"]) == ("web", 0.6, None)
    assert row["errors"] == {"memory": "no sample"}
    assert row["read_at"] == "2026-05-03T12:00:00Z"


def test_filters_and_search(api: Client) -> None:
    """By service, state and time; search finds names."""
    web, api_service = on_ecs("web"), on_ecs("api")
    reading(web, cpu=0.1)
    reading(web, SLOT - timedelta(hours=1), status="critical")
    reading(api_service, status="degraded")

    def found(query: str) -> list[tuple[str, str]]:
        rows = api.get(f"{URL}?{query}").json()["results"]
        return [(row["service"], row["status"]) for row in rows]

    assert len(found("")) == 3
    assert found("service=api") == [("api", "degraded")]
    assert found("status=critical") == [("web", "critical")]
    assert found("search=we&read_after=2026-05-03T11:30:00Z") == [("web", "healthy")]
    assert found("read_before=2026-05-03T12:00:00Z") == [("web", "critical")]


@pytest.mark.parametrize("at", ["0198-07-05T14:36:08%2B21:30", "0001-01-01T00:00:00%2B01:00", "x"])
def test_odd_instants_are_answered(api: Client, at: str) -> None:
    """An offset no database takes is an instant all the same; what is none is refused by name."""
    answer = api.get(f"{URL}?read_before={at}")
    assert answer.status_code == (200 if at.startswith("0198") else 400)
    assert answer.status_code == 200 or "read_before" in answer.json()["errors"]


def test_pages_go_by_cursor_in_the_asked_order(api: Client) -> None:
    """Newest first unless asked otherwise; an unknown order is refused by name."""
    service = on_ecs("web")
    times = [SLOT - timedelta(minutes=5 * step) for step in range(5)]
    for at in times:
        reading(service, at)
    seen: list[str] = []
    url: str | None = f"{URL}?page_size=2&ordering=read_at"
    while url:
        page = api.get(url).json()
        seen += [row["read_at"] for row in page["results"]]
        url = page["next"]
    assert seen == sorted(seen)
    assert len(seen) == 5
    refused = api.get(f"{URL}?ordering=cpu")
    assert refused.status_code == 400
    assert "ordering" in refused.json()["errors"]


def test_private_services_are_known_to_their_team_only(client: Client) -> None:
    """Charlie sees neither the report in the list nor by its number; bob of the team does."""
    bob, charlie = person("bob"), person("charlie")
    report = reading(on_ecs("secret", is_private=True, owner=team("payments", bob)))
    client.force_login(charlie)
    assert client.get(URL).json()["results"] == []
    assert client.get(f"{URL}{report.pk}/").status_code == 404
    client.force_login(bob)
    assert client.get(f"{URL}{report.pk}/").json()["service"] == "secret"


def test_capacity_shows_the_newest_reading_with_its_age() -> None:
    """Figures of the newest report, and how old it is."""
    service = on_ecs("web")
    reading(service, SLOT - timedelta(minutes=5), cpu=0.9)
    reading(service, cpu=0.6, memory=0.4, recommendations=[{"action": "x"}])
    [row] = utilisation(person("alice"), now=NOW)
    assert (row["cpu"], row["memory"], row["age_s"], row["status"]) == (0.6, 0.4, 90, "healthy")
    assert row["recommendations"] == [{"action": "x"}]
    assert row["read_at"] == SLOT


def test_the_guides_address_prints_it(api: Client) -> None:
    """`/sre/capacity` and the dashboard hold the reading, and the page shows it."""
    at = clock.now().replace(microsecond=0)
    reading(on_ecs("web"), at, cpu=0.61)
    row = api.get("/sre/capacity").json()["services"][0]
    assert (row["cpu"], row["memory"], row["status"]) == (0.61, None, "healthy")
    assert row["read_at"] == at.isoformat().replace("+00:00", "Z")
    assert api.get("/sre/dashboard").json()["capacity"][0]["cpu"] == 0.61
    assert "61" in api.get("/sre/dashboard-ui").content.decode()


def test_an_old_reading_is_no_data() -> None:
    """After a quarter of an hour without a reading nothing is known, and since when is said."""
    reading(on_ecs("web"), cpu=0.1, memory=0.1)
    [row] = utilisation(person("alice"), now=SLOT + timedelta(minutes=16))
    assert (row["cpu"], row["memory"], row["status"]) == (None, None, "unknown")
    assert (row["age_s"], "not read" in row["errors"]["reading"]) == (960, True)


def test_what_could_not_be_read_is_not_healthy() -> None:
    """CPU alone is well, but memory could not be read: unknown, with the reason."""
    reading(on_ecs("web"), cpu=0.1, errors={"memory": "denied"}, status="unknown")
    [row] = utilisation(person("alice"), now=NOW)
    assert (row["status"], row["errors"]) == ("unknown", {"memory": "denied"})


def test_admin_lists_readings_and_changes_none(client: Client) -> None:
    """Admins look at them; nobody edits them."""
    report = reading(on_ecs("web"), cpu=0.6)
    client.force_login(person("root", Role.ADMIN))
    page = client.get("/admin/capacity/capacityreport/")
    assert page.status_code == 200
    assert "0.6" in page.content.decode()
    assert client.get("/admin/capacity/capacityreport/add/").status_code == 403
    change = client.get(f"/admin/capacity/capacityreport/{report.pk}/change/")
    assert b'name="_save"' not in change.content
