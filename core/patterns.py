"""Patterns that people write, matched with what strangers send.

RE2's, as in Alertmanager and Prometheus: its time grows with the text and with nothing else, while one
look with Python's own patterns may take longer than anybody lives.
"""

from functools import lru_cache
from typing import Any

import re2

__all__ = ["matches_whole", "pattern_problem"]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)


def pattern_problem(pattern: str) -> str:
    """Return why a text is no pattern, "" when it is one."""
    try:
        _compiled(pattern)
    except UnicodeEncodeError:
        return "it is no text"
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return ""


def matches_whole(pattern: str, text: str) -> bool | None:
    """Return whether all of a text is as a pattern says, None where it is no pattern."""
    if pattern_problem(pattern):
        return None
    # Half of a surrogate pair is no character that a pattern could mean.
    return _compiled(pattern).fullmatch(text.encode(errors="replace").decode()) is not None
