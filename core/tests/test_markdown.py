"""Markdown of people: shown, and nothing more."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.markdown import rendered
from core.markdown_text import escaped


def test_text_is_shown_as_it_is_meant() -> None:
    """Lists, links, tables and headings, which stand below those of the page."""
    assert rendered("# Why\n\n- **disk** was ~~slow~~ full") == (
        "<h3>Why</h3>\n<ul>\n<li><strong>disk</strong> was <s>slow</s> full</li>\n</ul>\n"
    )
    assert "<td>1</td>" in rendered("|a|\n|-|\n|1|")
    link = rendered("[runbook](https://example.org/a?b=1&c=2)")
    assert 'href="https://example.org/a?b=1&amp;c=2"' in link
    assert 'rel="noopener noreferrer"' in link


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<div hx-get=/logout hx-trigger=load>x</div>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,x)",
        "![x](https://tracker.example/x.png)",
        '<a href="x" onclick="y">z</a>',
        "<style>*{display:none}</style>",
        '[x](http://example.org "Signed by the portal")',
    ],
)
def test_nothing_runs_and_nothing_is_fetched(text: str) -> None:
    """What a browser or HTMX would do something with is text, or gone."""
    shown = rendered(text)
    assert " title=" not in shown
    for start in ("<script", "<div", "<img", "<style", "<a onclick", 'href="java', 'href="data'):
        assert start not in shown


@given(st.text(max_size=60) | st.from_regex(r"[-#+=>*_`~\d.)(\[\]!<|&; a\n]{0,20}", fullmatch=True))
def test_text_of_others_is_one_line_that_reads_as_it_did(text: str) -> None:
    """Nothing comes of it but text, whatever signs stand in it, wherever it stands."""
    for before, made in (("", {"p"}), ("x ", {"p"}), ("- ", {"ul", "li"})):
        assert set(re.findall(r"</?(\w+)", rendered(f"{before}{escaped(text)}"))) <= made
    read = html.unescape(re.sub(r"</?p>", "", rendered(escaped(text))))
    assert "".join(read.split()) == "".join(text.replace("\0", "\ufffd").split())


@pytest.mark.parametrize("text", ["Crash in C #", "#", "Fix # ##", "C#"])
def test_a_heading_ends_with_the_signs_of_its_text(text: str) -> None:
    """Markdown takes those at the end of a heading away where a space is before them."""
    assert rendered(f"# Postmortem: {escaped(text)}") == f"<h3>Postmortem: {text}</h3>\n"
