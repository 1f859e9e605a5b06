"""The components, drawn as pages draw them."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import Client, RequestFactory

from accounts.models import User
from core.charts import Series, line_chart
from core.templatetags.components import STATES
from core.templatetags.portal import duration, number, percent, relative
from core.tests.gallery import NOW, TargetForm
from core.tests.test_pages import INLINE
from core.zones import zone_of

EVIL = "<script>alert(1)</script>"


def draw(source: str, **context: Any) -> str:
    """Return a template snippet, rendered."""
    return Template(source).render(Context(context))


class Ids(HTMLParser):
    """Collects the ids of a page, and what refers to one."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the ids and references of one tag."""
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"for", "aria-labelledby", "aria-describedby", "popovertarget"}:
                self.references += (value or "").split()


@pytest.mark.django_db
@pytest.mark.urls("core.tests.gallery")
def test_gallery_is_clean(client: Client) -> None:
    """All components together: no inline code, ids unique, references met, nothing left undrawn."""
    body = client.get("/").content.decode()
    assert not INLINE.search(body)
    found = Ids()
    found.feed(body)
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)
    assert "{{" not in body
    assert "{%" not in body


def test_states_show_words_and_tone() -> None:
    """A state has a tone and words of its own; unknown ones carry no verdict."""
    assert 'class="pill pill-bad">Exhausted<' in draw('{% pill "exhausted" %}')
    assert 'class="pill pill-none">No data<' in draw("{% pill none %}", none=None)
    assert 'class="pill pill-none">Odd one<' in draw('{% pill "odd_one" %}')
    assert {tone for tone, _ in STATES.values()} == {"ok", "warn", "bad", "info", "none"}


@pytest.mark.parametrize(
    "source",
    [
        "{% pill x %}",
        "{% severity x %}",
        "{% stat x x unit=x delta=x note=x href=x %}",
        '{% include "components/empty.html" with title=x text=x href=x action=x %}',
        '{% include "components/code_block.html" with code=x label=x %}',
        '{% include "components/explain.html" with excluded=x version=x method=x %}',
    ],
)
def test_components_escape(source: str) -> None:
    """Text from outside stays text."""
    assert EVIL.lower() not in draw(source, x=EVIL).lower()


def test_chart_escapes_titles_labels_and_data() -> None:
    """A series called like a script is a name and nothing else, in markup and in JSON."""
    made = line_chart([Series(EVIL, [(NOW, 1.0)])], id="c", title=EVIL)
    body = draw("{% chart made %}", made=made)
    assert EVIL not in body
    assert "\\u003Cscript\\u003E" in body


def test_chart_svg_is_well_formed() -> None:
    """The drawing parses as XML, with its name and summary for screen readers."""
    points = [(NOW + timedelta(minutes=i), None if i == 3 else 0.5 * i) for i in range(9)]
    made = line_chart([Series("p95", points, kind="area")], id="c", title="Latency")
    body = draw("{% chart made %}", made=made)
    start, end = body.index("<svg"), body.rindex("</svg>") + len("</svg>")
    svg = ElementTree.fromstring(body[start:end])
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "Latency. p95: 0 to 4, latest 4."
    assert body.count("<tr>") == 1 + len(points)


def test_field_ties_errors_to_its_input() -> None:
    """A field with an error says so to screen readers and keeps what was typed."""
    form = TargetForm({"target": "101", "window": "30d", "name": "checkout"})
    body = draw("{% form_fields form %}", form=form)
    assert re.search(r'<input[^>]*value="101"[^>]*aria-invalid="true"', body)
    assert 'id="id_target_errors"' in body
    assert 'aria-describedby="id_target_hint id_target_errors"' in body


def test_choices_of_one_field_are_a_group() -> None:
    """Checkboxes that belong together share a legend, and their hint has an id of its own."""
    body = draw("{% field form.tell %}", form=TargetForm())
    assert "<legend>Tell</legend>" in body
    assert 'id="id_tell_hint"' in body


def test_pages_keep_the_filters(rf: RequestFactory) -> None:
    """Links to other pages keep the query parameters in force."""
    page = Paginator(range(120), 50).page(2)
    body = draw("{% pagination page %}", page=page, request=rf.get("/?team=pay&page=2"))
    assert "?team=pay&amp;page=3" in body
    assert "51–100 of 120" in body


def test_single_page_has_no_links(rf: RequestFactory) -> None:
    """Where all fits on one page there is nothing to turn."""
    page = Paginator(range(3), 50).page(1)
    assert draw("{% pagination page %}", page=page, request=rf.get("/")).strip() == ""


