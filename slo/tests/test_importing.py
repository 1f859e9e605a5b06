"""Importing OpenSLO and Sloth: what is carried, what is refused, and how that is said."""

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from catalog.models import Service
from core.models import AuditEntry
from slo.models import CompositeMember, Sli, Slo, Source
from slo.services import objectives
from slo.tests.world import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SOURCE = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec:
  type: Prometheus
  connectionDetails: {url: "http://prometheus.example.org:9090"}
"""
INDICATOR = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: shop-good}
spec:
  ratioMetric:
    counter: true
    good:
      metricSource:
        metricSourceRef: prom
        spec: {query: 'sum(http_requests_total{code!~"5.."})'}
    total:
      metricSource:
        metricSourceRef: prom
        spec: {query: sum(http_requests_total)}
"""
OBJECTIVE = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: shop-availability, displayName: Shop availability}
spec:
  service: shop
  indicatorRef: shop-good
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.995}]
"""
SLOTH = """
version: prometheus/v1
service: pay
labels: {owner: team}
slos:
  - name: requests
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total[{{.window}}]))
    alerting:
      page_alert: {disable: true}
"""


def run(tmp_path: Path, *texts: str | bytes, dry: bool = False) -> tuple[int, list[Any]]:
    """Import texts as files of one folder; return the exit status and the verdicts."""
    for number, text in enumerate(texts):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / f"{number}.yaml").write_bytes(data)
    out, err = io.StringIO(), io.StringIO()
    arguments = [str(tmp_path), "--json", *(["--dry-run"] if dry else [])]
    try:
        call_command("slo_import", *arguments, stdout=out, stderr=err)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


def with_inner(query: str) -> str:
    """Return the SLO with an SLI inside of it, which is called inner."""
    source = f"metricSource: {{metricSourceRef: prom, spec: {{query: {query}}}}}"
    sli = f"indicator: {{metadata: {{name: inner}}, spec: {{thresholdMetric: {{{source}}}}}}}"
    text = OBJECTIVE.replace("indicatorRef: shop-good", sli)
    return text.replace("{target: 0.995}", "{target: 0.995, op: lte, value: 1}")


def test_documents_of_several_files_make_one_slo(tmp_path: Path) -> None:
    """Whatever the order: a source, an SLI and an SLO that name each other."""
    status, verdicts = run(tmp_path, OBJECTIVE, INDICATOR, SOURCE)
    assert status == 0
    assert [v["kind"] for v in verdicts] == ["SLO", "SLI", "DataSource"]
    assert all(v["accepted"] and v["format"] == "openslo/v1" for v in verdicts)
    slo = Slo.objects.select_related("sli__source", "sli__service").get(slug="shop-availability")
    assert (slo.objective, slo.window_days, slo.name) == (
        Decimal("0.995"),
        28,
        "Shop availability",
    )
    assert (slo.sli.kind, slo.sli.total_query) == (Sli.Kind.RATIO, "sum(http_requests_total)")
    assert slo.sli.service.slug == "shop"
    assert slo.sli.source is not None
    assert slo.sli.source.url == "http://prometheus.example.org:9090"


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    """The same set twice: one SLO, one version, no new audit."""
    run(tmp_path, SOURCE, INDICATOR, OBJECTIVE, SLOTH)
    before = AuditEntry.objects.count()
    status, verdicts = run(tmp_path, SOURCE, INDICATOR, OBJECTIVE, SLOTH)
    assert status == 0
    assert AuditEntry.objects.count() == before
    assert [v["slos"] for v in verdicts if v["slos"]] == [["shop-availability"], ["pay-requests"]]
    assert Slo.objects.get(slug="shop-availability").versions.count() == 1


def test_another_target_becomes_a_version(tmp_path: Path) -> None:
    """History is never rewritten by an import either."""
    run(tmp_path, SOURCE, INDICATOR, OBJECTIVE)
    run(tmp_path, SOURCE, INDICATOR, OBJECTIVE.replace("0.995", "0.99"))
    slo = Slo.objects.get(slug="shop-availability")
    assert [v.objective for v in slo.versions.all()] == [Decimal("0.995"), Decimal("0.99")]


def test_a_dry_run_stores_nothing(tmp_path: Path) -> None:
    """It says what would be carried."""
    status, verdicts = run(tmp_path, SOURCE, INDICATOR, OBJECTIVE, dry=True)
    assert (status, verdicts[2]["slos"]) == (0, ["shop-availability"])
    assert not Slo.objects.exists()
    assert not Source.objects.exists()
    assert not Service.objects.exists()


def test_sloth_is_carried_with_a_report_of_what_is_not(tmp_path: Path) -> None:
    """Its counters are asked as they are; labels and alert texts have no place here."""
    status, (verdict,) = run(tmp_path, SLOTH)
    assert (status, verdict["accepted"], verdict["format"]) == (0, True, "sloth/v1")
    assert "labels" in {remark["path"] for remark in verdict["lost"]}
    assert "set its address" in verdict["warnings"][0]["message"]
    slo = Slo.objects.select_related("sli").get(slug="pay-requests")
    assert slo.objective == Decimal("0.999")
    assert slo.sli.bad_query == 'sum(http_requests_total{code=~"5.."})'
    assert slo.sli.total_query == "sum(http_requests_total)"


def test_sloth_of_kubernetes_is_the_same(tmp_path: Path) -> None:
    """PrometheusServiceLevel has other spellings of the same fields."""
    text = """
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {name: pay-slos, namespace: monitoring}
spec:
  service: pay
  slos:
    - name: requests
      objective: 99.9
      sli:
        events:
          errorQuery: sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))
          totalQuery: sum(rate(http_requests_total[{{.window}}]))
      alerting:
        pageAlert: {disable: true}
