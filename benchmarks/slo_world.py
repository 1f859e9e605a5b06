"""A portal with many objectives and weeks of measured minutes, for benchmarks of what reads them.

Minutes are written packed, as `slo.services.slices` leaves them, instead of one by one: that would
take hours. A benchmark runs this in a process of its own, after `django.setup()`.
"""

import random
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

import numpy as np

from catalog.models import Service
from slo.domain.blocks import COUNTERS, DAY, HOUR, MILLIONTHS, MINUTE, ORIGIN, UNITS, Block
from slo.models import Sli, Slo, SloVersion
from slo.models.objective import BEGINNING
from slo.models.slices import SliceBlock

STEP = timedelta(minutes=1)
TARGET = Decimal("0.99")
OBJECTIVES = (Decimal("0.99"), Decimal("0.995"), Decimal("0.999"))
SERVICES = 50
# Share of its budget that each objective spends: one of twenty-five more than it has.
SPENT = np.random.default_rng(7).lognormal(np.log(0.25), 0.8, 100_000)


def make_slos(count: int, *, since: datetime, now: datetime) -> None:
    """Make objectives over 30 days, each with an SLI of its own."""
    services = [Service(slug=f"shop-{n}", name=f"Shop {n}") for n in range(SERVICES)]
    Service.objects.bulk_create(services)
    slis = [
        Sli(
            slug=f"shop-{n}",
            service=services[n % SERVICES],
            kind=Sli.Kind.SUCCESS,
            slot=n,
            slice_target=TARGET,
            data_since=since,
        )
        for n in range(count)
    ]
    Sli.objects.bulk_create(slis, batch_size=500)
    slos = [Slo(slug=sli.slug, name=f"Shop {n} answers", sli=sli) for n, sli in enumerate(slis)]
    Slo.objects.bulk_create(slos, batch_size=500)
    SloVersion.objects.bulk_create(
        [
            SloVersion(
                slo=slo,
                objective=OBJECTIVES[n % len(OBJECTIVES)],
                effective_from=BEGINNING,
                created_at=now,
            )
            for n, slo in enumerate(slos)
        ],
        batch_size=500,
    )


def write_history(
    count: int, *, since: datetime, until: datetime, events: int, hours: Collection[datetime]
) -> None:
    """Write slices of `count` SLIs, midnight to midnight UTC.

    Args:
        count: Number of SLIs, in slots 0 to count - 1.
        since: First minute.
        until: End of the last minute.
        events: Mean of an SLI's events in a minute.
        hours: Starts of the hours whose minutes are written, too.
    """
    rows = _rows(count, since, until, events, hours)
    while batch := list(islice(rows, 1_000)):
        SliceBlock.objects.bulk_create(batch, batch_size=200)


def _rows(
    count: int, since: datetime, until: datetime, events: int, hours: Collection[datetime]
) -> Iterator[SliceBlock]:
    chance = np.random.default_rng(11)
    ever = np.zeros((COUNTERS, count), dtype=np.int64)
    yield _row(DAY, ORIGIN, ever)
    day = since
    while day < until:
        within = np.zeros_like(ever)
        for number in range(24):
            hour = day + timedelta(hours=number)
            if hour >= until:
                break
            length = min(60, int((until - hour) / STEP))
            is_kept = hour in hours
            counted = _counted(
                chance, length if is_kept else 1, count, events, 1 if is_kept else length
            )
            running = np.cumsum(counted, axis=0)
            if is_kept:
                for minute in range(length):
                    yield _row(MINUTE, hour + STEP * minute, running[minute])
            within = within + running[-1]
            yield _row(HOUR, hour, within)
        ever = ever + within
        yield _row(DAY, day, ever)
        day += timedelta(days=1)


def _row(resolution: int, start: datetime, counters: np.ndarray) -> SliceBlock:
    return SliceBlock(resolution=resolution, start=start, data=Block(counters).pack())


def _counted(
    chance: np.random.Generator, spans: int, count: int, events: int, minutes: int
) -> np.ndarray:
    """Return the counters of `spans` spans of so many minutes, each span by itself."""
    total = chance.poisson(events * minutes, (spans, count))
    allowed = np.array([float(1 - OBJECTIVES[n % len(OBJECTIVES)]) for n in range(count)])
    good = total - chance.binomial(total, SPENT[:count] * allowed)
    active = (total > 0) * minutes
    share = good * MILLIONTHS // np.maximum(total, 1) * minutes * (total > 0)
    met = (good * UNITS >= int(TARGET * UNITS) * total) * active
    full = np.full_like(total, minutes)
    return np.stack([good, total, full, full, active, met, share], axis=1)


def some(count: int, share: float, seed: int) -> list[int]:
    """Return a share of the numbers below `count`, picked by chance."""
    return random.Random(seed).sample(range(count), max(1, round(count * share)))
