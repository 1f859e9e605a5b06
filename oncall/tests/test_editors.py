"""The editors of policies and schedules: what is typed becomes what is called, and nothing is lost."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.forms import Select
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person, signed_in
from catalog.models import Service
from core.models import AuditEntry
from oncall.domain.escalations import Phase
from oncall.models import (
    EscalationPolicy,
    HolidayCalendar,
    LevelTarget,
    Override,
    PolicyLevel,
    Schedule,
    ServicePolicy,
    Timing,
)
from oncall.queries.policies import ladder_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
NEW, EDIT = "/oncall/policies/new/", "/oncall/policies/standard/edit/"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)


def shown(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would send back, were nothing typed."""
    context = client.get(address).context
    data: dict[str, Any] = {}
    for form in (context["form"], context["formset"].management_form, *context["formset"]):
        for bound in form:
            value = bound.value()
            if value is None and type(bound.field.widget) is Select:
                # Of a list something is always chosen.
                value = next(iter(bound.field.widget.choices))[0]
            if value is None or value is False:
                continue
            if isinstance(value, datetime):
                value = f"{value:%Y-%m-%dT%H:%M}"
            data[bound.html_name] = "on" if value is True else value
    return data


def test_a_policy_is_made_with_the_guides_matrix(client: Client) -> None:
    client = signed_in(Role.MANAGER)
    Schedule.objects.create(slug="payments", name="Payments")
    person("carol")
    Service.objects.create(slug="checkout", name="Checkout", tier=1)
    data = shown(client, NEW)
    assert data["levels-1-unacknowledged_P0_after"] == "5 min"
    data |= {
        "slug": "standard", "name": "Standard", "called_for": ["checkout"],
        "levels-0-name": "On call", "levels-0-targets": ["schedule:payments"],
        "levels-1-name": "Lead", "levels-1-targets": ["person:carol", "role:manager"],
    }  # fmt: skip
    assert client.post(NEW, data).status_code == 302
    policy = EscalationPolicy.objects.get()
    assert [(level.number, level.name) for level in policy.levels.all()] == [
        (1, "On call"), (2, "Lead"),
    ]  # fmt: skip
    assert {target.kind for target in LevelTarget.objects.all()} == {"schedule", "person", "role"}
    assert not policy.timings.exists(), "what follows the guide is not copied"
    assert ServicePolicy.objects.get().service.slug == "checkout"
    assert "Lead" in client.get("/oncall/policies/standard/").content.decode()
    assert AuditEntry.objects.filter(act="policy.created").exists()


@pytest.fixture
def policy() -> EscalationPolicy:
    """Alice, then bob and carol in turns; P1 has times of its own."""
    made = EscalationPolicy.objects.create(
        slug="standard", name="Standard", ack_timeout=timedelta(hours=1)
    )
    for number, names in ((1, ["alice"]), (2, ["carol", "bob"])):
        level = PolicyLevel.objects.create(
            policy=made, number=number, name=f"L{number}",
            mode="round_robin" if number == 2 else "all",
        )  # fmt: skip
        for name in names:
            LevelTarget.objects.create(level=level, person=person(name))
    Timing.objects.create(policy=made, severity="P1", level=1)
    Timing.objects.create(
        policy=made, severity="P1", level=2, after=timedelta(hours=3), urgency="low",
        in_working_hours=True,
    )  # fmt: skip
    return made


def ladders(policy: EscalationPolicy) -> list[Any]:
    """Return all that a policy calls."""
    fresh = EscalationPolicy.objects.prefetch_related("levels__targets", "timings").get()
    return [ladder_of(fresh, f"P{n}", phase) for n in range(4) for phase in Phase]


def test_saving_what_is_shown_changes_nothing(policy: EscalationPolicy) -> None:
    before = ladders(policy)
    client = signed_in(Role.MANAGER)
    data = shown(client, EDIT)
    assert client.post(EDIT, data).status_code == 302
    assert ladders(policy) == before
    policy.refresh_from_db()
    assert policy.ack_timeout == timedelta(hours=1)
    assert policy.timings.count() == 2