"""
    status, (verdict,) = run(tmp_path, text)
    assert (status, verdict["slos"]) == (0, ["pay-requests"]), verdict


def test_a_composite_weighs_its_parts(tmp_path: Path) -> None:
    """Each part is an SLO, and the composite is over them, by whole weights."""
    second = INDICATOR.replace("shop-good", "shop-fast")
    composite = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: shop-journey}
spec:
  service: shop
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: up, target: 0.99, compositeWeight: 1.5, indicatorRef: shop-good}
    - {displayName: fast, target: 0.95, compositeWeight: 0.5, indicatorRef: shop-fast}
"""
    status, verdicts = run(tmp_path, SOURCE, INDICATOR, second, composite)
    assert status == 0, verdicts
    members = CompositeMember.objects.filter(sli__slug="shop-journey").order_by("slo__slug")
    assert [(m.slo.slug, m.weight) for m in members] == [
        ("shop-journey-fast", 1),
        ("shop-journey-up", 3),
    ]
    assert Slo.objects.get(slug="shop-journey").objective == Decimal("0.98")


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        (OBJECTIVE.replace("0.995", "1.5"), "spec.objectives[0].target", "between 0 and 1"),
        (OBJECTIVE.replace("0.995", "1"), "spec.objectives[0].target", "between 0 and 1"),
        (OBJECTIVE.replace("shop-good", "nowhere"), "spec.indicatorRef", "no SLI nowhere"),
        (OBJECTIVE.replace("budgetingMethod", "budgettingMethod"), "spec", "budgetingMethod"),
        (OBJECTIVE.replace("28d", "four weeks"), "spec.timeWindow[0].duration", "whole number"),
        (OBJECTIVE.replace("openslo/v1", "openslo/v9"), "apiVersion", "Unknown version"),
        (OBJECTIVE.replace("kind: SLO", "kind: SLA"), "kind", "Unknown kind"),
        (SLOTH.replace("99.9", "100"), "slos[0].objective", ""),
        ("a: [unclosed", "", ""),
        ("just text", "", "mapping"),
        ("", "", "no document"),
        (b"\x00\x01\xff", "", "UTF-8"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n" * 1, "", "Neither OpenSLO"),
    ],
)
def test_what_is_wrong_is_said_by_its_field(
    tmp_path: Path, text: str | bytes, path: str, says: str
) -> None:
    """Exit 1, the field, what to do; the right documents beside it are carried all the same."""
    status, verdicts = run(tmp_path, text, SOURCE, INDICATOR)
    assert status == 1
    assert verdicts[0]["accepted"] is False
    assert any(
        remark["path"].startswith(path) and says in remark["message"]
        for remark in verdicts[0]["errors"]
    ), verdicts[0]["errors"]
    assert [v["accepted"] for v in verdicts[1:]] == [True, True]
    assert Source.objects.filter(slug="prom").exists()


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    """Which of them would hold cannot be told."""
    status, verdicts = run(tmp_path, SOURCE, INDICATOR, OBJECTIVE, OBJECTIVE)
    assert status == 1
    assert [v["accepted"] for v in verdicts] == [True, True, True, False]
    assert "has a SLO shop-availability already" in verdicts[3]["errors"][0]["message"]


