"""What is wrong with an objective before it has misled anybody."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from slo.domain.burn_alerts import tiers_for
from slo.domain.counts import Counts, allowed_ratio

LARGE_EVENT = Fraction(1, 10)
"""One bad event that takes more than this of the budget makes every figure a lottery."""

OWN_TRAFFIC = Fraction(9, 10)
"""From this share of own probes on, the denominator is the portal talking to itself."""


class Level(StrEnum):
    """ERROR measures nothing, WARNING misleads, NOTE is dealt with but worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing about one objective.

    Args:
        code: Stable name of the check.
        level: How bad it is.
        field: Which field to look at.
        message: What is wrong and what to do, one sentence or two.
    """

    code: str
    level: Level
    field: str
    message: str


@dataclass(frozen=True)
class Facts:
    """What is known of an objective and the data it judges.

    Args:
        objective: Target share.
        period: Nominal length of its window.
        minimum_events: Fewest events in a long window that may raise a burn alert.
        window: Counts of its window so far; None before the first data.
        history: Counts of the last 90 days; None before the first data.
        threshold_ms: Latency threshold, None for other kinds.
        bounds_ms: Bounds that its requests are counted by; empty where others count.
        twins: Slugs of SLIs that count exactly the same.
        is_freshness: Whether it is about freshness.
        reports_without_requests: Whether freshness was ever reported in a minute without requests
            while there were such minutes; None where that cannot be told.
        probe_share: Probes of this portal by requests counted; None without a probe.
    """

    objective: Decimal
    period: timedelta
    minimum_events: int
    window: Counts | None = None
    history: Counts | None = None
    threshold_ms: int | None = None
    bounds_ms: Sequence[float] = ()
    twins: Sequence[str] = ()
    is_freshness: bool = False
    reports_without_requests: bool | None = None
    probe_share: Fraction | None = None


def lint(facts: Facts) -> list[Finding]:
    """Return everything there is to say about an objective, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    order = list(Level)
    return sorted(found, key=lambda finding: order.index(finding.level))


def expected_events(facts: Facts, length: timedelta) -> Fraction | None:
    """Return how many events `length` will bring at the pace of the window so far."""
    if facts.window is None or not facts.window.measured:
        return None
    minutes = Fraction(length / timedelta(minutes=1)).limit_denominator(10**6)
    return Fraction(facts.window.total, facts.window.measured) * minutes


def _bound(facts: Facts) -> Iterator[Finding]:
    if facts.threshold_ms is None or not facts.bounds_ms or facts.threshold_ms in facts.bounds_ms:
        return
    nearest = min(facts.bounds_ms, key=lambda bound: abs(bound - (facts.threshold_ms or 0)))
    yield Finding(
        "threshold-not-on-bound",
        Level.ERROR,
        "threshold_ms",
        f"Requests are not counted up to {facts.threshold_ms} ms, so nothing is measured; the"
        f" nearest bound is {nearest:g} ms. Choose it, or add a bound to the service's telemetry.",
    )


def _unreachable(facts: Facts) -> Iterator[Finding]:
    if facts.history is None or facts.history.ratio is None:
        return
    if facts.history.ratio >= Fraction(facts.objective):
        return
    yield Finding(
        "unreachable",
        Level.WARNING,
        "objective",
        f"The last 90 days gave {_percent(facts.history.ratio)}, which is below the objective of"
        f" {_percent(Fraction(facts.objective))}: a target that is always missed is soon ignored.",
    )


def _tiers(facts: Facts) -> Iterator[Finding]:
    for tier in tiers_for(facts.objective, facts.period):
        if not tier.enabled:
            yield Finding(
                "threshold-above-ceiling",
                Level.WARNING,
                "objective",
                f"The {_hours(tier.share.long)} burn alert can never fire: even a complete outage"
                f" burns {float(1 / allowed_ratio(facts.objective)):.4g} times too fast, and it"
                f" would begin at {float(tier.threshold):.4g}. A shorter outage is found late.",
            )
        elif tier.note:
            yield Finding(
                "burn-below-one",
                Level.NOTE,
                "window_days",
                f"The {_hours(tier.share.long)} burn alert was {tier.note}.",
            )


def _few_events(facts: Facts) -> Iterator[Finding]:
    # A freshness report a minute is all there is, by design.
    for tier in tiers_for(facts.objective, facts.period):
        expected = expected_events(facts, tier.share.long)
        if expected is None or not tier.enabled or expected >= facts.minimum_events:
            continue
        yield Finding(
            "few-events",
            Level.WARNING,
            "minimum_events",
            f"About {float(expected):.3g} events are expected in {_hours(tier.share.long)}, fewer"
            f" than the {facts.minimum_events} that may raise its burn alert: it will rarely fire."
            " Add a probe, or judge minutes instead of events.",
        )
        return


def _large_event(facts: Facts) -> Iterator[Finding]:
    expected = expected_events(facts, facts.period)
    if not expected:
        return
    allowed = expected * allowed_ratio(facts.objective)
    share = 1 / allowed
    if share > LARGE_EVENT:
        yield Finding(
            "one-event-is-much",
            Level.WARNING,
            "objective",
            f"About {float(allowed):.3g} bad events are allowed in the whole window, so one takes"
            f" {_percent(share)} of the budget. Lower the objective or lengthen the window.",
        )


def _duplicate(facts: Facts) -> Iterator[Finding]:
    if facts.twins:
        yield Finding(
            "duplicate",
            Level.WARNING,
            "sli",
            f"It counts exactly what {', '.join(facts.twins)} counts: one incident spends both"
            " budgets and alerts twice.",
        )


def _clock(facts: Facts) -> Iterator[Finding]:
    if facts.is_freshness and facts.reports_without_requests is False:
        yield Finding(
            "freshness-without-clock",
            Level.WARNING,
            "freshness_source",
            "Freshness is reported only in minutes with requests: when nobody asks, nobody knows"
            " how old the data is. Report it on a schedule of its own.",
        )


def _own_probe(facts: Facts) -> Iterator[Finding]:
    if facts.probe_share is not None and facts.probe_share >= OWN_TRAFFIC:
        yield Finding(
            "own-probe",
            Level.WARNING,
            "sli",
            "Nearly all requests it counts are this portal's own probes: it measures the probe"
            " twice and users not at all.",
        )


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _bound,
    _unreachable,
    _tiers,
    _few_events,
    _large_event,
    _duplicate,
    _clock,
    _own_probe,
)


def _percent(share: Fraction) -> str:
    return f"{float(share) * 100:.6g} %"


def _hours(length: timedelta) -> str:
    hours = length // timedelta(hours=1)
    return f"{hours} h" if hours < 24 else f"{hours // 24} d"
