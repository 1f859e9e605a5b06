"""The shapes of OpenSLO's kinds, by version.

| version | written as | differs from v1 |
|---|---|---|
| v1 | `openslo/v1` | |
| v1alpha | `openslo/v1alpha` | only SLO and Service; `timeWindows` with unit and count; queries are `source`, `queryType`, `query`; the ratio is in the objective |
| v2alpha | `openslo.com/v2alpha` | `sli` and `sliRef`; a metric names its data source itself; no `displayName`; durations up to weeks |

Source: OpenSLO specification, https://github.com/OpenSLO/OpenSLO (README and enhancements).
Where its text and its library differ, a document is taken that one of them takes, except that an
objective of 0 is refused: it promises nothing.
"""

from typing import Any

from core.yaml_documents import Path
from slo.domain.exchange.checks import (
    Check,
    Report,
    boolean,
    choice,
    either,
    exact,
    listing,
    mapping,
    number,
    text,
)
from slo.domain.exchange.openslo_parts import (
    METHODS,
    OPERATORS,
    UNITS,
    calendar,
    connection,
    described,
    exactly_one,
    labels,
    metadata,
    metric_v1,
    metric_v1alpha,
    metric_v2,
    slice_target,
    target,
    target_percent,
    weight,
    window,
    window_rule,
)
from slo.domain.exchange.windows import duration

__all__ = ["API_VERSIONS", "schema_of"]

API_VERSIONS = {
    "openslo/v1": "openslo/v1",
    "openslo/v1alpha": "openslo/v1alpha",
    "openslo.com/v2alpha": "openslo/v2alpha",
    "openslo.com/v2alpha1": "openslo/v2alpha",
    "openslo/v2alpha": "openslo/v2alpha",
}


def schema_of(version: str, kind: str) -> Check | None:
    """Return the check of one kind in one version (`openslo/v1`), or None when it has no such."""
    specs = SPECS[version]
    if kind not in specs:
        return None
    spec, required = specs[kind]
    fields = {
        "apiVersion": text(),
        "kind": text(),
        "metadata": METADATA[version],
        "spec": spec,
    }
    needed = ["metadata", "spec"] if required else ["metadata"]
    return mapping(fields, required=needed)


def kinds_of(version: str) -> list[str]:
    """Return the kinds that a version has."""
    return list(SPECS[version])


def _ratio_rule(value: dict[str, Any], path: Path, report: Report) -> None:
    given = {name for name in ("good", "bad", "total", "raw") if value.get(name) is not None}
    if "raw" in given and given != {"raw"}:
        report.wrong((*path, "raw"), "raw is the whole ratio; leave out good, bad and total.")
    elif "raw" in given and value.get("rawType") is None:
        report.wrong((*path, "rawType"), "Say whether raw is the share of success or of failure.")
    elif "raw" not in given and {"good", "bad"} <= given:
        report.wrong((*path, "bad"), "good and bad exclude each other; keep one of them.")
    elif "raw" not in given and not given & {"good", "bad"}:
        report.wrong(path, "good, bad or raw must be there.")
    elif "raw" not in given and "total" not in given:
        report.wrong((*path, "total"), "This field is required beside good or bad.")
    elif "raw" not in given and value.get("rawType") is not None:
        report.warn((*path, "rawType"), "It says something of raw only, which is not here.")


def _indicator_spec(metric: Check) -> Check:
    fields = {
        "counter": boolean,
        **dict.fromkeys(("good", "bad", "total", "raw"), metric),
        "rawType": choice("success", "failure"),
    }
    return mapping(
        {
            "description": described,
            "thresholdMetric": metric,
            "ratioMetric": mapping(fields, rule=_ratio_rule),
        },
        rule=exactly_one("thresholdMetric", "ratioMetric"),
    )


def _objective(sli: Check, name: str, extra: dict[str, Check], elsewhere: dict[str, str]) -> Check:
    def rule(value: dict[str, Any], path: Path, report: Report) -> None:
        exactly_one("target", "targetPercent")(value, path, report)
        if value.get(name) is not None and value.get(f"{name}Ref") is not None:
            exactly_one(name, f"{name}Ref")(value, path, report)

    fields = {
        "displayName": text(most=1050, may_be_empty=True),
        "op": choice(*OPERATORS),
        "value": number(),
        "target": target,
        "targetPercent": target_percent,
        "timeSliceTarget": slice_target,
        "timeSliceWindow": slice_window,
        name: sli,
        f"{name}Ref": text(),
        "compositeWeight": weight,
    }
    return mapping({**fields, **extra}, rule=rule, elsewhere=elsewhere)


