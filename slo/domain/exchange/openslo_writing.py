"""SLOs as OpenSLO v1, in a form that is read back as it was."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from slo.domain.exchange.exported import Exported
from slo.domain.exchange.openslo import METHODS, OWN_PREFIX
from slo.domain.exchange.own_slis import OWN_TYPE, SOURCED_KINDS, own_fields
from slo.domain.exchange.planning import MEASURED, QUERY_KEYS
from slo.domain.exchange.windows import write_window

__all__ = ["documents_of", "losses_of"]

BUDGETING = {method: word for word, method in METHODS.items()}
MAX_DESCRIPTION = 1050
COUNTED = {"ratio", "throughput"}
TYPES = {"prometheus": "Prometheus", "cloudwatch": "CloudWatch"}


def documents_of(
    slos: Iterable[Exported],
    services: Mapping[str, tuple[str, str]],
    sources: Mapping[str, tuple[str, Mapping[str, str]]],
) -> list[dict[str, Any]]:
    """Return the documents of these SLOs, each after those that it names.

    Args:
        slos: The SLOs; members before their composite.
        services: Name and description by slug.
        sources: Kind and connection by slug.
    """
    chosen = list(slos)
    documents = [
        _document("Service", slug, {"description": described}, title=name)
        for slug, (name, described) in sorted(services.items())
    ]
    documents += [
        _document("DataSource", slug, {"type": TYPES[kind], "connectionDetails": dict(details)})
        for slug, (kind, details) in sorted(sources.items())
    ]
    written: set[str] = set()
    by_slug = {slo.slug: slo for slo in chosen}
    for slo in chosen:
        if not slo.members and slo.sli not in written:
            written.add(slo.sli)
            documents.append(_document("SLI", slo.sli, _indicator(slo)))
    return [*documents, *(_slo(slo, by_slug) for slo in chosen)]


def losses_of(slos: Iterable[Exported]) -> list[tuple[str, str, str]]:
    """Return what OpenSLO has no place for: slug of the SLO, field, and what becomes of it."""
    found = []
    for slo in slos:
        texts = {"description": slo.description, "sli.description": slo.measured["description"]}
        found += [
            (slo.slug, name, f"Cut to {MAX_DESCRIPTION} characters.")
            for name, text in texts.items()
            if len(text) > MAX_DESCRIPTION
        ]
        if slo.policy:
            found.append((slo.slug, "policy", f"The policy {slo.policy} is not written."))
        if slo.versions > 1:
            found.append(
                (slo.slug, "versions", f"Only the newest of {slo.versions} objectives is written.")
            )
        if slo.members and slo.sli != slo.slug:
            found.append((slo.slug, "sli", f"Read back, its SLI is called {slo.slug}."))
    return found


def _document(
    kind: str,
    name: str,
    spec: Mapping[str, Any],
    *,
    title: str = "",
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if title and title != name:
        metadata["displayName"] = title
    if annotations:
        metadata["annotations"] = dict(annotations)
    kept = {key: value for key, value in spec.items() if value not in ("", None)}
    if "description" in kept:
        kept["description"] = kept["description"][:MAX_DESCRIPTION]
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": metadata, "spec": kept}


def _indicator(slo: Exported) -> dict[str, Any]:
    sli = slo.measured
    spec: dict[str, Any] = {"description": sli["description"]}
    if sli["kind"] == "time_slices":
        return spec | {"thresholdMetric": _asked(slo, sli["value_query"])}
    if not slo.source and sli["kind"] not in COUNTED:
        own = {"kind": sli["kind"], **own_fields(sli)}
        roles = {
            role: {"metricSource": {"type": OWN_TYPE, "spec": {**own, "count": role}}}
            for role in ("good", "total")
        }
    elif sli["kind"] == "latency":
        # A histogram is both: how many there were, and how many were fast enough.
        roles = {role: _asked(slo, sli["total_query"], "total") for role in ("good", "total")}
    else:
        roles = {
            role: _asked(slo, sli[f"{role}_query"], role)
            for role in ("good", "bad", "total")
            if sli[f"{role}_query"]
        }
    return spec | {"ratioMetric": {"counter": True, **roles}}


def _asked(slo: Exported, query: str, role: str = "value") -> dict[str, Any]:
    sli = slo.measured
    spec = _fields_of(query) if slo.source_kind == "cloudwatch" else {"query": query}
    if not slo.source and role in {"total", "value"}:
        spec |= own_fields(sli)
    if role == "total" and sli["kind"] in SOURCED_KINDS:
        spec["kind"] = sli["kind"]
        spec |= {name: sli[name] for name in SOURCED_KINDS[sli["kind"]]}
    if slo.source:
        return {"metricSource": {"metricSourceRef": slo.source, "spec": spec}}
    return {"metricSource": {"type": OWN_TYPE, "spec": spec}}


def _fields_of(query: str) -> dict[str, Any]:
    """Return a CloudWatch query as its fields, where they are read back as the same text."""
    try:
        fields = json.loads(query)
    except ValueError:
        return {"query": query}
    if not isinstance(fields, dict) or {"kind", *QUERY_KEYS} & set(fields):
        return {"query": query}
    is_same = json.dumps(fields, sort_keys=True, ensure_ascii=False) == query
    return fields if is_same and fields else {"query": query}


def _slo(slo: Exported, known: Mapping[str, Exported]) -> dict[str, Any]:
    own = {f"{OWN_PREFIX}minimum-events": str(slo.minimum_events)}
    if not slo.is_enabled:
        own[f"{OWN_PREFIX}enabled"] = "false"
    spec: dict[str, Any] = {
        "description": slo.description,
        "service": slo.service,
        "timeWindow": [write_window(slo.window)],
        "budgetingMethod": BUDGETING[slo.method],
    }
    if slo.members:
        own[f"{OWN_PREFIX}objective"] = f"{slo.objective:f}"
        spec["objectives"] = [
            {
                "displayName": slug,
                "target": float(known[slug].objective),
                "compositeWeight": weight,
                "indicatorRef": known[slug].sli,
            }
            for slug, weight in slo.members
            if slug in known
        ]
    else:
        spec |= {"indicatorRef": slo.sli, "objectives": [_objective(slo)]}
    return _document("SLO", slo.slug, spec, title=slo.name, annotations=own)


def _objective(slo: Exported) -> dict[str, Any]:
    sli = slo.measured
    found: dict[str, Any] = {"target": float(slo.objective)}
    if sli["kind"] == "time_slices":
        found |= {"op": sli["comparison"], "value": _plain(sli["comparison_value"])}
    if slo.method == "time_slices" or sli["slice_target"] != MEASURED["slice_target"]:
        found["timeSliceTarget"] = float(sli["slice_target"])
    if slo.method != "occurrences":
        found["timeSliceWindow"] = "1m"
    return found


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
