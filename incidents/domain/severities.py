"""From a sender's word for how bad it is to P0–P3, or to "nobody is called".

P0 comes only from an explicit `priority` label or from a map that somebody edited: else everything
becomes P0 within a month. The one exception is the sender's own highest priority of Opsgenie and
Datadog, which is explicit already.
"""

from collections.abc import Mapping

__all__ = [
    "AT_LEAST_ONCE",
    "BY_KIND",
    "CAN_WAIT",
    "DEFAULT",
    "PAGERDUTY_INCIDENTS",
    "SILENT",
    "Verdict",
    "is_priority",
    "judge",
]

SILENT = "none"
PAGERDUTY_INCIDENTS = "pagerduty incidents"
DEFAULT = "P2"
SEVERITIES = frozenset({"P0", "P1", "P2", "P3"})
# Whoever is called for these may be called twice rather than not at all.
AT_LEAST_ONCE = frozenset({"P0", "P1"})
# Nobody is woken to be asked or told about these.
CAN_WAIT = frozenset({"P3"})
# It has priorities that are called as ours are, and mean others.
_NAMESAKES = frozenset({"opsgenie", "datadog"})
Verdict = tuple[str, bool]

_WORDS = {
    "critical": "P1",
    "page": "P1",
    "fatal": "P1",
    "error": "P2",
    "high": "P2",
    "warning": "P3",
    "warn": "P3",
    "low": "P3",
    "info": SILENT,
    "none": SILENT,
    "debug": SILENT,
}
_PRIORITIES = {"p1": "P0", "p2": "P1", "p3": "P2", "p4": "P3", "p5": "P3"}
BY_KIND: Mapping[str, Mapping[str, str]] = {
    "alertmanager": _WORDS,
    "grafana": _WORDS,
    "pagerduty": {"critical": "P1", "error": "P2", "warning": "P3", "info": SILENT},
    # Its incidents have no severity, but an urgency and perhaps a priority.
    PAGERDUTY_INCIDENTS: {**_PRIORITIES, "high": "P2", "low": "P3"},
    "opsgenie": _PRIORITIES,
    "datadog": {**_PRIORITIES, "error": "P2", "warning": "P3", "warn": "P3", "info": SILENT},
    "sentry": {**_WORDS, "critical": "P1", "error": "P2"},
    "amazon_sns": _WORDS,
    "uptimekuma": _WORDS,
    "generic": {**_WORDS, "p0": "P0", "p1": "P1", "p2": "P2", "p3": "P3"},
}


def is_priority(word: str) -> bool:
    """Return whether a label's value is one of P0 to P3, in any case."""
    return word.upper() in SEVERITIES


def _is_own(kind: str, word: str) -> bool:
    """Return whether a sender says how bad it is by a priority of its own."""
    return kind in _NAMESAKES and word.lower() in _PRIORITIES


def judge(kind: str, word: str, *, labels: Mapping[str, str], edited: Mapping[str, str]) -> Verdict:
    """Return the severity of an event and whether anybody is called for it.

    Args:
        kind: Format of the integration, or `PAGERDUTY_INCIDENTS`.
        word: What the sender calls it, in any case; "" when it says nothing.
        labels: A `priority` of P0 to P3 among them wins over everything; P1 to P3 not over those of
            a sender who has such words of its own.
        edited: The integration's own map, words in lower case; wins over the default of its kind.

    Returns:
        P0 to P3, and False when it only informs (P3 then).
    """
    explicit = labels.get("priority", "").upper()
    if is_priority(explicit) and (explicit == "P0" or not _is_own(kind, word)):
        return explicit, True
    found = {**BY_KIND.get(kind, _WORDS), **edited}.get(word.lower(), DEFAULT)
    return ("P3", False) if found == SILENT else (found, True)
