"""Items of many threads are worked on together, each once, in order, and each gets its own answer."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import combining
from core.combining import Combiner


def test_a_single_caller_does_not_wait_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "PATIENCE_S", 60.0)
    batches: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return [item * 2 for item in items]

    combiner = Combiner(work, most=10)
    assert [combiner.do(number) for number in (1, 2, 3)] == [2, 4, 6]
    assert batches == [[1], [2], [3]]


def test_what_arrives_meanwhile_is_done_together_and_in_order() -> None:
    batches: list[list[int]] = []
    entered, go_on = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        if items[0] == 0:
            entered.set()
            assert go_on.wait(10)
        return [item * 2 for item in items]

    combiner = Combiner(work, most=3)
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(combiner.do, 0)
        assert entered.wait(10)
        later = []
        for number in range(1, 6):
            later.append(threads.submit(combiner.do, number))
            while len(combiner._waiting) < number:
                pass
        go_on.set()
        assert [done.result(10) for done in (first, *later)] == [0, 2, 4, 6, 8, 10]
    assert batches == [[0], [1, 2, 3], [4, 5]]


def test_those_who_were_served_together_are_awaited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three come at once, then one of them again: it waits for the others, but not for ever."""
    batches: list[int] = []
    entered, go_on = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> Sequence[int]:
        batches.append(len(items))
        if not entered.is_set():
            entered.set()
            assert go_on.wait(10)
        return items

    combiner = Combiner(work, most=10)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(combiner.do, 0)
        assert entered.wait(10)
        crowd = [threads.submit(combiner.do, number) for number in (1, 2, 3)]
        while len(combiner._waiting) < 3:
            pass
        go_on.set()
        assert [done.result(10) for done in (first, *crowd)] == [0, 1, 2, 3]
        # As long as it takes: three are expected, and it is not done before they are there.
        monkeypatch.setattr(combining, "PATIENCE_S", 60.0)
        again = [threads.submit(combiner.do, number) for number in (4, 5, 6)]
        assert [done.result(10) for done in again] == [4, 5, 6]
        monkeypatch.setattr(combining, "PATIENCE_S", 0.001)
        assert [combiner.do(number) for number in (7, 8, 9, 10)] == [7, 8, 9, 10]
    assert batches == [1, 3, 3, 1, 1, 1, 1]
    assert combiner._expected == 1


def test_each_gets_its_own_error_and_all_get_that_of_the_work() -> None:
    def work(items: Sequence[str]) -> list[str | BaseException]:
        if "broken" in items:
            raise ConnectionError("away")
        return [ValueError(item) if item == "bad" else item.upper() for item in items]

    combiner = Combiner(work, most=10)
    assert combiner.do("good") == "GOOD"
    with pytest.raises(ValueError, match="bad"):
        combiner.do("bad")
    with pytest.raises(ConnectionError):
        combiner.do("broken")
    assert combiner.do("good") == "GOOD"


def test_many_threads_each_get_what_they_asked_for() -> None:
    worked: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        worked.extend(items)
        return [-item for item in items]

    combiner = Combiner(work, most=7)
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(combiner.do, range(2000))) == [-item for item in range(2000)]
    assert sorted(worked) == list(range(2000))
