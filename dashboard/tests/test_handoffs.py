"""The handoff: who goes writes down, who comes signs, and the page says how things stand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import PASSWORD, person
from catalog.models import Service
from core import clock
from core.models import AuditEntry
from incidents.models import ChangeEvent, Integration, Silence
from incidents.services import action_items, lifecycle
from incidents.services.integrations import save_integration
from incidents.services.lifecycle import Opening
from oncall.models import EscalationPolicy, Handoff, LevelTarget, Schedule, ServicePolicy
from oncall.queries.handoffs import change_at, changes_around

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)  # Alice's first turn begins; Bob's a week later.

AT = "2026-03-09T09:00:00Z"  # When the first of them hands over.


@pytest.fixture
def people() -> dict[str, User]:
    return {name: person(name) for name in ("alice", "bob", "carol")}


@pytest.fixture
def schedule(people: dict[str, User]) -> Schedule:
    found = Schedule.objects.create(slug="ops", name="Operations")
    layer = found.layers.create(name="Weekly", first_on=date(2026, 3, 2))
    for position, name in enumerate(("alice", "bob")):
        layer.members.create(position=position, person=people[name])
    return found


@pytest.fixture
def service(schedule: Schedule) -> Service:
    policy = EscalationPolicy.objects.create(slug="p", name="P")
    level = policy.levels.create(number=1, name="L1")
    LevelTarget.objects.create(level=level, schedule=schedule)
    found = Service.objects.create(slug="shop", name="Shop")
    ServicePolicy.objects.create(service=found, policy=policy)
    return found


@pytest.fixture(autouse=True)
def friday(monkeypatch: pytest.MonkeyPatch) -> datetime:
    found = MONDAY + timedelta(days=4)
    monkeypatch.setattr(clock, "now", lambda: found)
    return found


def client_of(name: str) -> Client:
    client = Client()
    assert client.login(username=name, password=PASSWORD)
    return client


def test_changes_are_those_of_the_person(schedule: Schedule, people: dict[str, User]) -> None:
    at = MONDAY + timedelta(days=10)
    last, following = changes_around(schedule, at)
    alice, bob = people["alice"].pk, people["bob"].pk
    assert (last.at, last.outgoing, last.incoming) == (MONDAY + timedelta(days=7), alice, bob)
    assert (following.at, following.outgoing, following.incoming, following.since) == (
        MONDAY + timedelta(days=14), bob, alice, last.at,
    )  # fmt: skip
    assert change_at(schedule, MONDAY + timedelta(days=8)) is None


def test_a_gap_is_a_change_to_nobody_and_from_nobody(
    schedule: Schedule, people: dict[str, User]
) -> None:
    start = MONDAY + timedelta(days=1)
    schedule.overrides.create(person=None, starts_at=start, ends_at=start + timedelta(hours=2))
    alice = people["alice"].pk
    going, coming = changes_around(schedule, start + timedelta(hours=1))
    assert (going.at, going.outgoing, going.incoming) == (start, alice, None)
    assert (coming.at, coming.outgoing, coming.incoming) == (
        start + timedelta(hours=2),
        None,
        alice,
    )


def test_both_sign_and_the_notes_stay_as_they_were_read(
    schedule: Schedule, people: dict[str, User]
) -> None:
    alice, bob = client_of("alice"), client_of("bob")
    page = alice.get("/oncall/ops/handoff/").content.decode()
    assert "alice hands over to bob" in page
    assert "Sign and hand over" in page
    assert "take over</button>" not in page
    alice.post("/oncall/ops/handoff/", {"act": "give", "notes": "Queue <b>q</b> is slow."})
    page = bob.get("/oncall/ops/handoff/").content.decode()
    assert "Queue &lt;b&gt;q&lt;/b&gt; is slow." in page
    assert "Sign and hand over" not in page
    bob.post("/oncall/ops/handoff/", {"act": "take"})
    row = Handoff.objects.get()
    assert (row.at, row.outgoing, row.incoming) == (
        MONDAY + timedelta(days=7), people["alice"], people["bob"],
    )  # fmt: skip
    assert (row.given_by, row.taken_by) == ("alice", "bob")
    answer = alice.post("/oncall/ops/handoff/", {"act": "give", "notes": "other", "at": AT})
    assert answer.status_code == 422
    assert "has signed" in answer.content.decode()
    assert ">other</textarea>" in answer.content.decode().replace("\n", "")
    assert Handoff.objects.get().notes == "Queue <b>q</b> is slow."
    acts = AuditEntry.objects.filter(act__startswith="handoff.").order_by("seq")
    assert [entry.act for entry in acts] == ["handoff.given", "handoff.taken"]


def test_who_has_nothing_to_do_with_it_signs_nothing(schedule: Schedule) -> None:
    carol = client_of("carol")
    for act in ("give", "take"):
        answer = carol.post(
            "/oncall/ops/handoff/", {"act": act, "notes": "x"}, follow=act == "take"
        )
        assert "Only who" in answer.content.decode()
    assert not Handoff.objects.exists()


def test_a_manager_signs_for_them(schedule: Schedule) -> None:
    person("mary", Role.MANAGER)
    client_of("mary").post("/oncall/ops/handoff/", {"act": "take"})
    assert Handoff.objects.get().taken_by == "mary"


def test_a_fresh_change_stays_on_the_page_until_it_is_taken(
    schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = MONDAY + timedelta(days=7)
    monkeypatch.setattr(clock, "now", lambda: change + timedelta(hours=1))
    bob = client_of("bob")
    assert "alice hands over to bob" in bob.get("/oncall/ops/handoff/").content.decode()
    bob.post("/oncall/ops/handoff/", {"act": "take"})
    assert "bob hands over to alice" in bob.get("/oncall/ops/handoff/").content.decode()
    page = bob.get("/oncall/ops/handoff/", {"at": "2026-03-09T09:00:00Z"}).content.decode()
    assert "alice hands over to bob" in page


def test_a_plan_that_changed_afterwards_does_not_change_who_signed(
    schedule: Schedule, people: dict[str, User]
) -> None:
    at = MONDAY + timedelta(days=7)
    client_of("alice").post("/oncall/ops/handoff/", {"act": "give", "notes": "x"})
    schedule.overrides.create(
        person=people["carol"], starts_at=at - timedelta(days=1), ends_at=at + timedelta(days=1)
    )
    found = change_at(schedule, at)
    assert found is not None
    assert (found.outgoing, found.incoming) == (people["alice"].pk, people["bob"].pk)


def test_it_says_how_the_services_of_the_schedule_stand(
    schedule: Schedule, service: Service, friday: datetime
) -> None:
    def incident(title: str, at: datetime, of: Service | None = service) -> Any:
        opening = Opening("P1", title, service_id=of.pk if of else None)
        return lifecycle.declare(opening, now=at, actor="test")

    ended = incident("Ended of late", MONDAY + timedelta(days=1))
    lifecycle.resolve(ended.pk, now=MONDAY + timedelta(days=2), actor="test")
    old = incident("Ended long ago", MONDAY - timedelta(days=3))
    lifecycle.resolve(old.pk, now=MONDAY - timedelta(days=2), actor="test")
    incident("Still burning", MONDAY + timedelta(days=3))
    incident("Not ours", friday, Service.objects.create(slug="other", name="Other"))
    Silence.objects.create(
        service=service,
        starts_at=friday,
        ends_at=friday + timedelta(hours=1),
        comment="Quiet please",
    )
    integration = Integration()
    fields = {"kind": "pagerduty", "name": "PD", "service": service}
    save_integration(integration, fields=fields, actor="test", now=friday)
    ChangeEvent.objects.create(
        integration=integration, service=service, at=friday - timedelta(hours=1), summary="Deploy 7"
    )
    page = client_of("bob").get("/oncall/ops/handoff/").content.decode()
    for words in ("Still burning", "Ended of late", "Quiet please", "Deploy 7"):
        assert words in page
    for words in ("Ended long ago", "Not ours"):
        assert words not in page


def test_it_says_what_is_overdue_for_its_services(
    schedule: Schedule, service: Service, people: dict[str, User], friday: datetime
) -> None:
    """Action items and postmortems of other services are others' concern."""
    ours, theirs = service, Service.objects.create(slug="other", name="Other")
    ended = friday - timedelta(days=8)
    for of, name in ((ours, "here"), (theirs, "elsewhere")):
        opening = Opening("P1", f"Outage {name}", service_id=of.pk)
        incident = lifecycle.declare(opening, now=ended, actor="test")
        lifecycle.resolve(incident.pk, now=ended, actor="test")
        for title, days in (("Late", -1), ("In time", 1)):
            due_on = friday.date() + timedelta(days=days)
            fields = {"title": f"{title} {name}", "owner": people["bob"], "due_on": due_on}
            action_items.create(incident, fields=fields, now=ended, actor="test")
    page = client_of("bob").get("/oncall/ops/handoff/").content.decode()
    assert "Late here" in page
    assert "Outage here</a><small>Shop, resolved" in page
    for words in ("In time here", "Late elsewhere", "Outage elsewhere"):
        assert words not in page


