"""Synthetic checks: when they are made, what a good answer is, and what a minute of them says."""

import socket
from datetime import timedelta
from typing import Any

import pytest

from core.clock import floor_minute, now
from core.tests.outside import outside, plain
from slo.domain.blocks import GAP, Slice
from slo.domain.probes import Check, Expectation, Outcome, next_due, probe_slice, status_ranges
from slo.domain.windows import Window
from slo.models import ProbeResult, Sli, Slo
from slo.queries import SliceReader, counts_of
from slo.services import probing
from slo.tests.world import MINUTE, NOON, World

S = timedelta(seconds=1)


@pytest.fixture
def world(db: None, settings: Any) -> World:
    """Return a portal that may ask its own machine."""
    settings.EMBEDDED = True
    return World()


def probe(world: World, url: str, **changes: Any) -> Slo:
    """Make an SLO of a probe."""
    return world.custom("front", "0.99", kind=Sli.Kind.PROBE, probe_url=url, **changes)


@pytest.mark.both_databases
def test_an_answer_as_expected_is_good(world: World) -> None:
    """Status and text fit, so the check is good, and the tick counts it in its minute."""
    with outside(plain(b"all is well")) as server:
        slo = probe(world, server.url, probe_body="is well")
        (result,) = probing.tick(now=world.minute + S)
    assert (result.outcome, result.status) == (Outcome.GOOD, 200)
    world.tick()
    window = Window(NOON, NOON + MINUTE)
    counts = counts_of(SliceReader().sums([window])[0], slo.sli.slot)
    assert (counts.good, counts.total, counts.measured) == (1, 1, 1)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (plain(b"oh", status="503 Down"), "answered with 503"),
        (plain(b"something else"), "the text is not in the answer"),
        (plain(b"", status="301 Moved", headers="Location: /x\r\n"), "answered with 301"),
    ],
)
def test_another_answer_is_bad(world: World, answer: Any, reason: str) -> None:
    """A wrong status or text fails the check, and it says why."""
    with outside(answer) as server:
        probe(world, server.url, probe_body="is well")
        (result,) = probing.tick(now=world.minute)
    assert (result.outcome, result.reason) == (Outcome.BAD, reason)


@pytest.mark.both_databases
def test_a_target_that_is_down_is_bad(world: World) -> None:
    """Nobody listens: that is the target's failure, not ours."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    probe(world, f"http://127.0.0.1:{port}/")
    (result,) = probing.tick(now=world.minute)
    assert result.outcome == Outcome.BAD


@pytest.mark.both_databases
def test_what_we_may_not_ask_is_a_gap(world: World, settings: Any) -> None:
    """An address that the settings closed meanwhile says nothing of the target."""
    probe(world, "http://127.0.0.1:9/")
    settings.EMBEDDED = False
    (result,) = probing.tick(now=world.minute)
    assert result.outcome == Outcome.NOT_RUN


@pytest.mark.both_databases
def test_a_check_is_made_once(world: World) -> None:
    """Two ticks at once find it taken; the next one is due after the interval."""
    with outside(plain()) as server:
        probe(world, server.url, probe_every_s=30)
        assert len(probing.tick(now=world.minute)) == 1
        assert probing.tick(now=world.minute + 29 * S) == []
        assert len(probing.tick(now=world.minute + 30 * S)) == 1
        assert len(server.requests) == 2


@pytest.mark.both_databases
def test_old_checks_are_forgotten(world: World) -> None:
    """After a week only the slices remain."""
    slo = probe(world, "http://127.0.0.1:9/")
    at = floor_minute(now())
    for days in (1, 8):
        ProbeResult.objects.create(
            sli=slo.sli, at=at - timedelta(days=days), outcome=Outcome.GOOD.value
        )
    assert probing.purge(now=at) == 1
    assert ProbeResult.objects.get().at == at - timedelta(days=1)


def test_a_late_check_is_made_once_for_its_newest_time() -> None:
    """Checks that were missed are gaps, not a burst."""
    every = timedelta(seconds=30)
    assert next_due(NOON, every, now=NOON + 100 * S) == (NOON + 90 * S, NOON + 120 * S)
    assert next_due(NOON, every, now=NOON) == (NOON, NOON + every)


def test_minutes_between_rare_checks_are_watched() -> None:
    """With a check every five minutes those between are empty; after a missed one they are gaps."""
    every = 5 * MINUTE
    checks = [Check(NOON, Outcome.BAD)]
    assert probe_slice(checks, NOON, every=every) == Slice(0, 1)
    assert probe_slice(checks, NOON + 4 * MINUTE, every=every) == Slice()
    assert probe_slice(checks, NOON + 6 * MINUTE, every=every) == GAP


def test_a_check_that_took_too_long_is_bad() -> None:
    """The threshold itself is still good."""
    expected = Expectation([(200, 299)], within_ms=100)
    assert expected.failure(status=200, body=b"", elapsed_ms=100) == ""
    assert expected.failure(status=200, body=b"", elapsed_ms=101)


@pytest.mark.parametrize("text", ["", "2xx", "299-200", "99", "200-", "200,,201", "٢٠٠", "200-600"])
def test_statuses_that_are_none_are_refused(text: str) -> None:
    """What is no status or range is refused in words."""
    with pytest.raises(ValueError, match=r"\w"):
        status_ranges(text)
