"""Opsgenie's searches, as far as they are understood: `status: open AND count > 5 "disk full"`.

What is not understood is refused: whoever searches acts on the answer.
"""

import re
from typing import NamedTuple

__all__ = ["Condition", "QueryError", "conditions"]

_LONGEST = 5000
# SQLite takes an expression a thousand deep, and each condition may be several.
_MOST = 100
_TOKEN = re.compile(
    r"""\s*
    (?:(?P<field>[\w.-]+)\s*(?P<operator>!=|[<>]=?|[:=])\s*)?
    (?:"(?P<double>(?:[^"\\]|\\.)*)"(?!\S)|'(?P<single>(?:[^'\\]|\\.)*)'(?!\S)|(?P<word>\S+))?
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"""\\(["'\\])""")
# What joins, negates, groups or compares, or begins a quotation that does not end.
_SIGNS_IN_WORDS = re.compile(r"""^[-+!"']|[():<>=\\]|&&|\|\|""")
_SIGNS_IN_VALUES = re.compile(r"""^[!<>="']|[()\\]""")
_JOINING = {"AND", "OR", "NOT"}


class QueryError(ValueError):
    """A search that is not understood."""


class Condition(NamedTuple):
    """One of the conditions of a search, all of which must hold.

    Args:
        field: As it was written, "" where words are looked for anywhere.
        operator: `:`, or how it compares.
        value: Without the asterisks at its ends.
        way: "" where nothing was said of its ends, else how texts begin or end with it, as Django's
            lookups say that.
    """

    field: str
    operator: str
    value: str
    way: str = ""


def conditions(query: str) -> list[Condition]:
    """Return what a search asks for.

    Raises:
        QueryError: It joins in another way than by AND, is not written as Opsgenie's are, or too long.
    """
    if len(query) > _LONGEST:
        raise QueryError(f"it is longer than {_LONGEST} characters.")
    tokens = [token for token in _TOKEN.finditer(query) if token[0].strip()]
    found = [_condition(token) for token in tokens if token[0].strip().upper() != "AND"]
    if len(found) > _MOST:
        raise QueryError(f"it has more than {_MOST} conditions.")
    return found


def _condition(token: re.Match[str]) -> Condition:
    field, operator = token["field"] or "", token["operator"] or ":"
    quoted = token["single"] if token["double"] is None else token["double"]
    word = token["word"] or ""
    if not (quoted or word).strip():
        raise QueryError(f"{field[:40] or 'a condition'} has no value.")
    if quoted is not None:
        return Condition(field, operator, _ESCAPED.sub(r"\1", quoted).strip())
    if word.upper() in _JOINING:
        raise QueryError(f"{word} is not understood; conditions are joined by AND.")
    if (_SIGNS_IN_VALUES if field else _SIGNS_IN_WORDS).search(word):
        raise QueryError(f"{word[:40]} is not understood; signs of a text stand in quotes.")
    value = word.strip("*")
    if "*" in value:
        raise QueryError(f"{word[:40]} has an asterisk in its middle.")
    return Condition(field, operator, value, _WAYS[word.startswith("*"), word.endswith("*")])


# By whether anything may stand before it, and after it.
_WAYS = {
    (False, False): "",
    (False, True): "istartswith",
    (True, False): "iendswith",
    (True, True): "icontains",
}
