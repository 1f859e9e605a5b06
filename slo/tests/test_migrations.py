"""Stored history survives the change of its format."""

import zlib
from datetime import UTC, datetime, timedelta
from importlib import import_module

import numpy as np
import pytest
from django.apps import apps

from catalog.models import Service
from slo.domain.blocks import DAY, HOUR, MINUTE, Slice
from slo.domain.windows import Window
from slo.models import Sli, SliceBlock
from slo.queries import SliceReader
from slo.services import slices

START = datetime(2026, 5, 2, 22, 57, tzinfo=UTC)
STEP = timedelta(minutes=1)


def old_block(*columns: tuple[int, int, int, int]) -> bytes:
    """Return good, total, measured, evaluated by slot as they were packed before."""
    return zlib.compress(np.array(columns, dtype="<i8").T.copy().tobytes(), 1)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_sums_become_the_prefixes_that_writing_would_have_made() -> None:
    """Converted rows are byte for byte what the same minutes written anew give."""
    service = Service.objects.create(slug="pay", name="Pay")
    for slot in range(2):
        Sli.objects.create(slug=f"pay-{slot}", service=service, kind="availability", slot=slot)
    minutes = [START + STEP * offset for offset in (0, 1, 2, 3, 4, 70, 200, 2000)]
    truth = {
        minute: {0: Slice(number * 3, number * 3 + 1), 1: Slice(5, 5)}
        for number, minute in enumerate(minutes)
    }
    slices.write(truth)
    expected = dict(rows_by_key())
    SliceBlock.objects.all().delete()
    for minute, values in truth.items():
        data = old_block(*((v.good, v.total, 1, 1) for v in values.values()))
        SliceBlock.objects.create(resolution=MINUTE, start=minute, data=data)
    for resolution, start in {(r, s) for r, s in expected if r != MINUTE and s.year > 1970}:
        SliceBlock.objects.create(resolution=resolution, start=start, data=old_block((1, 1, 1, 1)))

    migration = import_module("slo.migrations.0004_prefixes_and_rounds")
    migration.to_prefixes(apps, None)

    assert dict(rows_by_key()) == {key: d for key, d in expected.items() if key[1].year > 1970}
    whole = SliceReader().sums([Window(START, START + timedelta(days=3))])[0]
    assert int(whole.total[1]) == 5 * len(minutes)


def rows_by_key() -> list[tuple[tuple[int, datetime], bytes]]:
    rows = SliceBlock.objects.filter(resolution__in=(MINUTE, HOUR, DAY))
    return [((row.resolution, row.start), bytes(row.data)) for row in rows]
