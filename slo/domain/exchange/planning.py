"""From what documents say to the SLOs of the portal.

| in the document | in the portal |
|---|---|
| ratio of good or bad events to all | custom ratio of two counters |
| threshold metric with `op` and `value` | time slices: minutes in which the value met the condition |
| ratio that is computed already (`raw`) | time slices: minutes in which it met the slice's or SLO's target |
| several objectives | an SLO each |
| composite | an SLO a part, and one over them, weighted |
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import lcm
from typing import Any

from slo.domain.exchange.checks import Report
from slo.domain.exchange.drafts import (
    Indicator,
    Metric,
    Objective,
    PlannedSli,
    PlannedSlo,
    Promise,
    Reference,
    SourceRef,
)
from slo.domain.exchange.own_slis import OWN_DEFAULTS, OWN_TYPE, SOURCED_KINDS, read_own, whole
from slo.domain.exchange.promql import counter_of, has_window, with_window

__all__ = ["MEASURED", "QUERY_KEYS", "Plan", "kind_of_type", "plan", "slugify"]

TYPES = {
    "prometheus": "prometheus",
    "promql": "prometheus",
    "thanos": "prometheus",
    "cortex": "prometheus",
    "mimir": "prometheus",
    "grafanamimir": "prometheus",
    "victoriametrics": "prometheus",
    "amazonmanagedprometheus": "prometheus",
    "amazonprometheus": "prometheus",
    "amp": "prometheus",
    "googlemanagedprometheus": "prometheus",
    "managedprometheus": "prometheus",
    "gmp": "prometheus",
    "cloudwatch": "cloudwatch",
    "awscloudwatch": "cloudwatch",
    "amazoncloudwatch": "cloudwatch",
    "sreportal": "sreportal",
}
QUERY_KEYS = ("query", "promql", "expr")
MEASURED: Mapping[str, Any] = {
    "good_query": "",
    "bad_query": "",
    "total_query": "",
    "value_query": "",
    "comparison": "",
    "comparison_value": None,
    "slice_target": Decimal("0.99"),
    **OWN_DEFAULTS,
}
EVERY_EVENT = Decimal("0.99999999")
SLUG = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
MAX_WEIGHT = 2**31 - 1
UNIT = Decimal("1e-8")
RATE = re.compile(r"\brate\s*\(")


class _NotCarried(Exception):
    """The portal has no place for this SLO; why is noted."""


def kind_of_type(name: str) -> str:
    """Return `prometheus`, `cloudwatch` or `sreportal` for a source's type as written, else ""."""
    return TYPES.get(re.sub(r"[^a-z0-9]", "", name.lower()), "")


def slugify(name: str) -> str:
    """Return `name` as a slug of at most 63 characters; "" when nothing of it can stay."""
    if SLUG.fullmatch(name):
        return name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")


@dataclass(frozen=True)
class Plan:
    """What is known outside of the document.

    Attributes:
        indicator_of: The SLI that a reference names.
        kind_of: `prometheus`, `cloudwatch` or `sreportal` of a source, "" of any other.
        sli_of_slo: Name of the SLI of each SLO by its slug, in the set and in the portal.
    """

    indicator_of: Callable[[Reference], Indicator | None]
    kind_of: Callable[[SourceRef], str]
    sli_of_slo: Mapping[str, str]


def plan(promise: Promise, known: Plan, report: Report) -> list[PlannedSlo]:
    """Return the SLOs that `promise` becomes, members of a composite first.

    What is wrong goes to `report`; an SLO that is right but has no place here is noted as lost,
    and then none is returned.
    """
    service = slugify(promise.service)
    if not service:
        report.wrong(promise.service_path, "Nothing of this name can be part of an address.")
        return []
    if service != promise.service:
        report.warn(promise.service_path, f"Carried as {service}.")
    if promise.window is None:
        return _give_up(promise, report, "the portal has no window like its own")
    planner = _Planner(promise, service, known, report)
    try:
        return planner.composite() if promise.is_composite else planner.plain()
    except _NotCarried as why:
        return _give_up(promise, report, str(why))