def test_choice_sets_one_parameter_and_starts_at_the_first_page(rf: RequestFactory) -> None:
    """A segment changes its own parameter, keeps the others, and leaves the page number."""
    body = draw(
        '{% segmented "window" options "1h" "Window" %}',
        options=[("1h", "1 h"), ("1d", "1 d")],
        request=rf.get("/?team=pay&page=4"),
    )
    assert 'href="?team=pay&amp;window=1d"' in body
    assert "page=" not in body
    assert body.count("aria-current") == 1


def test_budget_bar_tells_the_true_share() -> None:
    """A bar is full at 100 %; its words go on to what was really used."""
    body = draw("{% budget_bar 1.41 %}")
    assert 'width="100.0"' in body
    assert "141 %" in body
    assert "no data" in draw("{% budget_bar used %}", used=None)


def test_missing_figure_is_muted() -> None:
    """A card without a figure says no data, without unit."""
    body = draw('{% stat "p95" "no data" unit="ms" %}')
    assert "is-missing" in body
    assert "stat-unit" not in body


def test_times_are_machine_readable_and_in_utc() -> None:
    """Without a known reader, times show UTC and leave their zone to the script."""
    body = draw("{% when at %}", at=datetime(2026, 11, 23, 9, 50, tzinfo=UTC))
    assert 'datetime="2026-11-23T09:50:00Z" data-style="full"' in body
    assert ">23 Nov 2026, 09:50 UTC<" in body
    assert "never" in draw("{% when at %}", at=None)
    assert ">10 min ago<" in draw("{% ago at %}", at=NOW - timedelta(minutes=10), now=NOW)


def test_what_is_left_counts_down_and_says_when_it_is_over() -> None:
    """In its two largest units, which the script counts on."""
    body = draw("{% left at %}", at=NOW + timedelta(hours=4, minutes=31, seconds=5), now=NOW)
    assert 'data-style="left"' in body
    assert ">4 h 31 min left<" in body
    assert ">1 s left<" in draw("{% left at %}", at=NOW + timedelta(seconds=1), now=NOW)
    assert ">due just now<" in draw("{% left at %}", at=NOW, now=NOW)
    assert ">due 10 min ago<" in draw("{% left at %}", at=NOW - timedelta(minutes=10), now=NOW)


def test_times_are_in_the_zone_of_the_reader() -> None:
    """A person sees times in the zone of their profile, with UTC on hover."""
    alice = User(username="alice", timezone="Asia/Kolkata")
    body = draw('{% when at "time" %}', at=datetime(2026, 11, 23, 9, 50, tzinfo=UTC), user=alice)
    assert ">15:20 IST<" in body
    assert 'title="23 Nov 2026, 09:50:00 UTC"' in body


def test_unknown_zone_is_utc() -> None:
    """A zone that does not exist, or nobody's, reads as UTC."""
    assert zone_of(User(timezone="Mars/Olympus")) is UTC
    assert zone_of(AnonymousUser()) is UTC


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (5, "just now"),
        (61, "1 min ago"),
        (7300, "2 h ago"),
        (-7300, "in 2 h"),
        (200_000, "2 d ago"),
    ],
)
def test_relative_time_uses_the_largest_unit(passed: int, words: str) -> None:
    """One unit is enough to know how old something is."""
    assert relative(timedelta(seconds=passed)) == words


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.9994, "99.94 %"),
        (1.0, "100.00 %"),
        (0.99999, "99.999 %"),
        (-4.0, "−400.00 %"),
        (None, "no data"),
    ],
)
def test_percent_never_rounds_up_to_all(fraction: float | None, words: str) -> None:
    """Only everything reads 100 %; None is no data."""
    assert percent(fraction) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(16_260, "4 h 31 min"), (90_000, "1 d 1 h"), (60, "1 min"), (0.214, "214 ms"), (-5, "−5 s")],
)
def test_duration_in_two_units(seconds: float, words: str) -> None:
    """A length of time is read in its two largest units."""
    assert duration(seconds) == words


def test_number_sets_thousands_apart() -> None:
    """Large counts are readable; None is no data."""
    assert number(1_234_567) == "1,234,567"
    assert number(None) == "no data"


def test_every_component_is_documented() -> None:
    """Each file in components/ names its parameters, and the guide to the pages lists it."""
    guide = (Path(settings.BASE_DIR) / "docs" / "ui.md").read_text()
    for path in (Path(settings.BASE_DIR) / "templates" / "components").glob("*.html"):
        source = path.read_text()
        assert source[:200].count("{#") == 1, path.name
        tag = re.search(r"Tags?: (\w+)", source)
        name = tag.group(1) if tag else path.stem
        assert re.search(rf"\b{name}\b", guide), name
