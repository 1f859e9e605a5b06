"""Whether the queries of an SLI can be asked of its source, said field by field."""

from collections.abc import Mapping

from slo.domain import promql
from slo.domain.cloudwatch_queries import read_query

__all__ = ["query_errors"]

CLOUDWATCH = "cloudwatch"
COUNTED = {"availability", "success", "throughput", "ratio"}
MAX_LENGTH = 4000


def query_errors(
    source_kind: str,
    kind: str,
    *,
    counters: Mapping[str, str],
    value: str,
    threshold_ms: int | None,
) -> dict[str, str]:
    """Return what is wrong, by field.

    Args:
        source_kind: prometheus or cloudwatch.
        kind: Kind of the SLI.
        counters: good_query, bad_query and total_query; empty ones are not looked at.
        value: value_query.
        threshold_ms: Of a latency SLI.
    """
    if kind not in COUNTED | {"latency", "time_slices"}:
        return {"source": f"The portal itself measures {kind}; leave the source empty."}
    used = {"value_query": value} if kind == "time_slices" else counters
    too_long = [name for name, query in used.items() if len(query) > MAX_LENGTH]
    if too_long:
        return dict.fromkeys(too_long, f"At most {MAX_LENGTH} characters.")
    if kind == "latency":
        return _latency_errors(source_kind, counters["total_query"], threshold_ms)
    asked = {name: query for name, query in used.items() if query}
    return _each(source_kind, asked, counts=kind != "time_slices")


def _each(source_kind: str, queries: Mapping[str, str], *, counts: bool) -> dict[str, str]:
    errors = {}
    for name, query in queries.items():
        try:
            if source_kind == CLOUDWATCH:
                read_query(query, counts=counts)
            elif counts:
                promql.counter(query)
        except ValueError as error:
            errors[name] = str(error)
    return errors


def _latency_errors(source_kind: str, query: str, threshold_ms: int | None) -> dict[str, str]:
    if source_kind == CLOUDWATCH:
        return {
            "source": "CloudWatch keeps no histograms, so requests within a threshold cannot be"
            " counted. Use time_slices on a percentile, or a metric of your own with kind ratio."
        }
    if not query or not threshold_ms:
        return {}
    try:
        promql.latency_histogram(query, threshold_ms=threshold_ms)
    except ValueError as error:
        return {"total_query": str(error)}
    return {}
