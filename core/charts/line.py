"""Lines and areas over time."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from core.charts import ticks
from core.charts.model import (
    Axis,
    Band,
    Chart,
    Envelope,
    Flag,
    Level,
    Marker,
    Path,
    Point,
    Row,
    Series,
    Span,
    Threshold,
    Tick,
    measured,
)

WIDTH = 1000.0
TABLE_ROWS = 48
COLORS = 6


@dataclass(frozen=True)
class _Frame:
    """Where instants and values land: x in 0 … 1000, y in pixels from the top."""

    start: datetime
    end: datetime
    bottom: float
    top: float
    height: int

    def x(self, at: datetime) -> float:
        span = (self.end - self.start).total_seconds() or 1.0
        return (at - self.start).total_seconds() / span * WIDTH

    def y(self, value: float) -> float:
        clipped = min(max(value, self.bottom), self.top)
        return self.height * (1 - (clipped - self.bottom) / (self.top - self.bottom))

    def percent(self, at: datetime) -> float:
        return round(min(max(self.x(at), 0.0), WIDTH) / 10, 3)


def line_chart(
    series: Sequence[Series],
    *,
    id: str,  # noqa: A002 it becomes the element's id
    title: str,
    y: Axis | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    step: timedelta | None = None,
    envelopes: Sequence[Envelope] = (),
    bands: Sequence[Band] = (),
    markers: Sequence[Marker] = (),
    thresholds: Sequence[Threshold] = (),
    height: int = 220,
    tz: tzinfo = UTC,
    zoom: bool = False,
    row_href: Callable[[datetime], str] | None = None,
) -> Chart:
    """Return a chart of one or more lines over time.

    Args:
        series: The lines. Points outside `start` … `end` are left out.
        id: Element id, unique on the page.
        title: What it shows, as a reader would say it; the caption and accessible name.
        y: The vertical axis; by default from 0, without unit.
        start: Left edge; by default the first point.
        end: Right edge; by default the last point.
        step: Expected distance of points. A wider hole is a gap, as a None is.
        envelopes: Ranges drawn behind the lines.
        bands: Stretches of time set off in the background.
        markers: Instants drawn as vertical lines.
        thresholds: Levels drawn as horizontal lines; the axis always reaches them.
        height: Height of the plot in pixels, without the time labels.
        tz: Zone in which times are written: `core.zones.zone_of(request.user)`.
        zoom: Let a drag set `from` and `to` in the page's address.
        row_href: The address of what the points of an instant count: the table has them all then.
    """
    axis = y or Axis()
    begin, finish = _extent([*series, *envelopes], start, end)
    lines = [_clean(one, begin, finish, step) for one in series]
    ranges = [_inside(one, begin, finish) for one in envelopes]
    bottom, top, grid = _vertical(axis, lines, ranges, thresholds)
    frame = _Frame(begin, finish, bottom, top, height)
    digits = (
        ticks.decimals((grid[1] - grid[0]) * (100 if axis.unit == "%" else 1)) if grid[1:] else None
    )
    colors = [one.color or index % COLORS + 1 for index, one in enumerate(series)]
    rows, note = _table(lines, axis.unit, tz, row_href)
    drawn = any(value is not None for points in lines for _, value in points) or any(ranges)
    dated = drawn or (start is not None and end is not None)
    return Chart(
        id=id,
        title=title,
        summary=_summary(series, lines, axis.unit),
        height=height,
        paths=tuple(
            [_range_path(one, points, frame) for one, points in zip(envelopes, ranges, strict=True)]
            + [
                _path(one, points, color, frame)
                for one, points, color in zip(series, lines, colors, strict=True)
            ]
        ),
        x_ticks=tuple(
            Tick(frame.percent(at), label)
            for at, label in (ticks.time_ticks(begin, finish, tz=tz) if dated else ())
        ),
        y_ticks=tuple(
            Tick(round(frame.y(value), 1), ticks.written(value, axis.unit, digits))
            for value in (grid if drawn else ())
        ),
        gaps=tuple(_gaps(lines, frame)),
        bands=tuple(_band_spans(bands, frame)),
        levels=tuple(
            Level(round(frame.y(one.value), 1), one.label, one.tone) for one in thresholds
        ),
        flags=tuple(
            Flag(frame.percent(one.at), _written_time(one.at, tz), one.label, one.tone, one.href)
            for one in markers
            if begin <= one.at <= finish
        ),
        columns=tuple(one.label for one in series),
        rows=rows,
        row_note=note,
        zone=finish.astimezone(tz).tzname() or "",
        zoom=zoom,
        data={"zone": str(tz), **_data(series, lines, colors, axis.unit, frame)},
    )


def _extent(
    series: Sequence[Series | Envelope], start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    instants = [point[0] for one in series for point in one.points]
    begin = start or min(instants, default=end or datetime(1970, 1, 1, tzinfo=UTC))
    finish = end or max(instants, default=begin)
    return (begin, finish) if finish > begin else (begin, begin + timedelta(minutes=1))


def _clean(series: Series, start: datetime, end: datetime, step: timedelta | None) -> list[Point]:
    """Return the points inside, with a None put into every hole wider than 1.5 steps."""
    kept: list[Point] = []
    for at, value in series.points:
        if not start <= at <= end:
            continue
        if step and kept and at - kept[-1][0] > step * 1.5:
            kept.append((kept[-1][0] + step, None))
        kept.append((at, measured(value)))
    return kept


def _inside(
    envelope: Envelope, start: datetime, end: datetime
) -> list[tuple[datetime, float | None, float | None]]:
    return [
        (at, measured(low), measured(high))
        for at, low, high in envelope.points
        if start <= at <= end
    ]


def _vertical(
    axis: Axis,
    lines: Sequence[Sequence[Point]],
    ranges: Sequence[Sequence[tuple[datetime, float | None, float | None]]],
    thresholds: Sequence[Threshold],
) -> tuple[float, float, list[float]]:
    values = [value for points in lines for _, value in points if value is not None]
    values += [
        value for points in ranges for point in points for value in point[1:] if value is not None
    ]
    values += [one.value for one in thresholds]
    low = axis.minimum if axis.minimum is not None else min(values, default=0.0)
    high = axis.maximum if axis.maximum is not None else max(values, default=low + 1.0)
    return ticks.nice_range(
        low,
        high,
        axis.ticks,
        keep_low=axis.minimum is not None,
        keep_high=axis.maximum is not None,
    )


def _runs(points: Iterable[Point]) -> list[list[tuple[datetime, float]]]:
    """Return the stretches between gaps."""
    runs: list[list[tuple[datetime, float]]] = [[]]
    for at, value in points:
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _polyline(run: Sequence[tuple[datetime, float]], frame: _Frame) -> str:
    pairs = [f"{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in run]
    # A lone point between two gaps is a dot: a line of no length with round ends.
    return f"M{pairs[0]}h0" if len(pairs) == 1 else "M" + "L".join(pairs)


def _path(series: Series, points: Sequence[Point], color: int, frame: _Frame) -> Path:
    runs = _runs(points)
    line = "".join(_polyline(run, frame) for run in runs)
    area = ""
    if series.kind == "area":
        foot = frame.height
        area = "".join(
            f"M{frame.x(run[0][0]):.1f} {foot}"
            + "".join(f"L{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in run)
            + f"L{frame.x(run[-1][0]):.1f} {foot}Z"
            for run in runs
        )
    return Path(series.label, color, line, area, series.dashed)


def _range_path(
    envelope: Envelope,
    points: Sequence[tuple[datetime, float | None, float | None]],
    frame: _Frame,
) -> Path:
    lows = _runs((at, low if high is not None else None) for at, low, high in points)
    highs = _runs((at, high if low is not None else None) for at, low, high in points)
    area = "".join(
        "M"
        + "L".join(
            f"{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in [*upper, *reversed(lower)]
        )
        + "Z"
        for upper, lower in zip(highs, lows, strict=True)
    )
    return Path(envelope.label, envelope.color, "", area)


def _known(lines: Sequence[Sequence[Point]]) -> list[tuple[datetime, bool]]:
    """Return every instant with whether any line has a value there."""
    known: dict[datetime, bool] = {}
    for points in lines:
        for at, value in points:
            known[at] = known.get(at, False) or value is not None
    return sorted(known.items())


def _gaps(lines: Sequence[Sequence[Point]], frame: _Frame) -> list[Span]:
    """Return the stretches in which no line has a value, from edge to edge."""
    known = _known(lines)
    usual = _usual_distance([at for at, _ in known])
    spans: list[Span] = []
    last_good = frame.start
    missing = bool(known) and known[0][0] - frame.start > usual * 1.5
    for at, good in known:
        if good and missing:
            spans.append(_span(last_good, at, frame))
        if good:
            last_good, missing = at, False
        else:
            missing = True
    if missing or frame.end - last_good > usual * 1.5 or not known:
        spans.append(_span(last_good, frame.end, frame))
    return [span for span in spans if span.width > 0]


def _usual_distance(instants: Sequence[datetime]) -> timedelta:
    distances = sorted(b - a for a, b in itertools.pairwise(instants))
    return distances[len(distances) // 2] if distances else timedelta(0)


def _span(start: datetime, end: datetime, frame: _Frame) -> Span:
    left = frame.percent(start)
    return Span(left, round(frame.percent(end) - left, 3), "No data")


def _band_spans(bands: Sequence[Band], frame: _Frame) -> Iterable[Span]:
    for band in bands:
        if band.end < frame.start or band.start > frame.end:
            continue
        left = frame.percent(band.start)
        width = max(round(frame.percent(band.end) - left, 3), 0.15)
        yield Span(left, width, band.label, band.tone)


def _written_time(at: datetime, tz: tzinfo) -> str:
    local = at.astimezone(tz)
    return f"{ticks.day_label(local.date())}, {local:%H:%M}"


def _table(
    lines: Sequence[Sequence[Point]],
    unit: str,
    tz: tzinfo,
    href: Callable[[datetime], str] | None,
) -> tuple[tuple[Row, ...], str]:
    instants = [at for at, _ in _known(lines)]
    every = 1 if href else max(1, math.ceil(len(instants) / TABLE_ROWS))
    lookups = [dict(points).get for points in lines]
    rows = tuple(
        Row(
            _written_time(at, tz),
            tuple(ticks.written(value(at), unit) for value in lookups),
            href(at) if href else "",
        )
        for at in instants[::every]
    )
    note = f"One in {every} of {len(instants)} points." if every > 1 else ""
    return rows, note


def _summary(series: Sequence[Series], lines: Sequence[Sequence[Point]], unit: str) -> str:
    """Return lowest, highest and latest value of each line, as a sentence."""
    parts = []
    for one, points in zip(series, lines, strict=True):
        values = [value for _, value in points if value is not None]
        if not values:
            parts.append(f"{one.label}: no data.")
            continue
        low, high, last = (
            ticks.written(value, unit) for value in (min(values), max(values), values[-1])
        )
        parts.append(f"{one.label}: {low} to {high}, latest {last}.")
    return " ".join(parts)


def _data(
    series: Sequence[Series],
    lines: Sequence[Sequence[Point]],
    colors: Sequence[int],
    unit: str,
    frame: _Frame,
) -> dict[str, object]:
    instants = [at for at, _ in _known(lines)]
    lookups = [dict(points).get for points in lines]
    return {
        "t": [int(at.timestamp()) for at in instants],
        "from": int(frame.start.timestamp()),
        "to": int(frame.end.timestamp()),
        "unit": unit,
        "series": [
            {
                "label": one.label,
                "color": color,
                "values": [_short(value(at)) for at in instants],
            }
            for one, value, color in zip(series, lookups, colors, strict=True)
        ],
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
