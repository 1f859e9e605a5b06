"""Charts as geometry: points in, paths and ticks out, drawn as SVG by `{% chart %}`.

    data (Series, Envelope, Band, …) ──line_chart──► Chart ──{% chart %}──► <figure>: SVG, table, JSON

Pure Python: no Django, no clock. A value of None is *no data*: it breaks the line and the gap is
shown hatched, never bridged and never drawn as zero.

Horizontal positions are percent of the plot's width, so a chart fits any screen while its text
keeps its size; vertical positions are pixels.
"""

from core.charts.heat import HeatMap, Name, Noun, heat_map
from core.charts.line import line_chart
from core.charts.marks import Bar, Meter, Spark, Strip, meter, sparkline, strip
from core.charts.model import (
    Axis,
    Band,
    Chart,
    Envelope,
    Marker,
    Point,
    Series,
    Threshold,
    Tone,
)

__all__ = [
    "Axis",
    "Band",
    "Bar",
    "Chart",
    "Envelope",
    "HeatMap",
    "Marker",
    "Meter",
    "Name",
    "Noun",
    "Point",
    "Series",
    "Spark",
    "Strip",
    "Threshold",
    "Tone",
    "heat_map",
    "line_chart",
    "meter",
    "sparkline",
    "strip",
]