def _give_up(promise: Promise, report: Report, why: str) -> list[PlannedSlo]:
    report.lose(promise.path, f"This SLO is valid but was not made: {why}.")
    return []


class _Planner:
    def __init__(self, promise: Promise, service: str, known: Plan, report: Report) -> None:
        self.promise = promise
        self.service = service
        self.known = known
        self.report = report

    def plain(self) -> list[PlannedSlo]:
        """Return an SLO for each objective."""
        promise, objectives = self.promise, self.promise.objectives
        slugs = _slugs(promise)
        if len(objectives) == 1 and objectives[0].title:
            where = (*objectives[0].path, "displayName")
            self.report.lose(where, "An SLO with one objective is called by its own name.")
        planned = []
        for objective, slug in zip(objectives, slugs, strict=True):
            indicator = self._indicator(objective.indicator or promise.indicator)
            if "value" in indicator.metrics and len(objectives) > 1 and not objective.indicator:
                self.report.warn(objective.path, "Each threshold is an SLO of its own.")
            planned.append(self._slo(slug, objective, indicator, is_only=len(objectives) == 1))
        return planned

    def composite(self) -> list[PlannedSlo]:
        """Return an SLO for each part that is none yet, and the composite over them."""
        promise = self.promise
        weights = _whole_weights([objective.weight for objective in promise.objectives])
        if max(weights) > MAX_WEIGHT:
            raise _NotCarried("its weights are too far apart to be whole numbers")
        planned, members = [], []
        slugs = _slugs(promise)
        for objective, slug, weight in zip(promise.objectives, slugs, weights, strict=True):
            indicator = self._indicator(objective.indicator)
            if self.known.sli_of_slo.get(objective.title) == indicator.name:
                members.append((objective.title, weight))
                continue
            planned.append(self._slo(slug, objective, indicator, is_only=False))
            members.append((slug, weight))
        sli = PlannedSli(
            promise.slug, {**MEASURED, "kind": "composite", "description": ""}, None, promise.path
        )
        whole = PlannedSlo(
            slug=promise.slug,
            service=self.service,
            service_path=promise.service_path,
            objective=self._composite_objective(),
            fields=self._fields(promise.title or promise.slug),
            sli=sli,
            path=promise.path,
            members=tuple(members),
        )
        return [*planned, whole]

    def _composite_objective(self) -> Decimal:
        promise = self.promise
        if stated := _decimal(promise.own.get("objective")):
            return stated
        parts = [(Fraction(part.weight), Fraction(part.target)) for part in promise.objectives]
        whole = sum((weight for weight, _ in parts), Fraction(0))
        mean = sum((weight * share for weight, share in parts), Fraction(0)) / whole
        objective = _rounded(mean)
        self.report.warn(
            (*promise.path, "spec", "objectives"),
            f"The composite's own objective is the weighted mean of its parts: {objective:f}.",
        )
        return objective

    def _indicator(self, given: Indicator | Reference | None) -> Indicator:
        found = self.known.indicator_of(given) if isinstance(given, Reference) else given
        if found is None:
            raise _NotCarried("its SLI is missing")
        return found

    def _slo(
        self, slug: str, objective: Objective, indicator: Indicator, *, is_only: bool
    ) -> PlannedSlo:
        promise = self.promise
        title = promise.title or promise.slug
        own_title = objective.title or slug.removeprefix(f"{promise.slug}-")
        is_unnamed = indicator.name == promise.slug and not is_only
        sli = self._sli(slug if is_unnamed else slugify(indicator.name), objective, indicator)
        return PlannedSlo(
            slug=slug,
            service=self.service,
            service_path=promise.service_path,
            objective=objective.target,
            fields=self._fields(title if is_only else f"{title}: {own_title}"),
            sli=sli,
            path=promise.path,
        )

    def _fields(self, title: str) -> dict[str, Any]:
        promise = self.promise
        window = promise.window
        if window is None:
            raise _NotCarried("the portal has no window like its own")
        if len(title) > 120:
            where = (*promise.path, "metadata", "displayName")
            self.report.warn(where, "Cut to 120 characters.")
        fields: dict[str, Any] = {
            "name": title[:120],
            "description": promise.description,
            "method": promise.method,
            "window_kind": "rolling" if window.period is None else "calendar",
        }
        if window.period is None:
            fields["window_days"] = window.days
        else:
            fields |= {"calendar_period": window.period.value, "timezone": window.timezone}
        events = str(promise.own.get("minimum-events", ""))
        if events.isdecimal() and len(events) < 10:
            fields["minimum_events"] = int(events)
        if promise.own.get("enabled") in {"true", "false"}:
            fields["is_enabled"] = promise.own["enabled"] == "true"
        return fields

    def _sli(self, slug: str, objective: Objective, indicator: Indicator) -> PlannedSli:
        source = self._source(indicator)
        kind = self.known.kind_of(source)
        measured = {**MEASURED, "description": indicator.description}
        if objective.slice_target is not None:
            measured["slice_target"] = self._slice_target(objective)
        metrics = indicator.metrics
        if "value" in metrics:
            measured |= self._threshold(objective, metrics["value"], kind, indicator.report)
            if kind == OWN_TYPE:
                measured |= read_own(metrics["value"], indicator.report)
        elif "raw" in metrics:
            measured |= self._raw(objective, indicator, kind)
        else:
            self._ignore_condition(objective)
            measured |= _ratio(metrics, kind, indicator.report)
        return PlannedSli(slug, measured, None if kind == OWN_TYPE else source, indicator.path)

    def _source(self, indicator: Indicator) -> SourceRef:
        sources = [metric.source for metric in indicator.metrics.values()]
        for source in sources:
            if not self.known.kind_of(source):
                named = source.type or source.name
                indicator.report.lose(
                    source.path, f"The portal asks Prometheus and CloudWatch, not {named[:80]}."
                )
                raise _NotCarried(f"nothing here can ask {named[:80]}")
        if len({(source.name, source.type) for source in sources}) > 1:
            indicator.report.lose(sources[1].path, "Both counters come from one source here.")
            raise _NotCarried("its counters come from two sources")
        return sources[0]

    def _slice_target(self, objective: Objective) -> Decimal:
        share = objective.slice_target or EVERY_EVENT
        where = (*objective.path, "timeSliceTarget")
        if share == 1:
            self.report.warn(where, f"Kept as {EVERY_EVENT}: every event of a minute, as it were.")
            return EVERY_EVENT
        if share != (rounded := _rounded(Fraction(share))):
            self.report.warn(where, f"Rounded to {rounded:f}.")
        return rounded

    def _ignore_condition(self, objective: Objective) -> None:
        for name, value in (("op", objective.comparison), ("value", objective.value)):
            if value not in {"", None}:
                where = (*objective.path, name)
                self.report.lose(where, "Only a thresholdMetric is compared with a value.")

    def _threshold(
        self, objective: Objective, metric: Metric, kind: str, report: Report
    ) -> dict[str, Any]:
        for name, value in (("op", objective.comparison), ("value", objective.value)):
            if value in {"", None}:
                self.report.wrong(
                    (*objective.path, name), "This field is required with a thresholdMetric."
                )
        own = tuple(OWN_DEFAULTS) if kind == OWN_TYPE else ()
        return {
            "kind": "time_slices",
            "value_query": with_window(_text_of(metric, kind, report, own)),
            "comparison": objective.comparison,
            "comparison_value": objective.value,
        }

    def _raw(self, objective: Objective, indicator: Indicator, kind: str) -> dict[str, Any]:
        metric = indicator.metrics["raw"]
        share = objective.target
        if self.promise.method == "time_slices" and objective.slice_target is not None:
            share = objective.slice_target
        else:
            indicator.report.warn(
                metric.path,
                "A ratio without its counts cannot be weighted by traffic: carried as time slices,"
                f" a minute is good when its share of good events is at least {share:f}.",
            )
        is_success = indicator.raw_type == "success"
        limit = share if is_success else 1 - share
        if limit != (rounded := limit.quantize(Decimal("1e-6"), ROUND_HALF_EVEN)):
            indicator.report.warn(metric.path, f"The limit is rounded to {rounded:f}.")
        return {
            "kind": "time_slices",
            "value_query": with_window(_text_of(metric, kind, indicator.report)),
            "comparison": "gte" if is_success else "lte",
            "comparison_value": rounded,
        }


