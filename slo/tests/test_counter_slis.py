"""Ratio and throughput SLIs of counters that came in by OTLP."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from accounts.models import User
from accounts.roles import Role
from slo.domain.blocks import GAP, Slice
from slo.domain.counter_slis import Counted, counter_slice
from slo.domain.windows import Window
from slo.models import Sli, Slo
from slo.queries import SliceReader, counts_of
from slo.tests.world import MINUTE, NOON, World
from telemetry.services import otlp
from telemetry.services.ingest import PORTAL
from telemetry.services.writers import forget_writers
from telemetry.tests.conftest import client_of
from telemetry.tests.otlp import DELTA, counter, export, number

GOOD, BAD, TOTAL = 'jobs{result="ok"}', 'jobs{result="failed"}', "jobs"


@pytest.fixture
def world(db: None) -> World:
    """Return a portal with the Users API at noon."""
    forget_writers()
    return World()


def did(count: int, result: str, world: World) -> NumberDataPoint:
    """Return what was counted in the current minute, as a delta."""
    end = world.minute + timedelta(seconds=50)
    return number(count, at=end, start=world.minute, attributes={"result": result})


def report(world: World, *points: NumberDataPoint, name: str = "jobs") -> None:
    """Send counters of the current minute."""
    body = export(counter(*points, name=name, temporality=DELTA)).SerializeToString()
    taken = otlp.store_metrics(body, now=world.minute + MINUTE, sender=PORTAL)
    assert not taken.rejected, taken.message


def ratio(world: World, **queries: str) -> Slo:
    """Make an SLO of two counters."""
    given = {"kind": Sli.Kind.RATIO, "good_query": GOOD, "total_query": TOTAL} | queries
    return world.custom("jobs", "0.9", **given)


def sums(slo: Slo, minutes: int) -> tuple[int, int, int]:
    """Return good and all events and measured minutes from noon on."""
    window = Window(NOON, NOON + MINUTE * minutes)
    found = counts_of(SliceReader().sums([window])[0], slo.sli.slot)
    return found.good, found.total, found.measured


@pytest.mark.both_databases
def test_a_ratio_counts_one_selector_of_another(world: World) -> None:
    """90 of 100 jobs succeeded in the first minute, 50 of 50 in the second."""
    slo = ratio(world)
    report(world, did(90, "ok", world), did(10, "failed", world))
    world.tick()
    report(world, did(50, "ok", world))
    world.tick()
    assert sums(slo, 2)[:2] == (140, 150)


@pytest.mark.both_databases
def test_bad_events_may_be_counted_instead(world: World) -> None:
    """Until the first failure its counter does not exist: then none has failed."""
    slo = ratio(world, good_query="", bad_query=BAD)
    report(world, did(10, "ok", world))
    world.tick()
    report(world, did(10, "ok", world), did(2, "failed", world))
    world.tick()
    assert sums(slo, 2)[:2] == (20, 22)


@pytest.mark.both_databases
def test_late_counters_are_measured_again(world: World) -> None:
    """An export that was delayed for twenty minutes closes the gap that it had left."""
    slo = ratio(world)
    late = [did(9, "ok", world), did(1, "failed", world)]
    for _ in range(20):
        world.tick()
    assert sums(slo, 20) == (0, 0, 0)
    report(world, *late)
    world.tick()
    assert sums(slo, 20)[:2] == (9, 10)


@pytest.mark.both_databases
def test_a_minute_without_any_report_is_a_gap(world: World) -> None:
    """No data is not zero."""
    slo = ratio(world)
    report(world, did(9, "ok", world))
    world.tick()
    world.tick()
    assert sums(slo, 2) == (9, 9, 1)


def test_a_counter_that_nobody_sends_is_a_gap(world: World) -> None:
    """A typing error in the query of good events must not page anybody."""
    slo = ratio(world, good_query='jobs{result="okay"}')
    report(world, did(9, "ok", world))
    world.tick()
    assert sums(slo, 1) == (0, 0, 0)


def test_throughput_works_off_a_backlog_without_exceeding_all(world: World) -> None:
    """50 of 100 in the first minute; then 70 of 20: those 20 were done, the rest was late."""
    slo = world.custom(
        "mail",
        "0.9",
        kind=Sli.Kind.THROUGHPUT,
        good_query="mail.sent",
        total_query="mail.queued",
    )
    for queued, sent in ((100, 50), (20, 70)):
        report(world, did(queued, "", world), name="mail.queued")
        report(world, did(sent, "", world), name="mail.sent")
        world.tick()
    assert sums(slo, 2)[:2] == (70, 120)


def test_selectors_are_checked_when_an_sli_is_saved(world: World) -> None:
    """The message names the field and the character."""
    sli = ratio(world).sli
    sli.good_query = "jobs{result=ok}"
    with pytest.raises(ValidationError) as error:
        sli.full_clean()
    (message,) = error.value.message_dict["good_query"]
    assert message.startswith('Expected a value in double quotes, like "mail" at character 13.')


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
def test_no_slice_has_more_good_events_than_all(good: int, total: int, capped: bool) -> None:
    """A minute that contradicts itself is a gap, unless a backlog explains it."""
    found = counter_slice(Counted(total, 1), good=Counted(good, 1), capped=capped)
    if round(good / 1000) > round(total / 1000) and not capped:
        assert found == GAP
    else:
        assert found == Slice(min(round(good / 1000), round(total / 1000)), round(total / 1000))


def test_the_api_makes_ratios_and_names_what_is_wrong(world: World) -> None:
    """A manager creates one by its two queries; a broken one is told by field and character."""
    client = client_of(User.objects.create_user("mona", role=Role.MANAGER), "read", "write")
    given = {"slug": "jobs", "service": "users-api", "kind": "ratio", "good_query": GOOD}
    made = client.post("/api/v1/slis/", {**given, "total_query": TOTAL}, "application/json")
    assert made.status_code == 201, made.content
    assert Sli.objects.get(slug="jobs").good_query == GOOD
    broken = {**given, "slug": "b", "total_query": "jobs{"}
    refused = client.post("/api/v1/slis/", broken, "application/json")
    assert refused.status_code == 400
    assert "at character 6" in refused.json()["errors"]["total_query"][0]
    missing = client.post("/api/v1/slis/", {**given, "slug": "c"}, "application/json")
    assert missing.json()["errors"] == {"total_query": ["Name the counter of all valid events."]}
