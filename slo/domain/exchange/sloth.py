"""Reading Sloth's specification: `version: prometheus/v1`, and the same as a Kubernetes object.

Source: Sloth, "SLO spec", https://sloth.dev/specs/default/ and
https://sloth.dev/specs/kubernetes/ (`sloth.slok.dev/v1`, PrometheusServiceLevel).
"""

from collections.abc import Mapping
from typing import Any

from core.yaml_documents import Path
from slo.domain.exchange.checks import (
    Check,
    Report,
    anything,
    boolean,
    choice,
    dns_label,
    exact,
    mapping,
    number,
    open_mapping,
    text,
)
from slo.domain.exchange.checks import listing as list_of
from slo.domain.exchange.drafts import Entry, Indicator, Metric, Objective, Promise, SourceRef
from slo.domain.exchange.promql import has_window
from slo.domain.exchange.windows import WindowDraft

__all__ = ["FORMAT", "KIND", "is_sloth", "read_sloth"]

FORMAT = "sloth/v1"
KIND = "PrometheusServiceLevel"
API_VERSION = "sloth.slok.dev/v1"
VERSION = "prometheus/v1"
RULES_ONLY = "It is for Prometheus rules only; the portal measures by itself."
SOURCE = "prometheus"


def is_sloth(data: Mapping[str, Any]) -> bool:
    """Return whether a document says that it is Sloth's."""
    version = str(data.get("version", ""))
    return version.startswith("prometheus/") or str(data.get("apiVersion", "")).startswith("sloth.")


def _windowed(value: Any, path: Path, report: Report) -> None:
    before = len(report.errors)
    text()(value, path, report)
    if len(report.errors) == before and not has_window(value):
        report.wrong(path, "The query must hold {{.window}} where its range goes.")


def _sli_rule(value: dict[str, Any], path: Path, report: Report) -> None:
    kinds = [name for name in SLI_KINDS if value.get(name) is not None]
    if len(kinds) != 1:
        report.wrong(path, f"Exactly one of {', '.join(SLI_KINDS)} must be there.")
    elif kinds[0] in {"plugin", "denominator_corrected"}:
        report.wrong(
            (*path, kinds[0]),
            "Its query is made by code inside Sloth; write the query itself under events.",
        )


SLI_KINDS = ("events", "raw", "plugin", "denominator_corrected")
events = mapping(
    {"error_query": _windowed, "total_query": _windowed}, required=["error_query", "total_query"]
)
sli = mapping(
    {
        "events": events,
        "raw": mapping({"error_ratio_query": _windowed}, required=["error_ratio_query"]),
        "plugin": anything,
        "denominator_corrected": anything,
    },
    rule=_sli_rule,
)
labels = open_mapping(
    lambda value, path, report: (
        report.wrong(path, "Expected a label's value.") if isinstance(value, dict | list) else None
    )
)
tier = mapping({"disable": boolean, "labels": labels, "annotations": labels})
alerting = mapping(
    {
        "name": text(may_be_empty=True),
        "labels": labels,
        "annotations": labels,
        "page_alert": tier,
        "ticket_alert": tier,
    }
)
objective = number(
    lambda percent: 0 < percent < 100,
    otherwise="an objective is a percentage strictly between 0 and 100; at 100 there is no budget.",
)
slo = mapping(
    {
        "name": dns_label,
        "description": text(may_be_empty=True),
        "objective": objective,
        "labels": labels,
        "sli": sli,
        "alerting": alerting,
        "plugins": anything,
        "interval": anything,
    },
    required=["name", "objective", "sli"],
)
SPEC_FIELDS: dict[str, Check] = {
    "service": text(most=255),
    "labels": labels,
    "slos": list_of(slo, least=1),
    "slo_plugins": anything,
    "interval": anything,
}
plain = mapping(
    {"version": choice(VERSION), **SPEC_FIELDS}, required=["version", "service", "slos"]
)
kubernetes = mapping(
    {
        "apiVersion": choice(API_VERSION),
        "kind": choice(KIND),
        "metadata": mapping(
            {
                **dict.fromkeys(("name", "namespace"), dns_label),
                **dict.fromkeys(("labels", "annotations"), labels),
                **dict.fromkeys(("creationTimestamp", "generation", "uid"), anything),
                **dict.fromkeys(("resourceVersion", "managedFields", "finalizers"), anything),
            },
            required=["name"],
        ),
        "spec": mapping(SPEC_FIELDS, required=["service", "slos"]),
        "status": anything,
    },
    required=["apiVersion", "kind", "metadata", "spec"],
)


