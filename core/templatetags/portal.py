"""Filters and tags that every template has without `{% load %}`: figures, times, icons."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.utils import dateformat
from django.utils.html import format_html
from lucide.templatetags.lucide import lucide

from core import clock
from core.zones import zone_of

register = template.Library()
_STYLES = {"full": "j M Y, H:i", "time": "H:i", "date": "j M Y"}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def _is_missing(value: object) -> bool:
    """Whether there is nothing to show: None, or the empty string of an unknown variable."""
    return value is None or value == ""


@register.filter
def percent(fraction: Any, digits: int = 2) -> str:
    """Show a fraction as percent, or "no data" for None: 0.9994 → 99.94 %.

    A fraction below 1 never reads 100 %: it gets as many digits as that takes.
    """
    if _is_missing(fraction):
        return "no data"
    value = float(fraction) * 100
    shown = f"{value:.{digits}f}"
    while value < 100 and float(shown) >= 100 and digits < 9:
        digits += 1
        shown = f"{value:.{digits}f}"
    return f"{shown.replace('-', '−')} %"


@register.filter
def iso(at: datetime | None) -> str:
    """Show an instant as ISO 8601, or an empty string."""
    return at.isoformat().replace("+00:00", "Z") if at else ""


@register.filter
def who(actor: str) -> str:
    """Show whom the audit names as people say it: alice, or token 4f2a of alice."""
    return actor.replace("user:", "").replace("token:", "token ")


@register.filter
def utc(at: datetime | None, style: str = "j M Y, H:i") -> str:
    """Show an instant in UTC, whatever zone is active, in Django's date format."""
    return dateformat.format(at.astimezone(UTC), style) if at else ""


@register.filter
def number(value: Any, digits: int = 0) -> str:
    """Show a number with thousands set apart, or "no data" for None: 1234567 → 1,234,567."""
    return "no data" if _is_missing(value) else f"{value:,.{digits}f}".replace("-", "−")


@register.filter
def duration(length: timedelta | float | str | None) -> str:
    """Show a timedelta or seconds in its two largest units: 16260 → 4 h 31 min; missing is no data."""
    if length is None or length == "":
        return "no data"
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms".replace("-", "−")
    rest = round(abs(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    shown = " ".join(part for part in parts[:2] if part)
    return f"−{shown}" if seconds < 0 else shown


@register.simple_tag
def icon(name: str, size: int = 18) -> str:
    """Draw a Lucide icon inline, as decoration: the text beside it carries the meaning."""
    return _icon(str(name), int(size))


@lru_cache(maxsize=256)
def _icon(name: str, size: int) -> str:
    attributes = {"class": "icon", "aria_hidden": "true", "focusable": "false"}
    drawn: str = lucide(name, size=size, **attributes)
    return drawn


@register.simple_tag(takes_context=True)
def when(context: template.Context, at: datetime | None, style: str = "full") -> str:
    """Show an instant in the reader's zone, with UTC on hover.

    Where the template does not know the reader (an include with `only`), UTC is sent and the
    script shows the reader's zone.

    Args:
        context: The page's context, for `user`.
        at: The instant; None shows "never".
        style: `full` (23 Nov 2026, 14:05 UTC), `time` (14:05 UTC) or `date` (23 Nov 2026).
    """
    if at is None:
        return _never()
    user = context.get("user")
    known = getattr(user, "is_authenticated", False)
    local = at.astimezone(zone_of(user))
    text = dateformat.format(local, _STYLES[style])
    text = text if style == "date" else f"{text} {local.tzname()}"
    return _time(at, "" if known else style, text)


@register.simple_tag(takes_context=True)
def ago(context: template.Context, at: datetime | None) -> str:
    """Show how long ago (or how far ahead) an instant is; the instant itself on hover.

    Measured from `now` in the context when there is one.
    """
    now = context.get("now") or clock.now()
    return _time(at, "ago", relative(now - at)) if at else _never()


@register.simple_tag(takes_context=True)
def left(context: template.Context, at: datetime) -> str:
    """Show how long is left until an instant, or since when it is over; the script counts down.

    Measured from `now` in the context when there is one.
    """
    rest = at - (context.get("now") or clock.now())
    is_ahead = rest >= timedelta(seconds=1)
    return _time(at, "left", f"{duration(rest)} left" if is_ahead else f"due {relative(-rest)}")


def _never() -> str:
    return format_html('<span class="faint">{}</span>', "never")


def _time(at: datetime, style: str, text: str) -> str:
    return format_html(
        '<time datetime="{}"{} title="{} UTC">{}</time>',
        iso(at.astimezone(UTC)),
        format_html(' data-style="{}"', style) if style else "",
        utc(at, "j M Y, H:i:s"),
        text,
    )


def relative(passed: timedelta) -> str:
    """Return `4 min ago`, `in 3 h`, `just now`: the largest unit only."""
    seconds = passed.total_seconds()
    for size, unit in _UNITS[:-1]:
        if abs(seconds) >= size:
            count = int(abs(seconds) // size)
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "just now" if seconds > -1 else "in a moment"
