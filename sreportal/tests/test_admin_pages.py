"""Pages of the admin, whichever package they come from: refusals, histories and what stays."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import JSONField
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Service
from core import audit, clock
from core.models import AuditEntry
from oncall.models import EscalationPolicy, Layer, Override, PolicyLevel, Schedule, Timing
from oncall.services.policies import save_policy
from oncall.services.schedules import save_schedule
from sreportal.admin_pages import PortalPages
from users_api.models import Person

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def root(client: Client) -> User:
    """An admin, signed in."""
    user = person("root", Role.ADMIN)
    client.force_login(user)
    return user


def schedule(slug: str = "shop") -> Schedule:
    fields = {"slug": slug, "name": slug.capitalize()}
    return save_schedule(Schedule(), fields=fields, layers=None, actor="user:mona", now=clock.now())


def history(client: Client, row: object, query: str = "") -> str:
    meta = row._meta  # type: ignore[attr-defined]
    name = f"admin:{meta.app_label}_{meta.model_name}_history"
    answer = client.get(reverse(name, args=[row.pk]) + query)  # type: ignore[attr-defined]
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_model_has_the_pages_of_the_portal() -> None:
    """No package brings a history or a refusal of its own."""
    assert all(isinstance(each, PortalPages) for each in admin.site._registry.values())


def test_history_tells_what_was_done_elsewhere(client: Client, root: User) -> None:
    """Whatever changed a row, its history says who, what and how, newest first."""
    row = schedule()
    save_schedule(row, fields={"name": "Till"}, layers=None, actor="token:abc", now=clock.now())
    page = history(client, row)
    assert page.index("schedule.changed") < page.index("schedule.created")
    assert "user:mona" in page
    assert "token:abc" in page
    assert "name: Till" in page


def test_history_of_what_is_named_by_its_slug(client: Client, root: User) -> None:
    """Services and teams are told of under their slugs."""
    client.post("/admin/catalog/team/add/", {"slug": "till", "name": "Till", "contact": "#till"})
    entry = AuditEntry.objects.get(act="team.created")
    assert entry.subject == "catalog.team:till"
    row = Service.objects.create(slug="17", name="Seventeen")
    audit.record(act="service.changed", subject=row, actor="user:mona", now=clock.now())
    assert "user:mona" in history(client, row)


def test_history_joins_what_the_admin_wrote_and_says_it_once(client: Client, root: User) -> None:
    """What is audited comes once; what only Django wrote down comes as well."""
    row = schedule()
    form = {"slug": "shop", "name": "Shop", "timezone": "UTC", "description": "Changed here",
            "layers-TOTAL_FORMS": "0", "layers-INITIAL_FORMS": "0"}  # fmt: skip
    assert client.post(f"/admin/oncall/schedule/{row.pk}/change/", form).status_code == 302
    page = history(client, row)
    assert page.count("user:root") == 1
    assert "description: Changed here" in page
    client.post("/admin/users_api/person/add/", {"name": "Ada", "email": "ada@example.com"})
    assert "Added." in history(client, Person.objects.get())


def test_long_histories_have_pages(client: Client, root: User) -> None:
    """A hundred acts a page."""
    row = schedule()
    for number in range(120):
        audit.record(act=f"schedule.{number}", subject=row, actor=None, now=clock.now())
    first, second = history(client, row), history(client, row, "?p=2")
    assert "schedule.119" in first
    assert "schedule.created" not in first
    assert "schedule.created" in second
    assert "121 entries" in first


def test_what_a_service_refuses_stands_in_the_form(client: Client, root: User) -> None:
    """Nothing that was typed is lost."""
    row = schedule()
    form = {"schedule": row.pk, "person": root.pk, "reason": "Long typed reason",
            "starts_at_0": "2020-01-01", "starts_at_1": "00:00:00",
            "ends_at_0": "2020-01-02", "ends_at_1": "00:00:00"}  # fmt: skip
    answer = client.post("/admin/oncall/override/add/", form)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "An override ends later than now." in str(
        answer.context["adminform"].form.errors["ends_at"]
    )
    assert "Long typed reason" in page
    assert not Override.objects.exists()


def test_who_was_on_call_stays_so(client: Client, root: User) -> None:
    """An override that has begun keeps its beginning, and is not deleted in either way."""
    now = timezone.now()
    row = Override.objects.create(
        schedule=schedule(), person=root, starts_at=now - timedelta(hours=2),
        ends_at=now + timedelta(hours=2), created_by="user:root",
    )  # fmt: skip
    form = {"schedule": row.schedule_id, "person": root.pk, "reason": "x",
            "starts_at_0": "2020-01-01", "starts_at_1": "00:00:00",
            "ends_at_0": f"{now + timedelta(days=1):%Y-%m-%d}", "ends_at_1": "00:00:00"}  # fmt: skip
    page = f"/admin/oncall/override/{row.pk}/"
    answer = client.post(f"{page}change/", form)
    assert "starts_at" in answer.context["adminform"].form.errors
    answer = client.post(f"{page}delete/", {"post": "yes"})
    assert answer.status_code == 403
    assert "It has begun" in answer.content.decode()
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert client.post("/admin/oncall/override/", chosen).status_code == 403
    stored = Override.objects.get(pk=row.pk)
    assert (stored.starts_at, stored.ends_at) == (row.starts_at, row.ends_at)


def test_an_override_that_has_begun_is_ended_earlier(client: Client, root: User) -> None:
    """It began at some part of a second, which the boxes do not show; an end is all that is changed."""
    now = timezone.now()
    row = Override.objects.create(
        schedule=schedule(), person=root, starts_at=now.replace(microsecond=7) - timedelta(hours=2),
        ends_at=now + timedelta(days=2), created_by="user:root",
    )  # fmt: skip
    form = {"schedule": row.schedule_id, "person": root.pk, "reason": "",
            "starts_at_0": f"{row.starts_at:%Y-%m-%d}", "starts_at_1": f"{row.starts_at:%H:%M:%S}",
            "ends_at_0": f"{now + timedelta(days=1):%Y-%m-%d}", "ends_at_1": f"{now:%H:%M:%S}"}  # fmt: skip
    answer = client.post(f"/admin/oncall/override/{row.pk}/change/", form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    stored = Override.objects.get()
    assert stored.starts_at == row.starts_at
    assert stored.ends_at == now.replace(microsecond=0) + timedelta(days=1)
    assert list(AuditEntry.objects.get(act="override.changed").changes) == ["ends_at"]


def policy(slug: str, **fields: object) -> EscalationPolicy:
    alice = User.objects.filter(username="alice").first() or person("alice")
    levels = [{"number": 1, "name": "On call", "targets": [{"person": alice}]}]
    return save_policy(
        EscalationPolicy(), fields={"slug": slug, "name": slug, **fields}, levels=levels,
        timings=None, services=None, actor=None, now=clock.now(),
    )  # fmt: skip


def policy_form(row: EscalationPolicy, **values: str) -> dict[str, str]:
    level = row.levels.get()
    counts = {
        f"{part}-{kind}_FORMS": "0"
        for part in ("timings", "services")
        for kind in ("TOTAL", "INITIAL")
    }
    return {
        "slug": row.slug, "name": row.name, "loops": "3", "repeat_after": "00:15:00",
        "timezone": "UTC", "work_begins": "09:00", "work_ends": "17:00", "work_days": "[0]",
        "levels-TOTAL_FORMS": "1", "levels-INITIAL_FORMS": "1", "levels-0-id": str(level.pk),
        "levels-0-policy": str(row.pk), "levels-0-number": "1", "levels-0-name": "On call",
        "levels-0-mode": "all", "levels-0-acknowledgements": "1", **counts, **values,
    }  # fmt: skip


def test_there_stays_a_default_policy(client: Client, root: User) -> None:
    """One takes it from the other, nobody gives it up, and it is not deleted in either way."""
    held, other = policy("held", is_default=True), policy("other")
    list_page = "/admin/oncall/escalationpolicy/"
    answer = client.post(f"{list_page}{held.pk}/change/", policy_form(held))
    assert "is_default" in answer.context["adminform"].form.errors
    chosen = {"action": "delete_selected", "_selected_action": [held.pk], "post": "yes"}
    assert client.post(list_page, chosen).status_code == 403
    answer = client.post(f"{list_page}{other.pk}/change/", policy_form(other, is_default="on"))
    assert answer.status_code == 302
    assert EscalationPolicy.objects.get(is_default=True) == other


def test_times_call_levels_that_are_there(client: Client, root: User) -> None:
    """Neither the policy's page nor the level's own leaves a time without its level."""
    row = policy("shop")
    page = f"/admin/oncall/escalationpolicy/{row.pk}/change/"
    lost = {"timings-TOTAL_FORMS": "1", "timings-0-phase": "unacknowledged", "timings-0-policy": str(row.pk),
            "timings-0-severity": "P1", "timings-0-level": "5", "timings-0-after": "00:05:00",
            "timings-0-urgency": "high"}  # fmt: skip
    answer = client.post(page, policy_form(row, **lost))
    assert "There is no L5" in answer.content.decode()
    Timing.objects.create(policy=row, severity="P1", level=1)
    level = row.levels.get()
    gone = client.post(f"/admin/oncall/policylevel/{level.pk}/delete/", {"post": "yes"})
    assert gone.status_code == 409
    assert PolicyLevel.objects.filter(pk=level.pk).exists()


def test_a_layer_has_people(client: Client, root: User) -> None:
    """A layer that is saved on its own page without anybody would leave nobody on call."""
    row = schedule()
    form = {"schedule": row.pk, "position": "0", "name": "Week", "first_on": "2026-01-05",
            "handover_at": "09:00", "unit": "weeks", "every": "1", "on_holidays": "as_usual",
            "members-TOTAL_FORMS": "0", "members-INITIAL_FORMS": "0",
            "restrictions-TOTAL_FORMS": "0", "restrictions-INITIAL_FORMS": "0"}  # fmt: skip
    answer = client.post("/admin/oncall/layer/add/", form)
    assert "A layer has 1 to 100 people." in answer.content.decode()
    somebody = {"members-TOTAL_FORMS": "1", "members-0-position": "0", "members-0-person": root.pk}
    answer = client.post("/admin/oncall/layer/add/", {**form, **somebody})
    assert answer.status_code == 302, answer.content.decode()
    assert Layer.objects.get().members.get().person == root
    assert "layer Week: Added" in history(client, row)


@pytest.mark.parametrize("count", ["-1", "x", "1" + "0" * 11])
@pytest.mark.parametrize("name", ["levels-TOTAL_FORMS", "levels-INITIAL_FORMS"])
def test_rows_that_no_page_counts_so_are_refused(
    client: Client, root: User, name: str, count: str
) -> None:
    """And nothing is changed."""
    row = policy("shop")
    page = f"/admin/oncall/escalationpolicy/{row.pk}/change/"
    answer = client.post(page, policy_form(row, **{name: count, "name": "Changed"}))
    assert answer.status_code == 400
    row.refresh_from_db()
    assert (row.name, row.levels.count()) == ("shop", 1)


def test_rows_that_another_stored_meanwhile_are_said_in_the_form(
    client: Client, root: User
) -> None:
    """Two that are the same are no failure of the server's."""
    row = policy("shop")
    page = f"/admin/oncall/escalationpolicy/{row.pk}/change/"
    answer = client.post(page, policy_form(row, **{"levels-INITIAL_FORMS": "0"}))
    assert answer.status_code < 500
    assert row.levels.count() == 1