def test_a_schedule_without_people_has_a_page_too(client: Client) -> None:
    person("alice")
    Schedule.objects.create(slug="empty", name="Empty")
    answer = client_of("alice").get("/oncall/empty/handoff/")
    assert answer.status_code == 200
    assert "Nobody on call changes" in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/oncall/nothing/handoff/", 404), ("/oncall/ops/handoff/?at=2026-03-03T09:00:00Z", 404),
     ("/oncall/ops/handoff/?at=rubbish", 200), ("/oncall/ops/handoff/?at=2026-99-99T00:00:00Z", 200)],
)  # fmt: skip
def test_wrong_addresses(schedule: Schedule, path: str, status: int) -> None:
    assert client_of("alice").get(path).status_code == status


def test_the_api_signs_too(schedule: Schedule) -> None:
    def send(name: str, act: str, **body: Any) -> Any:
        said = {"schedule": "ops", **body}
        client = client_of(name)
        return client.post(f"/api/v1/handoffs/{act}/", said, content_type="application/json")

    given = send("alice", "give", notes="All is quiet.", at="2026-03-09T09:00:00Z")
    assert given.status_code == 200, given.content
    assert given.json()["incoming"] == "bob"
    assert send("carol", "give").status_code == send("carol", "take").status_code == 403
    assert send("alice", "give", at="2026-03-03T09:00:00Z").status_code == 400
    taken = send("bob", "take", at=given.json()["at"])
    assert taken.json()["taken_by"] == "bob"
    rows = client_of("carol").get("/api/v1/handoffs/?schedule=ops").json()["results"]
    assert [row["notes"] for row in rows] == ["All is quiet."]
