"""Lines and areas over time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import Axis, Band, Chart, Envelope, Marker, Point, Series, Threshold, line_chart

START = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NUMBER = re.compile(r"-?\d+\.?\d*")


def points(*values: float | None) -> list[Point]:
    """Return one point a minute."""
    return [(START + index * MINUTE, value) for index, value in enumerate(values)]


def chart(*values: float | None, **options: object) -> Chart:
    """Return a chart of one series."""
    series = [Series("p95", points(*values), kind="area")]
    return line_chart(series, id="c", title="Latency", **options)  # type: ignore[arg-type]


@given(st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_no_value_breaks_the_drawing(values: list[float | None]) -> None:
    """Whatever comes in, paths have finite numbers inside the plot."""
    drawn = chart(*values)
    for path in drawn.paths:
        text = path.line + path.area
        assert "nan" not in text
        assert "inf" not in text
        pairs = [float(part) for part in NUMBER.findall(path.line.replace("h0", ""))]
        assert all(0 <= x <= 1000 for x in pairs[::2])
        assert all(0 <= y <= drawn.height for y in pairs[1::2])


@given(st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=40))
def test_each_stretch_between_gaps_is_a_path_of_its_own(values: list[float | None]) -> None:
    """A line starts anew after every gap: no data is never bridged."""
    runs = sum(
        1
        for index, value in enumerate(values)
        if value is not None and (index == 0 or values[index - 1] is None)
    )
    assert chart(*values).paths[0].line.count("M") == runs


def test_gap_is_shaded_from_value_to_value() -> None:
    """The hole between two values is one span, in percent of the width."""
    drawn = chart(1.0, None, None, 1.0, 1.0)
    assert [(span.x, span.width) for span in drawn.gaps] == [(0.0, 75.0)]


def test_zero_is_a_value() -> None:
    """Zero is drawn at the foot of the plot, and is no gap."""
    drawn = chart(0.0, 0.0)
    assert drawn.paths[0].line == "M0.0 220.0L1000.0 220.0"
    assert drawn.gaps == ()


def test_missing_minutes_are_a_gap_when_the_step_is_known() -> None:
    """Points further apart than one and a half steps are not joined."""
    apart = [(START, 1.0), (START + MINUTE, 1.0), (START + 9 * MINUTE, 1.0)]
    drawn = line_chart([Series("p95", apart)], id="c", title="Latency", step=MINUTE)
    assert drawn.paths[0].line.count("M") == 2
    assert len(drawn.gaps) == 1


def test_silence_up_to_the_edges_is_a_gap() -> None:
    """Before the first and after the last value, the window is shaded."""
    drawn = chart(1.0, 1.0, 1.0, start=START - 10 * MINUTE, end=START + 20 * MINUTE)
    assert [span.x for span in drawn.gaps] == [0.0, 40.0]


def test_one_line_with_values_is_no_gap() -> None:
    """Only where no line has a value is the background shaded."""
    both = [Series("a", points(1.0, None, 1.0)), Series("b", points(1.0, 1.0, 1.0))]
    assert line_chart(both, id="c", title="Latency").gaps == ()


def test_lone_point_is_a_dot() -> None:
    """A value between two gaps is still visible."""
    assert "h0" in chart(None, 5.0, None).paths[0].line


def test_axis_reaches_its_thresholds() -> None:
    """An objective above all values is on the plot."""
    drawn = chart(10.0, 20.0, thresholds=[Threshold(200, "Objective")], y=Axis(unit="ms"))
    assert 0 <= drawn.levels[0].y <= drawn.height
    assert drawn.y_ticks[-1].label == "200 ms"


def test_grid_rises_and_is_written_in_percent() -> None:
    """Grid lines go up the page with their value, fractions as percent."""
    drawn = chart(0.991, 0.9995, y=Axis(unit="%", minimum=0.99, maximum=1.0))
    assert [tick.at for tick in drawn.y_ticks] == sorted(
        (tick.at for tick in drawn.y_ticks), reverse=True
    )
    assert drawn.y_ticks[0].label == "99.00 %"
    assert drawn.y_ticks[-1].label == "100.00 %"


def test_values_beyond_a_fixed_axis_stay_on_the_plot() -> None:
    """A value above the fixed maximum is drawn at the top, and told in full in the table."""
    drawn = chart(1.0, 5.0, y=Axis(maximum=2.0))
    assert drawn.paths[0].line == "M0.0 110.0L1000.0 0.0"
    assert drawn.rows[1].values == ("5",)


def test_bands_and_markers_outside_are_left_out() -> None:
    """Only what touches the window is drawn, cut at its edges."""
    day = timedelta(days=1)
    drawn = chart(
        1.0,
        1.0,
        1.0,
        bands=[Band(START - day, START + MINUTE, "in"), Band(START + day, START + 2 * day, "out")],
        markers=[Marker(START + MINUTE, "in"), Marker(START + day, "out")],
    )
    assert [(span.label, span.x, span.width) for span in drawn.bands] == [("in", 0.0, 50.0)]
    assert [(flag.label, flag.x) for flag in drawn.flags] == [("in", 50.0)]


def test_envelope_is_a_closed_area_without_a_line() -> None:
    """A range is one area for each stretch in which both its ends are known."""
    spread = [(START + i * MINUTE, None if i == 2 else 1.0, 2.0) for i in range(5)]
    drawn = line_chart([], id="c", title="Forecast", envelopes=[Envelope("p10 to p90", spread)])
    assert drawn.paths[0].line == ""
    assert drawn.paths[0].area.count("M") == drawn.paths[0].area.count("Z") == 2


def test_no_points_is_an_empty_chart() -> None:
    """Without data the whole plot is a gap, without invented labels."""
    drawn = line_chart([Series("p95", [])], id="c", title="Latency")
    assert drawn.empty
    assert [(span.x, span.width) for span in drawn.gaps] == [(0.0, 100.0)]
    assert drawn.x_ticks == drawn.y_ticks == ()
    assert drawn.summary == "p95: no data."


def test_summary_tells_the_range_and_the_latest() -> None:
    """Who cannot see the chart hears lowest, highest and latest value."""
    drawn = chart(100.0, 300.0, 200.0, None, y=Axis(unit="ms"))
    assert drawn.summary == "p95: 100 ms to 300 ms, latest 200 ms."


def test_table_is_thinned_and_says_so() -> None:
    """The table behind a long chart has every nth point, and tells n."""
    drawn = chart(*[float(i) for i in range(240)])
    assert len(drawn.rows) == 48
    assert drawn.row_note == "One in 5 of 240 points."


def test_a_table_that_leads_somewhere_leaves_nothing_out() -> None:
    """Each of its rows is the only way to what it counts."""
    drawn = chart(*[float(i) for i in range(240)], row_href=lambda at: f"/{at:%H:%M}")
    assert (len(drawn.rows), drawn.row_note) == (240, "")
    assert drawn.rows[0].href == f"/{START:%H:%M}"
    assert {row.href for row in chart(1.0, 2.0).rows} == {""}


def test_times_are_written_in_one_zone() -> None:
    """Axis, markers, table and script agree on the zone, and the chart names it."""
    kolkata = ZoneInfo("Asia/Kolkata")
    drawn = chart(*[1.0] * 91, markers=[Marker(START, "Deploy")], tz=kolkata)
    assert drawn.x_ticks[0].label == "12:30"
    assert drawn.flags[0].time == drawn.rows[0].time == "23 Nov, 12:30"
    assert (drawn.zone, drawn.data["zone"]) == ("IST", "Asia/Kolkata")


def test_data_for_the_script_keeps_no_data() -> None:
    """The script gets epoch seconds and null where there is no data."""
    data = chart(1.0, None).data
    assert data["t"] == [int(START.timestamp()), int(START.timestamp()) + 60]
    assert data["series"] == [{"label": "p95", "color": 1, "values": [1.0, None]}]


@pytest.mark.parametrize(("given", "got"), [((0, 0), (1, 2)), ((4, 0), (4, 2))])
def test_colours_follow_the_order_unless_chosen(
    given: tuple[int, int], got: tuple[int, int]
) -> None:
    """The palette is taken in order; a chosen colour stays."""
    series = [Series(str(color), points(1.0, 2.0), color=color) for color in given]
    drawn = line_chart(series, id="c", title="Latency")
    assert tuple(path.color for path in drawn.paths) == got
