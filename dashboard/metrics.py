"""`/sre/metrics`: the portal's figures under stable Prometheus names, or the same as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.queries import status_of
from incidents.models import Alert, Incident, Severity
from slo.domain.counts import Counts
from slo.models import Sli, Slo

STATES = {"healthy": 0, "at_risk": 1, "exhausted": 2, "no_data": -1}
BREAKER_STATES = {"closed": 0, "half_open": 1, "open": 2, "forced_open": 3, "disabled": -1}
Breaker = dict[str, Any]


class PortalCollector(Collector):
    """SLOs, what their SLIs counted, alerts, incidents and circuit breakers, made from rows already read."""

    def __init__(
        self,
        slos: Sequence[Slo],
        counted: Mapping[Sli, Counts],
        alerts: Sequence[Alert],
        incidents: Sequence[Incident],
        breakers: Sequence[Breaker],
    ) -> None:
        self.slos = slos
        self.counted = counted
        self.alerts = alerts
        self.incidents = incidents
        self.breakers = breakers

    def collect(self) -> Iterable[Metric]:
        """Yield the families; an SLO without data has no sample rather than a zero."""
        yield from self._objectives()
        yield from self._burn_rates()
        yield from self._counters()
        yield _by_severity("sre_alerts_firing", "Alerts that are firing now.", self.alerts)
        yield _by_severity("sre_incidents_open", "Incidents that are open now.", self.incidents)
        yield self._breakers()

    def _objectives(self) -> Iterable[Metric]:
        labels = ["slo", "service", "kind"]
        families = {
            "objective": GaugeMetricFamily(
                "sre_slo_objective_ratio", "Share of events that must be good.", labels=labels
            ),
            "good": GaugeMetricFamily(
                "sre_slo_good_events", "Good events in the window.", labels=labels
            ),
            "total": GaugeMetricFamily(
                "sre_slo_valid_events", "Valid events in the window.", labels=labels
            ),
            "sli": GaugeMetricFamily("sre_slo_sli_ratio", "Share of good events.", labels=labels),
            "budget_remaining": GaugeMetricFamily(
                "sre_slo_error_budget_remaining_ratio",
                "Share of the error budget left; negative when overspent.",
                labels=labels,
            ),
            "coverage": GaugeMetricFamily(
                "sre_slo_coverage_ratio", "Share of expected minutes measured.", labels=labels
            ),
            "state": GaugeMetricFamily(
                "sre_slo_state",
                "0 healthy, 1 at risk, 2 exhausted, -1 no data.",
                labels=labels,
            ),
        }
        for slo in self.slos:
            names = [slo.slug, slo.sli.service.slug, slo.sli.kind]
            for key, value in figures(slo).items():
                if value is not None:
                    families[key].add_metric(names, float(value))
        yield from families.values()

    def _burn_rates(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "sre_slo_burn_rate",
            "How many times faster than allowed the error budget is spent.",
            labels=["slo", "service", "window"],
        )
        for slo in self.slos:
            status = status_of(slo)
            for window, value in (status.burn if status else {}).items():
                if value["rate"] is not None:
                    family.add_metric([slo.slug, slo.sli.service.slug, window], value["rate"])
        yield family

    def _counters(self) -> Iterable[Metric]:
        labels = ["sli", "service", "kind"]
        good = CounterMetricFamily("sre_sli_good_events", "Good events ever.", labels=labels)
        total = CounterMetricFamily("sre_sli_valid_events", "Valid events ever.", labels=labels)
        minutes = CounterMetricFamily(
            "sre_sli_measured_minutes", "Minutes ever measured; gaps are not.", labels=labels
        )
        for sli, counts in self.counted.items():
            names = [sli.slug, sli.service.slug, sli.kind]
            good.add_metric(names, counts.good)
            total.add_metric(names, counts.total)
            minutes.add_metric(names, counts.measured)
        yield from (good, total, minutes)

    def _breakers(self) -> Metric:
        family = GaugeMetricFamily(
            "sre_circuit_breaker_state",
            "0 closed, 1 half open, 2 open, 3 forced open, -1 disabled.",
            labels=["name", "service"],
        )
        for breaker in self.breakers:
            value = BREAKER_STATES.get(breaker["state"], -1)
            family.add_metric([breaker["name"], breaker["service"] or ""], value)
        return family


def _by_severity(name: str, help_text: str, rows: Sequence[Alert | Incident]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=["severity"])
    for severity in Severity.values:
        family.add_metric([severity], sum(row.severity == severity for row in rows))
    return family


def figures(slo: Slo) -> dict[str, float | None]:
    """Return the exported figures of one SLO; None has no sample."""
    status = status_of(slo)
    known: dict[str, float | None] = {"objective": float(slo.objective)}
    if status is None:
        return {**known, "state": STATES["no_data"]}
    return {
        **known,
        "good": status.good,
        "total": status.total,
        "sli": status.sli,
        "budget_remaining": status.budget_remaining,
        "coverage": status.coverage,
        "state": STATES[status.state],
    }


def exposition(collector: PortalCollector) -> bytes:
    """Return the Prometheus text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def as_json(collector: PortalCollector) -> list[dict[str, Any]]:
    """Return the same samples as JSON: name, help and labelled values."""
    return [
        {
            "name": metric.name,
            "help": metric.documentation,
            "samples": [
                {"labels": sample.labels, "value": sample.value} for sample in metric.samples
            ],
        }
        for metric in collector.collect()
    ]
