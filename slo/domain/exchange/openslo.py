"""Reading an OpenSLO document: check its shape, then say what it means."""

from collections.abc import Mapping
from typing import Any

from core.yaml_documents import Path
from slo.domain.exchange.checks import Report, exact
from slo.domain.exchange.drafts import (
    Entry,
    Indicator,
    Metric,
    Objective,
    Promise,
    Reference,
    ServiceDraft,
    SourceDraft,
    SourceRef,
)
from slo.domain.exchange.openslo_schema import API_VERSIONS, kinds_of, schema_of
from slo.domain.exchange.windows import WindowDraft, read_duration, read_window

__all__ = ["METHODS", "OWN_PREFIX", "is_openslo", "read_openslo"]

METHODS = {
    "Occurrences": "occurrences",
    "Timeslices": "time_slices",
    "RatioTimeslices": "ratio_of_slices",
}
# Annotations in which the portal keeps what the format has no field for.
OWN_PREFIX = "sreportal.io/"
OWN_ANNOTATIONS = ("minimum-events", "enabled", "objective")
UNITS_V1ALPHA = {
    "Minute": "m",
    "Hour": "h",
    "Day": "d",
    "Week": "w",
    "Month": "M",
    "Quarter": "Q",
    "Year": "Y",
}
GENERATED = "The portal makes burn-rate alerts from the objective itself."
ROUTED = "Who is told is decided by the service's team and its escalation policy."


def is_openslo(data: Mapping[str, Any]) -> bool:
    """Return whether a document says that it is OpenSLO, of whichever version."""
    return str(data.get("apiVersion", "")).startswith(("openslo/", "openslo.com/"))


def read_openslo(data: dict[str, Any], path: Path, entry: Entry, report: Report) -> None:
    """Read one object into `entry`; what is wrong with it goes to `report`.

    Args:
        data: The object.
        path: Where it is in its document: () or its index in a list.
        entry: Gets the drafts, also when something is wrong, but for what cannot be read.
        report: Gets errors, warnings and losses.
    """
    version = API_VERSIONS.get(str(data["apiVersion"]))
    if version is None:
        known = ", ".join(API_VERSIONS)
        report.wrong((*path, "apiVersion"), f"Unknown version; known are {known}.")
        return
    entry.format = version
    kind = data.get("kind")
    check = schema_of(version, kind) if isinstance(kind, str) else None
    if check is None:
        known = ", ".join(kinds_of(version))
        report.wrong((*path, "kind"), f"Unknown kind; {version} has {known}.")
        return
    check(data, path, report)
    entry.name_path = (*path, "metadata", "name")
    if report.errors:
        return
    entry.name = data["metadata"]["name"]
    READERS[entry.kind](_Reader(version, path, entry, report), data)


