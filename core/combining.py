"""Work that threads want at the same moment, done together by one of them.

A thread that finds nobody at work does its own item; what arrives meanwhile waits, and whoever is
next takes all of it at once. The busier it is, the more is done together: of a transaction its
statements and its way to the disk. Whoever was served comes back a moment later where it is busy,
so the next one waits that moment for as many as came before; a single caller never waits.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

__all__ = ["Combiner"]

# Longer than answers take to be sent and the next questions to come where all of it shares a core.
PATIENCE_S = 0.005
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Wish(Generic[Item, Result]):
    item: Item
    is_done: bool = False
    result: Result | BaseException | None = field(default=None)
    # Held until it is done, or until it is this one's turn to work.
    turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.turn.acquire()


class Combiner(Generic[Item, Result]):
    """Has items of many threads worked on together, in the order in which they came.

    Args:
        work: Takes items, and returns for each its result or the exception that `do` raises. What
            it raises itself, all of them get.
        most: So many at once.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Result | BaseException]], *, most: int
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[_Wish[Item, Result]] = deque()
        # Of the queue and of whether anybody works.
        self._mutex = threading.Lock()
        self._is_busy = False
        self._expected = 1
        # Whether whoever is next waits for them.
        self._awaits = False
        self._are_here = threading.Event()

    def do(self, item: Item) -> Result:
        """Return what became of an item, whichever thread worked on it."""
        wish: _Wish[Item, Result] = _Wish(item)
        with self._mutex:
            self._waiting.append(wish)
            if self._awaits and len(self._waiting) >= self._expected:
                self._are_here.set()
            must_wait, self._is_busy = self._is_busy, True
        if must_wait:
            # Each waits for itself: a lock for all would wake them one after the other.
            wish.turn.acquire()
        if not wish.is_done:
            self._lead(wish)
        if isinstance(wish.result, BaseException):
            raise wish.result
        return cast("Result", wish.result)

    def _lead(self, own: _Wish[Item, Result]) -> None:
        """Work on what waits, `own` first, and leave the rest to whoever is next."""
        try:
            self._await_company()
            self._work_on(self._next())
        finally:
            with self._mutex:
                if not own.is_done:
                    self._waiting.remove(own)
                self._is_busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].turn.release()

    def _await_company(self) -> None:
        with self._mutex:
            self._are_here.clear()
            self._awaits = len(self._waiting) < self._expected
        if self._awaits:
            self._are_here.wait(PATIENCE_S)
            self._awaits = False
        # Fewer from now on, one at a time, where so many no longer come.
        here = min(len(self._waiting), self._most)
        self._expected = max(here, self._expected - 1)

    def _next(self) -> list[_Wish[Item, Result]]:
        with self._mutex:
            return [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]

    def _work_on(self, wishes: list[_Wish[Item, Result]]) -> None:
        results: Sequence[Result | BaseException]
        try:
            results = self._work([wish.item for wish in wishes])
        except BaseException as error:  # noqa: BLE001 raised again by each whose item it was
            results = [error] * len(wishes)
        for wish, result in zip(wishes, results, strict=True):
            wish.result, wish.is_done = result, True
            wish.turn.release()
