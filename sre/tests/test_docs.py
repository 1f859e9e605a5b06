"""The documents' examples run, and say what the code does."""

import json
import re
from pathlib import Path

import pytest

from sre.report import Report
from sre.slo_sli import DEFAULT_AGE_BOUNDS_S, DEFAULT_BOUNDS_MS, SliCalculator

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["sre/README.md", "docs/sdk.md"]


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_python_example_runs(
    document: str, monkeypatch: pytest.MonkeyPatch, sli_calculator: SliCalculator
) -> None:
    """Read from top to bottom, as a reader would try them, without a portal around."""
    monkeypatch.delenv("SRE_PORTAL_URL", raising=False)
    examples = blocks(document, "python")
    assert len(examples) >= 3
    namespace: dict[str, object] = {"__name__": "example"}
    for example in examples:
        exec(compile(example, document, "exec"), namespace)
    assert namespace.get("availability", 100.0) == 100.0


def test_the_documented_report_has_the_form_of_a_real_one() -> None:
    """Same fields, same bounds, as many buckets."""
    (example,) = (json.loads(block) for block in blocks("docs/sdk.md", "json"))
    sli = SliCalculator()
    sli.record_request("/api/users", 200, 150.5)
    sli.record_freshness("users", 12)
    report = Report.of(
        sli.drain(),
        service="users-api",
        reporter="web-1:4711:1795348800",
        covers=[0],
        bounds_ms=sli.bounds_ms,
        age_bounds_s=sli.age_bounds_s,
    )
    real = json.loads(report.to_json())
    assert example.keys() == real.keys()
    assert example["bounds_ms"] == list(DEFAULT_BOUNDS_MS)
    assert example["freshness"][0]["bounds_s"] == list(DEFAULT_AGE_BOUNDS_S)
    for kind in ("covers", "requests", "freshness"):
        assert example[kind][0].keys() == real[kind][0].keys()
    for kind in ("requests", "freshness"):
        row = example[kind][0]
        assert len(row["buckets"]) == len(real[kind][0]["buckets"])
        assert sum(row["buckets"]) == row["count"]
