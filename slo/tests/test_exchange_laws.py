"""Laws of the exchange formats: what is written is read back, and rubbish is refused, not crashed on."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.yaml_documents import write_documents
from slo.domain.exchange.drafts import PlannedSlo
from slo.domain.exchange.exported import Exported
from slo.domain.exchange.openslo_writing import documents_of, losses_of
from slo.domain.exchange.planning import MEASURED
from slo.domain.exchange.prometheus_rules import rules_of
from slo.domain.exchange.reading import Known, Read, read_set
from slo.domain.exchange.windows import WindowDraft
from slo.domain.windows import Period

THRESHOLD = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: pay}
spec:
  service: shop
  indicator:
    metadata: {name: delay}
    spec: {thresholdMetric: {metricSource: {type: Prometheus, spec: {query: max(delay)}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
  - {displayName: fast, op: lte, value: 1, target: 0.9}
"""
SECOND = "  - {displayName: slow, op: lte, value: 5, target: 0.99}\n"
SLOTH = """
version: prometheus/v1
service: shop
labels: {team: a}
slos:
- name: up
  objective: 99.9
  labels: {a: b}
  sli:
    events: {error_query: "sum(rate(e[{{.window}}]))", total_query: "sum(rate(t[{{.window}}]))"}
  alerting: {name: Up, page_alert: {disable: true}}
"""

slugs = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
words = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=60
).filter(str.strip)
shares = st.integers(1, 10**8 - 1).map(lambda units: Decimal(units) / 10**8)
counters = st.sampled_from(['sum(hits{code=~"5.."})', "sum(hits)", "sum by (a) (x_total)", "hits"])
windows = st.one_of(
    st.builds(WindowDraft, days=st.integers(1, 366)),
    st.builds(
        WindowDraft,
        period=st.sampled_from(Period),
        timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    ),
)
own_choices: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "endpoint": st.sampled_from(["/pay", "GET /users/{id}"]),
        "error_from": st.integers(400, 599),
        "excluded_statuses": st.lists(st.integers(100, 599), max_size=3),
        "only_successful": st.booleans(),
    },
)


@st.composite
def measures(draw: st.DrawFn) -> tuple[dict[str, Any], str, str]:
    """Return the fields of an SLI, its source and the source's kind."""
    source, kind = draw(st.sampled_from([("", ""), ("prom", "prometheus"), ("aws", "cloudwatch")]))
    fields: dict[str, Any] = {"slice_target": draw(shares)}
    kinds = ["availability", "success", "latency", "throughput", "ratio", "time_slices"]
    fields["kind"] = draw(st.sampled_from(kinds if source else [*kinds, "freshness", "probe"]))
    if not source:
        fields |= draw(own_choices)
    if fields["kind"] == "time_slices":
        fields |= {
            "value_query": "p95_ms" if not source else "max(delay)",
            "comparison": draw(st.sampled_from(["lt", "lte", "gt", "gte"])),
            "comparison_value": draw(st.decimals(-1000, 10**6, places=3)),
        }
    elif fields["kind"] == "latency":
        fields |= {"threshold_ms": 200, "total_query": "delay" if source else ""}
    elif fields["kind"] in {"throughput", "ratio"} or (
        source and fields["kind"] in {"availability", "success"}
    ):
        part = draw(st.sampled_from(["good_query", "bad_query"]))
        fields |= {part: draw(counters), "total_query": draw(counters)}
    elif fields["kind"] == "freshness":
        fields |= {"freshness_source": "users", "threshold_s": 60}
    elif fields["kind"] == "probe":
        fields |= {"probe_url": "https://shop.example.org/", "probe_body": draw(words)}
    return {**MEASURED, "description": draw(st.just("") | words), **fields}, source, kind


@st.composite
def slos(draw: st.DrawFn) -> Exported:
    """Return any SLO that is no composite."""
    measured, source, kind = draw(measures())
    return Exported(
        slug=draw(slugs),
        name=draw(words),
        description=draw(st.just("") | words),
        service=draw(slugs),
        objective=draw(shares),
        window=draw(windows),
        method=draw(st.sampled_from(["occurrences", "time_slices", "ratio_of_slices"])),
        minimum_events=draw(st.integers(0, 10**9 - 1)),
        is_enabled=draw(st.booleans()),
        sli=draw(slugs),
        measured=measured,
        source=source,
        source_kind=kind,
    )


def read(*texts: str) -> list[Read]:
    """Return what is read of these texts as one set."""
    known = Known(sources={"prom": "prometheus", "aws": "cloudwatch"})
    return read_set([(f"{n}.yaml", text, "") for n, text in enumerate(texts, 1)], known)


def planned(reads: list[Read]) -> list[PlannedSlo]:
    return [slo for one in reads for slo in one.planned]


@given(slos())
def test_what_is_written_is_read_back(slo: Exported) -> None:
    """Every SLO that is no composite comes back with each of its fields."""
    text = write_documents(documents_of([slo], {}, {}))
    reads = read(text)
    assert [one.report.errors + one.report.lost for one in reads] == [[] for _ in reads]
    (back,) = planned(reads)
    assert (back.slug, back.service, back.objective) == (slo.slug, slo.service, slo.objective)
    assert back.sli.slug == slo.sli
    assert back.sli.fields == slo.measured
    assert (back.sli.source.name if back.sli.source else "") == slo.source
    fields = back.fields
    window = WindowDraft(
        fields.get("window_days", 30),
        Period(fields["calendar_period"]) if "calendar_period" in fields else None,
        fields.get("timezone", "UTC"),
    )
    assert window == slo.window
    assert fields["method"] == slo.method
    assert fields["name"].split() == slo.name.split()
    assert fields["description"] == slo.description
    assert fields["minimum_events"] == slo.minimum_events
    assert fields.get("is_enabled", True) == slo.is_enabled


