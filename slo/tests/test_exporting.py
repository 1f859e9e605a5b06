"""Exporting: OpenSLO that is read back as it was, and rules that Prometheus itself accepts."""

import io
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.exceptions import ValidationError
from django.core.management import call_command

from slo.models import CompositeMember, Sli, Slo, Source
from slo.services import objectives
from slo.tests.world import NOON, World

pytestmark = pytest.mark.django_db
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


@pytest.fixture
def world() -> World:
    """Return the Users API with SLOs of several kinds beside its own four."""
    world = World()
    source = Source.objects.create(slug="prom", kind="prometheus", url="http://prom.example.org")
    world.custom(
        "orders",
        "0.995",
        kind="ratio",
        source=source,
        bad_query='sum(http_requests_total{code=~"5.."})',
        total_query="sum(http_requests_total)",
    )
    slices = world.custom(
        "queue",
        "0.9",
        kind="time_slices",
        source=source,
        value_query="max(queue_length)",
        comparison="lte",
        comparison_value=Decimal(100),
    )
    Slo.objects.filter(pk=slices.pk).update(
        window_kind="calendar", calendar_period="month", timezone="Europe/Berlin"
    )
    whole = objectives.create_sli(
        slug="journey", service=world.service, kind="composite", actor="t", now=NOON
    )
    slo = objectives.create_slo(
        sli=whole, slug="journey", name="Journey", objective=Decimal("0.98"), actor="t", now=NOON
    )
    assert slo
    for slug, weight in (("orders", 3), ("users-api-latency", 1)):
        CompositeMember.objects.create(sli=whole, slo=Slo.objects.get(slug=slug), weight=weight)
    return world


def export(format_: str, *slugs: str) -> str:
    out = io.StringIO()
    chosen = [word for slug in slugs for word in ("--slo", slug)]
    call_command("slo_export", "--format", format_, *chosen, stdout=out)
    return out.getvalue()


def kept() -> dict[str, Any]:
    """Return everything an export must carry, by SLO."""
    fields = ["name", "description", "method", "window_kind", "window_days", "minimum_events"]
    sli = ["kind", "bad_query", "total_query", "value_query", "comparison", "comparison_value"]
    sli += ["threshold_ms", "error_from", "excluded_statuses", "threshold_s", "freshness_source"]
    found = {}
    for slo in Slo.objects.select_related("sli__source").prefetch_related("versions"):
        found[slo.slug] = [
            slo.objective,
            *(getattr(slo, name) for name in fields),
            *(getattr(slo.sli, name) for name in sli),
            slo.sli.source and slo.sli.source.url,
            sorted(slo.sli.members.values_list("slo__slug", "weight")),
        ]
    return found


def test_openslo_is_read_back_as_it_was(world: World, tmp_path: Path) -> None:
    """Export, delete everything, import: the same objectives, SLIs, windows and members."""
    before, text = kept(), export("openslo")
    CompositeMember.objects.all().delete()
    Slo.objects.all().delete()
    Sli.objects.all().delete()
    Source.objects.all().delete()
    (tmp_path / "all.yaml").write_text(text)
    out, err = io.StringIO(), io.StringIO()
    call_command("slo_import", str(tmp_path / "all.yaml"), stdout=out, stderr=err)
    assert kept() == before, out.getvalue()


def test_one_slo_comes_with_what_it_names(world: World) -> None:
    """A composite brings its members, their SLIs, services and sources."""
    documents = list(yaml.safe_load_all(export("openslo", "journey")))
    names = [(d["kind"], d["metadata"]["name"]) for d in documents]
    assert ("SLO", "orders") in names
    assert ("DataSource", "prom") in names
    assert ("SLO", "queue") not in names
    assert names[-1] == ("SLO", "journey")


def test_an_unknown_slo_is_bad_usage(world: World) -> None:
    """Exit 2, and its name."""
    with pytest.raises(SystemExit) as end:
        call_command("slo_export", "--format", "openslo", "--slo", "nobody", stderr=io.StringIO())
    assert end.value.code == 2


def test_rules_carry_sloth_s_names(world: World) -> None:
    """Recording rules by window, a period rule that is sums by sums, and what dashboards look for."""
    groups = yaml.safe_load(export("prometheus", "orders"))["groups"]
    rules = {rule.get("record", rule.get("alert")): rule for g in groups for rule in g["rules"]}
    five = rules["slo:sli_error:ratio_rate5m"]
    assert five["labels"] == {
        "sloth_id": "users-api-orders",
        "sloth_service": "users-api",
        "sloth_slo": "orders",
        "sloth_window": "5m",
    }
    assert 'rate(http_requests_total{code=~"5.."}[5m])' in five["expr"]
    assert "[30d]" in rules["slo:sli_error:ratio_rate30d"]["expr"]
    assert rules["slo:objective:ratio"]["expr"] == "vector(0.99500000)"
    assert {"slo:error_budget:ratio", "slo:period_error_budget_remaining:ratio"} <= set(rules)
    assert rules["orders-page"]["labels"] == {"sloth_severity": "page"}


@needs_promtool
def test_promtool_accepts_all_rules(world: World, tmp_path: Path) -> None:
    """Whatever the kind of SLI: syntax, names, and no duplicates."""
    path = tmp_path / "rules.yml"
    path.write_text(export("prometheus"))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_rules_say_what_the_portal_says(world: World, tmp_path: Path) -> None:
    """One request in fifty fails for hours at 99.5 %: a burn rate of 4, which makes a ticket only."""
    (tmp_path / "rules.yml").write_text(export("prometheus", "orders"))
    labels = {"sloth_id": "users-api-orders", "sloth_service": "users-api", "sloth_slo": "orders"}
    inner = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'http_requests_total{code="200"}', "values": "0+49x2000"},
                    {"series": 'http_requests_total{code="500"}', "values": "0+1x2000"},
                ],
                "promql_expr_test": [
                    {
                        "expr": f"round(slo:current_burn_rate:ratio{{{inner}}}, 0.001)",
                        "eval_time": "30h",
                        "exp_samples": [{"labels": f'{{{inner}, sloth_window="5m"}}', "value": 4}],
                    },
                    {
                        "expr": 'count(ALERTS{alertname="orders-page"}) or vector(0)',
                        "eval_time": "30h",
                        "exp_samples": [{"labels": "{}", "value": 0}],
                    },
                    {
                        "expr": 'count(ALERTS{alertname="orders-ticket"}) or vector(0)',
                        "eval_time": "30h",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    },
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", "test.yml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("slug", ["rules", "reports", "sources", "import", "panels", "lint"])
def test_addresses_of_pages_are_no_names(world: World, slug: str) -> None:
    """/slo/reports/ is a page; an SLO of that name would have none."""
    with pytest.raises(ValidationError) as refused:
        world.custom(slug, "0.99")
    assert "address of a page" in str(refused.value)
