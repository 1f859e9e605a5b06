"""Which alerts a silence holds back: Alertmanager's matchers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.patterns import matches_whole, pattern_problem

__all__ = [
    "OPERATORS",
    "YEARS",
    "Matcher",
    "are_met",
    "can_begin",
    "matcher_problem",
    "read_matcher",
    "written",
]

OPERATORS = ("=", "!=", "=~", "!~")
# Nobody plans outside of them, and what is added to a time in them is one that Python knows.
YEARS = range(2000, 2101)
_LONGEST = 500
_LINE = re.compile(r"(?P<name>[^\s=!~\"]+)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>.*)")


@dataclass(frozen=True)
class Matcher:
    """One condition on a label; a label that is missing is empty.

    Args:
        name: Of the label; `title`, `severity` and `source` are those of the alert.
        op: One of `OPERATORS`.
        value: Text, or a pattern that must match all of it.
    """

    name: str
    op: str
    value: str

    def is_met(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels fulfil it."""
        found = labels.get(self.name, "")
        if self.op in {"=", "!="}:
            return (found == self.value) is (self.op == "=")
        # What is no pattern holds nothing back, whichever way it was meant.
        return matches_whole(self.value, found) is (self.op == "=~")


def can_begin(at: datetime) -> bool:
    """Return whether a silence, or maintenance, may begin at a time."""
    return at.year in YEARS


def are_met(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether all matchers are met; none at all match everything."""
    return all(matcher.is_met(labels) for matcher in matchers)


def read_matcher(line: str) -> dict[str, str]:
    """Return one matcher as it is stored, from a line such as `env!="test"`.

    Raises:
        ValueError: It says none; of what it says `matcher_problem` tells more.
    """
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError(f'write a matcher like env="prod" or host=~"web.*", not {line.strip()!r}')
    value = found["value"]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"')
    return {"name": found["name"], "op": found["op"], "value": value}


def written(matcher: Mapping[str, str]) -> str:
    """Return a stored matcher as `read_matcher` reads it."""
    value = matcher["value"].replace('"', '\\"')
    return f'{matcher["name"]}{matcher["op"]}"{value}"'


def matcher_problem(value: Any) -> str:
    """Return what is wrong with one matcher as stored; empty when nothing is."""
    if not isinstance(value, Mapping) or set(value) != {"name", "op", "value"}:
        return 'A matcher is {"name": …, "op": …, "value": …}.'
    name, op, text = value["name"], value["op"], value["value"]
    if not isinstance(name, str) or not name or not isinstance(text, str):
        return "Name and value of a matcher are texts, the name not empty."
    if op not in OPERATORS:
        return f"The op of a matcher is one of {', '.join(OPERATORS)}."
    if len(text) > _LONGEST:
        return f"A matcher's value has {_LONGEST} characters at most."
    if op in {"=~", "!~"} and (problem := pattern_problem(text)):
        return f"The pattern cannot be read: {problem}."
    return ""
