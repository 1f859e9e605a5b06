"""The shapes that OpenSLO's kinds share: names, metadata, windows, sources and their metrics."""

from decimal import Decimal
from typing import Any

from core.yaml_documents import Path
from core.zones import zone_names
from slo.domain.exchange.checks import (
    Check,
    Report,
    boolean,
    dns_label,
    either,
    listing,
    mapping,
    moment,
    number,
    open_mapping,
    text,
)
from slo.domain.exchange.windows import duration

METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
OPERATORS = ("lte", "gte", "lt", "gt")
UNITS = ("Second", "Minute", "Hour", "Day", "Week", "Month", "Quarter", "Year")
DECIMALS = 8

described = text(most=1050, may_be_empty=True)
labels = open_mapping(
    either(
        (lambda value: isinstance(value, list), listing(text(may_be_empty=True))),
        (lambda value: not isinstance(value, dict), text(may_be_empty=True)),
        otherwise="text or a list of texts",
    )
)
annotations = open_mapping(text(may_be_empty=True))


def is_objective(share: Decimal) -> bool:
    return 0 < share < 1 and decimals(share) <= DECIMALS


def decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))


target = number(
    is_objective,
    otherwise="an objective lies strictly between 0 and 1 with at most 8 decimals, e.g. 0.999;"
    " a percentage goes into targetPercent.",
)
target_percent = number(
    lambda percent: is_objective(percent / 100),
    otherwise="an objective lies strictly between 0 and 100 with at most 6 decimals, e.g. 99.9.",
)
slice_target = number(
    lambda share: 0 < share <= 1, otherwise="the share of a slice lies above 0 and is at most 1."
)
weight = number(lambda value: value > 0, otherwise="a weight is greater than 0.")


def metadata(*, titled: bool) -> Check:
    fields = {"name": dns_label, "labels": labels, "annotations": annotations}
    if titled:
        fields["displayName"] = text(may_be_empty=True)
        return mapping(fields, required=["name"])
    gone = {"displayName": "v2alpha has no displayName; make it an annotation."}
    return mapping(fields, required=["name"], elsewhere=gone)


def exactly_one(*names: str, hint: str = "") -> Check:
    def rule(value: dict[str, Any], path: Path, report: Report) -> None:
        given = [name for name in names if value.get(name) is not None]
        if len(given) > 1:
            report.wrong(
                (*path, given[1]), f"{' and '.join(given)} exclude each other; keep one of them."
            )
        elif not given:
            report.wrong(path, f"One of {', '.join(names)} must be there{hint}.")

    return rule


def zone(value: Any, path: Path, report: Report) -> None:
    if value not in zone_names():
        report.wrong(path, f"{str(value)[:60]!r} is no IANA time zone; one is Europe/Berlin.")


calendar = mapping(
    {"startTime": moment, "timeZone": zone},
    required=["startTime", "timeZone"],
)


def window_rule(value: dict[str, Any], path: Path, report: Report) -> None:
    has_calendar = value.get("calendar") is not None
    if has_calendar and value.get("isRolling"):
        report.wrong(
            (*path, "calendar"), "A rolling window has no calendar; set isRolling to false."
        )
    elif not has_calendar and value.get("isRolling") is False:
        report.wrong((*path, "calendar"), "A window that is not rolling needs a calendar.")
    elif not has_calendar and value.get("isRolling") is None:
        report.warn(path, "Read as a rolling window: it has neither isRolling nor a calendar.")


def window(units: str) -> Check:
    fields = {"duration": duration(units), "isRolling": boolean, "calendar": calendar}
    return mapping(fields, required=["duration"], rule=window_rule)


source_v1 = mapping(
    {"metricSourceRef": text(), "type": text(), "spec": open_mapping()},
    required=["spec"],
    rule=lambda value, path, report: (
        None
        if value.get("metricSourceRef") or value.get("type")
        else report.wrong(path, "Name a data source with metricSourceRef, or say its type.")
    ),
)
metric_v1 = mapping({"metricSource": source_v1}, required=["metricSource"])
connection = mapping(
    {"description": described, "type": text(), "connectionDetails": open_mapping()},
    required=["type"],
)
metric_v2 = mapping(
    {"dataSourceRef": text(), "dataSourceSpec": connection, "spec": open_mapping()},
    required=["spec"],
    rule=exactly_one("dataSourceRef", "dataSourceSpec"),
    elsewhere={"metricSource": "v2alpha has no metricSource; write dataSourceRef and spec here."},
)
metric_v1alpha = mapping(
    {"source": text(), "queryType": text(), "query": text()},
    required=["source", "queryType", "query"],
)
