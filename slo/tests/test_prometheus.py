"""A real Prometheus server as the source of SLIs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from core.clock import floor_minute, now
from slo.domain.windows import Window
from slo.models import BackfillJob, PullState, Sli, Slo, Source
from slo.queries import SliceReader, counts_of
from slo.services import backfills, pulling, sources
from slo.services.pulling import CLOSE_AFTER
from slo.sources.prometheus_api import Session
from slo.tests.prometheus import Prometheus, counters, needs_prometheus, prometheus
from slo.tests.world import MINUTE, World

pytestmark = [needs_prometheus, pytest.mark.django_db, pytest.mark.both_databases]

# So long ago the history begins, and so many minutes it has.
BEGUN = floor_minute(now()) - timedelta(hours=3)
MINUTES = 120
JOB = 'job="users-api",instance="web:8000"'
HISTORY = {
    f'http_requests_total{{{JOB},code="200"}}': 96,
    f'http_requests_total{{{JOB},code="500"}}': 4,
    f'http_request_duration_seconds_bucket{{{JOB},le="0.2"}}': 80,
    f'http_request_duration_seconds_bucket{{{JOB},le="+Inf"}}': 100,
    f"http_request_duration_seconds_count{{{JOB}}}": 100,
}


@pytest.fixture(scope="module")
def history() -> Iterator[Prometheus]:
    """Return a server with two hours of the Users API's counters."""
    with prometheus() as server:
        server.fill(counters(BEGUN, MINUTES, HISTORY))
        server.start()
        yield server


@pytest.fixture
def server(history: Prometheus) -> Prometheus:
    """Return the server, running."""
    if history.process is None:
        history.start()
    return history


@pytest.fixture
def world(settings: Any) -> World:
    """Return a portal that may ask its own machine."""
    settings.EMBEDDED = True
    return World()


@pytest.fixture
def source(server: Prometheus, world: World) -> Source:
    """Return the server as a source."""
    fields = {"slug": "prom", "kind": Source.Kind.PROMETHEUS, "url": server.url}
    return sources.save_source(Source(), actor="test", now=now(), fields=fields)


def success(world: World, source: Source) -> Slo:
    """Make an SLO of the requests that did not fail."""
    return world.custom(
        "shop-success",
        "0.99",
        kind=Sli.Kind.SUCCESS,
        source=source,
        bad_query='http_requests_total{code=~"5.."}',
        total_query="http_requests_total",
    )


def sums(slo: Slo, first: int, minutes: int) -> tuple[int, int, int]:
    """Return good and all events and measured minutes, from a minute of the history on."""
    start = BEGUN + MINUTE * first
    found = counts_of(
        SliceReader().sums([Window(start, start + MINUTE * minutes)])[0], slo.sli.slot
    )
    return found.good, found.total, found.measured


def pull_after(minute: int) -> pulling.PullResult:
    """Run the tick that finds so many minutes of the history over."""
    return pulling.tick(now=BEGUN + MINUTE * minute + CLOSE_AFTER)


def test_a_ratio_of_counters_is_counted_exactly(world: World, source: Source) -> None:
    """96 of 100 requests a minute were good: whole events, nothing extrapolated."""
    slo = success(world, source)
    assert pull_after(10).minutes > 0
    assert sums(slo, 9, 1) == (96, 100, 1)
    pull_after(11)
    assert sums(slo, 9, 2) == (192, 200, 2)


@pytest.mark.parametrize(
    "good",
    [
        'sum(http_requests_total) - sum(http_requests_total{code=~"5.."})',
        'sum(http_requests_total) - (sum(http_requests_total{code="500"}) or vector(0))',
    ],
    ids=["difference", "of what may not be there"],
)
def test_differences_of_counters_are_counted_exactly(
    world: World, source: Source, good: str
) -> None:
    """As imported documents write good events: each counter's samples are taken as they are."""
    slo = world.custom(
        "shop-good",
        "0.99",
        kind=Sli.Kind.RATIO,
        source=source,
        good_query=good,
        total_query="sum(http_requests_total)",
    )
    pull_after(10)
    assert sums(slo, 9, 1) == (96, 100, 1)


def test_a_latency_histogram_is_read_at_its_bound(world: World, source: Source) -> None:
    """80 of 100 requests a minute were answered within 200 ms, in a histogram of seconds."""
    slo = world.custom(
        "shop-latency",
        "0.9",
        kind=Sli.Kind.LATENCY,
        source=source,
        threshold_ms=200,
        total_query="http_request_duration_seconds",
    )
    pull_after(10)
    assert sums(slo, 9, 1) == (80, 100, 1)


def test_a_threshold_that_is_no_bound_is_a_gap_that_names_the_bounds(
    world: World, source: Source
) -> None:
    """Nobody counted requests within 300 ms: all of them bad would page for a typing error."""
    slo = world.custom(
        "shop-latency",
        "0.9",
        kind=Sli.Kind.LATENCY,
        source=source,
        threshold_ms=300,
        total_query="http_request_duration_seconds",
    )
    pull_after(10)
    assert sums(slo, 9, 1) == (0, 0, 0)
    assert "0.2" in PullState.objects.get(sli=slo.sli).reason