@given(slos())
def test_what_openslo_cannot_hold_is_said(slo: Exported) -> None:
    """A long description is cut to what the format allows; that, policy and history are losses."""
    rich = replace(slo, description="x" * 2000, policy="strict", versions=3)
    text = write_documents(documents_of([rich], {}, {}))
    (back,) = planned(read(text))
    assert back.fields["description"] == "x" * 1050
    assert [field for _, field, _ in losses_of([rich])] == ["description", "policy", "versions"]
    assert losses_of([slo]) == []


@given(slos())
def test_rules_by_slices_are_the_portal_s(slo: Exported) -> None:
    """Only occurrences are sums of counters: any other method is taken from the portal's figures."""
    rules = rules_of([slo])["groups"][0]["rules"]
    is_counted = slo.method == "occurrences" and slo.source_kind == "prometheus"
    if not is_counted:
        assert all("sre_slo_" in rule["expr"] for rule in rules)


def test_each_threshold_has_an_sli_of_its_own() -> None:
    """Two objectives over one metric are two conditions: neither may take the other's place."""
    first, second = planned(read(THRESHOLD + SECOND))
    assert first.sli.slug != second.sli.slug
    assert [slo.sli.fields["comparison_value"] for slo in (first, second)] == [1, 5]


def test_slis_of_one_name_that_differ_are_kept_apart() -> None:
    """An inline SLI is named within its document only; another SLO's is not overwritten by it."""
    other = THRESHOLD.replace("name: pay", "name: refund").replace("value: 1", "value: 9")
    pay, refund = planned(read(THRESHOLD, other))
    assert (pay.sli.slug, refund.sli.slug) == ("pay", "refund")
    assert (pay.sli.fields["comparison_value"], refund.sli.fields["comparison_value"]) == (1, 9)


def test_slis_of_one_name_that_are_equal_are_one() -> None:
    """Two SLOs over the same counters share their SLI."""
    again = THRESHOLD.replace("name: pay", "name: refund").replace("30d", "7d")
    assert [slo.sli.slug for slo in planned(read(THRESHOLD, again))] == ["delay", "delay"]


def test_an_slo_made_of_an_objective_is_not_overwritten() -> None:
    """pay with the objectives fast and slow makes pay-fast, so a document pay-fast is refused."""
    made, twin = read(THRESHOLD + SECOND, THRESHOLD.replace("name: pay", "name: pay-fast"))
    assert made.accepted
    assert not twin.accepted
    assert twin.planned == []
    assert "pay-fast" in twin.report.errors[0].message


def test_what_needs_a_refused_document_is_refused() -> None:
    """However far away: the SLO names an SLI whose source is not there."""
    sli = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: delay}
spec: {thresholdMetric: {metricSource: {metricSourceRef: nowhere, spec: {query: max(delay)}}}}
"""
    at = THRESHOLD.index("  indicator:"), THRESHOLD.index("  timeWindow:")
    slo = f"{THRESHOLD[: at[0]]}  indicatorRef: delay\n{THRESHOLD[at[1] :]}"
    assert [one.accepted for one in read(slo, sli)] == [False, False]
    assert [one.accepted for one in read(slo, sli.replace("nowhere", "prom"))] == [True, True]


def test_an_sli_that_nothing_uses_is_a_loss() -> None:
    """An SLI document alone is right, but nothing is made of it."""
    text = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: delay}
spec: {thresholdMetric: {metricSource: {metricSourceRef: prom, spec: {query: max(delay)}}}}
"""
    (one,) = read(text)
    assert one.accepted
    assert [remark.path for remark in one.report.lost] == [("metadata", "name")]


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_keys_that_are_no_text_are_read_as_written(where: str) -> None:
    """YAML reads 1 and true as a number and a truth; as names they are text."""
    (one,) = read(
        f"apiVersion: openslo/v1\nkind: Service\nmetadata: {{name: a, {where}: {{1: x}}}}"
    )
    assert one.accepted
    assert [remark.path for remark in one.report.lost] == [("metadata", where, "1")]


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ("max(delay)", '"a\\0b"', ()),
        ("displayName: fast", 'displayName: "a\\0b"', ("spec", "objectives", 0, "displayName")),
    ],
)
def test_a_nul_is_refused_by_its_field(before: str, after: str, path: tuple[Any, ...]) -> None:
    """No database keeps a NUL in text, so it is refused while its field is known."""
    (one,) = read(THRESHOLD.replace(before, after))
    assert not one.accepted
    assert one.report.errors[0].path[: len(path)] == path
    assert "NUL" in one.report.errors[0].message


rubbish = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
        | st.dictionaries(st.integers() | st.booleans() | st.none(), inner, max_size=2)
    ),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """Return a right document with one value of it replaced by rubbish."""
    data = yaml.safe_load(draw(st.sampled_from([THRESHOLD + SECOND, SLOTH])))
    place = data
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            place[key] = draw(rubbish)
            return data
        place = place[key]


@given(spoilt())
def test_rubbish_gets_a_verdict(data: Any) -> None:
    """Whatever a field holds, the document is carried or refused; refusals say what to do."""
    for one in read(yaml.safe_dump(data, allow_unicode=True)):
        assert one.accepted or all(remark.message for remark in one.report.errors)
        assert one.accepted or not one.planned
