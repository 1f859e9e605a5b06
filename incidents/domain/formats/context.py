"""What a format needs to know beside the body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incidents.domain.severities import Verdict, judge

__all__ = ["Context"]

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Context:
    """The integration and the request that a body came in.

    Args:
        kind: Format of the integration.
        severity_map: Its own words, lower case, and what they mean: P0 to P3 or "none".
        mapping: Expressions of the generic format.
        headers: Names in lower case.
    """

    kind: str
    severity_map: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def judge(self, word: str, labels: Mapping[str, str] = _NOTHING) -> Verdict:
        """Return the severity that a sender's word means here, and whether anybody is called."""
        return judge(self.kind, word, labels=labels, edited=self.severity_map)
