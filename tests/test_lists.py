"""Every list of the API: filters by its fields, order, search, and nothing that nobody reads."""

from itertools import cycle, product
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from tests.populated import PopulatedPortal

pytestmark = pytest.mark.long

ODD = [
    "",
    "-1",
    "1e9",
    "9" * 30,
    "NaN",
    "x\0y",
    "true",
    "2026-02-30",
    "0001-01-01T00:00:00+23:59",
    "ÿ",
]
# What people who know the resource ask for.
EXPECTED = {
    "/api/v1/alerts/": {"service", "severity", "state", "source", "opened_at__gte", "incident"},
    "/api/v1/incidents/": {
        "service",
        "severity",
        "status",
        "assigned_to",
        "opened_after",
        "response",
    },
    "/api/v1/slos/": {"service", "state", "kind", "sli", "method", "is_enabled"},
    "/api/v1/slis/": {"service", "kind", "source"},
    "/api/v1/services/": {"tier", "owner", "lifecycle"},
    "/api/v1/integrations/": {"service", "kind", "is_enabled", "name"},
    "/api/v1/heartbeats/": {"service", "integration", "state", "is_paused"},
    "/api/v1/schedules/": {"team", "timezone"},
    "/api/v1/policies/": {"team", "is_default"},
    "/api/v1/overrides/": {"schedule", "person", "ends_after", "starts_at__lt"},
    "/api/v1/silences/": {"service", "ends_at__gte"},
    "/api/v1/maintenance/": {"service", "excludes_budget"},
    "/api/v1/corrections/": {"service", "slo", "mode"},
    "/api/v1/annotations/": {"service", "kind", "key", "starts_at__gte", "starts_at__lt"},
    "/api/v1/action-items/": {"incident", "service", "owner", "is_overdue", "is_open"},
    "/api/v1/postmortems/": {"incident", "service", "severity", "status", "author"},
    "/api/v1/users/": {"username", "role", "is_active"},
    "/api/v1/capacity-reports/": {"service", "status", "read_after", "read_before"},
}


def lists() -> dict[str, set[str]]:
    """Return what the description says that each list takes."""
    described = SchemaGenerator().get_schema(request=None, public=True)
    return {
        path: {one["name"] for one in operations["get"]["parameters"] if one["in"] == "query"}
        for path, operations in described["paths"].items()
        if "cursor" in str(operations.get("get", {}).get("parameters"))
    }


@pytest.fixture
def reader(client: Client, populated_portal: PopulatedPortal) -> Client:
    client.force_login(populated_portal.admin)
    return client


def rows(client: Client, path: str, **asked: Any) -> list[dict[str, Any]]:
    answer = client.get(path, asked)
    assert answer.status_code == 200, (path, asked, answer.content)
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def test_lists_filter_by_their_fields_and_order_by_their_columns(reader: Client) -> None:
    """The first row is found by each of its fields, with those that have the same there."""
    tried = 0
    for path, parameters in lists().items():
        everything = rows(reader, path, page_size=500)
        assert parameters >= EXPECTED.get(path, set()), path
        if not everything:
            continue
        first = everything[0]
        for name in parameters & first.keys():
            value = first[name]
            if value in (None, "") or isinstance(value, list | dict):
                continue
            kept = rows(reader, path, **{name: text(value), "page_size": 500})
            assert kept == [row for row in everything if row[name] == value], (path, name)
            tried += 1
        if "ordering" not in parameters:
            continue
        refused = reader.get(path, {"ordering": "nonsense"})
        assert refused.status_code == 400, path
        columns = refused.json()["errors"]["ordering"][0].split("one of ")[1].split(";")[0]
        for column in columns.split(", "):
            up = rows(reader, path, ordering=column, page_size=500)
            down = rows(reader, path, ordering=f"-{column}", page_size=500)
            assert len(up) == len(down) == len(everything), (path, column)
    assert tried > 120


def test_lists_refuse_what_nobody_reads(reader: Client) -> None:
    """A filter with a slip in its name would show every row to whoever deletes what is shown."""
    for path in lists():
        answer = reader.get(path, {"importance": "P0"})
        assert answer.status_code == 400, path
        assert "importance" in answer.json()["errors"], path


def test_a_value_that_is_given_twice_is_kept_either_way_or_refused(reader: Client) -> None:
    both = reader.get("/api/v1/incidents/?severity=P0&severity=P1&severity=P2&severity=P3")
    assert len(both.json()["results"]) == len(rows(reader, "/api/v1/incidents/"))
    refused = reader.get("/api/v1/incidents/?service=a&service=b")
    assert refused.json()["errors"] == {"service": ["Give it once: only one value is read."]}


def test_a_filter_without_a_value_is_refused(reader: Client) -> None:
    """What a script asks whose variable is not set, before it ends whatever is listed."""
    tried = 0
    for path, parameters in lists().items():
        if not path.startswith("/api/v1/"):
            continue
        filters = sorted(parameters - {"format", "cursor", "page_size", "ordering"})
        for name, blank in product(filters, ("", " ")):
            answer = reader.get(path, {name: blank})
            assert answer.status_code == 400, (path, name)
            assert list(answer.json()["errors"]) == [name]
            tried += 1
    assert tried > 240


def test_a_column_that_orders_twice_orders_once(reader: Client) -> None:
    """All pages follow; the first one of a column decides."""
    path = "/api/v1/services/"
    whole = [row["slug"] for row in rows(reader, path, ordering="-slug", page_size=500)]
    page = reader.get(f"{path}?ordering=-slug,slug,-slug&page_size=2").json()
    found = [row["slug"] for row in page["results"]]
    while page["next"]:
        page = reader.get(page["next"]).json()
        found += [row["slug"] for row in page["results"]]
    assert found == whole
    assert len(found) > 2


def test_rubbish_in_filters_is_refused_or_finds_nothing(reader: Client) -> None:
    odd = cycle(ODD)
    for path, parameters in lists().items():
        for name in sorted(parameters - {"format"}):
            asked = {name: next(odd)}
            assert reader.get(path, asked).status_code in {200, 400}, (path, asked)
