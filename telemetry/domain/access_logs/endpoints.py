"""Under which endpoint a logged path is counted: a log knows paths, SLIs are about routes."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from sre.http import UNMATCHED
from sre.slo_sli import OTHER_ENDPOINT
from sre.validation import MAX_NAME_LENGTH

NOT_FOUND = 404
MAX_NAMES = 500
_REMEMBERED = 10_000
_PLACEHOLDER = re.compile(r":\w+\Z|<[^<>/]+>\Z|\{[^{}/]+\}\Z|\*\Z")
# What stands in a path in place of one of many: numbers, UUIDs, hashes, ULIDs, addresses.
_ID = re.compile(
    r"\d+\Z"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z"
    r"|(?=[^/]*\d)[0-9a-fA-F]{12,}\Z"
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}\Z"
    r"|[^@/]+@[^@/]+\.[^@/]+\Z"
    r"|[^/]*%40[^/]*\Z"
    r"|[^/]{65,}\Z"
)


class BadPattern(ValueError):
    """A pattern that no path could match."""


class EndpointNames:
    """Turns paths into names, of which there are at most `MAX_NAMES`.

    A path that matches a pattern is named by it, the first one that does. Of other paths the
    segments that look like identifiers are replaced by `:id`; those answered with 404 become
    `(unmatched)` unless their name answered otherwise before, as what scanners try is no route.

    Args:
        patterns: Routes such as `/users/:id`, `/users/<int:id>` or `/users/{id}`; a placeholder
            stands for one segment, `*` at the end for any number.
        known: Names the service is counted under already.

    Raises:
        BadPattern: If one does not begin with a slash, or is too long.
    """

    def __init__(self, patterns: Iterable[str] = (), known: Iterable[str] = ()) -> None:
        self._patterns = [(pattern, _compiled(pattern)) for pattern in patterns]
        self._by_path: dict[str, tuple[str, bool]] = {}
        self._names = set(known) - {OTHER_ENDPOINT}

    def name(self, target: str, status: int) -> str:
        """Return the endpoint of what was asked for; `(unmatched)` for a malformed request."""
        path = target.partition("?")[0]
        known = self._by_path.get(path)
        if known is None:
            known = self._find(path)
            if len(self._by_path) >= _REMEMBERED:
                self._by_path.clear()
            self._by_path[path] = known
        name, is_route = known
        if name in self._names:
            return name
        if status == NOT_FOUND and not is_route:
            return UNMATCHED
        return self._admitted(name)

    def _find(self, path: str) -> tuple[str, bool]:
        if "://" in path[:10]:
            path = _path_of_url(path)
        path = path.partition("#")[0].partition(";")[0]
        if not path.startswith("/") or not path.isprintable():
            return UNMATCHED, True
        for pattern, regex in self._patterns:
            if regex.match(path):
                return pattern, True
        name = "/".join(":id" if _ID.match(part) else part for part in path.split("/"))
        return name[:MAX_NAME_LENGTH], False

    def _admitted(self, name: str) -> str:
        if len(self._names) >= MAX_NAMES:
            return OTHER_ENDPOINT
        self._names.add(name)
        return name


def _path_of_url(url: str) -> str:
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return ""


def _compiled(pattern: str) -> re.Pattern[str]:
    if not pattern.startswith("/") or not pattern.isprintable():
        raise BadPattern(f"{pattern!r}: a pattern begins with /, such as /users/:id.")
    if len(pattern) > MAX_NAME_LENGTH:
        raise BadPattern(f"A pattern has at most {MAX_NAME_LENGTH} characters.")
    return re.compile("/".join(_segments(pattern.split("/"))) + r"\Z")


def _segments(parts: Sequence[str]) -> Iterable[str]:
    for index, part in enumerate(parts):
        if part == "*" and index == len(parts) - 1:
            yield ".*"
        elif _PLACEHOLDER.match(part):
            yield "[^/]+"
        else:
            yield re.escape(part)
