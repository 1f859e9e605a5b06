"""Every component on one page, with invented figures: what the tests and screenshots look at."""

import calendar
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path

from core.charts import (
    Axis,
    Band,
    Bar,
    Chart,
    Envelope,
    Marker,
    Name,
    Noun,
    Point,
    Series,
    Threshold,
    Tone,
    heat_map,
    line_chart,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SOURCE = Path(__file__).with_name("gallery.html")


class TargetForm(forms.Form):
    """A form with one of each kind of field."""

    name = forms.CharField(help_text="Shown in lists and alerts.")
    target = forms.DecimalField(max_value=100, help_text="Percent, below 100.")
    window = forms.ChoiceField(choices=[("30d", "30 days"), ("7d", "7 days")])
    notes = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    tell = forms.MultipleChoiceField(
        choices=[("mail", "By email"), ("chat", "In the chat")],
        widget=forms.CheckboxSelectMultiple,
        help_text="At least one.",
    )
    page = forms.BooleanField(label="Page the team", required=False)


def wave(index: int, level: float, swing: float) -> float:
    """Return a value that looks measured, the same each time."""
    return level + swing * (
        math.sin(index / 9) + 0.5 * math.sin(index * 2.7) + 0.3 * math.cos(index)
    )


def latency(level: float, surge: float) -> list[Point]:
    """Return three hours of minutes with a hole and a surge."""
    points: list[Point] = []
    for minute in range(180):
        at = NOW - timedelta(minutes=180 - minute)
        value = wave(minute, level, level * 0.12) + (surge if 112 <= minute < 132 else 0)
        points.append((at, None if 40 <= minute < 52 else value))
    return points


def latency_chart() -> Chart:
    """Return a chart with everything a chart can have."""
    return line_chart(
        [
            Series("p50", latency(42, 12), kind="area"),
            Series("p95", latency(92, 90), kind="area"),
            Series("p99", latency(160, 190), kind="area"),
        ],
        id="latency",
        title="Latency, all services",
        y=Axis(unit="ms"),
        start=NOW - timedelta(hours=3),
        end=NOW,
        bands=[Band(NOW - timedelta(minutes=68), NOW - timedelta(minutes=48), "Incident 214")],
        markers=[Marker(NOW - timedelta(minutes=70), "Deploy checkout 2.41.0", href="/services/")],
        thresholds=[Threshold(200, "Objective 200 ms")],
        zoom=True,
    )


def forecast_chart() -> Chart:
    """Return days of a measured line that goes on as a forecast with its range."""
    day = timedelta(days=1)
    start = NOW - 40 * day
    measured: list[Point] = [
        (start + i * day, 0.42 + i * 0.006 + wave(i, 0, 0.01)) for i in range(41)
    ]
    ahead: list[Point] = [(NOW + i * day, 0.66 + i * 0.006) for i in range(31)]
    spread = [
        (NOW + i * day, 0.66 + i * (0.006 - 0.0025), 0.66 + i * (0.006 + 0.0025)) for i in range(31)
    ]
    return line_chart(
        [Series("Disk used", measured, color=1), Series("Forecast", ahead, dashed=True, color=1)],
        id="forecast",
        title="Disk of orders-db",
        y=Axis(unit="%", maximum=1.0),
        envelopes=[Envelope("p10 to p90", spread, color=1)],
        thresholds=[Threshold(0.85, "Limit 85 %", "warn")],
        height=160,
    )


def days() -> list[Bar]:
    """Return 90 days of states."""
    tones: list[Tone] = ["ok"] * 90
    tones[31], tones[32], tones[60], tones[10:14] = "warn", "bad", "warn", ["none"] * 4
    words = {"ok": "100 %", "warn": "99.7 %", "bad": "97.2 %", "none": "no data"}
    return [
        Bar(f"{NOW - timedelta(days=89 - i):%-d %b}", tone, words[tone])
        for i, tone in enumerate(tones)
    ]


def objectives() -> list[dict[str, Any]]:
    """Return rows of a table of objectives."""
    rows = [
        ("checkout", "team-payments", 0.9995, 0.9991, 0.62, "at_risk"),
        ("search", "team-discovery", 0.999, 0.9997, 0.08, "healthy"),
        ("payments-api", "team-payments", 0.9999, 0.9993, 1.41, "exhausted"),
        ("catalog", "team-discovery", 0.999, None, None, "no_data"),
        ("identity", "team-platform", 0.9995, 0.99996, 0.04, "healthy"),
    ]
    names = ("name", "team", "target", "now", "used", "state")
    return [
        {
            **dict(zip(names, row, strict=True)),
            "values": [wave(i + n * 7, 90, 9) for i in range(40)],
        }
        for n, row in enumerate(rows)
    ]


def context() -> dict[str, Any]:
    """Return all that the gallery shows."""
    form = TargetForm({"name": "", "target": "101", "window": "30d"})
    form.add_error(None, "Nothing was saved.")
    return {
        "now": NOW,
        "demo_is_on": True,
        "latency": latency_chart(),
        "forecast": forecast_chart(),
        "nothing": line_chart([Series("Requests", [])], id="nothing", title="Requests", height=90),
        "heat": heat_map(
            [[(day * hour) % 7 for hour in range(24)] for day in range(7)],
            id="heat",
            title="Incidents by hour of the week",
            rows=[Name(day[:3], day) for day in calendar.day_name],
            columns=[Name(f"{hour:02}", f"{hour:02}:00") for hour in range(24)],
            noun=Noun("incident", "incidents"),
            href=lambda day, hour: f"/services/?day={day}&hour={hour}",
        ),
        "days": days(),
        "rows": objectives(),
        "form": form,
        "page": Paginator(range(1240), 50).page(3),
        "choices": [("1h", "1 h"), ("3h", "3 h"), ("24h", "24 h"), ("7d", "7 d")],
        "spark": [wave(i, 90, 9) for i in range(40)],
        "falling": [100 - i + wave(i, 0, 0.6) for i in range(40)],
        "trail": [("Services", "/services/"), ("checkout", "/services/checkout/")],
        "ten_minutes_ago": NOW - timedelta(minutes=10),
    }


def gallery(request: HttpRequest) -> HttpResponse:
    """Show every component."""
    messages.success(request, "Saved. The next tick uses the new target.")
    page = Template(SOURCE.read_text())
    return HttpResponse(page.render(RequestContext(request, context())))


gallery.login_required = False  # type: ignore[attr-defined]
urlpatterns = [
    path("", gallery),
    path("slo/", gallery),
    path("services/", gallery),
    path("alerts/", gallery),
    path("demo/remove", gallery),
    path("", include("sreportal.urls")),
]
