"""Values that look like others: a program that sends them meant something else, and is told what to send."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, send, signed_in
from catalog.models import Service, Team
from oncall.models import EscalationPolicy, ServicePolicy

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LAYER = {"name": "Days", "first_on": "2026-03-02", "people": ["alice"]}


@pytest.fixture
def api() -> Client:
    return signed_in(Role.ADMIN)


@pytest.fixture(autouse=True)
def alice() -> User:
    return person("alice")


def refused(api: Client, method: str, path: str, body: Any) -> dict[str, list[str]]:
    """Send a body that is wrong; returns what is said of which field."""
    found: dict[str, list[str]] = send(api, method, path, body, status=400)["errors"]
    return found


def test_an_object_is_no_list(api: Client, alice: User) -> None:
    """`{}` for `[]` would take everybody out of a team, and every service from its policy."""
    team = Team.objects.create(slug="red", name="Red")
    team.members.set([alice])
    policy = EscalationPolicy.objects.create(slug="pol", name="Pol")
    service = Service.objects.create(slug="pay", name="Pay")
    ServicePolicy.objects.create(service=service, policy=policy)
    for path, name in (("teams/red/", "members"), ("policies/pol/", "called_for")):
        for wrong in ({}, {"alice": 1}):
            said = refused(api, "patch", path, {name: wrong})
            assert said == {name: ['Expected a list of items but got type "dict".']}
    assert team.members.get() == alice
    assert policy.services.count() == 1


def test_a_choice_that_there_is_not_is_answered_with_those_that_there_are(api: Client) -> None:
    schedule = {"slug": "s", "name": "S", "layers": [{**LAYER, "unit": "day"}]}
    said = refused(api, "post", "schedules/", schedule)
    assert said == {
        "layers[0].unit": ['"day" is not a valid choice: use one of hours, days, weeks.']
    }
    said = refused(api, "post", "incidents/", {"title": "5xx", "severity": "critical"})
    assert said == {
        "severity": ['"critical" is not a valid choice: use one of P0, P1, P2, P3.']
    }  # fmt: skip
    matcher = {"name": "title", "op": "~", "value": "x"}
    silence = {"starts_at": "2026-03-02T10:00:00Z", "ends_at": "2026-03-02T11:00:00Z"}
    said = refused(api, "post", "silences/", {**silence, "comment": "x", "matchers": [matcher]})
    assert said["matchers[0].op"][0].endswith("use one of =, !=, =~, !~.")


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_length_of_time_is_not_none_at_all(api: Client, empty: str) -> None:
    """From a script it is a variable that is not set; at once is `00:00:00`."""
    level = {"number": 1, "name": "L1", "targets": [{"person": "alice"}]}
    timing = {"severity": "P1", "level": 1}
    policy = {"slug": "p", "name": "P", "levels": [level]}
    said = refused(api, "post", "policies/", {**policy, "timings": [{**timing, "after": empty}]})
    assert [*said] == ["timings[0].after"]
    timings = [{**timing, "after": "00:00:00"}]
    send(api, "post", "policies/", {**policy, "timings": timings}, status=201)


@pytest.mark.parametrize("days", [None, [], [7], ["0"], [True], "0", {}, 0])
def test_hours_of_a_layer_name_their_weekdays(api: Client, days: Any) -> None:
    hours = {"begins": "22:00", "ends": "06:00", "weekdays": days}
    schedule = {"slug": "s", "name": "S", "layers": [{**LAYER, "restrictions": [hours]}]}
    said = refused(api, "post", "schedules/", schedule)
    assert [*said] == ["layers[0].restrictions[0].weekdays"]
    if days is not None:
        (sentence,) = said["layers[0].restrictions[0].weekdays"]
        assert sentence == "Use a list of weekdays, Monday is 0, e.g. [0, 1, 2, 3, 4]."
        said = refused(api, "post", "policies/", {"slug": "p", "name": "P", "work_days": days})
        assert said == {"work_days": [sentence]}


def test_hours_without_weekdays_are_described_as_they_are_refused(api: Client) -> None:
    hours = {"begins": "22:00", "ends": "06:00"}
    schedule = {"slug": "s", "name": "S", "layers": [{**LAYER, "restrictions": [hours]}]}
    said = refused(api, "post", "schedules/", schedule)
    assert said == {"layers[0].restrictions[0].weekdays": ["This field is required."]}
    described = api.get("/api/schema/?format=json").json()["components"]["schemas"]
    assert described["RestrictionRequest"]["required"] == ["weekdays"]
    assert described["RestrictionRequest"]["properties"]["weekdays"]["type"] == "array"


def test_a_fallback_contact_without_anybody_names_the_field(api: Client) -> None:
    said = refused(api, "post", "fallback-contacts/", {})
    assert said == {"person": ["Name a person or a channel."]}
    both = {"person": "alice", "channel": None}
    send(api, "post", "fallback-contacts/", both, status=201)
