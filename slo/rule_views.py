"""The page of threshold rules."""

from collections import defaultdict

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.models import Service
from core.clock import floor_minute, now
from core.htmx import render_page
from slo.domain.rules import Metric
from slo.models import Sli, Slo, ThresholdRule
from slo.services import rules

# Which kinds of SLI speak of the same trouble as a metric: their burn alerts are the finer signal.
SAME_GROUND: dict[str, frozenset[str]] = {
    Metric.AVAILABILITY: frozenset({Sli.Kind.AVAILABILITY, Sli.Kind.PROBE}),
    Metric.ERROR_RATE: frozenset({Sli.Kind.SUCCESS, Sli.Kind.AVAILABILITY}),
    Metric.P95_MS: frozenset({Sli.Kind.LATENCY}),
}


@require_safe
@requires(Role.VIEWER)
def rule_list(request: HttpRequest) -> HttpResponse:
    """Show each rule, what it sees of each service now, and which objective covers its ground."""
    user = signed_in(request)
    visible = set(Service.objects.visible_to(user).values_list("pk", flat=True))
    findings = rules.find(
        list(ThresholdRule.objects.select_related("service")),
        end=floor_minute(now()),
    )
    covering = _covering(visible)
    rows: dict[int, dict[str, object]] = {}
    for finding in findings:
        if finding.service.pk not in visible:
            continue
        row = rows.setdefault(finding.rule.pk, {"rule": finding.rule, "findings": []})
        kinds = SAME_GROUND.get(finding.rule.metric, frozenset())
        same = [slo for kind in kinds for slo in covering[finding.service.pk, kind]]
        entries = row["findings"]
        assert isinstance(entries, list)
        entries.append({"finding": finding, "covered_by": same})
    return render_page(request, "slo/rules.html", {"rows": list(rows.values())})


def _covering(visible: set[int]) -> dict[tuple[int, str], list[Slo]]:
    found: dict[tuple[int, str], list[Slo]] = defaultdict(list)
    for slo in Slo.objects.enabled().filter(sli__service__in=visible).select_related("sli"):
        found[slo.sli.service_id, slo.sli.kind].append(slo)
    return found
