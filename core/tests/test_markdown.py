"""Markdown of people: shown, and nothing more."""

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.markdown import closed, rendered, rendered_together
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


_LONGEST = 50_000
HOSTILE = {
    "wide table": "|" + "a|" * 1000 + "\n|" + "-|" * 1000 + "\n" + "|\n" * _LONGEST,
    "wide tables": ("|" + "a|" * 90 + "\n|" + "-|" * 90 + "\n" + "x\n" * 9 + "\n") * 200,
    "table in a quotation": "> a|b\n> -|-\n" + "> x|\n" * _LONGEST,
    "brackets": "[" * _LONGEST,
    "closing brackets": "]" * _LONGEST,
    "emphasis": "*a_ " * _LONGEST,
    "items": "1. a\n" * _LONGEST,
    "nested items": ("- " * 9 + "a\n") * _LONGEST,
    "headings": "# a\n" * _LONGEST,
    "links": "[a](b)" * _LONGEST,
    "no line": "\n" * _LONGEST,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_page_of_hostile_texts_takes_no_second(text: str) -> None:
    """As many texts as a postmortem has, each as long as one may be, are rendered soon."""
    begun = time.process_time()
    shown = rendered_together([text[:_LONGEST]] * 11)
    assert sum(html.count("<td>") for html in shown) < 50_000
    assert [closed(text[:_LONGEST]) for _ in range(11)] == [text[:_LONGEST]] * 11
    assert time.process_time() - begun < 2.5


def test_what_is_too_much_is_shown_as_it_was_written() -> None:
    """Nothing is lost where the work ends: it ends between lines, and the next text is shown so, too."""
    begin, end = "**Why**\n\n", "[" * _LONGEST + " <b>&\n*end*"
    first, second = rendered_together([begin + end, "*then*"])
    assert first == f"<p><strong>Why</strong></p>\n<pre>{html.escape(end)}</pre>\n"
    assert second == "<pre>*then*</pre>\n"


def test_what_people_write_is_rendered_to_its_end() -> None:
    """Hundreds of lines of a log in each of a postmortem's sections, and a table in one."""
    log = "- **12:00** alice: `disk` of [db-1](https://example.org/db-1) is full\n" * 90
    table = "| when | who | what |\n|---|---|---|\n" + "| 12:00 | bob | restarted it |\n" * 500
    shown = rendered_together([*[log] * 10, table])
    assert [html.count("<li>") for html in shown] == [*[90] * 10, 0]
    assert shown[-1].count("<tr>") == 501
