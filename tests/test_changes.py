"""Everything the API lets change, changed field by field on a portal that has one of each.

Fuzzing from the description alone seldom meets a row that exists; here each row does.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from tests.populated import PopulatedPortal

pytestmark = pytest.mark.long

ODD: list[Any] = [
    None, "", "x", " ", 0, -1, 1, 2**63, 10**30, 1e308, 0.5, True, [], {}, [{}], [[]], [None], ["x"], [1],
    {"x": 1}, {"a": {"b": None}}, [{"x": 1}], "a\0b", "😀", "\ud800", "a" * 5000, "(((", "%s", "NaN", "1:00",
    "24:00", "P0", "users-api", "root", "2026-02-30", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
    "Europe/Nowhere", "FREQ=SECONDLY", "http://localhost:1/", "RRULE:FREQ=DAILY;COUNT=0", "-P1D", "00:00:00",
    "9" * 400,
]  # fmt: skip
# `make fuzz` tries all of them; all other runs the same few of each field.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


class Resource(NamedTuple):
    """A list of the API, and what may be sent to it and to its rows."""

    path: str
    fields: dict[str, Any]
    required: list[str]
    accepts_new: bool
    changes_by: list[str]


class Description:
    """The API's own description."""

    def __init__(self) -> None:
        self.whole = SchemaGenerator().get_schema(request=None, public=True)

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the object that a schema is, points to or allows."""
        for part in (schema, *schema.get("allOf", []), *schema.get("oneOf", [])):
            if "$ref" in part:
                name = part["$ref"].split("/")[-1]
                found: dict[str, Any] = self.whole["components"]["schemas"][name]
                return found
            if "properties" in part:
                return part  # type: ignore[no-any-return]
        return schema

    def resources(self) -> Iterator[Resource]:
        """Return every list with rows that JSON makes or changes."""
        for path, operations in self.whole["paths"].items():
            rows = self.whole["paths"].get(f"{path}{{slug}}/") or self.whole["paths"].get(
                f"{path}{{id}}/", {}
            )
            new = operations.get("post")
            how = [method for method in ("put", "patch") if method in rows]
            asked = new or (rows[how[0]] if how else None)
            if "get" not in operations or asked is None or "requestBody" not in asked:
                continue
            body = asked["requestBody"]["content"].get("application/json")
            schema = self.resolved(body["schema"]) if body else {}
            if schema.get("properties"):
                yield Resource(
                    path, schema["properties"], schema.get("required", []), new is not None, how
                )

    def parts_with_gaps(self, schema: dict[str, Any]) -> Iterator[Any]:
        """Return lists whose only part lacks what it needs, each time something else."""
        part = self.resolved(schema.get("items", {})) if schema.get("type") == "array" else {}
        for name in part.get("properties", {}):
            yield [{name: value} for value in ("x", 1)]


DESCRIPTION = Description()


def values_for(schema: dict[str, Any], chance: random.Random) -> list[Any]:
    return [
        *DESCRIPTION.parts_with_gaps(schema),
        *(ODD if EXAMPLES else chance.sample(ODD, 1)),
    ]


def send(client: Client, method: str, path: str, body: Any) -> int:
    """Send, undo, and return the status; an error of ours fails the test."""
    with transaction.atomic():
        answer = client.generic(method, path, json.dumps(body), content_type="application/json")
        transaction.set_rollback(True)
    assert answer.status_code < 500, (method, path, body)
    return answer.status_code


def of_first_row(client: Client, path: str) -> str:
    """Return the address of a list that belongs to a row of another one: of the first there is."""
    rows, row, rest = path.partition("{id}/")
    return f"{rows}{client.get(rows).json()['results'][0]['id']}/{rest}" if row else path


def test_no_change_of_a_row_fails(client: Client, populated_portal: PopulatedPortal) -> None:
    client.force_login(populated_portal.admin)
    chance = random.Random(None if EXAMPLES else 3)
    answers: Counter[int] = Counter()
    for described, fields, required, accepts_new, changes_by in DESCRIPTION.resources():
        path = of_first_row(client, described)
        listed = client.get(path).json()
        row: dict[str, Any] = next(
            iter(listed["results"] if isinstance(listed, dict) else listed), {}
        )
        writable = {name: row[name] for name in fields if name in row}
        needed = {name: writable.get(name, "x") for name in required}
        ways = [("POST", path)] if accepts_new else []
        if row:
            its_own = f"{path}{row.get('slug', row.get('id'))}/"
            ways += [(method.upper(), its_own) for method in changes_by]
        changes = [
            {**needed, name: value}
            for name, schema in fields.items()
            for value in values_for(schema, chance)
        ]
        answers.update(
            send(client, *way, body) for body in (writable, needed, *changes) for way in ways
        )
    assert answers[400] > 300
    assert answers[200] > 100
    assert answers[201] > 20


def test_parts_are_whole_where_the_rest_is_not(
    client: Client, populated_portal: PopulatedPortal
) -> None:
    """PATCH leaves out fields of a row; a list in it replaces the one before."""
    client.force_login(populated_portal.admin)
    required = ["This field is required."]
    for path, body, wrong in (
        ("holiday-calendars/holidays-0", {"days": [{"name": "x"}]}, {"days[0].on": required}),
        ("services/users-api", {"dependencies": [{}]}, {"dependencies[0].slug": required}),
    ):
        answer = client.patch(f"/api/v1/{path}/", body, content_type="application/json")
        assert (answer.status_code, answer.json().get("errors")) == (400, wrong)
    day = {"days": [{"on": "2026-12-24", "name": "x"}]}
    answer = client.patch(
        "/api/v1/holiday-calendars/holidays-0/", day, content_type="application/json"
    )
    assert answer.json()["days"] == [{"on": "2026-12-24", "name": "x", "is_worked": False}]
