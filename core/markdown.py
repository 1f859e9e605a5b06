"""Markdown that people wrote, as HTML that does nothing but show it.

Raw HTML is text, and what comes out passes an allow-list: no attribute but the address of a link is
left, as HTMX reads attributes like scripts. Images are text, too: they would tell others who reads.
"""

import re
from collections.abc import Iterator, Sequence

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["closed", "rendered", "rendered_together"]

# A page's own headings are above: one of the text's first level stands two below.
_LOWER_BY, _LOWEST = 2, 6
_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"),
    *("pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
# Without a say on all tags together, titles and languages would be left.
_ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}}
_SCHEMES = {"http", "https", "mailto"}
# A good half second of one core; the thousands of lines that people may write need less.
_MOST_WORK = 60_000
# What Markdown looks at closely, what begins an item of a list, and what the width of a table is told by.
_SIGNS = re.compile(r"[]*_~`<>&!\\:#=]")
_ITEMS = re.compile(r"(?:[-+*]|[0-9][.)])(?=\s)")
_WIDTH = re.compile(r"[-:\s>|*+0-9.)]*\Z")
_LINE, _ITEM, _CELL, _BRACKET = 4, 4, 4, 2
_parser = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["html_block", "html_inline", "image"])
)
# Reads blocks only, and no table, which none of them can be in.
_outliner = MarkdownIt("commonmark", {"html": False}).disable(["html_block", "inline"])


def rendered(text: str) -> SafeString:
    """Return Markdown as HTML that may stand in any page; see `rendered_together`."""
    (html,) = rendered_together([text])
    return html


def rendered_together(texts: Sequence[str]) -> list[SafeString]:
    """Return the Markdown of one page as HTML that may stand in it.

    Beyond the work that a page may make, as tables of very many cells would, what follows is shown as it
    was written.
    """
    shown, left = [], _MOST_WORK
    for text in texts:
        end, left = _affordable(text, left)
        html = _html(text[:end])
        if rest := text[end:]:
            html += f"<pre>{escape(rest)}</pre>\n"
        shown.append(SafeString(html))
    return shown


def _html(text: str) -> str:
    tokens = _parser.parse(text)
    _lower_headings(tokens)
    html = _parser.renderer.render(tokens, _parser.options, {})
    return nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES)


def _affordable(text: str, work: int) -> tuple[int, int]:
    """Return where the lines end whose work can be afforded, and how much work is left after them."""
    end = 0
    for length, needed in _works(text):
        if needed > work:
            return end, 0
        end, work = end + length, work - needed
    return end, work


def _works(text: str) -> Iterator[tuple[int, int]]:
    """Yield the length of each line, and how much work it makes at most."""
    begin = cells = 0
    while begin < len(text):
        end = text.find("\n", begin) + 1 or len(text)
        line, bars = text[begin:end], text.count("|", begin, end)
        if not line.strip():
            cells = 0
        elif bars and _WIDTH.match(line):
            # It makes a table of the line before. Each row of one is filled up to its width.
            cells = max(cells, bars + 1)
        signs = len(_SIGNS.findall(line)) + _ITEM * len(_ITEMS.findall(line))
        yield end - begin, _LINE + signs + _BRACKET * line.count("[") + _CELL * cells
        begin = end


def closed(text: str) -> str:
    """Return Markdown that other Markdown can follow: a code fence that is still open is closed."""
    if not any(fence in text for fence in ("```", "~~~")):
        return text
    last = _outliner.parse(f"{text}\n\n# Next")[-1]
    return f"{text}\n{last.markup}" if last.type == "fence" else text


def _lower_headings(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + _LOWER_BY, _LOWEST)}"
