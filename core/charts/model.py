"""What goes into a chart and what comes out of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

LARGEST = 1e100
Tone = Literal["ok", "warn", "bad", "info", "none"]
Point = tuple[datetime, float | None]


def measured(value: float | None) -> float | None:
    """Return a value that can be drawn, else None: not a number and beyond 1e100 are no data."""
    if value is None or math.isnan(value) or abs(value) > LARGEST:
        return None
    return float(value)


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Args:
        label: Name in the legend, tooltip and table.
        points: (instant, value) in time order; instants aware, None for *no data*.
        kind: `line`, or `area` for a line with its foot filled.
        dashed: Draw dashed, as for a forecast.
        color: 1 … 6, a colour of the palette; 0 takes the next one.
    """

    label: str
    points: Sequence[Point]
    kind: Literal["line", "area"] = "line"
    dashed: bool = False
    color: int = 0


@dataclass(frozen=True)
class Envelope:
    """A filled range between two values over time, such as the p10 to p90 of a forecast."""

    label: str
    points: Sequence[tuple[datetime, float | None, float | None]]
    color: int = 1


@dataclass(frozen=True)
class Axis:
    """The vertical axis.

    Args:
        unit: Written after each value (`ms`, `req/s`); `%` shows fractions times 100.
        minimum: Lowest value shown; None leaves it to the data.
        maximum: Highest value shown; None leaves it to the data.
        ticks: About how many grid lines.
    """

    unit: str = ""
    minimum: float | None = 0.0
    maximum: float | None = None
    ticks: int = 4


@dataclass(frozen=True)
class Band:
    """A stretch of time set off in the background: an incident, a maintenance, a chaos run."""

    start: datetime
    end: datetime
    label: str
    tone: Tone = "bad"


@dataclass(frozen=True)
class Marker:
    """One instant worth knowing: a deploy, a page. `href` makes the marker's list entry a link."""

    at: datetime
    label: str
    tone: Tone = "info"
    href: str = ""


@dataclass(frozen=True)
class Threshold:
    """A level that matters: an objective, a limit."""

    value: float
    label: str
    tone: Tone = "bad"


@dataclass(frozen=True)
class Tick:
    """A grid line: `at` in pixels (vertical axis) or percent (time axis)."""

    at: float
    label: str


@dataclass(frozen=True)
class Path:
    """A series as SVG path data: x 0 … 1000, y in pixels; `area` is "" for plain lines."""

    label: str
    color: int
    line: str
    area: str
    dashed: bool = False


@dataclass(frozen=True)
class Span:
    """A stretch of the time axis, in percent of its width."""

    x: float
    width: float
    label: str
    tone: Tone = "none"


@dataclass(frozen=True)
class Level:
    """A threshold at `y` pixels."""

    y: float
    label: str
    tone: Tone


@dataclass(frozen=True)
class Flag:
    """A marker at `x` percent; `time` is its instant in the chart's zone, written out."""

    x: float
    time: str
    label: str
    tone: Tone
    href: str


@dataclass(frozen=True)
class Row:
    """One line of the table behind a chart: time and values written out, what they count ("": nowhere)."""

    time: str
    values: tuple[str, ...]
    href: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart ready to be drawn: nothing left to compute.

    `zone` is the short name of the zone in which times are written (`UTC`, `CET`).
    `data` is what `static/js/charts.js` reads: `{"t": [epoch seconds], "unit": …, "zone": IANA
    name, "from": …, "to": …, "series": [{"label", "color", "values": [number | null]}]}`.
    """

    id: str
    title: str
    summary: str
    height: int
    paths: tuple[Path, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    gaps: tuple[Span, ...]
    bands: tuple[Span, ...]
    levels: tuple[Level, ...]
    flags: tuple[Flag, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    row_note: str
    zone: str
    zoom: bool
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is no value at all to draw."""
        return not any(path.line or path.area for path in self.paths)