slice_window = either(
    (
        lambda value: not isinstance(value, str),
        number(lambda minutes: minutes > 0, otherwise="a slice lasts at least a minute."),
    ),
    (lambda _: True, duration()),
    otherwise="a duration, e.g. 1m",
)


def _slo_rule(name: str) -> Check:
    """Return the rule that an indicator is named once, and that slices say what they need."""

    def rule(value: dict[str, Any], path: Path, report: Report) -> None:
        named = (name, f"{name}Ref")
        has_own = any(value.get(word) is not None for word in named)
        parts = [
            any(objective.get(word) is not None for word in named)
            for objective in value["objectives"]
        ]
        if has_own and any(parts):
            index = parts.index(True)
            report.wrong(
                (*path, "objectives", index),
                f"{name} or {name}Ref is either in spec or in every objective, not in both.",
            )
        elif has_own:
            exactly_one(*named)(value, path, report)
        elif not any(parts):
            report.wrong(path, f"One of {', '.join(named)} must be there.")
        elif not all(parts):
            index = parts.index(False)
            where = (*path, "objectives", index)
            report.wrong(where, f"Every objective of a composite needs {' or '.join(named)}.")
        _slices_rule(value, path, report)

    return rule


def _slices_rule(value: dict[str, Any], path: Path, report: Report) -> None:
    needed = {
        "Timeslices": ("timeSliceTarget", "timeSliceWindow"),
        "RatioTimeslices": ("timeSliceWindow",),
    }
    method = value.get("budgetingMethod")
    for index, objective in enumerate(value["objectives"]):
        for field in needed.get(str(method), ()):
            if objective.get(field) is None:
                report.wrong(
                    (*path, "objectives", index, field),
                    f"This field is required with budgetingMethod {method}.",
                )


def _inline(kind: str, spec: Check, metadata: Check) -> Check:
    return mapping(
        {"apiVersion": text(), "kind": choice(kind), "metadata": metadata, "spec": spec},
        required=["kind", "metadata", "spec"],
    )


def _reference_or(name: str, inline: Check) -> Check:
    """Accept `{name: …}`, a bare name, or the whole thing."""
    return either(
        (lambda value: isinstance(value, str), text()),
        (
            lambda value: isinstance(value, dict) and name in value,
            mapping({name: text()}, required=[name]),
        ),
        (lambda value: isinstance(value, dict), inline),
        otherwise=f"a mapping with {name}, or with kind, metadata and spec",
    )


def _condition_rule(value: dict[str, Any], path: Path, report: Report) -> None:
    if value.get("op") in {"lte", "lt"}:
        report.warn(
            (*path, "op"),
            f"{value['op']} would alert while little of the budget burns and be silent while"
            " much does; read as gte.",
        )


def _after(value: Any, path: Path, report: Report) -> None:
    if value != "0m":
        duration()(value, path, report)


condition_spec = mapping(
    {
        "description": described,
        "severity": text(),
        "condition": mapping(
            {
                "kind": choice("burnrate"),
                "op": choice(*OPERATORS),
                "threshold": number(
                    lambda rate: exact(rate) > 0, otherwise="a burn rate is greater than 0."
                ),
                "lookbackWindow": duration(),
                "alertAfter": _after,
            },
            required=["threshold", "lookbackWindow"],
            rule=_condition_rule,
        ),
    },
    required=["severity", "condition"],
)
target_spec = mapping({"description": described, "target": text()}, required=["target"])


def _policy_spec(metadata: Check) -> Check:
    condition = _reference_or("conditionRef", _inline("AlertCondition", condition_spec, metadata))
    notified = _reference_or("targetRef", _inline("AlertNotificationTarget", target_spec, metadata))
    return mapping(
        {
            "description": described,
            "alertWhenNoData": boolean,
            "alertWhenBreaching": boolean,
            "alertWhenResolved": boolean,
            "conditions": listing(condition, least=1, most=1),
            "notificationTargets": listing(notified, least=1),
        },
        required=["conditions", "notificationTargets"],
    )


