"""Access logs backfill SLIs: what was a gap becomes measured at the next tick."""

from datetime import timedelta
from pathlib import Path

import pytest

from slo.domain.blocks import GAP, Slice
from slo.sources import measure
from slo.sources.telemetry import changed_minutes
from slo.tests.world import NOON, World
from telemetry.adapters.log_sources import sources
from telemetry.services import compaction
from telemetry.services.access_logs import How, import_log
from telemetry.tests.access_logs import combined, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_log_turns_gaps_into_slices(tmp_path: Path) -> None:
    """Counts of busy minutes, 0 of 0 for quiet ones inside the log, gaps around it."""
    world = World()
    sli = world.slo("availability").sli
    minutes = [NOON - timedelta(minutes=ago) for ago in (9, 8, 7, 6, 5)]
    assert {found[sli.slot] for found in measure([sli], minutes).values()} == {GAP}

    lines = [combined(status=200, at=minutes[1])] * 3 + [combined(status=503, at=minutes[3])]
    (source,) = sources(str(write(tmp_path, *lines)))
    verdict = import_log(source, How(world.service), now=NOON, actor="test")
    compaction.compact(now=NOON)
    assert verdict.counted == 4

    found = measure([sli], minutes)
    assert [found[minute][sli.slot] for minute in minutes] == [
        GAP, Slice(3, 3), Slice(0, 0), Slice(0, 1), GAP,
    ]  # fmt: skip
    changed = {each.minute for each in changed_minutes(until=NOON)}
    assert changed == set(minutes[1:4])
