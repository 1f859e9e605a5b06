"""How far a log was counted: marks at the ends of earlier imports, found again by their hash."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import BinaryIO, NamedTuple

from telemetry.domain.access_logs.reading import SAMPLE_LINES

MAX_LINE = 64 * 1024
_PIECE = 1024 * 1024
_HEAD = 256 * 1024
_PROBED_FOR_NUL = 4096


class NotText(ValueError):
    """The log is not made of lines, or not of those that it was made of a moment ago."""


@dataclass(frozen=True)
class Mark:
    """The first `size` bytes of some log were counted; `digest` is their SHA-256 in hex.

    `last_minute` is the newest that they tell of, None when they told of none.
    """

    size: int
    digest: str
    lines: int
    last_minute: datetime | None = None


class Survey(NamedTuple):
    """What the first look at a log found: its size, how far it was counted, its first lines."""

    size: int
    mark: Mark
    sample: list[str]
    is_blank: bool


START = Mark(0, hashlib.sha256().hexdigest(), 0)


def survey(stream: BinaryIO, marks: Iterable[Mark], tick: Callable[[], None]) -> Survey:
    """Read a log to its end.

    Args:
        stream: The log, at its beginning.
        marks: Where imports into this service ended.
        tick: Called now and then.

    Returns:
        Its furthest mark is the `START` when none of the given ones lies in this log.

    Raises:
        NotText: If it begins with binary data.
    """
    waiting = sorted(marks, key=lambda mark: mark.size, reverse=True)
    digest = hashlib.sha256()
    size, furthest, sample, is_blank = 0, START, list[str](), True
    while piece := stream.read(_PIECE):
        if size == 0:
            sample = _first_lines(piece)
        done = 0
        while waiting and waiting[-1].size <= size + len(piece):
            mark = waiting.pop()
            digest.update(piece[done : mark.size - size])
            done = max(done, mark.size - size)
            if digest.hexdigest() == mark.digest:
                furthest = mark
        digest.update(piece[done:])
        size += len(piece)
        is_blank = is_blank and not piece.strip()
        tick()
    return Survey(size, furthest, sample, is_blank)


def _first_lines(piece: bytes) -> list[str]:
    if b"\0" in piece[:_PROBED_FOR_NUL]:
        raise NotText("is binary data, not an access log")
    lines = piece[:_HEAD].splitlines()
    if len(piece) > _HEAD and len(lines) > 1:
        lines.pop()
    texts = (text_of(line[:MAX_LINE]) for line in lines)
    return list(islice((text for text in texts if text.strip()), SAMPLE_LINES))


def text_of(line: bytes) -> str:
    """Return a line as text; what is no UTF-8 stays visible as escapes."""
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")


class LineReader:
    """Reads lines and keeps the hash of what was taken.

    A line is looked at with `peek_line` and then taken with `take`: the last one may be half
    written, and what is not taken can be read again when the log has grown.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._line = b""
        self._last_byte = b"\n"
        self.size = 0
        self.lines = 0

    def skip_to(self, mark: Mark) -> None:
        """Pass over what was counted, and over the rest of a line that was counted half written.

        Raises:
            NotText: If these are not the bytes that the mark is of.
        """
        while self.size < mark.size:
            piece = self._stream.read(min(_PIECE, mark.size - self.size))
            if not piece:
                break
            self._eat(piece)
        if self._digest.hexdigest() != mark.digest:
            raise NotText("was changed while it was read; import it again")
        self.lines = mark.lines
        while self._last_byte != b"\n" and (rest := self._stream.readline(MAX_LINE)):
            self._eat(rest)

    def peek_line(self) -> bytes | None:
        """Return the next line with its end, at most `MAX_LINE` bytes of it; None after the last.

        Only the last line may lack its end, or one that is longer than that.
        """
        self._line = self._stream.readline(MAX_LINE)
        return self._line or None

    def take(self) -> None:
        """Take the line that was looked at, also what was too long to be shown."""
        self._eat(self._line)
        while self._last_byte != b"\n" and (rest := self._stream.readline(MAX_LINE)):
            self._eat(rest)
        self.lines += 1

    def mark(self, last_minute: datetime | None) -> Mark:
        """Return how far lines were taken."""
        return Mark(self.size, self._digest.hexdigest(), self.lines, last_minute)

    def _eat(self, piece: bytes) -> None:
        self._digest.update(piece)
        self.size += len(piece)
        self._last_byte = piece[-1:]


def is_cut(line: bytes) -> bool:
    """Return whether a line was too long to be shown whole."""
    return len(line) >= MAX_LINE and not line.endswith(b"\n")