@pytest.mark.django_db(transaction=True)
def test_rows_chosen_in_a_list_are_deleted_with_their_audit(client: Client) -> None:
    """What is deleted and what the audit tells of it are written together."""
    client.force_login(person("root", Role.ADMIN))
    row = schedule()
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert client.post("/admin/oncall/schedule/", chosen).status_code == 302
    assert not Schedule.objects.exists()
    entry = AuditEntry.objects.get(act="schedule.deleted")
    assert (entry.actor, entry.subject) == ("user:root", f"oncall.schedule:{row.pk}")


def test_why_people_stay_is_said(client: Client, root: User) -> None:
    """An admin is not told to ask an admin."""
    answer = client.get(f"/admin/accounts/user/{root.pk}/delete/")
    assert answer.status_code == 403
    assert "People are deactivated, not deleted" in answer.content.decode()


def test_json_is_read_carefully_in_every_form(rf: RequestFactory) -> None:
    """Whatever is typed where JSON is wanted is answered with what is wrong in it."""
    request = rf.get("/admin/")
    pages = [*admin.site._registry.values()]
    parts = [part(page.model, admin.site) for page in pages for part in page.inlines]
    fields = [
        made.formfield_for_dbfield(field, request)
        for made in (*pages, *parts)
        for field in made.model._meta.fields
        if isinstance(field, JSONField) and field.editable
    ]
    assert len(fields) > 10
    for field in fields:
        assert field is not None
        for typed in ("[" * 5000, "1" * 5000):
            with pytest.raises(ValidationError, match="Enter a valid JSON"):
                field.clean(typed)
