"""What the admin writes and tells the audit beside others: row by row, and nobody waits for ever."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Service, Team
from core.models import AuditEntry
from core.tests.crossing import cross
from oncall.models import (
    EscalationPolicy,
    HolidayCalendar,
    Layer,
    PolicyLevel,
    Schedule,
    ServicePolicy,
)
from sreportal.tests.test_admin_pages import policy, policy_form

CALENDARS = "/admin/oncall/holidaycalendar/"


def calendar(slug: str) -> HolidayCalendar:
    return HolidayCalendar.objects.create(slug=slug, name=slug.capitalize())


def delete_chosen(client: Client, page: str, *chosen: int) -> int:
    form = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    return client.post(page, form).status_code


@pytest.fixture
def root(client: Client) -> User:
    """An admin, signed in."""
    user = person("root", Role.ADMIN)
    client.force_login(user)
    return user


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("root")
def test_deleting_some_waits_for_nobody_with_the_audit_held(client: Client) -> None:
    """Whoever holds the next row, and then tells the audit, is not waited for and waited on at once."""
    first, second = calendar("a"), calendar("b")
    codes: list[int] = []
    cross(second, lambda: codes.append(delete_chosen(client, CALENDARS, first.pk, second.pk)))
    assert codes == [302]
    assert not HolidayCalendar.objects.exists()
    assert AuditEntry.objects.filter(act="holidays.deleted").count() == 2


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.usefixtures("root")
def test_histories_tell_of_what_is_gone_only(client: Client) -> None:
    """One that must stay keeps those after it; neither Django's history nor the audit tells of them."""
    policy = EscalationPolicy.objects.create(slug="shop", name="Shop")
    levels = [PolicyLevel.objects.create(policy=policy, number=n, name=str(n)) for n in (1, 2, 3)]
    policy.timings.create(phase="unacknowledged", severity="P1", level=2, after=timedelta())
    chosen = [level.pk for level in levels]
    assert delete_chosen(client, "/admin/oncall/policylevel/", *chosen) == 409
    assert policy.levels.count() == LogEntry.objects.count() + 1 == 2
    assert AuditEntry.objects.filter(act="policy.changed").count() == 1


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.usefixtures("root")
def test_each_deleted_row_is_in_both_histories(client: Client) -> None:
    """From its own page as from a list, once."""
    one, other = (Team.objects.create(slug=slug, name=slug) for slug in "ab")
    service = Service.objects.create(slug="web", name="Web")
    assert delete_chosen(client, "/admin/catalog/team/", one.pk, other.pk) == 302
    page = f"/admin/catalog/service/{service.pk}/delete/"
    assert client.post(page, {"post": "yes"}).status_code == 302
    assert LogEntry.objects.count() == 3
    assert list(AuditEntry.objects.order_by("seq").values_list("act", flat=True)) == [
        "team.deleted", "team.deleted", "service.deleted",
    ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.both_databases
@pytest.mark.usefixtures("root")
def test_a_deleted_part_is_told_of_as_a_change_of_the_whole(client: Client) -> None:
    rota = Schedule.objects.create(slug="shop", name="Shop")
    layer = Layer.objects.create(
        schedule=rota, position=0, name="Daily", first_on="2026-03-01", handover_at="09:00"
    )
    assert delete_chosen(client, "/admin/oncall/layer/", layer.pk) == 302
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.subject) == ("schedule.changed", f"oncall.schedule:{rota.pk}")
    assert not Layer.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("root")
def test_a_policy_is_changed_beside_another_that_takes_its_service(client: Client) -> None:
    """The audit is written once the rows below the policy are."""
    row = policy("shop")
    service = Service.objects.create(slug="web", name="Web")
    called = ServicePolicy.objects.create(policy=row, service=service)
    form = policy_form(
        row,
        **{"name": "Changed", "services-TOTAL_FORMS": "1", "services-INITIAL_FORMS": "1",
           "services-0-id": str(called.pk), "services-0-policy": str(row.pk),
           "services-0-service": str(service.pk), "services-0-DELETE": "on"},
    )  # fmt: skip
    page = f"/admin/oncall/escalationpolicy/{row.pk}/change/"
    codes: list[int] = []
    cross(called, lambda: codes.append(client.post(page, form).status_code))
    assert codes == [302]
    row.refresh_from_db()
    assert (row.name, row.services.count()) == ("Changed", 0)
