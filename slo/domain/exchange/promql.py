"""Counters and windows inside a Prometheus query.

The portal counts: it wants the counter itself, `sum(requests_total{code="500"})`. Tools that work
by windows write `sum(rate(requests_total{code="500"}[{{.window}}]))`. One is made of the other here,
where the query is a sum or difference of counters; anything else is left as it is.

>>> counter_of('sum(rate(hits{code=~"5.."}[{{.window}}]))')
'sum(hits{code=~"5.."})'
>>> over('sum by (code) (hits{code=~"5.."})', "5m")
'sum by (code) (rate(hits{code=~"5.."}[5m]))'
"""

import re
from collections.abc import Iterator

__all__ = ["WINDOW", "counter_of", "has_window", "is_counter", "over", "terms_of", "with_window"]

# As Go templates write it, with and without spaces.
WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")
MINUTE = "1m"
AGGREGATIONS = frozenset(
    [
        "sum",
        "min",
        "max",
        "avg",
        "group",
        "stddev",
        "stdvar",
        "count",
        "count_values",
        "bottomk",
        "topk",
        "quantile",
    ]
)
WORDS = frozenset(
    [
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "bool",
        "and",
        "or",
        "unless",
        "offset",
    ]
)
_LABELLED = frozenset(["by", "without", "on", "ignoring", "group_left", "group_right"])
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
      | (?P<window>\{\{[^}]*\}\})
      | (?P<number>0x[0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?
                   (?:ms|[smhdwy])?(?:[0-9]+(?:ms|[smhdwy]))*)
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<sign>[-+*/%^=!<>~(){}\[\],@:]+?)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_SELECTOR = r"""[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?
               |\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)+\}"""
_WINDOWED = re.compile(
    rf"\b(?:rate|increase)\s*\(\s*(?P<selector>{_SELECTOR})\s*\[\s*(?:\{{\{{\s*\.window\s*\}}\}}|[0-9][0-9a-z]*)\s*\]\s*\)",
    re.VERBOSE,
)
_ZERO = re.compile(r"\bor\s+(?:on\s*\(\s*\)\s*)?vector\s*\(\s*0\s*\)", re.IGNORECASE)
_RANGE = re.compile(r"\[\s*1m\s*(?=[:\]])")


def has_window(query: str) -> bool:
    """Return whether `query` is a template over the window."""
    return bool(WINDOW.search(query))


def with_window(query: str, window: str = MINUTE) -> str:
    """Return the template `query` with its window filled in."""
    return WINDOW.sub(window, query)


def counter_of(query: str) -> str | None:
    """Return the counter whose rate or increase over the window `query` is, or None.

    It is one when the window stands only in `rate(x[window])` and `increase(x[window])`, and these
    are only summed, added and subtracted: then the counters' own sums and differences grow alike.
    A span such as `[5m]` is a window, too.
    """
    stripped = _WINDOWED.sub(lambda match: match["selector"].strip(), query.strip())
    if has_window(stripped) or not is_counter(stripped):
        return None
    return stripped


def is_counter(query: str) -> bool:
    """Return whether `query` is made of plain series by sums and differences only."""
    rest = _ZERO.sub("", query)
    tokens = [match for match in _tokens(rest) if match.lastgroup != "space"]
    braces = depth = 0
    for index, token in enumerate(tokens):
        word = token.group()
        braces += (word == "{") - (word == "}")
        depth += (word == "(") - (word == ")")
        if depth < 0 or braces not in {0, 1} or not (braces or _adds(tokens, index)):
            return False
    return depth == braces == 0 and any(_selectors(rest))


def terms_of(query: str) -> list[tuple[int, str]]:
    """Return the plain series that `query` adds up, each with its sign; empty if it is no counter.

    How they are grouped does not matter, as all groups are added up in the end.

    >>> terms_of('sum(hits) - (sum by (code) (hits{code="500"}) or vector(0))')
    [(1, 'hits'), (-1, 'hits{code="500"}')]
    """
    if not is_counter(query):
        return []
    terms, outer, sign, before = [], [1], 1, "("
    for word in _words(_ZERO.sub("", query)):
        if word == "(":
            outer.append(outer[-1] * sign)
            sign = 1
        elif word == ")":
            # A list of labels stands between an operator and what that adds.
            sign = outer.pop() * outer[-1]
        elif word in {"+", "-"}:
            negative = -1 if word == "-" else 1
            sign = sign * negative if before in {"+", "-"} else negative
        elif word != "sum":
            terms.append((outer[-1] * sign, word))
        before = word
    return terms


def _words(query: str) -> Iterator[str]:
    """Yield plain series whole, parentheses, signs and `sum`."""
    series = dict(_selectors(query))
    end = 0
    for token in _tokens(query):
        if token.start() in series:
            end = series[token.start()]
            yield query[token.start() : end].strip()
        elif token.start() >= end and token.group().lower() in {"(", ")", "+", "-", "sum"}:
            yield token.group().lower()


def _tokens(query: str) -> Iterator[re.Match[str]]:
    return _TOKEN.finditer(query)


def _adds(tokens: list[re.Match[str]], index: int) -> bool:
    """Return whether a token outside of braces is part of a series, a sum or a difference."""
    word, kind = tokens[index].group(), tokens[index].lastgroup
    if kind == "sign":
        return word in "+-(),}"
    if kind != "name":
        return False
    following = tokens[index + 1].group() if index + 1 < len(tokens) else ""
    if word.lower() in {"sum", "by", "without"}:
        return True
    return following != "(" and word.lower() not in WORDS


def _selectors(query: str) -> Iterator[tuple[int, int]]:
    """Yield where each plain series stands: its name with its labels, or labels alone."""
    tokens = [match for match in _tokens(query) if match.lastgroup != "space"]
    index = 0
    while index < len(tokens):
        word, kind = tokens[index].group(), tokens[index].lastgroup
        following = tokens[index + 1].group() if index + 1 < len(tokens) else ""
        if kind == "name" and word.lower() in _LABELLED and following == "(":
            index = _closing(tokens, index + 1, ")") + 1
        elif kind == "name" and (following == "(" or word.lower() in WORDS | AGGREGATIONS):
            index += 1
        elif word == "{" or kind == "name":
            brace = index if word == "{" else index + 1
            last = _closing(tokens, brace, "}") if word == "{" or following == "{" else index
            yield tokens[index].start(), tokens[last].end()
            index = last + 1
        else:
            index += 1


def _closing(tokens: list[re.Match[str]], start: int, sign: str) -> int:
    for index in range(start, len(tokens)):
        if tokens[index].group() == sign:
            return index
    return len(tokens) - 1


def over(query: str, window: str) -> str:
    """Return what `query` counted per second over `window`.

    A query of counters gets `rate(…[window])` around each series; one that has a range of a minute
    gets `window` in its place.
    """
    if not is_counter(query):
        return _RANGE.sub(f"[{window}", query)
    parts, at = [], 0
    for start, end in _selectors(query):
        parts += [query[at:start], f"rate({query[start:end].strip()}[{window}])"]
        at = end
    return "".join([*parts, query[at:]])


def has_minute(query: str) -> bool:
    """Return whether `over` can put another window into `query`."""
    return is_counter(query) or bool(_RANGE.search(query))
