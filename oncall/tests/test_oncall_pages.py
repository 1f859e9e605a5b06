"""Pages of on-call: who is on, four weeks of a schedule, what a policy does."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, signed_in
from oncall.models import (
    EscalationPolicy,
    Layer,
    LayerMember,
    LevelTarget,
    Override,
    PolicyLevel,
    Schedule,
)
from oncall.services.defaults import create_default_policy

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> Schedule:
    """Alice and bob take weekly turns from this Monday on."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    made = Schedule.objects.create(slug="payments", name="Payments")
    layer = Layer.objects.create(schedule=made, name="Weekly", first_on=date(2026, 3, 2))
    for turn, name in enumerate(("alice", "bob")):
        LayerMember.objects.create(layer=layer, position=turn, person=person(name))
    return made


def test_overview_says_who_is_on_and_who_is_next(schedule: Schedule) -> None:
    client = signed_in(Role.VIEWER)
    page = client.get("/oncall/").content.decode()
    assert "You are not on call, and have no shift" in page
    assert "alice" in page
    assert '<td data-label="Next"><span>bob <time datetime="2026-03-09T09:00:00Z"' in page
    client.force_login(User.objects.get(username="alice"))
    assert "You are on call until" in client.get("/oncall/").content.decode()


def test_somebody_takes_over_from_the_page_and_gives_it_back(schedule: Schedule) -> None:
    client = signed_in(Role.RESPONDER)
    until = MONDAY + timedelta(hours=3)
    said = {"person": "bob", "starts_at": "2026-03-02T10:00", "ends_at": f"{until:%Y-%m-%dT%H:%M}"}
    client.post("/oncall/payments/", said)
    override = Override.objects.get()
    assert (str(override.person), override.ends_at) == ("bob", until)
    assert "override" in client.get("/oncall/payments/").content.decode()
    wrong = client.post("/oncall/payments/", {**said, "ends_at": "2026-03-02T09:00"})
    assert wrong.status_code == 422
    assert "ends after it starts" in wrong.content.decode()
    client.post(f"/oncall/payments/overrides/{override.pk}/remove/")
    again = client.post(f"/oncall/payments/overrides/{override.pk}/remove/", follow=True)
    assert "That override is not there any more." in again.content.decode()
    assert not Override.objects.filter(ends_at__gt=MONDAY).exists()


def test_what_was_taken_back_is_taken_over_again_from_the_page_before(schedule: Schedule) -> None:
    """The browser's way back leads to a form that was sent; it must not say what is not so."""
    client = signed_in(Role.RESPONDER)
    once = client.get("/oncall/payments/").context["form"]["once"].value()
    for starts_at in ("2026-03-02T10:00", "2026-03-02T11:00"):
        said = {"person": "bob", "starts_at": starts_at, "ends_at": "2026-03-02T13:00"}
        for _ in range(2):
            client.post("/oncall/payments/", {**said, "once": once})
            override = Override.objects.get(ends_at__gt=MONDAY)
            client.post("/oncall/payments/", {**said, "once": once})
            assert Override.objects.get(ends_at__gt=MONDAY) == override
            client.post(f"/oncall/payments/overrides/{override.pk}/remove/")


def test_gaps_are_shown_before_they_matter(schedule: Schedule) -> None:
    Layer.objects.update(until=MONDAY + timedelta(days=3))
    page = signed_in(Role.VIEWER).get("/oncall/payments/").content.decode()
    assert "Nobody is on call from" in page
    assert "Take over" not in page


def test_a_day_that_never_was_is_on_the_page(schedule: Schedule) -> None:
    """Samoa went from 29 to 31 December 2011."""
    Schedule.objects.update(timezone="Pacific/Apia")
    Layer.objects.update(first_on=date(2011, 1, 3))
    page = signed_in(Role.VIEWER).get("/oncall/payments/?from=2011-12-12")
    assert page.status_code == 200
    days = {day.on: day.parts for day, _ in page.context["calendar"].days}
    assert days[date(2011, 12, 30)] == ()
    assert len(days) == 28
    assert all(len(parts) == 1 for on, parts in days.items() if on.day in {29, 31})


def test_a_policy_is_shown_as_the_guides_matrix(schedule: Schedule) -> None:
    policy = EscalationPolicy.objects.create(slug="standard", name="Standard")
    first = PolicyLevel.objects.create(policy=policy, number=1, name="On call")
    PolicyLevel.objects.create(policy=policy, number=2, name="Lead")
    LevelTarget.objects.create(level=first, schedule=schedule)
    page = signed_in(Role.VIEWER).get("/oncall/policies/standard/").content.decode()
    for said in ("at once", "after 5 min", "after 4 h", "of working time", "low urgency", "Nobody"):
        assert said in page
    assert signed_in(Role.MANAGER).get("/oncall/policies/none/").status_code == 404


def test_a_fresh_portal_calls_its_first_admin() -> None:
    """Once: what is edited afterwards stays."""
    create_default_policy(now=MONDAY)
    assert not EscalationPolicy.objects.exists()
    admin = person("root", Role.ADMIN)
    create_default_policy(now=MONDAY)
    create_default_policy(now=MONDAY)
    policy = EscalationPolicy.objects.get()
    assert policy.is_default
    assert LevelTarget.objects.get(level__policy=policy).person == admin