class _Reader:
    """Reads one checked object."""

    def __init__(self, version: str, path: Path, entry: Entry, report: Report) -> None:
        self.version = version
        self.path = path
        self.entry = entry
        self.report = report
        self.word = "sli" if version == "openslo/v2alpha" else "indicator"

    def service(self, data: dict[str, Any]) -> None:
        """Read a Service."""
        self._lose_metadata(data, self.path)
        self.entry.service = ServiceDraft(
            slug=self.entry.name,
            name=data["metadata"].get("displayName"),
            description=(data.get("spec") or {}).get("description"),
        )

    def data_source(self, data: dict[str, Any]) -> None:
        """Read a DataSource."""
        self._lose_metadata(data, self.path)
        self._lose_title(data, self.path)
        spec = data["spec"]
        if spec.get("description"):
            self.report.lose((*self.path, "spec", "description"), "A source has no description.")
        self.entry.source = SourceDraft(
            slug=self.entry.name,
            type=spec["type"],
            details=spec.get("connectionDetails") or {},
            path=(*self.path, "spec"),
        )

    def sli(self, data: dict[str, Any]) -> None:
        """Read an SLI."""
        self.entry.indicator = self._indicator(data, self.path)

    def slo(self, data: dict[str, Any]) -> None:
        """Read an SLO of v1 or v2alpha."""
        spec, path = data["spec"], (*self.path, "spec")
        own = self._lose_metadata(data, self.path)
        windows = spec.get("timeWindow")
        if not windows:
            self.report.warn((*path, "timeWindow"), "It is missing; 30 rolling days are used.")
        at = (*path, "timeWindow", 0)
        window = read_window(windows[0], at, self.report) if windows else WindowDraft()
        self._policies(spec, path)
        self._promise(data, window, self._indicator_or_reference(spec, path), own)

    def slo_v1alpha(self, data: dict[str, Any]) -> None:
        """Read an SLO of v1alpha."""
        spec, path = data["spec"], (*self.path, "spec")
        own = self._lose_metadata(data, self.path)
        at = (*path, "timeWindows", 0)
        written = dict(spec["timeWindows"][0])
        unit = UNITS_V1ALPHA.get(written["unit"])
        window = None
        if unit is None:
            self.report.lose((*at, "unit"), "Rolling windows are whole days, from 1 to 366.")
        else:
            written["duration"] = f"{int(written['count'])}{unit}"
            window = read_window(written, at, self.report)
        indicator = None
        if spec.get("indicator"):
            where = (*path, "indicator", "thresholdMetric")
            metric = self._metric(spec["indicator"]["thresholdMetric"], where)
            indicator = self._made(self.entry.name, where, {"value": metric})
        self._promise(data, window, indicator, own)

    def alerting(self, data: dict[str, Any]) -> None:
        """Read an AlertPolicy, AlertCondition or AlertNotificationTarget: nothing is made of it."""
        if self.entry.kind == "AlertPolicy":
            self._policy_references(data["spec"], (*self.path, "spec"))
        reason = ROUTED if self.entry.kind == "AlertNotificationTarget" else GENERATED
        self.report.lose((*self.path, "spec"), reason)

    def _promise(
        self,
        data: dict[str, Any],
        window: WindowDraft | None,
        indicator: Indicator | Reference | None,
        own: dict[str, Any],
    ) -> None:
        spec, path = data["spec"], (*self.path, "spec")
        objectives = tuple(
            self._objective(written, (*path, "objectives", index))
            for index, written in enumerate(spec["objectives"])
        )
        parts = self.version != "openslo/v1alpha" and all(part.indicator for part in objectives)
        self.entry.promises.append(
            Promise(
                slug=self.entry.name,
                path=self.path,
                service=spec["service"],
                service_path=(*path, "service"),
                window=window,
                method=METHODS[spec.get("budgetingMethod") or "Occurrences"],
                objectives=objectives,
                indicator=indicator,
                title=data["metadata"].get("displayName") or "",
                description=spec.get("description") or "",
                own=own,
                is_composite=parts and (len(objectives) > 1 or "objective" in own),
            )
        )

    def _objective(self, written: dict[str, Any], path: Path) -> Objective:
        if written.get("target") is not None:
            target = exact(written["target"])
        else:
            target = exact(written["targetPercent"]) / 100
        share, value = written.get("timeSliceTarget"), written.get("value")
        self._slice_window(written, path)
        if written.get("labels"):
            self.report.lose((*path, "labels"), "An objective has no labels.")
        return Objective(
            path=path,
            target=target,
            title=written.get("displayName") or "",
            comparison=written.get("op") or "",
            value=None if value is None else exact(value),
            slice_target=None if share is None else exact(share),
            indicator=self._part(written, path),
            weight=exact(written.get("compositeWeight") or 1),
        )

    def _part(self, written: dict[str, Any], path: Path) -> Indicator | Reference | None:
        if written.get("ratioMetrics"):
            where = (*path, "ratioMetrics")
            metrics = {
                role: self._metric(written["ratioMetrics"][role], (*where, role))
                for role in ("good", "total")
            }
            return self._made(self.entry.name, where, metrics)
        found = self._indicator_or_reference(written, path)
        if found is None and written.get("compositeWeight") is not None:
            self.report.lose((*path, "compositeWeight"), "This SLO is no composite.")
        return found

    def _slice_window(self, written: dict[str, Any], path: Path) -> None:
        length = written.get("timeSliceWindow")
        if length is None:
            return
        read = read_duration(length)
        minutes = read.length.total_seconds() / 60 if read else length
        if minutes != 1:
            self.report.lose((*path, "timeSliceWindow"), "A slice lasts a minute.")

    def _indicator_or_reference(
        self, written: dict[str, Any], path: Path
    ) -> Indicator | Reference | None:
        if name := written.get(f"{self.word}Ref"):
            reference = Reference((*path, f"{self.word}Ref"), "SLI", name)
            self.entry.references.append(reference)
            return reference
        if inline := written.get(self.word):
            return self._indicator(inline, (*path, self.word))
        return None

    def _indicator(self, data: dict[str, Any], path: Path) -> Indicator:
        self._lose_metadata(data, path)
        self._lose_title(data, path)
        spec, at = data["spec"], (*path, "spec")
        if spec.get("thresholdMetric"):
            metrics = {"value": self._metric(spec["thresholdMetric"], (*at, "thresholdMetric"))}
            return self._made(data["metadata"]["name"], path, metrics, spec)
        ratio, at = spec["ratioMetric"], (*at, "ratioMetric")
        metrics = {
            role: self._metric(ratio[role], (*at, role))
            for role in ("good", "bad", "total", "raw")
            if ratio.get(role)
        }
        if ratio.get("counter") is False and "raw" not in metrics:
            self.report.warn(
                (*at, "counter"), "The portal counts by how much these grow; a gauge does not grow."
            )
        return self._made(data["metadata"]["name"], path, metrics, spec)

    def _made(
        self,
        name: str,
        path: Path,
        metrics: dict[str, Metric],
        spec: Mapping[str, Any] | None = None,
    ) -> Indicator:
        said = spec or {}
        return Indicator(
            name=name,
            path=path,
            metrics=metrics,
            description=said.get("description") or "",
            raw_type=(said.get("ratioMetric") or {}).get("rawType") or "success",
            report=self.report,
        )

    def _metric(self, written: dict[str, Any], path: Path) -> Metric:
        if self.version == "openslo/v1alpha":
            source = SourceRef((*path, "source"), type=written["source"])
            return Metric((*path, "query"), source, {"query": written["query"]})
        if self.version == "openslo/v1":
            inner, at = written["metricSource"], (*path, "metricSource")
            source = SourceRef(
                (*at, "metricSourceRef" if inner.get("metricSourceRef") else "type"),
                name=inner.get("metricSourceRef") or "",
                type=inner.get("type") or "",
            )
        else:
            inner, at = written, path
            connection = inner.get("dataSourceSpec") or {}
            source = SourceRef(
                (*at, "dataSourceSpec" if connection else "dataSourceRef"),
                name=inner.get("dataSourceRef") or "",
                type=connection.get("type") or "",
                details=connection.get("connectionDetails") or {},
            )
        if source.name:
            needed = not source.type
            self.entry.references.append(Reference(source.path, "DataSource", source.name, needed))
        return Metric((*at, "spec"), source, inner["spec"])

    def _policies(self, spec: dict[str, Any], path: Path) -> None:
        for index, policy in enumerate(spec.get("alertPolicies") or []):
            at = (*path, "alertPolicies", index)
            self.report.lose(at, GENERATED)
            if not self._refer(policy, "alertPolicyRef", "AlertPolicy", at):
                self._policy_references(policy["spec"], (*at, "spec"))

    def _policy_references(self, spec: dict[str, Any], path: Path) -> None:
        for index, condition in enumerate(spec["conditions"]):
            self._refer(condition, "conditionRef", "AlertCondition", (*path, "conditions", index))
        for index, target in enumerate(spec["notificationTargets"]):
            at = (*path, "notificationTargets", index)
            self._refer(target, "targetRef", "AlertNotificationTarget", at)

    def _refer(self, written: Any, field: str, kind: str, path: Path) -> bool:
        """Note a reference; nothing is made of what it names, so it may be missing."""
        if isinstance(written, str):
            self.entry.references.append(Reference(path, kind, written, is_needed=False))
            return True
        if field in written:
            reference = Reference((*path, field), kind, written[field], is_needed=False)
            self.entry.references.append(reference)
            return True
        return False

    def _lose_title(self, data: dict[str, Any], path: Path) -> None:
        if data["metadata"].get("displayName"):
            self.report.lose((*path, "metadata", "displayName"), "It is called by its name.")

    def _lose_metadata(self, data: dict[str, Any], path: Path) -> dict[str, Any]:
        """Note labels and annotations as lost; return those that are the portal's own."""
        own = {}
        for key, value in (data["metadata"].get("annotations") or {}).items():
            name = key.removeprefix(OWN_PREFIX)
            if key.startswith(OWN_PREFIX) and name in OWN_ANNOTATIONS:
                own[name] = value
            else:
                where = (*path, "metadata", "annotations", key)
                self.report.lose(where, "The portal keeps no annotations of others.")
        for key in data["metadata"].get("labels") or {}:
            self.report.lose((*path, "metadata", "labels", key), "The portal keeps no labels.")
        return own


def _slo(reader: _Reader, data: dict[str, Any]) -> None:
    read = reader.slo_v1alpha if reader.version == "openslo/v1alpha" else reader.slo
    read(data)


READERS = {
    "Service": _Reader.service,
    "DataSource": _Reader.data_source,
    "SLI": _Reader.sli,
    "SLO": _slo,
    "AlertPolicy": _Reader.alerting,
    "AlertCondition": _Reader.alerting,
    "AlertNotificationTarget": _Reader.alerting,
}
