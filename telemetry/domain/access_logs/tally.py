"""From lines to requests that can be counted, chunk by chunk, and what became of the others."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from telemetry.domain.access_logs.combined import Unit
from telemetry.domain.access_logs.endpoints import EndpointNames
from telemetry.domain.access_logs.lines import LoggedRequest, NotUnderstood, Parser
from telemetry.domain.access_logs.prefixes import MAX_LINE, LineReader, Mark, is_cut, text_of
from telemetry.domain.access_logs.reading import Format
from telemetry.domain.batches import RequestEvent
from telemetry.domain.deltas import minute_start
from telemetry.domain.fields import MAX_DURATION_MS, Period

MAX_EXAMPLES = 5
MINUTE = timedelta(minutes=1)


@dataclass
class Verdict:
    """What became of one log.

    Attributes:
        counted_before: Lines that an earlier import had counted.
        lines: Lines read now, blank ones left out.
        counted: Requests counted now.
        websockets: Lines of connections that are no requests.
        too_old: Requests older than minutes are kept.
        not_understood: Lines that could not be used; `examples` are the first of them.
        minutes_counted_otherwise: Minutes in which other senders had counted requests before.
        first_minute, last_minute: What was counted lies between them; None when nothing was.
        refused_because: Why the log as a whole cannot be used; empty when it can.
    """

    file: str
    service: str
    is_trial: bool = False
    format: Format | None = None
    duration_unit: Unit | None = None
    counted_before: int = 0
    lines: int = 0
    counted: int = 0
    websockets: int = 0
    too_old: int = 0
    not_understood: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    minutes_counted_otherwise: int = 0
    first_minute: datetime | None = None
    last_minute: datetime | None = None
    refused_because: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether somebody should look at it."""
        return bool(self.refused_because or self.not_understood)

    def blame(self, line: int, reason: str) -> None:
        """Note a line that could not be used."""
        self.not_understood += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append((line, reason))

    def as_dict(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "file": self.file,
            "service": self.service,
            "dry_run": self.is_trial,
            "format": self.format,
            "duration_unit": self.duration_unit,
            "counted_before": self.counted_before,
            "lines": self.lines,
            "counted": self.counted,
            "websockets": self.websockets,
            "too_old": self.too_old,
            "not_understood": self.not_understood,
            "examples": [{"line": line, "reason": reason} for line, reason in self.examples],
            "minutes_counted_otherwise": self.minutes_counted_otherwise,
            "first_minute": self.first_minute and self.first_minute.isoformat(),
            "last_minute": self.last_minute and self.last_minute.isoformat(),
            "refused_because": self.refused_because or None,
        }


@dataclass
class Chunk:
    """Some adjacent lines of a log: the requests in them, and how far the log is counted then.

    Attributes:
        line_numbers: Of the events, in the same order.
        minutes: Minute numbers of the events.
        first_minute: From here to the mark's last minute the log says what happened, also where
            it is silent; None when nothing can be told of any minute.
    """

    events: list[RequestEvent]
    line_numbers: list[int]
    minutes: set[int]
    first_minute: datetime | None
    mark: Mark

    def quiet_minutes(self) -> Iterator[datetime]:
        """Yield the minutes in which the log says that nothing happened."""
        if self.first_minute is None or self.mark.last_minute is None:
            return
        first, last = self.first_minute.timestamp() // 60, self.mark.last_minute.timestamp() // 60
        for minute in range(int(first), int(last) + 1):
            if minute not in self.minutes:
                yield minute_start(minute)


class Tally:
    """Reads the requests of a log.

    Args:
        lines: Where it is read from.
        parse: How a line is read.
        names: Under which endpoint a path is counted.
        service: Slug of the service whose log it is.
        period: Which instants are accepted.
        verdict: Where lines that can't be counted are noted.
    """

    def __init__(
        self,
        lines: LineReader,
        parse: Parser,
        names: EndpointNames,
        *,
        service: str,
        period: Period,
        verdict: Verdict,
    ) -> None:
        self._lines = lines
        self._parse = parse
        self._names = names
        self._service = service
        self._period = period
        self._verdict = verdict
        self._is_taken = True

    def next_chunk(self, limit: int, *, after: Mark) -> Chunk | None:
        """Return what the next lines hold, at most `limit` of them; None after the last.

        Args:
            limit: Most lines taken.
            after: Where the chunk before ended.
        """
        events: list[RequestEvent] = []
        numbers: list[int] = []
        end = self._lines.lines + limit
        while self._lines.lines < end and (line := self._lines.peek_line()) is not None:
            event = self._read(line)
            if event is not None:
                events.append(event)
                numbers.append(self._lines.lines)
            elif not self._is_taken:
                break
        if self._lines.size == after.size:
            return None
        return self._chunk(events, numbers, after)

    def _read(self, line: bytes) -> RequestEvent | None:
        """Take a line and return its request, if it is one that can be counted."""
        self._is_taken = True
        number = self._lines.lines + 1
        try:
            request = self._request(line)
        except NotUnderstood as error:
            self._verdict.lines += 1
            self._verdict.blame(number, str(error))
            # The last line without its end may be half written: it is read again when it grew.
            self._is_taken = line.endswith(b"\n") or is_cut(line)
            request = None
        if self._is_taken:
            self._lines.take()
        return request and self._event(request)

    def _request(self, line: bytes) -> LoggedRequest | None:
        if is_cut(line):
            raise NotUnderstood(f"is longer than {MAX_LINE} bytes")
        text = text_of(line)
        if not text.strip():
            return None
        request = self._parse(text)
        if request is not None and request.at > self._period.latest:
            raise NotUnderstood("lies more than 5 minutes in the future")
        if request is not None and request.duration_ms > MAX_DURATION_MS:
            raise NotUnderstood("took longer than a day; is the unit of the duration right?")
        self._verdict.lines += 1
        self._verdict.websockets += request is None
        return request

    def _event(self, request: LoggedRequest) -> RequestEvent | None:
        if request.at < self._period.earliest:
            self._verdict.too_old += 1
            return None
        endpoint = self._names.name(request.target, request.status)
        return RequestEvent(
            self._service,
            endpoint,
            request.status,
            request.duration_ms,
            request.at,
            request.method,
        )

    def _chunk(self, events: list[RequestEvent], numbers: list[int], after: Mark) -> Chunk:
        minutes = {int(event.timestamp // 60) for event in events}  # type: ignore[operator]
        known = [] if after.last_minute is None else [after.last_minute]
        told = [*known, *map(minute_start, minutes)]
        first, last = min(told, default=None), max(told, default=None)
        if minutes:
            verdict = self._verdict
            begun = minute_start(min(minutes))
            verdict.first_minute = min(verdict.first_minute or begun, begun)
            verdict.last_minute = max(verdict.last_minute or begun, minute_start(max(minutes)))
        return Chunk(events, numbers, minutes, first, self._lines.mark(last))