def test_what_the_portal_itself_refuses_is_said_too(tmp_path: Path) -> None:
    """An SLI of this name belongs to something else here: one document is refused, not the set."""
    service = Service.objects.create(slug="other", name="Other")
    sli = objectives.create_sli(
        slug="shop-good", service=service, kind="success", actor="t", now=NOON
    )
    objectives.create_slo(
        sli=sli, slug="theirs", name="Theirs", objective=Decimal("0.9"), actor="t", now=NOON
    )
    status, verdicts = run(tmp_path, SOURCE, INDICATOR, OBJECTIVE)
    assert status == 1
    assert "shop-good" in verdicts[2]["errors"][0]["message"]
    assert Sli.objects.get(slug="shop-good").service == service


def test_what_is_refused_late_is_named_where_it_stands(tmp_path: Path) -> None:
    """Of many objectives in a document it is the second that cannot be counted."""
    spec = """
version: prometheus/v1
service: shop
slos:
  - name: fine
    objective: 99
    sli: {events: {error_query: "sum(rate(a[{{.window}}]))", total_query: "sum(rate(b[{{.window}}]))"}}
  - name: wrong
    objective: 99
    sli: {events: {error_query: "deriv(a[{{.window}}])", total_query: "sum(rate(b[{{.window}}]))"}}
"""
    status, verdicts = run(tmp_path, spec)
    assert status == 1
    (refusal,) = verdicts[0]["errors"]
    assert "deriv() is no count" in refusal["message"]
    assert (refusal["path"], refusal["line"]) == ("slos[1]", 8)
    assert not Slo.objects.exists()


def test_an_sli_that_others_need_is_not_changed(tmp_path: Path) -> None:
    """Documents imported one after the other may call different things by one name."""
    first = with_inner("max(a)")
    second = with_inner("max(b)").replace("shop-availability", "shop-other")
    assert run(tmp_path, SOURCE, first)[0] == 0
    status, verdicts = run(tmp_path, SOURCE, second)
    assert status == 1
    assert "shop-availability needs it" in verdicts[1]["errors"][0]["message"]
    assert Slo.objects.get(slug="shop-availability").sli.value_query == "max(a)"
    assert not Slo.objects.filter(slug="shop-other").exists()


def test_an_slo_keeps_its_sli_whatever_that_is_called(tmp_path: Path) -> None:
    """Measured minutes belong to the SLI, so another name in the document does not lose them."""
    text = with_inner("max(a)")
    assert run(tmp_path, SOURCE, text)[0] == 0
    before = Slo.objects.get(slug="shop-availability").sli
    assert run(tmp_path, SOURCE, text.replace("name: inner", "name: renamed"))[0] == 0
    assert Slo.objects.get(slug="shop-availability").sli == before


def test_bad_usage_is_two() -> None:
    """A path that is not there."""
    with pytest.raises(SystemExit) as end:
        call_command("slo_import", "/nowhere/at/all", stderr=io.StringIO())
    assert end.value.code == 2


def test_windows_are_those_of_the_workbook() -> None:
    """Thirty days at 99.9 %: 14.4, 6, 3 and 1."""
    out = io.StringIO()
    call_command("slo_windows", "--objective", "0.999", "--period", "30d", "--json", stdout=out)
    tiers = json.loads(out.getvalue())
    assert [(t["long"], t["short"], t["threshold"], t["severity"]) for t in tiers] == [
        ("1h", "5m", 14.4, "page"),
        ("6h", "30m", 6.0, "page"),
        ("1d", "2h", 3.0, "ticket"),
        ("3d", "6h", 1.0, "ticket"),
    ]
    assert {frozenset(t) for t in tiers} == {
        frozenset({"long", "short", "budget_share", "threshold", "severity", "enabled", "note"})
    }