def test_whom_a_level_calls_stays_when_they_are_deactivated(policy: EscalationPolicy) -> None:
    """They are shown as gone until somebody takes them out; other policies do not offer them."""
    User.objects.filter(username="carol").update(is_active=False)
    client = signed_in(Role.MANAGER)
    assert client.post(EDIT, shown(client, EDIT) | {"description": "typed"}).status_code == 302
    policy.refresh_from_db()
    assert policy.description == "typed"
    assert LevelTarget.objects.filter(person__username="carol").exists()
    assert "carol (no longer active)" in client.get(EDIT).content.decode()
    assert "carol" not in client.get(NEW).content.decode()


def test_each_cell_of_the_matrix_can_be_changed(policy: EscalationPolicy) -> None:
    client = signed_in(Role.MANAGER)
    data = shown(client, EDIT) | {
        "levels-0-unacknowledged_P0_after": "0", "levels-1-unacknowledged_P0_after": "90 s",
        "levels-1-unacknowledged_P3_after": "", "levels-1-unresolved_P2_after": "2 d",
        "levels-1-unresolved_P2_how": "low working", "levels-0-acknowledgements": "1",
    }  # fmt: skip
    assert client.post(EDIT, data).status_code == 302
    found = {(t.phase, t.severity, t.level): t for t in Timing.objects.all()}
    assert found["unacknowledged", "P0", 2].after == timedelta(seconds=90)
    assert ("unacknowledged", "P3", 2) not in found
    rare = found["unresolved", "P2", 2]
    assert (rare.after, rare.urgency, rare.in_working_hours) == (timedelta(days=2), "low", True)


