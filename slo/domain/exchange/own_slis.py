"""SLIs that only the portal has, inside the open part of other formats.

OpenSLO leaves `spec` of a metric to whoever measures it. An SLI counted from the portal's own
telemetry is written there as `type: sreportal` with its kind and fields, and read back as it was.
"""

from collections.abc import Mapping
from typing import Any

from core.yaml_documents import Path
from slo.domain.exchange.checks import (
    Check,
    Report,
    boolean,
    choice,
    listing,
    mapping,
    number,
    text,
)
from slo.domain.exchange.drafts import Metric

__all__ = ["OWN_DEFAULTS", "OWN_TYPE", "SOURCED_KINDS", "own_fields", "read_own", "whole"]

OWN_TYPE = "sreportal"
OWN_DEFAULTS: Mapping[str, Any] = {
    "endpoint": "",
    "error_from": 500,
    "excluded_statuses": [],
    "threshold_ms": None,
    "only_successful": False,
    "freshness_source": "",
    "threshold_s": None,
    "silence_grace_s": 600,
    "probe_url": "",
    "probe_every_s": 60,
    "probe_timeout_ms": 5000,
    "probe_statuses": "200-299",
    "probe_body": "",
}
# Kinds whose counters come from a source, and what their spec holds besides the query.
SOURCED_KINDS: Mapping[str, tuple[str, ...]] = {
    "availability": (),
    "success": (),
    "throughput": (),
    "latency": ("threshold_ms",),
}
KINDS = ("availability", "success", "latency", "freshness", "throughput", "probe")

whole = number(
    lambda value: value == int(value) and 0 <= value < 2**31, otherwise="write a whole number."
)


def _own_rule(value: dict[str, Any], path: Path, report: Report) -> None:
    """Its own counters and values are queries; every other kind says what is counted by itself."""
    has_query = value.get("query") is not None
    if has_query and value.get("kind") not in {None, "throughput"}:
        report.wrong((*path, "query"), f"{value['kind']} is counted without a query; leave it out.")
    elif not has_query and value.get("kind") is None:
        report.wrong((*path, "kind"), f"Say one of {', '.join(KINDS)}, or give a query.")


FIELDS: dict[str, Check] = {
    "kind": choice(*KINDS),
    "query": text(),
    "count": choice("good", "total"),
    **dict.fromkeys(("endpoint", "freshness_source", "probe_url"), text(most=500)),
    **dict.fromkeys(("probe_statuses", "probe_body"), text(most=200)),
    **dict.fromkeys(("error_from", "threshold_ms", "threshold_s"), whole),
    **dict.fromkeys(("silence_grace_s", "probe_every_s", "probe_timeout_ms"), whole),
    "only_successful": boolean,
    "excluded_statuses": listing(whole),
}
own_spec = mapping(FIELDS, rule=_own_rule)


def read_own(metric: Metric, report: Report) -> dict[str, Any]:
    """Return the fields of an SLI of the portal's own telemetry, and its kind where it is said.

    What is wrong is reported, and then nothing is returned.
    """
    before = len(report.errors)
    own_spec(metric.spec, metric.path, report)
    if len(report.errors) > before:
        return {}
    return {
        key: value
        for key, value in metric.spec.items()
        if key not in {"count", "query"} and value is not None
    }


def own_fields(sli: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields that are not as they are anyway."""
    return {name: sli[name] for name, usual in OWN_DEFAULTS.items() if sli[name] != usual}