def read_sloth(data: dict[str, Any], path: Path, entry: Entry, report: Report) -> None:
    """Read one document into `entry`; what is wrong with it goes to `report`."""
    entry.format, entry.kind = FORMAT, KIND
    is_object = "apiVersion" in data
    written = _python_names(data) if is_object else data
    (kubernetes if is_object else plain)(written, path, report)
    if report.errors:
        return
    spec, at = (written["spec"], (*path, "spec")) if is_object else (written, path)
    if is_object:
        entry.name_path = (*path, "metadata", "name")
        entry.name = written["metadata"]["name"]
        _lose(written["metadata"], ("labels", "annotations"), (*path, "metadata"), report)
    _lose(spec, ("labels", "slo_plugins", "interval"), at, report)
    taken: dict[str, int] = {}
    for index, one in enumerate(spec["slos"]):
        where = (*at, "slos", index)
        if one["name"] in taken:
            first = taken[one["name"]]
            report.wrong((*where, "name"), f"slos[{first}] has this name already; choose another.")
        taken.setdefault(one["name"], index)
        entry.promises.append(_promise(spec["service"], one, where, at, report))


def _python_names(data: Any) -> Any:
    """Return the object with the names of the plain form: Kubernetes writes pageAlert."""
    spec = data.get("spec")
    if not isinstance(spec, dict):
        return data
    slos = spec.get("slos")
    renamed = [_renamed(one) for one in slos] if isinstance(slos, list) else slos
    return {**data, "spec": {**_keys(spec), **({"slos": renamed} if "slos" in spec else {})}}


def _renamed(one: Any) -> Any:
    if not isinstance(one, dict):
        return one
    deep = dict(_keys(one))
    for name in ("sli", "alerting"):
        part = deep.get(name)
        if isinstance(part, dict):
            inner = _keys(part)
            for key in ("events", "raw"):
                if isinstance(inner.get(key), dict):
                    inner[key] = _keys(inner[key])
            deep[name] = inner
    return deep


CAMEL = {
    "errorQuery": "error_query",
    "totalQuery": "total_query",
    "errorRatioQuery": "error_ratio_query",
    "denominatorCorrected": "denominator_corrected",
    "pageAlert": "page_alert",
    "ticketAlert": "ticket_alert",
    "sloPlugins": "slo_plugins",
}


def _keys(part: dict[Any, Any]) -> dict[Any, Any]:
    return {CAMEL.get(key, key): value for key, value in part.items()}


def _lose(written: Mapping[str, Any], names: tuple[str, ...], path: Path, report: Report) -> None:
    for name in names:
        if written.get(name):
            report.lose((*path, name), RULES_ONLY)


def _promise(service: str, one: dict[str, Any], path: Path, above: Path, report: Report) -> Promise:
    slug = slug_of(service, one["name"])
    _lose(one, ("labels", "plugins", "interval"), path, report)
    _alerting(one.get("alerting") or {}, (*path, "alerting"), report)
    metrics = _metrics(one["sli"], (*path, "sli"))
    target = exact(one["objective"]) / 100
    if target != round(target, 8):
        report.wrong((*path, "objective"), "At most 6 decimals are kept; shorten it.")
    return Promise(
        slug=slug,
        path=path,
        service=service,
        service_path=(*above, "service"),
        window=WindowDraft(),
        method="occurrences",
        objectives=(Objective((*path, "objective"), target),),
        indicator=Indicator(
            name=slug,
            path=(*path, "sli"),
            metrics=metrics,
            raw_type="failure",
            report=report,
        ),
        title=one["name"],
        description=one.get("description") or "",
    )


def slug_of(service: str, name: str) -> str:
    """Return what Sloth calls the SLO in `sloth_id`, as a slug of at most 63 characters."""
    whole = "".join(c if c.isascii() and c.isalnum() else "-" for c in f"{service}-{name}".lower())
    return whole.strip("-")[:63].rstrip("-")


def _metrics(written: dict[str, Any], path: Path) -> dict[str, Metric]:
    source = SourceRef(path, type=SOURCE)
    if written.get("raw"):
        at = (*path, "raw", "error_ratio_query")
        return {"raw": Metric(at, source, {"query": written["raw"]["error_ratio_query"]})}
    return {
        role: Metric((*path, "events", name), source, {"query": written["events"][name]})
        for role, name in (("bad", "error_query"), ("total", "total_query"))
    }


def _alerting(written: dict[str, Any], path: Path, report: Report) -> None:
    _lose(written, ("name", "labels", "annotations"), path, report)
    for name in ("page_alert", "ticket_alert"):
        part = written.get(name) or {}
        _lose(part, ("labels", "annotations"), (*path, name), report)
        if part.get("disable"):
            reason = "The portal alerts on every tier that can be reached; silence what you must."
            report.lose((*path, name, "disable"), reason)
