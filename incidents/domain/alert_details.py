"""What an alert says besides its title: its labels and whatever else its sender sent, a line each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from incidents.domain.payloads import mapping, text, web_address

__all__ = ["Detail", "details_of"]

MOST = 40
_LONGEST = 1000
# Where senders put what has no place of its own: their name says nothing to who reads.
_PLAIN = frozenset({"annotations", "contexts", "custom_details", "detail", "details"})
_ADDRESSES = ("href", "src", "link", "url")
_NAMES = ("text", "alt", "type")


@dataclass(frozen=True)
class Detail:
    """A line.

    Args:
        name: What it is about, e.g. "instance"; parts of objects after their names and a dot.
        text: What is said.
        address: Where it leads, if anywhere; a browser may be sent there.
    """

    name: str
    text: str
    address: str = ""


def details_of(labels: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Detail]:
    """Return labels, then facts, each line once and none empty.

    Of more than `MOST` lines the first are returned, and one that says how many there are besides.
    """
    lines = [line for line in (*_lines("", labels), *_lines("", facts)) if line.text]
    once = list(dict.fromkeys(lines))
    more = len(once) - MOST
    return [*once[:MOST], Detail("…", f"{more} more")] if more > 0 else once


def _lines(name: str, value: Any) -> Iterator[Detail]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            inner = key if not name or name in _PLAIN else f"{name}.{key}"
            yield from _lines(inner, part)
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        for part in value:
            yield _link(name, part)
    elif isinstance(value, list):
        yield Detail(name, text(", ".join(text(part) for part in value), _LONGEST))
    else:
        yield Detail(name, text(value, _LONGEST), web_address(value))


def _link(name: str, part: Any) -> Detail:
    """Return one of several objects: a link where it leads somewhere, else all it says."""
    said = mapping(part)
    address = next(filter(None, (web_address(said.get(key)) for key in _ADDRESSES)), "")
    if not address:
        return Detail(name, text(part, _LONGEST))
    words = next(filter(None, (text(said.get(key), _LONGEST) for key in _NAMES)), address)
    return Detail(name, words, address)
