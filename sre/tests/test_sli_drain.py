"""Rules of handing counts on, while threads record: each once, none lost."""

import threading
from datetime import timedelta

from sre.slo_sli import (
    SliCalculator,
)
from sre.tests.calculators import HOUR, NOON, calculator


def test_drain_hands_out_every_count_once_and_keeps_the_indicators() -> None:
    """What a reporter takes away stays answerable here."""
    sli = calculator()
    sli.record_request("users", 200, 10)
    assert [row.count for row in sli.drain().requests] == [1]
    assert not sli.drain()
    sli.record_request("users", 200, 30)
    sli.record_freshness("users", 3)
    second = sli.drain()
    assert [(row.count, row.total) for row in second.requests] == [(1, 30.0)]
    assert [row.key for row in second.freshness] == ["users"]
    assert sli.calculate_availability_sli(NOON, NOON + HOUR) == 100.0


def test_put_back_rows_are_handed_out_again_with_what_came_since() -> None:
    """A failed delivery loses nothing and doubles nothing."""
    sli = calculator()
    sli.record_request("users", 200, 10)
    sli.record_freshness("users", 3)
    failed = sli.drain()
    sli.record_request("users", 200, 20)
    sli.put_back(failed)
    again = sli.drain()
    assert [(row.count, row.total) for row in again.requests] == [(2, 30.0)]
    assert [row.count for row in again.freshness] == [1]
    assert not sli.drain()


def test_rows_put_back_into_a_calculator_that_never_drained_are_kept() -> None:
    """Another calculator's rows can be adopted for delivery."""
    source, target = calculator(), calculator()
    source.record_request("users", 200, 10)
    target.put_back(source.drain())
    assert [row.count for row in target.drain().requests] == [1]


def test_drain_is_cut_into_slices_oldest_first() -> None:
    """A long backlog leaves in bounded portions that add up to the whole."""
    sli = calculator()
    for minute in range(10):
        for endpoint in ("users", "orders"):
            sli.record_request(endpoint, 200, 10, NOON + timedelta(minutes=minute))
    slices = []
    while drained := sli.drain(max_rows=3):
        slices.append(drained.requests)
    assert [len(rows) for rows in slices] == [3, 3, 3, 3, 3, 3, 2]
    minutes = [row.minute for rows in slices for row in rows]
    assert minutes == sorted(minutes)
    assert sum(row.count for rows in slices for row in rows) == 20


def test_an_undelivered_backlog_is_bounded_and_its_loss_is_counted() -> None:
    """Dropped counts are visible by minute, not silently gone."""
    sli = calculator(max_minutes=10)
    sli.drain()
    for minute in range(15):
        sli.record_request("users", 200, 10, NOON + timedelta(minutes=minute))
    assert sum(row.count for row in sli.drain().requests) == 10
    lost = [int((NOON + timedelta(minutes=minute)).timestamp()) for minute in range(5)]
    assert sli.take_overflow() == dict.fromkeys(lost, 1)
    assert sli.take_overflow() == {}


def test_nothing_is_lost_or_doubled_while_threads_record_and_another_drains() -> None:
    """Four recording threads against a greedy drain: the counts agree exactly."""
    sli = SliCalculator()
    threads, each = 4, 20_000
    drained: list[int] = []
    done = threading.Event()

    def record(number: int) -> None:
        for index in range(each):
            sli.record_request(f"endpoint-{index % 3}", 200, index % 400, method="GET")

    def drain() -> None:
        while not done.is_set():
            drained.append(sum(row.count for row in sli.drain().requests))

    reader = threading.Thread(target=drain)
    writers = [threading.Thread(target=record, args=(number,)) for number in range(threads)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    drained.append(sum(row.count for row in sli.drain().requests))
    assert sum(drained) == threads * each
    assert len(sli._requests._shards) == 0


def test_threads_that_end_leave_their_counts_but_not_their_shards() -> None:
    """A server with a thread per request does not pile up shards."""
    sli = SliCalculator()
    for _ in range(300):
        thread = threading.Thread(target=sli.record_request, args=("users", 200, 10))
        thread.start()
        thread.join()
    assert len(sli._requests._shards) <= 66
    assert sum(row.count for row in sli.drain().requests) == 300


def test_recording_does_not_wait_for_whoever_holds_the_lock() -> None:
    """Even a thread that must set minutes aside goes on while another one folds."""
    sli = calculator()
    with sli._requests.lock:
        for minute in range(10):
            sli.record_request("users", 200, 10, NOON + timedelta(minutes=minute))
    assert sum(row.count for row in sli.drain().requests) == 10


def test_a_half_finished_record_is_left_for_the_next_fold() -> None:
    """A sum without its count is not handed out alone."""
    sli = calculator()
    sli.record_request("users", 200, 10)
    sli.drain()
    sli._requests.local.shard.cells["GET"]["users"][200][0] += 30
    assert not sli.drain()
    sli._requests.local.shard.cells["GET"]["users"][200][1] += 1
    assert [(row.count, row.total) for row in sli.drain().requests] == [(1, 30.0)]
