"""Figures a hand calculation confirms, and outages that neither lose, invent nor heal anything.

They take minutes, because minutes are what they are about; `make test` runs them beside the rest.
"""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from sreportal.tests.running_portal import RunningPortal, wait_until
from tests.scenarios.production import Production
from tests.scenarios.visitor import Admin, Visitor, await_figures, remaining
from tests.servers import postgresql_server, redis_server

pytestmark = pytest.mark.scenario

DOWN_S = 180
# A minute closes 30 s after its end and is counted within 15 s; the slowest case is below two minutes.
VISIBLE_WITHIN_S = 120


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Production]:
    """A portal on servers of its own; no process of it outlives the test."""
    with postgresql_server() as database_url, redis_server() as redis_url:
        portal = Production(tmp_path / "data", database_url=database_url, redis_url=redis_url)
        try:
            yield portal
        finally:
            portal.stop()


def is_up(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def budget_alerts(dashboard: dict[str, Any]) -> set[tuple[int, str]]:
    """Return the alerts on error budgets that fire, by number and SLO.

    Threshold rules look at five minutes: on a slow machine those with the failures are over at the
    end of the outage, and what was measured since ends their alerts rightly.
    """
    return {
        (row["id"], row["title"].partition(":")[0])
        for row in dashboard["alerts"]
        if "error budget" in row["title"]
    }


def test_worker_and_beat_die_for_three_minutes(production: Production) -> None:
    """Traffic shows as a hand calculation says, an edited target at the next tick; without worker
    and beat the figures say since when they are stale, and afterwards no minute is missing."""
    password = production.prepare()
    token = production.run("token", "create", "--user", "admin", "--scopes", "read,write").strip()
    production.start("web", "pager", "worker", "beat")
    wait_until(lambda: is_up(production.base), within_s=60)
    visitor, admin = Visitor(production.base, token), Admin(production.base, password)

    visitor.use(good=270, missing=20, failing=10)
    slo = visitor.await_total(within_s=VISIBLE_WITHIN_S)
    assert (slo["good"], slo["total"]) == (290, 300)
    assert slo["sli"] == pytest.approx(290 / 300)
    assert slo["budget_remaining"] == pytest.approx(remaining(bad=10, allowed=Fraction(300, 1000)))
    assert slo["burn_rate"]["1h"] == pytest.approx(float(Fraction(10, 300) * 1000))
    success = visitor.slo("success")
    assert (success["good"], success["total"]) == (270, 300)
    assert success["budget_remaining"] == pytest.approx(remaining(bad=30, allowed=Fraction(3)))
    assert visitor.slo("latency")["total"] == 300
    assert "users-api" in admin.page("/sre/dashboard-ui")
    first = visitor.dashboard()
    assert any("burns its error budget" in row["title"] for row in first["alerts"])

    admin.set_target("users-api-latency", "0.5")
    await_figures(lambda: visitor.slo("latency"), lambda row: row["objective"] == 0.5, within_s=75)

    before = visitor.slo("availability")["watermark"]
    production.kill("worker", "beat")
    until = time.monotonic() + DOWN_S + 15
    while time.monotonic() < until:
        visitor.use(good=5, missing=1)
        time.sleep(10)
    down = visitor.dashboard()
    assert down["stale_since"] is not None
    assert down["stale_since"] >= before
    assert down["status"] != "healthy"
    assert "stale" in admin.page("/sre/dashboard-ui")

    production.start("worker", "beat")
    slo = visitor.await_total(within_s=VISIBLE_WITHIN_S + 30)
    assert slo["good"] == visitor.good_below(500)
    assert slo["coverage"] == 1.0, "the missed minutes are measured, not skipped"
    assert visitor.slo("success")["good"] == visitor.good_below(400)
    after = visitor.dashboard()
    assert after["stale_since"] is None
    assert budget_alerts(first) <= budget_alerts(after), "an outage of ours heals nothing"
    latency = visitor.slo("latency")
    assert latency["objective"] == 0.5
    assert latency["budget_remaining"] is not None


def test_everything_dies_for_three_minutes(tmp_path: Path) -> None:
    """The minutes nobody watched are a visible gap: no data, neither good nor bad."""
    data = tmp_path / "data"
    portal = RunningPortal(data).wait_until_ready()
    try:
        token = create_token(data)
        visitor = Visitor(f"http://127.0.0.1:{portal.port}", token)
        visitor.use(good=50, missing=5)
        first = visitor.await_total(within_s=VISIBLE_WITHIN_S)
        os.kill(portal.pid, 9)
        portal.wait()
        time.sleep(DOWN_S)
        portal = RunningPortal(data, port=portal.port).wait_until_ready()
        visitor.use(good=50)
        slo = visitor.await_total(within_s=VISIBLE_WITHIN_S)
        assert slo["good"] == visitor.good_below(500) == 105
        _, row = visitor.request("GET", "/api/v1/slos/users-api-availability/")
        status = row["status"]
        assert status["expected_minutes"] - status["measured_minutes"] >= DOWN_S // 60 - 1
        assert slo["coverage"] < 0.9
        assert slo["state"] == "no_data"
        assert first["watermark"] < slo["watermark"]
    finally:
        portal.end()


def create_token(data: Path) -> str:
    """Create a token beside the running portal, as a script would."""
    production = Production(data, database_url="", redis_url="")
    return production.run("token", "create", "--user", "admin", "--scopes", "read,write").strip()
