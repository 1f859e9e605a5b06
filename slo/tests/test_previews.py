"""What a change would have meant: the same figures and alerts that the ticks would have found."""

import random
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person
from incidents.models import Alert
from slo.domain.blocks import Slice
from slo.domain.state import State
from slo.models import Correction, Slo
from slo.queries import figures, previews
from slo.queries.previews import Preview
from slo.services import alerting, corrections, evaluation, objectives, slices
from slo.tests.world import MINUTE, NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.long]
OBJECTIVE = Decimal("0.999")


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon."""
    return World()


def history(seed: int, minutes: int) -> list[Slice]:
    """Return random minutes with calm, trouble and gaps."""
    chance = random.Random(seed)
    found: list[Slice] = []
    while len(found) < minutes:
        share = chance.choice([0.0, 0.0, 0.0005, 0.02, 0.3, None])
        for _ in range(chance.randrange(5, 60)):
            total = chance.randrange(50, 150)
            bad = sum(chance.random() < share for _ in range(total)) if share else 0
            gap = share is None
            found.append(Slice(measured=False) if gap else Slice(total - bad, total))
    return found[:minutes]


def write(slo: Slo, minutes: list[Slice]) -> datetime:
    """Store minutes from noon on; return their end."""
    slices.write({NOON + MINUTE * n: {slo.sli.slot: s} for n, s in enumerate(minutes)})
    return NOON + MINUTE * len(minutes)


def preview(slo: Slo, end: datetime, objective: Decimal = OBJECTIVE) -> Preview:
    return previews.of(slo, slo, objective, watermark=end)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_replay_finds_the_alerts_that_the_ticks_found(world: World, seed: int) -> None:
    """Looked at every five minutes, by ticks and afterwards, the same alerts begin."""
    slo = world.custom("replayed", str(OBJECTIVE))
    minutes = history(seed, 360)
    for first in range(0, len(minutes), 5):
        rows = {NOON + MINUTE * n: {slo.sli.slot: minutes[n]} for n in range(first, first + 5)}
        slices.write(rows)
        end = NOON + MINUTE * (first + 5)
        evaluation.refresh_statuses(watermark=end, now=end)
        found = figures.newest()
        assert found is not None
        alerting.announce(found, now=end)
    replayed, newest = preview(slo, end).present, figures.of(slo)
    alerts = Counter(Alert.objects.values_list("dedup_key", flat=True))
    assert (replayed.pages, replayed.tickets) == (
        alerts["replayed:burn"],
        alerts["replayed:slow-burn"],
    )
    assert newest is not None
    assert replayed.hours[-1].judgement == newest.own


def test_a_stricter_objective_leaves_less_and_pages_more(world: World) -> None:
    """What is proposed is judged as if it had always been so; the present stays as it was."""
    slo = world.custom("changed", "0.99")
    end = write(slo, [Slice(100, 100)] * 300 + [Slice(85, 100)] * 20 + [Slice(100, 100)] * 100)
    found = preview(slo, end, Decimal("0.999"))
    now, then = found.present.hours[-1].judgement, found.proposed.hours[-1].judgement
    assert (now.good, now.total) == (then.good, then.total) == (41700, 42000)
    assert now.allowed == then.allowed * 10
    assert found.proposed.pages > found.present.pages
    assert found.proposed.hours_in[State.EXHAUSTED] > found.present.hours_in[State.EXHAUSTED]


def test_a_replay_counts_versions_and_corrections(world: World) -> None:
    """The present is what the page shows, whatever was changed and corrected."""
    slo = world.custom("mixed", "0.99")
    end = write(slo, [Slice(90, 100)] * 130)
    objectives.set_objective(
        slo=slo, objective=Decimal("0.9"), actor="test", now=NOON + MINUTE * 61
    )
    corrections.create(
        actor="test",
        now=end,
        slo=slo,
        mode=Correction.Mode.EXCLUDE,
        starts_at=NOON + MINUTE * 33,
        ends_at=NOON + MINUTE * 77,
        reason="maintenance",
    )
    evaluation.refresh_statuses(watermark=end, now=end)
    slo = Slo.objects.get(pk=slo.pk)
    found = figures.of(slo)
    assert found is not None
    assert preview(slo, end).present.hours[-1].judgement == found.own
    assert found.total == 8600


def test_days_of_nothing_are_no_data(world: World) -> None:
    """Before the first minute there is no budget, and no state but no data."""
    slo = world.custom("young", "0.99")
    end = write(slo, [Slice(100, 100)] * 120)
    days = list(previews.daily(preview(slo, end).present))
    assert days[0] == (NOON - timedelta(days=90) + timedelta(hours=12), None)
    assert days[-1] == (end, 1.0)
    hours = preview(slo, end).present.hours_in
    assert hours[State.NO_DATA] == 90 * 24 - 1
    assert hours[State.HEALTHY] == 1


def post(api: Client, slo: Slo, body: dict[str, Any], *, status: int = 200) -> Any:
    answer = api.post(f"/api/v1/slos/{slo.slug}/preview/", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_the_api_previews_and_changes_nothing(world: World) -> None:
    """A viewer may ask; the answer has both, and what the linter thinks of the change."""
    slo = world.custom("asked", "0.99")
    end = write(slo, [Slice(90, 100)] * 60)
    evaluation.refresh_statuses(watermark=end, now=end)
    api = Client()
    api.force_login(person("viewer", Role.VIEWER))
    found = post(api, slo, {"objective": "0.9", "window_days": 7})
    assert found["present"]["state"] == "exhausted"
    assert found["present"]["now"]["budget_remaining"] == pytest.approx(-9)
    assert found["proposed"]["now"]["budget_remaining"] == pytest.approx(0)
    assert found["proposed"]["hours_in"]["exhausted"] == 0
    assert isinstance(found["findings"], list)
    assert "objective" in str(post(api, slo, {"objective": "1"}, status=400))
    assert "target" in str(post(api, slo, {"target": "0.9"}, status=400))
    assert "timezone" in str(post(api, slo, {"timezone": "Mars"}, status=400))
    stored = Slo.objects.get(pk=slo.pk)
    assert (stored.objective, stored.window_days) == (Decimal("0.99"), 30)


def test_the_admin_previews_before_it_saves(world: World) -> None:
    """The form stays as typed, with the figures above it; saving is another button."""
    slo = world.custom("edited", "0.99")
    end = write(slo, [Slice(90, 100)] * 60)
    evaluation.refresh_statuses(watermark=end, now=end)
    admin = Client()
    admin.force_login(person("root", Role.ADMIN))
    address = f"/admin/slo/slo/{slo.pk}/change/"
    page = admin.get(address)
    form = page.context["adminform"].form
    fields = {name: form.get_initial_for_field(f, name) or "" for name, f in form.fields.items()}
    fields |= {"objective": "0.9", "is_enabled": "on", "_preview": "Preview"}
    fields |= {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    seen = admin.post(address, fields)
    assert seen.status_code == 200
    rows = {row.label: (row.present, row.proposed) for row in seen.context["preview"]["rows"]}
    assert rows["Budget left now"] == ("−900.0 %", "0.0 %")
    assert 'value="0.9"' in seen.content.decode()
    assert Slo.objects.get(pk=slo.pk).objective == Decimal("0.99")
    fields.pop("_preview")
    assert admin.post(address, fields | {"_save": "Save"}).status_code == 302
    assert Slo.objects.get(pk=slo.pk).objective == Decimal("0.9")
