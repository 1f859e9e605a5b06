"""Which format a log is in, found by its first lines unless it is told."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from telemetry.domain.access_logs import alb, combined
from telemetry.domain.access_logs.combined import Unit
from telemetry.domain.access_logs.lines import NotUnderstood, Parser

SAMPLE_LINES = 100


class Format(StrEnum):
    """A format of access logs."""

    COMBINED = "combined"
    ALB = "alb"


class Reading(NamedTuple):
    """How the lines of one log are read; `unit` is None where the format fixes it."""

    format: Format
    unit: Unit | None
    parse: Parser


class UnknownFormat(ValueError):
    """None of the first lines is of a known format; the message tells of the first."""


def choose(sample: Sequence[str], *, told: Format | None, unit: Unit | None) -> Reading:
    """Return how to read a log that begins with `sample`.

    Args:
        sample: Its first lines, at most `SAMPLE_LINES`.
        told: Its format, when whoever imports knows it; None finds it.
        unit: Of the durations of the combined format; None finds it.

    Raises:
        UnknownFormat: If no format was told and none understands a single line.
    """
    if told is not None:
        return _reading(told, sample, unit)
    readings = [_reading(each, sample, unit) for each in Format]
    scores = {reading: _understood(reading.parse, sample) for reading in readings}
    best = max(readings, key=lambda reading: scores[reading][0])
    understood, reasons = scores[best]
    if understood == 0:
        reason = reasons.most_common(1)[0][0] if reasons else "the log holds no lines"
        raise UnknownFormat(reason)
    return best


def _reading(form: Format, sample: Sequence[str], unit: Unit | None) -> Reading:
    if form is Format.ALB:
        return Reading(form, None, alb.parse)
    chosen = unit or combined.detect_unit(sample)
    return Reading(form, chosen, partial(combined.parse, unit=chosen))


def _understood(parse: Parser, sample: Sequence[str]) -> tuple[int, Counter[str]]:
    reasons: Counter[str] = Counter()
    for line in sample:
        try:
            parse(line)
        except NotUnderstood as error:
            reasons[str(error)] += 1
    return len(sample) - reasons.total(), reasons