def _ratio(metrics: Mapping[str, Metric], kind: str, report: Report) -> dict[str, Any]:
    total = metrics["total"]
    if kind == OWN_TYPE and not any(key in total.spec for key in QUERY_KEYS):
        return read_own(total, report)
    named = total.spec.get("kind")
    own = SOURCED_KINDS.get(named) if isinstance(named, str) else None
    fields: dict[str, Any] = {"kind": "ratio" if own is None else named}
    if kind == OWN_TYPE:
        fields |= read_own(total, report)
        own = tuple(OWN_DEFAULTS)
    elif named == "latency":
        whole(total.spec.get("threshold_ms"), (*total.path, "threshold_ms"), report)
        fields["total_query"] = _text_of(total, kind, report, own or ())
        return fields | {"threshold_ms": total.spec.get("threshold_ms")}
    for role in ("good", "bad", "total"):
        if role in metrics:
            fields[f"{role}_query"] = _counter(metrics[role], kind, report, own or ())
    return fields


def _counter(metric: Metric, kind: str, report: Report, own: tuple[str, ...]) -> str:
    query = _text_of(metric, kind, report, own)
    if kind != "prometheus":
        return query
    if counter := counter_of(query):
        if counter != query and not has_window(query):
            report.warn(metric.path, "Counted minute by minute, not over a range of its own.")
        return counter
    if has_window(query):
        report.warn(
            metric.path,
            "No plain sum of rate or increase over {{.window}}: asked over one minute instead, so"
            " events are counted approximately.",
        )
        return RATE.sub("increase(", with_window(query))
    report.warn(
        metric.path, "No plain sum of counters; make sure that it grows by one for each event."
    )
    return query