def test_levels_are_removed_and_keep_the_turns_of_who_stays(policy: EscalationPolicy) -> None:
    client = signed_in(Role.MANAGER)
    person("dave")
    data = shown(client, EDIT) | {
        "levels-0-DELETE": "on", "levels-1-targets": ["person:dave", "person:bob", "person:carol"],
        "levels-1-acknowledgements": "1",
    }  # fmt: skip
    assert client.post(EDIT, data).status_code == 302
    level = policy.levels.get()
    names = [target.person.username for target in level.targets.order_by("pk") if target.person]
    assert (level.number, names) == (2, ["carol", "bob", "dave"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels-0-targets": []}, "Choose whom it calls"),
        ({"levels-0-name": ""}, "Name it, e.g. On-call engineer."),
        ({"levels-1-number": "1"}, "Each level has a number of its own."),
        ({"levels-0-DELETE": "on", "levels-1-DELETE": "on"}, "at least one level"),
        ({"levels-0-unacknowledged_P0_after": "soon"}, "Write it like 15 min"),
        ({"levels-0-targets": ["person:nobody"]}, "not one of the available choices"),
        ({"levels-1-acknowledgements": "2"}, "one can acknowledge"),
        ({"timezone": "Mars/Base"}, "Use an IANA time zone"),
        ({"work_ends": "08:00"}, "Working hours end after they begin."),
        ({"repeat_after": "0"}, "greater than or equal to"),
        ({"name": ""}, "This field is required."),
        ({"levels-TOTAL_FORMS": "x"}, "Enter a whole number."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(
    policy: EscalationPolicy, change: dict[str, Any], said: str
) -> None:
    before = ladders(policy)
    client = signed_in(Role.MANAGER)
    answer = client.post(EDIT, shown(client, EDIT) | {"description": "typed"} | change)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert "typed" in page, "what was typed is not lost"
    assert ladders(policy) == before


def test_services_that_the_editor_may_not_know_of_stay(policy: EscalationPolicy) -> None:
    secret = Service.objects.create(slug="secret", name="Secret", tier=1, is_private=True)
    ServicePolicy.objects.create(service=secret, policy=policy)
    client = signed_in(Role.MANAGER)
    if Service.objects.visible_to(User.objects.get(role=Role.MANAGER)).exists():
        pytest.skip("managers know every service")
    assert client.post(EDIT, shown(client, EDIT)).status_code == 302
    assert ServicePolicy.objects.get().service == secret


def test_who_edits_an_old_page_is_told_and_may_insist(policy: EscalationPolicy) -> None:
    client = signed_in(Role.MANAGER)
    data = shown(client, EDIT) | {"name": "Mine"}
    EscalationPolicy.objects.update(name="Theirs", updated_at=MONDAY + timedelta(seconds=1))
    answer = client.post(EDIT, data)
    assert answer.status_code == 422
    assert "Somebody changed it after you opened this page" in answer.content.decode()
    assert EscalationPolicy.objects.get().name == "Theirs"
    again = data | {"as_of": answer.context["form"]["as_of"].value()}
    assert client.post(EDIT, again).status_code == 302
    assert EscalationPolicy.objects.get().name == "Mine"


def test_only_managers_edit(policy: EscalationPolicy) -> None:
    client = signed_in(Role.RESPONDER)
    for address in (NEW, EDIT, "/oncall/new/"):
        assert client.get(address).status_code == 403
        assert client.post(address, {}).status_code == 403
    assert "Edit" not in client.get("/oncall/policies/standard/").content.decode()
    assert client.post("/oncall/policies/standard/delete/").status_code == 403


def test_a_policy_is_deleted_only_when_nothing_needs_it(policy: EscalationPolicy) -> None:
    client = signed_in(Role.MANAGER)
    link = ServicePolicy.objects.create(
        service=Service.objects.create(slug="checkout", name="Checkout", tier=1), policy=policy
    )
    client.post("/oncall/policies/standard/delete/")
    assert EscalationPolicy.objects.exists()
    link.delete()
    client.post("/oncall/policies/standard/delete/")
    assert not EscalationPolicy.objects.exists()


LAYER = {
    "layers-TOTAL_FORMS": "2", "layers-INITIAL_FORMS": "0",
    "layers-0-name": "Weekly", "layers-0-people": "alice\nbob", "layers-0-first_on": "2026-03-02",
    "layers-0-handover_at": "09:00", "layers-0-every": "1", "layers-0-unit": "weeks",
    "layers-0-on_holidays": "as_usual", "layers-0-restrictions": "", "layers-0-until": "",
    "layers-1-name": "Nights", "layers-1-people": "carol", "layers-1-first_on": "2026-03-02",
    "layers-1-handover_at": "09:00", "layers-1-every": "1", "layers-1-unit": "days",
    "layers-1-on_holidays": "never", "layers-1-restrictions": "Fri-Sun 22:00-06:00\n",
    "layers-1-until": "2027-01-01T00:00",
    "slug": "payments", "name": "Payments", "timezone": "Europe/London",
}  # fmt: skip


@pytest.fixture
def people() -> None:
    """Alice, bob and carol."""
    for name in ("alice", "bob", "carol"):
        person(name)


@pytest.mark.usefixtures("people")
def test_a_schedule_is_previewed_then_made() -> None:
    client = signed_in(Role.MANAGER)
    seen = client.post("/oncall/new/", LAYER | {"act": "preview"})
    assert seen.status_code == 200
    page = seen.content.decode()
    assert "Preview: nothing is saved yet" in page
    assert "22:00–24:00" in page
    assert not Schedule.objects.exists()
    assert not AuditEntry.objects.filter(act="schedule.created").exists()
    assert client.post("/oncall/new/", LAYER | {"act": "save"}).status_code == 302
    schedule = Schedule.objects.get()
    lower, upper = schedule.layers.all()
    assert [member.person.username for member in lower.members.all()] == ["alice", "bob"]
    rule = upper.restrictions.get()
    assert (rule.begins, rule.ends, rule.weekdays) == (time(22), time(6), [4, 5, 6])
    assert upper.until == datetime(2027, 1, 1, tzinfo=UTC)
    assert upper.on_holidays == "never"


@pytest.mark.usefixtures("people")
def test_saving_a_schedule_as_shown_changes_nothing() -> None:
    client = signed_in(Role.MANAGER)
    HolidayCalendar.objects.create(slug="uk", name="UK", country="GB")
    client.post("/oncall/new/", LAYER)

    def told() -> Any:
        shown = client.get("/api/v1/schedules/payments/").json()
        return shown["layers"], shown["timezone"]

    before = told()
    assert client.post("/oncall/payments/edit/", shown(client, "/oncall/payments/edit/")).status_code == 302  # fmt: skip
    assert told() == before


@pytest.mark.usefixtures("people")
def test_layers_are_put_in_another_order_and_removed() -> None:
    client = signed_in(Role.MANAGER)
    client.post("/oncall/new/", LAYER)
    Override.objects.create(
        schedule=Schedule.objects.get(), person=person("dave"),
        starts_at=MONDAY, ends_at=MONDAY + timedelta(hours=3),
    )  # fmt: skip
    data = shown(client, "/oncall/payments/edit/")
    client.post("/oncall/payments/edit/", data | {"layers-0-ORDER": "2", "layers-1-ORDER": "1"})
    assert [layer.name for layer in Schedule.objects.get().layers.all()] == ["Nights", "Weekly"]
    data = shown(client, "/oncall/payments/edit/")
    client.post("/oncall/payments/edit/", data | {"layers-0-DELETE": "on"})
    assert [layer.name for layer in Schedule.objects.get().layers.all()] == ["Weekly"]
    assert Override.objects.count() == 1, "overrides are no layers, and stay"


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers-0-people": "alice zoe"}, "Nobody is called zoe."),
        ({"layers-0-people": ""}, "Name who takes turns."),
        ({"layers-0-name": ""}, "Name it, e.g. Weekly."),
        ({"layers-0-first_on": ""}, "Say when the first turn begins."),
        ({"layers-0-first_on": "0001-01-01"}, "Use a date of the years 1900 to 2099."),
        ({"layers-1-restrictions": "always"}, "no day of the week"),
        ({"layers-1-restrictions": "Mon 9"}, "Write hours like Mon-fri"),
        ({"layers-0-unit": "hours", "layers-0-every": "5"}, "hours"),
        ({"slug": "new"}, "That is a page of the portal"),
        ({"timezone": "Nowhere"}, "Use an IANA time zone"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(change: dict[str, Any], said: str) -> None:
    client = signed_in(Role.MANAGER)
    for act in ("preview", "save"):
        answer = client.post("/oncall/new/", LAYER | {"act": act} | change)
        assert answer.status_code == 422
        assert said.lower() in answer.content.decode().lower()
    assert not Schedule.objects.exists()


@pytest.mark.usefixtures("people")
def test_who_was_deactivated_stays_until_they_are_taken_out() -> None:
    client, page = signed_in(Role.MANAGER), "/oncall/payments/edit/"
    client.post("/oncall/new/", LAYER)
    User.objects.filter(username="bob").update(is_active=False)
    data = shown(client, page) | {"description": "typed"}
    assert client.post(page, data).status_code == 302
    assert "bob" in shown(client, page)["layers-0-people"]
    moved = shown(client, page) | {"layers-1-people": "carol bob"}
    assert "No longer active: bob." in client.post(page, moved).content.decode()


@pytest.mark.usefixtures("people")
def test_what_is_refused_later_is_said_at_its_layer() -> None:
    wrong = LAYER | {"layers-1-unit": "hours", "layers-1-every": "5"}
    answer = signed_in(Role.MANAGER).post("/oncall/new/", wrong)
    first, second = answer.context["formset"].forms
    assert (list(first.errors), list(second.errors)) == ([], ["every"])
    assert not answer.context["form"].errors


@pytest.mark.usefixtures("people")
def test_the_calendar_shows_each_day_and_moves() -> None:
    client = signed_in(Role.MANAGER)
    client.post("/oncall/new/", LAYER)
    answer = client.get("/oncall/payments/")
    calendar = answer.context["calendar"]
    assert (calendar.first, len(calendar.days)) == (date(2026, 3, 2), 28)
    _, parts = calendar.days[0]
    assert [(part.begins, str(part.person)) for part in parts] == [
        ("00:00", "None"), ("09:00", "alice"),
    ]  # fmt: skip
    # The clocks of London change on 29 March: that Sunday has 23 hours.
    later = client.get("/oncall/payments/?from=2026-03-29").context["calendar"]
    assert later.first == date(2026, 3, 23)
    (sunday, _) = later.days[6]
    assert sum((part.span.length for part in sunday.parts), timedelta()) == timedelta(hours=23)
    for wrong in ("soon", "2026-13-01", "1066-10-14"):
        assert client.get(f"/oncall/payments/?from={wrong}").status_code == 400
