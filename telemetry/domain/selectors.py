"""Selecting counters: `jobs.done{queue="mail", result!="retry", host=~"web-.*"}`.

A name or a key may hold letters, digits and `_ . : / -`, beginning with a letter or `_`; anything
else goes in quotes, `{"a key"="b"}`. Operators are `=`, `!=`, `=~` and `!~`; a regular expression
must fit the whole value. A missing attribute is an empty one, as in Prometheus.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.patterns import matches_whole, pattern_problem

__all__ = ["Matcher", "Selector", "SelectorError", "parse"]

MAX_LENGTH = 2_000
MAX_PATTERN = 200
_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')


class SelectorError(ValueError):
    """What is wrong with a selector, and at which character, from 1."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at character {position}.")
        self.position = position


@dataclass(frozen=True)
class Matcher:
    """One condition on an attribute."""

    key: str
    operator: str
    value: str

    def fits(self, attributes: Mapping[str, str]) -> bool:
        """Return whether the attributes meet it."""
        given = attributes.get(self.key, "")
        if self.operator in {"=", "!="}:
            return (given == self.value) == (self.operator == "=")
        return matches_whole(self.value, given) is (self.operator == "=~")


@dataclass(frozen=True)
class Selector:
    """A metric's name and conditions on its attributes, all of which must hold."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def fits(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Return whether a series is selected."""
        return name == self.name and all(one.fits(attributes) for one in self.matchers)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def take(self, pattern: "re.Pattern[str]") -> str | None:
        self.skip()
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def next_is(self, character: str) -> bool:
        self.skip()
        is_next = self.text.startswith(character, self.at)
        self.at += is_next
        return is_next

    def error(self, message: str) -> SelectorError:
        return SelectorError(message, self.at + 1)


def parse(text: str) -> Selector:
    """Return the selector that a text describes.

    Raises:
        SelectorError: Names what was expected and where.
    """
    if len(text) > MAX_LENGTH:
        raise SelectorError(f"Is longer than {MAX_LENGTH} characters", MAX_LENGTH)
    reader = _Reader(text)
    name = _word(reader) or ""
    matchers: list[Matcher] = []
    if not name:
        raise reader.error("Expected the name of a metric")
    if reader.next_is("{"):
        matchers = _matchers(reader)
    reader.skip()
    if reader.at < len(text):
        raise reader.error(f"Expected {{ or the end, found {text[reader.at]!r}")
    return Selector(name, tuple(matchers))


def _word(reader: _Reader) -> str | None:
    name = reader.take(_NAME)
    return name if name is not None else _quoted(reader)


def _quoted(reader: _Reader) -> str | None:
    reader.skip()
    at = reader.at
    given = reader.take(_QUOTED)
    if given is None:
        return None
    try:
        return str(json.loads(given))
    except ValueError as error:
        raise SelectorError("Expected JSON's escapes in the quoted text", at + 1) from error


def _matchers(reader: _Reader) -> list[Matcher]:
    found: list[Matcher] = []
    while not reader.next_is("}"):
        if found and not reader.next_is(","):
            raise reader.error("Expected , or }")
        if found and reader.next_is("}"):
            return found
        found.append(_matcher(reader))
    return found


def _matcher(reader: _Reader) -> Matcher:
    key = _word(reader)
    if key is None:
        raise reader.error("Expected the name of an attribute")
    operator = reader.take(_OPERATOR)
    if operator is None:
        raise reader.error("Expected =, !=, =~ or !~")
    reader.skip()
    at = reader.at
    value = _quoted(reader)
    if value is None:
        raise reader.error('Expected a value in double quotes, like "mail"')
    if operator in {"=~", "!~"}:
        _check_pattern(value, at + 1)
    return Matcher(key, operator, value)


def _check_pattern(pattern: str, position: int) -> None:
    if len(pattern) > MAX_PATTERN:
        raise SelectorError(f"Expected a pattern of at most {MAX_PATTERN} characters", position)
    if problem := pattern_problem(pattern):
        raise SelectorError(f"Not a regular expression ({problem})", position)