def test_minutes_that_met_a_condition_are_counted(world: World, source: Source) -> None:
    """4 % of errors are less than 5 %, so each minute is good."""
    slo = world.custom(
        "shop-minutes",
        "0.9",
        kind=Sli.Kind.TIME_SLICES,
        source=source,
        value_query='sum(increase(http_requests_total{code="500"}[2m]))'
        " / sum(increase(http_requests_total[2m]))",
        comparison="lt",
        comparison_value="0.05",
    )
    pull_after(10)
    assert sums(slo, 9, 1) == (1, 1, 1)


def test_a_subquery_of_a_minute_counts(world: World, source: Source) -> None:
    """Sloth's own examples count how many clients were unhappy in this way."""
    slo = world.custom(
        "shop-clients",
        "0.95",
        kind=Sli.Kind.RATIO,
        source=source,
        bad_query="sum_over_time((count(http_requests_total > 1e9))[1m:]) OR on() vector(0)",
        total_query="sum_over_time((count(http_requests_total))[1m:30s])",
    )
    pull_after(10)
    good, total, measured = sums(slo, 9, 1)
    assert measured == 1
    assert good == total > 0


def test_a_counter_of_errors_that_was_never_born_is_zero(world: World, source: Source) -> None:
    """Client libraries make it at the first error, so until then there were none."""
    slo = world.custom(
        "shop-timeouts",
        "0.99",
        kind=Sli.Kind.RATIO,
        source=source,
        bad_query='http_requests_total{code="504"}',
        total_query="http_requests_total",
    )
    pull_after(10)
    assert sums(slo, 9, 1) == (100, 100, 1)


def test_good_events_nobody_counts_are_a_gap(world: World, source: Source) -> None:
    """A typing error in the good events must not make all of them bad."""
    slo = world.custom(
        "shop-typo",
        "0.99",
        kind=Sli.Kind.RATIO,
        source=source,
        good_query='http_requests_totl{code="200"}',
        total_query="http_requests_total",
    )
    pull_after(10)
    assert sums(slo, 9, 1) == (0, 0, 0)
    assert "good_query" in PullState.objects.get(sli=slo.sli).reason


def test_slos_on_one_metric_ask_once(
    world: World, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten SLIs of the same two counters cost two questions a tick."""
    for number in range(10):
        slo = success(world, source)
        Slo.objects.filter(pk=slo.pk).update(slug=f"slo-{number}")
        Sli.objects.filter(pk=slo.sli_id).update(slug=f"sli-{number}")
    asked = []
    real = Session._once

    def once(session: Any, path: str, parameters: Any, kind: str) -> Any:
        asked.append(parameters["query"])
        return real(session, path, parameters, kind)

    monkeypatch.setattr(Session, "_once", once)
    assert pull_after(10).failing == 0
    assert len(asked) == 2


def test_a_source_that_was_down_is_a_gap_and_then_filled(
    world: World, source: Source, server: Prometheus
) -> None:
    """While it is down there is a gap with a reason; when it is back, every minute is counted."""
    slo = success(world, source)
    pull_after(10)
    server.stop()
    for minute in range(11, 16):
        assert pull_after(minute).failing == 1
    source.refresh_from_db()
    assert source.state == "failing"
    assert source.failing_since == BEGUN + MINUTE * 11 + CLOSE_AFTER
    assert sums(slo, 10, 5) == (0, 0, 0)
    assert PullState.objects.get(sli=slo.sli).gap_since == BEGUN + MINUTE * 10
    server.start()
    assert pull_after(16).failing == 0
    assert sums(slo, 9, 7) == (7 * 96, 700, 7)
    source.refresh_from_db()
    assert (source.state, source.last_error) == ("answering", "")
    assert source.complete_until == BEGUN + MINUTE * 16
    assert PullState.objects.get(sli=slo.sli).gap_since is None


def test_a_source_that_is_off_is_not_asked(world: World, source: Source) -> None:
    """Switching a source off stops the questions."""
    success(world, source)
    Source.objects.update(is_enabled=False)
    assert pull_after(10) == pulling.PullResult()


def test_a_backfill_fetches_the_past(world: World, source: Source) -> None:
    """The command fetches every minute there is, and says so as JSON."""
    slo = success(world, source)
    said = StringIO()
    start, end = BEGUN + MINUTE, BEGUN + MINUTE * 101
    call_command(
        "slo_backfill",
        slo.sli.slug,
        "--json",
        start=start.isoformat(),
        end=end.isoformat(),
        stdout=said,
        stderr=StringIO(),
    )
    result = json.loads(said.getvalue())
    assert (result["state"], result["minutes_done"], result["gaps"]) == ("done", 100, 0)
    assert sums(slo, 1, 100) == (9_600, 10_000, 100)


def test_a_backfill_waits_for_a_source_that_is_down(
    world: World, source: Source, server: Prometheus
) -> None:
    """It keeps its place, says why, and goes on by itself when the source is back."""
    slo = success(world, source)
    at = now()
    job = backfills.create(
        sli=slo.sli, start=BEGUN + MINUTE, end=BEGUN + MINUTE * 31, actor="test", now=at
    )
    server.stop()
    backfills.tick(now=at)
    job.refresh_from_db()
    assert job.is_open
    assert (job.attempts, job.minutes_done) == (1, 0)
    assert job.error
    server.start()
    assert backfills.tick(now=at) == 0
    assert backfills.tick(now=at + backfills.PAUSE) == 1
    job.refresh_from_db()
    assert job.state == BackfillJob.State.DONE
    assert sums(slo, 1, 30) == (30 * 96, 3_000, 30)
