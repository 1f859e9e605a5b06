"""Markdown that people wrote, as HTML that does nothing but show it.

Raw HTML is text, and what comes out passes an allow-list: no attribute but the address of a link is
left, as HTMX reads attributes like scripts. Images are text, too: they would tell others who reads.
"""

from collections.abc import Sequence

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["closed", "rendered"]

# A page's own headings are above: one of the text's first level stands two below.
_LOWER_BY, _LOWEST = 2, 6
_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"),
    *("pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
# Without a say on all tags together, titles and languages would be left.
_ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}}
_SCHEMES = {"http", "https", "mailto"}
_parser = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["html_block", "html_inline", "image"])
)


def rendered(text: str) -> SafeString:
    """Return Markdown as HTML that may stand in any page."""
    tokens = _parser.parse(text)
    _lower_headings(tokens)
    html = _parser.renderer.render(tokens, _parser.options, {})
    clean = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES)
    return SafeString(clean)


def closed(text: str) -> str:
    """Return Markdown that other Markdown can follow: a code fence that is still open is closed."""
    last = _parser.parse(f"{text}\n\n# Next")[-1]
    return f"{text}\n{last.markup}" if last.type == "fence" else text


def _lower_headings(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + _LOWER_BY, _LOWEST)}"
