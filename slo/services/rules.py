"""Evaluating and editing threshold rules."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.urls import reverse

from catalog.models import Service
from core import audit
from core.locking import lock
from incidents.models import Alert, Severity
from incidents.services import intake
from incidents.services.intake import AlertSignal
from slo.domain.rules import OF_REQUESTS, Metric, Reading, Verdict, shown, verdict
from slo.models import ThresholdRule
from slo.services import readings
from slo.services.alerting import SYMPTOMS
from slo.services.breakers import BREAKERS
from slo.services.saving import save

if TYPE_CHECKING:
    from accounts.models import User

SOURCE = "rule"
NOTHING = Reading(None)
Question = tuple[str, int, int]


@dataclass(frozen=True)
class Finding:
    """What one rule says of one service."""

    rule: ThresholdRule
    service: Service
    reading: Reading
    verdict: Verdict

    @property
    def key(self) -> str:
        """Identity of the alert."""
        return f"{self.rule.slug}:{self.service.slug}"

    @property
    def sentence(self) -> str:
        """The figure and its threshold, in words."""
        metric = Metric(self.rule.metric)
        limit = shown(metric, self.rule.threshold)
        if self.reading.value is None:
            return f"no data; {self.rule.comparison} {limit} would fire"
        value = shown(metric, self.reading.value)
        about = f" ({self.reading.subject})" if self.reading.subject else ""
        minutes = self.rule.window_minutes
        return f"{value}{about} in {minutes} min; {self.rule.comparison} {limit} fires"


def find(rules: Sequence[ThresholdRule], *, end: datetime) -> list[Finding]:
    """Return what each rule says of each service it watches, over windows that end at `end`."""
    services = list(Service.objects.order_by("slug"))
    # Rules of single services mostly ask the same of each: one question is read once for all.
    asking: dict[Question, list[ThresholdRule]] = defaultdict(list)
    for rule in rules:
        asking[_question(rule)].append(rule)
    found = {
        question: readings.read(same[0], _watched(services, same), end=end)
        for question, same in asking.items()
    }
    return [
        Finding(rule, service, reading, verdict(rule.condition, reading))
        for rule in rules
        for service in _watched(services, [rule])
        for reading in [found[_question(rule)].get(service.pk, NOTHING)]
    ]


def _question(rule: ThresholdRule) -> Question:
    """Return all that tells the figures of one rule from those of another."""
    return rule.metric, rule.window_minutes, rule.error_from


def _watched(services: Sequence[Service], rules: Sequence[ThresholdRule]) -> list[Service]:
    """Return the services that any of the rules watches."""
    keys = {rule.service_id for rule in rules}
    return [service for service in services if None in keys or service.pk in keys]


def evaluate(*, end: datetime, now: datetime) -> list[Finding]:
    """Open and resolve the alerts of all enabled rules; return the findings that fire.

    A rule without data changes nothing: an alert that fires goes on until a figure says otherwise.
    Alerts of rules that were switched off or deleted end.
    """
    findings = find(list(ThresholdRule.objects.filter(is_enabled=True)), end=end)
    still_open = set(
        Alert.objects.firing().filter(source=SOURCE).values_list("dedup_key", flat=True)
    )
    for finding in findings:
        if finding.verdict is Verdict.FIRING:
            intake.receive(_signal(finding, end), now=now)
        elif finding.verdict is Verdict.FINE and finding.key in still_open:
            intake.receive(AlertSignal(SOURCE, finding.key, firing=False), now=now)
    for key in still_open - {finding.key for finding in findings}:
        intake.receive(AlertSignal(SOURCE, key, firing=False), now=now)
    return [finding for finding in findings if finding.verdict is Verdict.FIRING]


def _signal(finding: Finding, end: datetime) -> AlertSignal:
    rule = finding.rule
    value = finding.reading.value
    return AlertSignal(
        source=SOURCE,
        dedup_key=finding.key,
        firing=True,
        severity=Severity(rule.severity),
        title=f"{finding.service.name}: {rule.name[:1].lower()}{rule.name[1:]}",
        service=finding.service,
        detail=f"{finding.sentence[:1].upper()}{finding.sentence[1:]}.",
        url=reverse("slo:rules"),
        group_key=_group(Metric(rule.metric)),
        facts={
            "rule": rule.slug,
            "value": None if value is None else float(value),
            "threshold": float(rule.threshold),
            "events": finding.reading.events,
            "window_minutes": rule.window_minutes,
            "watermark": end.isoformat(),
        },
    )


def _group(metric: Metric) -> str:
    """Return with which alerts of its service a rule is one incident; "" where it is one of its own."""
    if metric in OF_REQUESTS:
        return SYMPTOMS
    return BREAKERS if metric is Metric.BREAKERS_OPEN else ""


@transaction.atomic
def save_rule(
    rule: ThresholdRule, *, actor: "User | str | None", now: datetime, fields: dict[str, Any]
) -> ThresholdRule:
    """Create or change a rule.

    Raises:
        ValidationError: With the messages by field.
    """
    return save(rule, "slo.rule", actor=actor, now=now, fields=fields)


@transaction.atomic
def delete_rule(rule: ThresholdRule, *, actor: "User | str | None", now: datetime) -> None:
    """Delete a rule; its alerts end at the next tick.

    Raises:
        NotFound: Somebody else deleted it.
    """
    lock(rule, to_delete=True)
    name = audit.subject_name(rule)
    rule.delete()
    audit.record(act="slo.rule_deleted", subject=name, actor=actor, now=now)
