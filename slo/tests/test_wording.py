"""What an SLI counts, in a sentence, says what is really counted."""

from typing import Any

import pytest

from catalog.models import Service
from slo.models import CompositeMember, Sli, Source
from slo.services import objectives
from slo.tests.world import NOON, World
from slo.wording import rule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "availability"}, "Good: requests answered with a status below 500."),
        (
            {"kind": "availability", "endpoint": "/pay"},
            "Good: requests to /pay answered with a status below 500.",
        ),
        ({"kind": "latency", "threshold_ms": 200}, "Good: requests answered within 200 ms."),
        (
            {"kind": "ratio", "good_query": "done", "total_query": "begun"},
            "Good: done, of begun.",
        ),
        (
            {"kind": "success", "bad_query": "e", "total_query": "t", "source": True},
            "Bad: e, of t, asked of prom.",
        ),
        (
            {"kind": "latency", "threshold_ms": 200, "total_query": "h", "source": True},
            "Good: requests answered within 200 ms, counted by h, asked of prom.",
        ),
        (
            {
                "kind": "time_slices",
                "value_query": "p95_ms",
                "comparison": "lte",
                "comparison_value": "250",
            },
            "Good: minutes in which p95_ms ≤ 250.",
        ),
        (
            {"kind": "probe", "probe_url": "https://example.org/"},
            "Good: checks of https://example.org/, every 60 s, answered with 200-299 within 5000 ms.",
        ),
    ],
    ids=["requests", "endpoint", "latency", "ratio", "source", "histogram", "slices", "probe"],
)
def test_each_kind_says_its_own_rule(fields: dict[str, Any], sentence: str) -> None:
    """Not "requests" where there are none."""
    source = Source.objects.create(slug="prom", kind="prometheus", url="http://prom.example.org")
    service = Service.objects.create(slug="shop", name="Shop")
    wanted = fields | {"source": source if fields.get("source") else None}
    sli = objectives.create_sli(slug="one", service=service, actor="t", now=NOON, **wanted)
    sli.refresh_from_db()
    assert rule(sli) == sentence


def test_a_composite_names_its_members() -> None:
    """With their weights."""
    world = World()
    sli = Sli.objects.create(slug="all", service=world.service, kind="composite", slot=99)
    assert rule(sli) == "A composite without members."
    CompositeMember.objects.create(sli=sli, slo=world.slo("latency"), weight=2)
    assert rule(sli) == "The weighted mean of users-api-latency × 2."
