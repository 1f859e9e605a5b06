"""Each line of an access log is counted once, whatever happens to the log or the import."""

import gzip
import resource
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Service
from core.models import AuditEntry
from telemetry import queries
from telemetry.adapters.log_sources import sources
from telemetry.domain.access_logs.tally import Verdict
from telemetry.models import ImportedLog, MinuteCount, TelemetryDelta
from telemetry.services import access_logs, compaction, ingest, retention
from telemetry.services.access_logs import How, import_log
from telemetry.tests.access_logs import alb, combined, write
from telemetry.tests.builders import MINUTE, NOW, event, make_service, minute, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    """The service all rules here are about."""
    return make_service()


def take(path: Path, service: Service, **how: Any) -> Verdict:
    """Import a log and merge what came of it."""
    (source,) = sources(str(path))
    verdict = import_log(source, How(service, **how), now=NOW, actor="test")
    while compaction.compact(now=NOW):
        pass
    return verdict


def counted() -> int:
    """Return how many requests are counted in all."""
    return sum(MinuteCount.objects.values_list("count", flat=True))


def test_requests_are_counted_as_the_api_counts_them(service: Service, tmp_path: Path) -> None:
    """The same requests by log and by API come to the same rows."""
    other = make_service("other")
    at = minute(2)
    write(tmp_path, combined("/users/1", at=at), combined("/users/2", status=503, at=at))
    take(tmp_path / "access.log", service)
    given = {"service": "other", "endpoint": "/users/:id", "duration_ms": 12.0, "method": "GET"}
    ingest.store_batch(
        [given | {"status": status, "timestamp": at.timestamp()} for status in (200, 503)], now=NOW
    )
    compaction.compact(now=NOW)
    fields = ("minute", "endpoint", "method", "status", "count", "buckets")
    rows = [
        MinuteCount.objects.filter(service=each).order_by("status").values(*fields)
        for each in (service, other)
    ]
    by_log, by_api = ([row | {"buckets": bytes(row["buckets"])} for row in each] for each in rows)
    assert by_log == by_api
    assert len(by_log) == 2


def test_a_log_counts_once(service: Service, tmp_path: Path) -> None:
    """Given again, also packed and under another name, it adds nothing and says so."""
    path = write(tmp_path, combined(at=minute(1)), combined(at=minute(1)))
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert take(path, service).counted == 2
    for again in (path, packed):
        verdict = take(again, service)
        assert (verdict.counted, verdict.counted_before) == (0, 2)
    assert counted() == 2


def test_a_log_of_two_services_counts_for_each(service: Service, tmp_path: Path) -> None:
    """What was imported is remembered by service."""
    path = write(tmp_path, combined(at=minute(1)))
    assert take(path, service).counted == 1
    assert take(path, make_service("other")).counted == 1


def test_a_log_that_grew_adds_its_new_lines(service: Service, tmp_path: Path) -> None:
    """A log may be imported while it is written; an older copy of it adds nothing later."""
    path = write(tmp_path, combined(at=minute(5)))
    old = write(tmp_path, combined(at=minute(5)), name="copy.log")
    take(path, service)
    write(tmp_path, combined(at=minute(5)), combined(at=minute(1)))
    verdict = take(path, service)
    assert (verdict.counted_before, verdict.counted) == (1, 1)
    assert take(old, service).counted == 0
    assert counted() == 2


def test_a_half_written_last_line_is_counted_when_it_is_whole(
    service: Service, tmp_path: Path
) -> None:
    """What is not understood at the end of a growing log is read again."""
    whole = f"{combined(at=minute(2))}\n{combined(at=minute(1))}\n"
    path = tmp_path / "access.log"
    path.write_text(whole[:-40])
    first = take(path, service)
    assert (first.counted, first.not_understood) == (1, 1)
    path.write_text(whole)
    second = take(path, service)
    assert (second.counted, second.not_understood) == (1, 0)


