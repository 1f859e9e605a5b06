"""Colours that people can read, in both themes, and pages that load fast."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(settings.BASE_DIR) / "static"
TOKEN = re.compile(r"--([\w-]+):\s*(?:light-dark\((#\w{6}),\s*(#\w{6})\)|(#\w{6}));")
TEXT_PAIRS = [
    *(
        (ink, ground)
        for ink in ("ink", "ink-soft", "ink-faint")
        for ground in ("bg", "surface", "inset")
    ),
    *(("action", ground) for ground in ("bg", "surface", "action-soft")),
    *(("action-hover", ground) for ground in ("bg", "surface")),
    *((tone, f"{tone}-soft") for tone in ("ok", "warn", "bad")),
    *((tone, ground) for tone in ("ok", "warn", "bad") for ground in ("bg", "surface")),
    ("ink", "action-soft"),
    ("on-action", "action"),
    ("on-action", "action-hover"),
    ("on-bad-solid", "bad-solid"),
]
MARK_PAIRS = [(f"series-{n}", "surface") for n in range(1, 7)] + [("line-strong", "surface")]


def tokens() -> dict[str, tuple[str, str]]:
    """Return each colour token's (light, dark) value."""
    found = TOKEN.findall((STATIC / "css" / "tokens.css").read_text())
    return {name: (light or both, dark or both) for name, light, dark, both in found}


def luminance(color: str) -> float:
    """Return WCAG 2's relative luminance of `#rrggbb`."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return WCAG 2's contrast ratio, 1 … 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_agrees_with_the_standard() -> None:
    """Black on white is 21, and #767676 on white is the known edge of 4.5."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS)
def test_text_is_readable(theme: int, ink: str, ground: str) -> None:
    """Every pair of text and ground has a contrast of at least 4.5 : 1."""
    colors = tokens()
    assert contrast(colors[ink][theme], colors[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "ground"), MARK_PAIRS)
def test_lines_and_borders_are_visible(theme: int, mark: str, ground: str) -> None:
    """Chart lines and the borders of inputs have a contrast of at least 3 : 1."""
    colors = tokens()
    assert contrast(colors[mark][theme], colors[ground][theme]) >= 3


def test_every_used_token_is_defined() -> None:
    """No stylesheet reads a custom property that nobody sets."""
    css = {path.name: path.read_text() for path in (STATIC / "css").glob("*.css")}
    defined = {name for text in css.values() for name in re.findall(r"(--[\w-]+)\s*:", text)}
    used = {name for text in css.values() for name in re.findall(r"var\((--[\w-]+)", text)}
    assert used <= defined


def test_first_load_is_small() -> None:
    """Own styles and scripts of a page stay within 50 kB as they are, 16 kB compressed."""
    names = ("css/tokens", "css/portal", "css/components", "css/charts")
    files = [STATIC / f"{name}.css" for name in names]
    files += [STATIC / "js" / f"{name}.js" for name in ("theme", "portal", "charts")]
    assert sum(file.stat().st_size for file in files) <= 50_000
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= 16_000
