"""Small marks that sit in a card or a table cell: sparkline, strip of days, meter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.charts.model import Tone, measured


@dataclass(frozen=True)
class Spark:
    """A sparkline's path data in a box of `width` × `height` pixels."""

    width: int
    height: int
    line: str
    area: str


@dataclass(frozen=True)
class Bar:
    """One column of a strip: a day or an hour, its state in a tone and in words."""

    label: str
    tone: Tone
    detail: str = ""
    href: str = ""


@dataclass(frozen=True)
class Column:
    """A bar with its place, in units of the strip's width."""

    x: float
    width: float
    bar: Bar

    @property
    def text(self) -> str:
        """What hovering or a screen reader says."""
        return f"{self.bar.label}: {self.bar.detail}" if self.bar.detail else self.bar.label


@dataclass(frozen=True)
class Strip:
    """A row of columns, oldest first, in a box of `width` × `height`."""

    width: float
    height: int
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Meter:
    """A used share: `filled` is percent of the bar, `used` the true fraction (may pass 1)."""

    used: float | None
    filled: float
    tone: Tone


def sparkline(values: Sequence[float | None], width: int = 110, height: int = 28) -> Spark:
    """Return a line through `values` at equal distances; None leaves a hole.

    The line is scaled to its own lowest and highest value: a spark shows shape, not level.
    """
    cleaned = [measured(value) for value in values]
    known = [value for value in cleaned if value is not None]
    if not known:
        return Spark(width, height, "", "")
    low, high = min(known), max(known)
    lines: list[str] = []
    areas: list[str] = []
    for run in _runs(cleaned):
        pairs = [
            (
                index / max(len(values) - 1, 1) * width,
                height - 2 - (value - low) / (high - low or 1.0) * (height - 4),
            )
            for index, value in run
        ]
        body = "L".join(f"{x:.1f} {y:.1f}" for x, y in pairs)
        lines.append(f"M{body}h0" if len(pairs) == 1 else f"M{body}")
        areas.append(f"M{pairs[0][0]:.1f} {height}L{body}L{pairs[-1][0]:.1f} {height}Z")
    return Spark(width, height, "".join(lines), "".join(areas))


def strip(bars: Sequence[Bar], *, gap: float = 2.0, height: int = 28) -> Strip:
    """Return columns of equal width, oldest first: 90 days of a service at a glance."""
    pitch = 8.0
    columns = tuple(Column(index * pitch, pitch - gap, bar) for index, bar in enumerate(bars))
    return Strip(max(len(bars) * pitch - gap, 1.0), height, columns)


def meter(used: float | None, *, warn: float = 0.5, bad: float = 1.0) -> Meter:
    """Return a bar filled by `used`, a fraction that may lie outside 0 … 1.

    From `warn` on it is a warning, from `bad` on bad; None is an empty bar without a verdict.
    """
    if used is None or not math.isfinite(used):
        return Meter(None, 0.0, "none")
    tone: Tone = "bad" if used >= bad else "warn" if used >= warn else "ok"
    return Meter(used, round(min(max(used, 0.0), 1.0) * 100, 2), tone)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((index, value))
    return [run for run in runs if run]