def _slo_spec(name: str, metric: Check, metadata: Check, units: str) -> Check:
    other = {"indicator": "sli", "sli": "indicator"}[name]
    version = {"indicator": "v1", "sli": "v2alpha"}[name]
    elsewhere = {
        other: f"In {version} this is {name}.",
        f"{other}Ref": f"In {version} this is {name}Ref.",
        "timeWindows": f"In {version} this is timeWindow.",
    }
    extra = {"labels": labels} if name == "sli" else {}
    sli = mapping(
        {"metadata": metadata, "spec": _indicator_spec(metric)}, required=["metadata", "spec"]
    )
    policy = _reference_or(
        "alertPolicyRef", _inline("AlertPolicy", _policy_spec(metadata), metadata)
    )
    return mapping(
        {
            "description": described,
            "service": text(most=255),
            name: sli,
            f"{name}Ref": text(),
            "timeWindow": listing(window(units), least=1, most=1),
            "budgetingMethod": choice(*METHODS),
            "objectives": listing(_objective(sli, name, extra, elsewhere), least=1),
            "alertPolicies": listing(policy),
        },
        required=["service", "budgetingMethod", "objectives"],
        rule=_slo_rule(name),
        elsewhere=elsewhere,
    )


def _slo_spec_v1alpha() -> Check:
    ratio = mapping(
        {
            "incremental": boolean,
            "counter": boolean,
            "good": metric_v1alpha,
            "total": metric_v1alpha,
        },
        required=["good", "total"],
    )
    objective = mapping(
        {
            "displayName": text(most=1050, may_be_empty=True),
            "op": choice(*OPERATORS),
            "value": number(),
            "target": target,
            "timeSliceTarget": slice_target,
            "timeSliceWindow": slice_window,
            "ratioMetrics": ratio,
        },
        required=["target"],
        elsewhere={"targetPercent": "v1alpha has no targetPercent; write target, e.g. 0.999."},
    )
    window = mapping(
        {
            "unit": choice(*UNITS),
            "count": number(
                lambda count: 0 < count < 10**6 and count == int(count),
                otherwise="a count is a whole number.",
            ),
            "isRolling": boolean,
            "calendar": calendar,
        },
        required=["unit", "count"],
        rule=window_rule,
    )
    return mapping(
        {
            "description": described,
            "service": text(most=255),
            "indicator": mapping({"thresholdMetric": metric_v1alpha}, required=["thresholdMetric"]),
            "timeWindows": listing(window, least=1, most=1),
            "budgetingMethod": choice(*METHODS),
            "objectives": listing(objective, least=1),
        },
        required=["service", "timeWindows", "objectives"],
        rule=_slo_rule_v1alpha,
        elsewhere={"timeWindow": "In v1alpha this is timeWindows, with unit and count."},
    )


def _slo_rule_v1alpha(value: dict[str, Any], path: Path, report: Report) -> None:
    has_threshold = value.get("indicator") is not None
    for index, objective in enumerate(value["objectives"]):
        where = (*path, "objectives", index)
        has_ratio = objective.get("ratioMetrics") is not None
        if has_ratio == has_threshold:
            report.wrong(
                where,
                "Either the SLO has an indicator with thresholdMetric, or each objective has"
                " ratioMetrics.",
            )
    if value.get("budgetingMethod") is None:
        report.warn((*path, "budgetingMethod"), "It is missing; read as Occurrences.")
    if value.get("budgetingMethod") == "Timeslices":
        for index, objective in enumerate(value["objectives"]):
            if objective.get("timeSliceTarget") is None:
                report.warn(
                    (*path, "objectives", index, "timeSliceTarget"),
                    "It is missing; the portal's default of 0.99 is used.",
                )


Spec = tuple[Check, bool]
service_spec = mapping({"description": described})


def _specs(name: str, metric: Check, metadata: Check, units: str) -> dict[str, Spec]:
    return {
        "Service": (service_spec, False),
        "DataSource": (connection, True),
        "SLI": (_indicator_spec(metric), True),
        "SLO": (_slo_spec(name, metric, metadata, units), True),
        "AlertPolicy": (_policy_spec(metadata), True),
        "AlertCondition": (condition_spec, True),
        "AlertNotificationTarget": (target_spec, True),
    }


METADATA: dict[str, Check] = {
    "openslo/v1": metadata(titled=True),
    "openslo/v1alpha": metadata(titled=True),
    "openslo/v2alpha": metadata(titled=False),
}
SPECS: dict[str, dict[str, Spec]] = {
    "openslo/v1": _specs("indicator", metric_v1, METADATA["openslo/v1"], "mhdwMQY"),
    "openslo/v1alpha": {"Service": (service_spec, False), "SLO": (_slo_spec_v1alpha(), True)},
    "openslo/v2alpha": _specs("sli", metric_v2, METADATA["openslo/v2alpha"], "mhdw"),
}
