"""Points that are decoded many at once say what each says by itself."""

import struct
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, HistogramDataPoint

from telemetry.domain.otlp import histograms
from telemetry.domain.otlp.histograms import read_points
from telemetry.domain.otlp.lean import HistogramPoint
from telemetry.tests.otlp import durations, key_values

ROUTES = st.sampled_from(["/a", "/b", "/cc", "/dddd"])
NUMBERS = st.integers(min_value=0, max_value=2**64 - 1)
FLOATS = st.floats(allow_nan=False)


@st.composite
def points(draw: st.DrawFn) -> bytes:
    """A point as exporters send it, sometimes as none does."""
    point = HistogramDataPoint(
        start_time_unix_nano=draw(st.sampled_from([0, 1, 2**63])),
        time_unix_nano=draw(NUMBERS),
        count=draw(NUMBERS),
        bucket_counts=draw(st.lists(NUMBERS, max_size=3)),
        explicit_bounds=draw(st.sampled_from([[], [0.1], [0.2], [0.1, 0.2]])),
        attributes=key_values({"http.route": draw(ROUTES), "n": draw(st.integers(0, 300))}),
        flags=draw(st.sampled_from([0, 0, 0, 1, 2, 3, 300])),
    )
    for name in ("sum", "min", "max"):
        if draw(st.booleans()):
            setattr(point, name, draw(FLOATS))
    if draw(st.booleans()):
        point.exemplars.append(Exemplar(time_unix_nano=draw(NUMBERS)))
    return point.SerializeToString()


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A point some bytes of which are others, or missing."""
    data = bytearray(draw(points()))
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(len(data) - 2, len(data)))])


def as_told(encoded: list[bytes]) -> dict[int, Any]:
    """Return what each point says, by its position."""
    told = {}
    for position, data in enumerate(encoded):
        point = HistogramPoint.FromString(data)
        if not point.flags & 1:
            told[position] = (
                point.explicit_bounds,
                (point.start, point.time, point.count),
                struct.pack("<d", point.sum),
                point.bucket_counts,
                list(point.attributes),
            )
    return told


def as_read(encoded: list[bytes]) -> dict[int, Any]:
    """Return the same by way of columns."""
    told = {}
    for bounds, found in read_points(encoded):
        for row, position in enumerate(found.positions.tolist()):
            assert position not in told
            told[position] = (
                bounds,
                (int(found.starts[row]), int(found.times[row]), int(found.counts[row])),
                struct.pack("<d", found.sums[row]),
                found.cells[row].tobytes(),
                list(HistogramPoint.FromString(found.attributes[row]).attributes),
            )
    return told


@given(st.lists(points(), max_size=40))
def test_columns_hold_what_the_points_say(encoded: list[bytes]) -> None:
    """Whatever fields they have, in whatever mixture."""
    assert as_read(encoded) == as_told(encoded)


@given(st.lists(broken(), min_size=1, max_size=4), st.integers(1, 6))
def test_broken_points_are_read_or_refused_alike(some: list[bytes], times: int) -> None:
    """Many of one kind take the short way; it must not accept what protobuf refuses."""
    encoded = some * times
    try:
        expected = as_told(encoded)
    except DecodeError:
        with pytest.raises(DecodeError):
            read_points(encoded)
    else:
        assert as_read(encoded) == expected


def test_points_of_one_exporter_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the comparisons above would compare protobuf with itself."""

    def refused(*_: Any) -> None:
        raise AssertionError("Read one by one.")

    encoded = [durations([n, 2, 3, 4]).SerializeToString() for n in range(1, 9)]
    monkeypatch.setattr(histograms, "_read_singly", refused)
    ((_, found),) = read_points(encoded)
    assert found.positions.tolist() == list(range(8))
    assert found.cells.view("<u8")[:, 0].tolist() == list(range(1, 9))


def test_many_layouts_of_one_length_are_not_looked_for_endlessly() -> None:
    """Somebody may send as many layouts as points; each is read all the same."""
    tail = HistogramDataPoint(time_unix_nano=5).SerializeToString()
    encoded = [
        tail + b"\xa2\x06" + bytes([n]) + bytes(n) + b"\xaa\x06" + bytes([90 - n]) + bytes(90 - n)
        for n in range(90)
        for _ in range(4)
    ]
    assert as_read(encoded) == as_told(encoded)
