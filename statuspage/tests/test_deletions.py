"""What is deleted between two reads of one request breaks nothing: not after any of its queries."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from incidents.models import Maintenance
from incidents.services.maintenance import plan
from slo.models import CompositeMember, Slo
from slo.services.composites import set_members
from slo.services.objectives import create_sli, create_slo
from slo.tests.world import NOON as MEASURED
from slo.tests.world import World
from statuspage.models import Component, ComponentGroup, PublicIncident
from statuspage.services import exporting
from statuspage.tests.world import HOUR, component, group, incident, shop, tell

pytestmark = [pytest.mark.django_db]
NOW = MEASURED + timedelta(hours=1)
MODELS = (Maintenance, PublicIncident, Component, ComponentGroup, CompositeMember, Slo)
Read = Callable[[], Any]


class _Undo(Exception):
    """Takes back what one attempt did."""


@contextmanager
def after(number: int, deed: Callable[[], Any]) -> Iterator[list[int]]:
    """Do something after so many queries; yields how many there were."""
    count = [0]

    def run(execute: Any, *query: Any) -> Any:
        found = execute(*query)
        count[0] += 1
        if count[0] == number:
            deed()
        return found

    with connection.execute_wrapper(run):
        yield count


def delete_everything() -> None:
    """Delete all that the page is made of."""
    counting, connection.execute_wrappers[:] = connection.execute_wrappers[:], []
    try:
        for model in MODELS:
            model._base_manager.all().delete()
    finally:
        connection.execute_wrappers[:] = counting


def each_moment(read: Read) -> int:
    """Read once for each of its queries, with everything deleted after that one; returns how many."""
    number, made = 0, 1
    while number < made:
        number += 1
        with suppress(_Undo), transaction.atomic(), after(number, delete_everything) as count:
            read()
            made = count[0]
            raise _Undo
    return number


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Component:
    """Fill a page with one of each, a composite among its objectives."""
    world = World()
    world.run(3, good=97, errors=3)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    service = shop()
    found = component(service=service, group=group(), slo=world.slo("availability"))
    sli = create_sli(
        slug="journey", actor="test", now=MEASURED, kind="composite", service=world.service
    )
    set_members(sli, {world.slo("latency"): 1}, actor="test", now=MEASURED)
    whole = create_slo(
        sli=sli, slug="journey", name="j", objective=Decimal("0.9"), actor="test", now=MEASURED
    )
    component("Search", slo=whole)
    tell(incident(service, now=NOW), "We look into it.", now=NOW)
    fields = {"service": service, "starts_at": NOW - HOUR, "ends_at": NOW + HOUR,
              "comment": "x", "rule": "FREQ=WEEKLY"}  # fmt: skip
    plan(fields=fields, actor="test", now=NOW)
    return found


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "path",
    ["", "history/", "incidents/%i/", "components/%c/", "api/v2/summary.json", "api/v2/incidents.json",
     "feed.rss", "subscribe/"],
)  # fmt: skip
def test_no_page_breaks(client: Client, part: Component, path: str) -> None:
    """It answers as of before or as of after; what is gone is not found."""
    told = PublicIncident.objects.get().public_id
    address = "/status/" + path.replace("%i", told).replace("%c", part.public_id)
    may_be_gone = "%" in path

    def read() -> None:
        status = client.get(address).status_code
        assert status == 200 or (may_be_gone and status == 404), (address, status)

    assert each_moment(read) >= 1


def test_no_copy_breaks(part: Component, tmp_path: Path) -> None:
    """Nor does the task that writes it."""
    assert part.is_shown
    assert each_moment(lambda: exporting.export(str(tmp_path), now=NOW)) > 5