def _text_of(metric: Metric, kind: str, report: Report, own: tuple[str, ...] = ()) -> str:
    """Return the query; of CloudWatch, which has fields, the fields as JSON."""
    spec = metric.spec
    name = next((key for key in QUERY_KEYS if isinstance(spec.get(key), str)), None)
    if name is not None:
        for key in spec:
            if key != name and key not in own and key != "kind":
                report.lose((*metric.path, key), "Only the query is asked.")
        return str(spec[name]).strip()
    if kind == "cloudwatch" and spec:
        return json.dumps(spec, sort_keys=True, default=str, ensure_ascii=False)
    report.lose(metric.path, f"There is no query in it; write it as {QUERY_KEYS[0]}.")
    raise _NotCarried("its metric says no query")


def _slugs(promise: Promise) -> list[str]:
    """Return the slug of each objective's SLO: the SLO's name when it is alone."""
    objectives = promise.objectives
    if len(objectives) == 1 and not promise.is_composite:
        return [promise.slug]
    suffixes = [slugify(objective.title) for objective in objectives]
    if not all(suffixes) or len(set(suffixes)) < len(suffixes):
        suffixes = [str(number) for number in range(1, len(objectives) + 1)]
    room = 62 - max(map(len, suffixes))
    if room < 8:
        suffixes = [str(number) for number in range(1, len(objectives) + 1)]
        room = 62 - max(map(len, suffixes))
    return [f"{promise.slug[:room].rstrip('-')}-{suffix}" for suffix in suffixes]


def _whole_weights(weights: list[Decimal]) -> list[int]:
    """Return the smallest whole numbers that are to each other as `weights` are."""
    fractions = [Fraction(weight) for weight in weights]
    scale = lcm(*(fraction.denominator for fraction in fractions))
    return [int(fraction * scale) for fraction in fractions]


def _rounded(share: Fraction) -> Decimal:
    exact = Decimal(share.numerator) / Decimal(share.denominator)
    return min(max(exact.quantize(UNIT, ROUND_HALF_EVEN), UNIT), 1 - UNIT)


def _decimal(text: Any) -> Decimal | None:
    try:
        value = Decimal(str(text))
    except ArithmeticError:
        return None
    return value if value.is_finite() and 0 < value < 1 and value == round(value, 8) else None
