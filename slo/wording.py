"""What an SLI counts, in a sentence: the first line of every "explain"."""

from collections.abc import Callable

from slo.models import CompositeMember, Sli

__all__ = ["excluded", "rule"]

_SIGNS = {"lt": "<", "lte": "≤", "gt": ">", "gte": "≥"}


def rule(sli: Sli) -> str:
    """Say which events are good."""
    said: dict[str, Callable[[Sli], str]] = {
        Sli.Kind.LATENCY: _latency,
        Sli.Kind.FRESHNESS: _freshness,
        Sli.Kind.TIME_SLICES: _time_slices,
        Sli.Kind.PROBE: _probe,
        Sli.Kind.COMPOSITE: _composite,
    }
    if sli.is_counted:
        return _counted(sli)
    return said.get(sli.kind, _requests)(sli)


def excluded(sli: Sli) -> str:
    """Say which requests are no valid events; empty when all are."""
    statuses = ", ".join(map(str, sli.excluded_statuses))
    return f"requests answered with {statuses}" if statuses else ""


def _which(sli: Sli) -> str:
    return f"requests to {sli.endpoint}" if sli.endpoint else "requests"


def _from(sli: Sli) -> str:
    return f", asked of {sli.source.slug}" if sli.source else ""


def _requests(sli: Sli) -> str:
    return f"Good: {_which(sli)} answered with a status below {sli.error_from}."


def _latency(sli: Sli) -> str:
    if sli.source:
        histogram = f"counted by {sli.total_query}{_from(sli)}"
        return f"Good: requests answered within {sli.threshold_ms} ms, {histogram}."
    base = "successful requests" if sli.only_successful else _which(sli)
    return f"Good: {base} answered within {sli.threshold_ms} ms."


def _freshness(sli: Sli) -> str:
    return f"Good: reports of “{sli.freshness_source}” younger than {sli.threshold_s} s."


def _counted(sli: Sli) -> str:
    share = f"Good: {sli.good_query}" if sli.good_query else f"Bad: {sli.bad_query}"
    return f"{share}, of {sli.total_query}{_from(sli)}."


def _time_slices(sli: Sli) -> str:
    sign = _SIGNS.get(sli.comparison, "?")
    limit = "?" if sli.comparison_value is None else f"{sli.comparison_value.normalize():f}"
    return f"Good: minutes in which {sli.value_query} {sign} {limit}{_from(sli)}."


def _probe(sli: Sli) -> str:
    text = f" with “{sli.probe_body}” in it" if sli.probe_body else ""
    within = sli.threshold_ms or sli.probe_timeout_ms
    return (
        f"Good: checks of {sli.probe_url}, every {sli.probe_every_s} s, answered with"
        f" {sli.probe_statuses}{text} within {within} ms."
    )


def _composite(sli: Sli) -> str:
    members = CompositeMember.objects.filter(sli=sli).select_related("slo")
    named = ", ".join(f"{member.slo.slug} × {member.weight}" for member in members)
    return f"The weighted mean of {named}." if named else "A composite without members."
