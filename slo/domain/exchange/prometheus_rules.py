"""SLOs as Prometheus rules under Sloth's names, so that dashboards made for Sloth work on them.

An SLO that Prometheus itself measures, by events, is asked with its own counters. Every other one,
and one that is judged by slices, is taken from the portal's `/sre/metrics`, where its burn rates are. The rule of the period is the sum of bad events
by the sum of all, not a mean of ratios.

Source: Sloth, names of recording rules and labels, https://sloth.dev/
"""

from collections.abc import Iterable
from typing import Any

from slo.domain.burn_alerts import Tier, Urgency, tiers_for
from slo.domain.exchange.exported import Exported
from slo.domain.exchange.promql import is_counter, over
from slo.domain.plans import NOMINAL_DAYS, Method
from slo.domain.windows import BURN_WINDOWS

__all__ = ["rules_of"]

NAMES = {length: name for name, length in BURN_WINDOWS.items()}


def rules_of(slos: Iterable[Exported]) -> dict[str, Any]:
    """Return a rule file's content for these SLOs."""
    return {"groups": [group for slo in slos for group in _groups(slo)]}


def _groups(slo: Exported) -> list[dict[str, Any]]:
    suffix = _labels(slo)["sloth_id"]
    groups = [
        {"name": f"sloth-slo-sli-recordings-{suffix}", "rules": _sli_rules(slo)},
        {"name": f"sloth-slo-meta-recordings-{suffix}", "rules": _meta_rules(slo)},
    ]
    if alerts := _alert_rules(slo):
        groups.append({"name": f"sloth-slo-alerts-{suffix}", "rules": alerts})
    return groups


def _labels(slo: Exported) -> dict[str, str]:
    """Return the labels that name the SLO; Sloth puts the service before its name in the id."""
    name = slo.slug.removeprefix(f"{slo.service}-")
    return {
        "sloth_id": f"{slo.service}-{name}",
        "sloth_service": slo.service,
        "sloth_slo": name,
    }


def _selector(slo: Exported) -> str:
    labels = ", ".join(f'{name}="{value}"' for name, value in _labels(slo).items())
    return f"{{{labels}}}"


def _days(slo: Exported) -> int:
    return slo.window.days if slo.window.period is None else NOMINAL_DAYS[slo.window.period]


def _sli_rules(slo: Exported) -> list[dict[str, Any]]:
    period = f"{_days(slo)}d"
    windows = [name for name in BURN_WINDOWS if name != period]
    return [
        {
            "record": f"slo:sli_error:ratio_rate{window}",
            "expr": _error_ratio(slo, window, is_period=window == period),
            "labels": {**_labels(slo), "sloth_window": window},
        }
        for window in [*windows, period]
    ]


def _error_ratio(slo: Exported, window: str, *, is_period: bool) -> str:
    queries = {
        role: str(slo.measured.get(f"{role}_query") or "") for role in ("good", "bad", "total")
    }
    asked = [query for query in queries.values() if query]
    is_summed = slo.source_kind == "prometheus" and slo.method == Method.OCCURRENCES
    if is_summed and queries["total"] and all(map(is_counter, asked)):
        total = over(queries["total"], window)
        if queries["bad"]:
            return f"({over(queries['bad'], window)})\n/\n({total})"
        if queries["good"]:
            return f"1 - (\n  ({over(queries['good'], window)})\n  /\n  ({total})\n)"
    if is_period:
        return f'1 - max(sre_slo_sli_ratio{{slo="{slo.slug}"}})'
    burn = f'max(sre_slo_burn_rate{{slo="{slo.slug}", window="{window}"}})'
    return f"{burn} * {1 - slo.objective:f}"


def _meta_rules(slo: Exported) -> list[dict[str, Any]]:
    mine = _selector(slo)
    on = "/ on(sloth_id, sloth_slo, sloth_service) group_left"
    budget = f"slo:error_budget:ratio{mine}"
    exprs = {
        "slo:objective:ratio": f"vector({slo.objective:f})",
        "slo:error_budget:ratio": f"vector({1 - slo.objective:f})",
        "slo:time_period:days": f"vector({_days(slo)})",
        "slo:current_burn_rate:ratio": f"slo:sli_error:ratio_rate5m{mine}\n{on}\n{budget}",
        "slo:period_burn_rate:ratio": (
            f"slo:sli_error:ratio_rate{_days(slo)}d{mine}\n{on}\n{budget}"
        ),
        "slo:period_error_budget_remaining:ratio": f"1 - slo:period_burn_rate:ratio{mine}",
    }
    rules: list[dict[str, Any]] = [
        {"record": name, "expr": expr, "labels": _labels(slo)} for name, expr in exprs.items()
    ]
    info = {
        **_labels(slo),
        "sloth_mode": "sreportal",
        "sloth_objective": f"{slo.objective * 100:f}",
    }
    return [*rules, {"record": "sloth_slo_info", "expr": "vector(1)", "labels": info}]


def _alert_rules(slo: Exported) -> list[dict[str, Any]]:
    from_period = tiers_for(slo.objective, _length(slo))
    rules = []
    for urgency in Urgency:
        tiers = [t for t in from_period if t.share.urgency is urgency and t.enabled]
        if tiers:
            rules.append(
                {
                    "alert": f"{slo.slug}-{urgency.value}",
                    "expr": "\nor\n".join(_condition(slo, tier) for tier in tiers),
                    "labels": {"sloth_severity": urgency.value},
                    "annotations": {
                        "summary": f"{slo.name}: its error budget is spent too fast.",
                        "title": f"({urgency.value}) {slo.service} {slo.slug}",
                    },
                }
            )
    return rules


def _length(slo: Exported) -> Any:
    return BURN_WINDOWS["1d"] * _days(slo)


def _condition(slo: Exported, tier: Tier) -> str:
    limit = f"({float(tier.threshold):.12g} * {1 - slo.objective:f})"
    sides = [
        f"max(slo:sli_error:ratio_rate{NAMES[length]}{_selector(slo)} >= {limit})"
        " without (sloth_window)"
        for length in (tier.short, tier.share.long)
    ]
    return "(\n  " + "\n  and\n  ".join(sides) + "\n)"