def test_a_last_line_without_its_end_counts_once(service: Service, tmp_path: Path) -> None:
    """It is whole but for the line break; what is appended to it is no further line."""
    whole = f"{combined(at=minute(2))}\n{combined(at=minute(1), duration='0.123')}\n"
    path = tmp_path / "access.log"
    path.write_text(whole[:-2])
    assert take(path, service).counted == 2
    path.write_text(whole + combined(at=minute(1)) + "\n")
    verdict = take(path, service)
    assert (verdict.counted, verdict.not_understood) == (1, 0)


def test_a_killed_import_goes_on_where_it_was(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk is stored with the mark of how far it went, or not at all."""
    monkeypatch.setattr(access_logs, "CHUNK_LINES", 10)
    path = write(tmp_path, *(combined(f"/p{n}x", at=minute(n % 5)) for n in range(35)))
    store = access_logs._Import._note

    def killed(self: Any, chunk: Any) -> None:
        store(self, chunk)
        if chunk.mark.lines == 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(access_logs._Import, "_note", killed)
        with pytest.raises(KeyboardInterrupt):
            take(path, service)
    assert ImportedLog.objects.count() == 2
    verdict = take(path, service)
    assert (verdict.counted_before, verdict.counted) == (20, 15)
    assert counted() == 35


def test_two_imports_at_once_do_not_count_a_line_twice(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes second is told to run again, and nothing of it is stored."""
    path = write(tmp_path, combined(at=minute(1)))
    longer = write(tmp_path, combined(at=minute(1)), combined(at=minute(1)), name="longer.log")
    look = access_logs._Import._survey

    def overtaken(self: Any) -> Any:
        found = look(self)
        monkeypatch.setattr(access_logs._Import, "_survey", look)
        assert take(path, service).counted == 1
        return found

    monkeypatch.setattr(access_logs._Import, "_survey", overtaken)
    assert "another import" in take(longer, service).refused_because
    assert counted() == 1
    assert take(longer, service).counted == 1


def test_a_trial_stores_nothing(service: Service, tmp_path: Path) -> None:
    """It says what would be counted."""
    path = write(tmp_path, combined(at=minute(1)))
    assert take(path, service, is_trial=True).counted == 1
    assert not ImportedLog.objects.exists()
    assert not TelemetryDelta.objects.exists()
    assert counted() == 0


def test_lines_that_are_not_understood_are_named(service: Service, tmp_path: Path) -> None:
    """The valid rest is kept; number and reason of the first bad ones are said."""
    bad = [combined(duration="?"), "x" * 70_000, combined(at=NOW + timedelta(hours=1))]
    path = write(tmp_path, combined(at=minute(1)), *bad, "", combined(at=minute(1)), *["no"] * 9)
    verdict = take(path, service)
    assert (verdict.counted, verdict.not_understood, verdict.lines) == (2, 12, 14)
    numbers, reasons = zip(*verdict.examples, strict=True)
    assert numbers == (2, 3, 4, 7, 8)
    assert "no duration" in reasons[0]
    assert "longer than 65536 bytes" in reasons[1]
    assert "future" in reasons[2]


def test_what_is_older_than_retention_is_refused_and_counted(
    service: Service, tmp_path: Path
) -> None:
    """It would be forgotten at once, so it is not taken, and that is no error."""
    path = write(tmp_path, combined(at=NOW - timedelta(days=40)), combined(at=minute(1)))
    verdict = take(path, service)
    assert (verdict.counted, verdict.too_old, verdict.is_wrong) == (1, 1, False)
    assert queries.logged_minutes(service.pk, [NOW - timedelta(days=40)]) == set()


def test_quiet_minutes_inside_a_log_are_measured(service: Service, tmp_path: Path) -> None:
    """From its first to its last line the log knows; before and after nobody does."""
    take(write(tmp_path, combined(at=minute(40)), combined(at=minute(10))), service)
    states = queries.minute_state(service.pk, [minute(ago) for ago in (41, 40, 25, 10, 9)])
    assert list(states.values()) == ["gap", "measured", "measured", "measured", "gap"]
    changed = {each.minute for each in queries.dirty_minutes(100)}
    assert changed == {minute(ago) for ago in range(10, 41)}


def test_minutes_between_two_logs_stay_gaps(service: Service, tmp_path: Path) -> None:
    """Two files say nothing of the time between them."""
    take(write(tmp_path, combined(at=minute(40))), service)
    take(write(tmp_path, combined(at=minute(10)), name="2.log"), service)
    assert queries.minute_state(service.pk, [minute(25)]) == {minute(25): "gap"}


def test_quiet_minutes_between_chunks_are_measured(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks are ours; the log has no hole there."""
    monkeypatch.setattr(access_logs, "CHUNK_LINES", 1)
    take(write(tmp_path, combined(at=minute(40)), combined(at=minute(10))), service)
    assert queries.minute_state(service.pk, [minute(25)]) == {minute(25): "measured"}
    assert minute(25) in {each.minute for each in queries.dirty_minutes(100)}


def test_a_backfill_makes_no_gaps_where_there_were_none(service: Service, tmp_path: Path) -> None:
    """A log from before the first event leaves minutes of raw events measured."""
    ingest.store_batch([event(timestamp=minute(3).timestamp())], now=NOW)
    take(write(tmp_path, combined(at=minute(60))), service)
    assert queries.minute_state(service.pk, [minute(3)]) == {minute(3): "measured"}


def test_a_gap_of_the_reporters_is_closed_by_a_log(service: Service, tmp_path: Path) -> None:
    """Where no reporter was alive, the log of the load balancer is the witness."""
    covers = [{"minute": minute(ago).isoformat()} for ago in (9, 2)]
    ingest.store_report(report(covers=covers, requests=[]), now=NOW)
    take(write(tmp_path, alb(at=minute(7)), alb(at=minute(5))), service)
    states = queries.minute_state(service.pk, [minute(ago) for ago in (9, 8, 6, 4, 2)])
    assert list(states.values()) == ["measured", "gap", "measured", "gap", "measured"]


def test_requests_that_others_counted_too_are_said(service: Service, tmp_path: Path) -> None:
    """The same request by SDK and by log is two; several logs of one service are no reason."""
    ingest.store_batch([event(timestamp=minute(3).timestamp())], now=NOW)
    compaction.compact(now=NOW)
    lines = [combined(at=minute(ago)) for ago in (4, 3, 2)]
    assert take(write(tmp_path, *lines), service).minutes_counted_otherwise == 1
    more = write(tmp_path, combined("/second/server", at=minute(2)), name="2.log")
    assert take(more, service).minutes_counted_otherwise == 0


def test_an_import_is_audited_once(service: Service, tmp_path: Path) -> None:
    """Who imported what stands in the audit; a log that adds nothing leaves no trace."""
    path = write(tmp_path, combined(at=minute(1)))
    take(path, service)
    take(path, service)
    entry = AuditEntry.objects.get(act="telemetry.import_access_log")
    assert (entry.actor, entry.changes) == ("test", {"log": [None, str(path)]})


def test_marks_are_forgotten_when_their_lines_are_too_old(service: Service, tmp_path: Path) -> None:
    """After that every line of the log is refused, so it still counts once."""
    take(write(tmp_path, combined(at=minute(1))), service)
    retention.purge(now=NOW + timedelta(days=34))
    assert ImportedLog.objects.exists()
    retention.purge(now=NOW + timedelta(days=36))
    assert not ImportedLog.objects.exists()


def test_200_000_lines_in_little_memory(service: Service, tmp_path: Path) -> None:
    """Memory follows the chunk, not the log; a line costs microseconds."""
    path = tmp_path / "big.log"
    lines = 200_000
    with path.open("w") as out:
        for number in range(lines):
            at = NOW - timedelta(seconds=(lines - number) * 0.1)
            out.write(f"{combined(f'/users/{number}', at=at)}\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    verdict = take(path, service)
    assert verdict.counted == lines == counted()
    assert time.process_time() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    assert (verdict.last_minute or NOW) - (verdict.first_minute or NOW) > MINUTE * 300
