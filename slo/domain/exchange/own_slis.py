"""SLIs that only the portal has, inside the open part of other formats.

OpenSLO leaves `spec` of a metric to whoever measures it. An SLI counted from the portal's own
telemetry is written there as `type: sreportal` with its kind and fields, and read back as it was.
"""

from collections.abc import Mapping
from typing import Any

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

__all__ = ["OWN_DEFAULTS", "OWN_TYPE", "SOURCED_KINDS", "own_fields", "read_own"]

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

whole = number(lambda value: value == int(value) and 0 <= value < 2**31, otherwise="a whole number")
FIELDS: dict[str, Check] = {
    "kind": choice(*KINDS),
    "count": choice("good", "total"),
    **dict.fromkeys(("endpoint", "freshness_source", "probe_url"), text(most=500)),
    **dict.fromkeys(("probe_statuses", "probe_body"), text(most=200)),
    **dict.fromkeys(("error_from", "threshold_ms", "threshold_s"), whole),
    **dict.fromkeys(("silence_grace_s", "probe_every_s", "probe_timeout_ms"), whole),
    "only_successful": boolean,
    "excluded_statuses": listing(whole),
}
own_spec = mapping(FIELDS, required=["kind"])


def read_own(metric: Metric, report: Report) -> dict[str, Any]:
    """Return the fields of an SLI of the portal's own telemetry; what is wrong is reported."""
    before = len(report.errors)
    own_spec(metric.spec, metric.path, report)
    if len(report.errors) > before:
        return {"kind": "availability"}
    return {key: value for key, value in metric.spec.items() if key != "count"}


def own_fields(sli: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kind and those fields that are not as they are anyway."""
    changed = {name: sli[name] for name, usual in OWN_DEFAULTS.items() if sli[name] != usual}
    return {"kind": sli["kind"], **changed}
