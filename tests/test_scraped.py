"""A real Prometheus scrapes what the Users API counted, and measures an SLI that counts the same."""

import json
import urllib.parse
import urllib.request
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.authentication import forget_tokens
from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token
from core.clock import floor_minute, now
from slo.domain.windows import Window
from slo.models import Sli, Slo, Source
from slo.queries import SliceReader, counts_of
from slo.services import evaluation, pulling, sources
from slo.tests.prometheus import Prometheus, needs_prometheus, prometheus
from slo.tests.world import MINUTE, World
from sre.slo_sli import sli_calculator
from sreportal.reporting import store
from sreportal.tests.running_portal import wait_until
from users_api.reporting import build_reporter

pytestmark = [needs_prometheus, pytest.mark.django_db(transaction=True)]

COUNTER = 'sre_sli_{}_events_total{{sli="users-api-success"}}'


@pytest.fixture
def world(settings: Any) -> World:
    """Return a portal that may ask its own machine, before anything was counted."""
    settings.EMBEDDED = True
    forget_tokens()
    while sli_calculator.drain():
        pass
    return World()


def count(owner: User, *, good: int, missing: int) -> None:
    """Use the Users API and have it report."""
    client = Client()
    client.force_login(owner)
    for _ in range(good):
        assert client.get("/api/users").status_code == 200
    for _ in range(missing):
        assert client.get("/api/users/1").status_code == 404
    assert build_reporter(store).flush()


def scraped(server: Prometheus, query: str) -> int | None:
    """Return what Prometheus knows now, None for nothing."""
    asked = urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(f"{server.url}/api/v1/query?{asked}", timeout=5) as answer:
        found = json.loads(answer.read())["data"]["result"]
    return int(float(found[0]["value"][1])) if found else None


def sums(slo: Slo, start: datetime, end: datetime) -> tuple[int, int]:
    """Return good and all events of an SLO's SLI."""
    found = counts_of(SliceReader().sums([Window(start, end)])[0], slo.sli.slot)
    return found.good, found.total


def test_prometheus_measures_what_the_users_api_counted(
    world: World, live_server: LiveServer
) -> None:
    """Requests are counted once by the portal, and the same ones by the Prometheus it asks."""
    owner = User.objects.create_user("ada", role=Role.VIEWER)
    _, token = create_token(user=owner, name="t", scopes=["read"], now=now())
    target = urllib.parse.urlsplit(live_server.url).netloc
    with prometheus() as server:
        server.scrape(
            "scrape_configs: [{job_name: portal, metrics_path: /sre/metrics, scrape_interval: 1s,"
            f" authorization: {{credentials: {token}}},"
            f" static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        server.start()
        fields = {"slug": "prom", "kind": Source.Kind.PROMETHEUS, "url": server.url}
        source = sources.save_source(Source(), actor="test", now=now(), fields=fields)
        again = world.custom(
            "users-api-by-prometheus",
            "0.99",
            kind=Sli.Kind.RATIO,
            source=source,
            good_query=COUNTER.format("good"),
            total_query=COUNTER.format("valid"),
        )
        begun = floor_minute(now())
        count(owner, good=5, missing=1)
        evaluation.tick(now=now() + MINUTE * 2)
        wait_until(lambda: scraped(server, COUNTER.format("valid")) == 6, within_s=30)
        count(owner, good=20, missing=3)
        evaluation.tick(now=now() + MINUTE * 3)
        wait_until(lambda: scraped(server, COUNTER.format("valid")) == 29, within_s=30)
        end = floor_minute(now()) + MINUTE
        pulling.tick(now=end + pulling.CLOSE_AFTER - MINUTE)
        pulling.tick(now=end + pulling.CLOSE_AFTER)

    own = world.slo("success")
    assert sums(own, begun, end + timedelta(hours=1)) == (25, 29)
    # What was counted before Prometheus first looked is unknown to it.
    assert sums(again, begun, end) == (20, 23)
