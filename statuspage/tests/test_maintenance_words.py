"""What the public reads of maintenance is typed where maintenance is planned, and looked at before it is public."""

import re
import time
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, send, signed_in, token_of
from catalog.models import Service
from core.models import AuditEntry
from incidents.models import Maintenance
from incidents.services.maintenance import plan, save_public_words
from statuspage.models import Component, PublicMaintenance
from statuspage.tests.world import HOUR, NOON, SECRET, component, shop

pytestmark = [pytest.mark.django_db]
NEW = "/alerts/maintenance/new/"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)


@pytest.fixture
def service() -> Service:
    """Return one that the page shows as “Checkout”; its own names are internal."""
    found = Service.objects.create(slug="pay", name=f"{SECRET} pay", tier=1)
    component(service=found)
    return found


@pytest.fixture
def client() -> Client:
    """Somebody who responds."""
    return signed_in(Role.RESPONDER)


def said(**values: Any) -> dict[str, Any]:
    """Return what is typed into the form."""
    return {
        "service": "pay", "comment": f"{SECRET} disks", "starts_at": "2026-05-04T02:00", "length": "1 h",
        "rule": "", "timezone": "UTC", "public_title": "Faster disks", "public_text": "All is slow.",
        "is_public": "on", "once": "a" * 32, **values,
    }  # fmt: skip


def sent_again(page: str, step: str) -> dict[str, Any]:
    """Return what the form of a preview sends by one of its buttons."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {**{name: unescape(value) for name, value in fields}, "step": step}


def planned(service: Service) -> Maintenance:
    """Plan an hour of tomorrow."""
    fields = {"service": service, "starts_at": NOON + timedelta(days=1),
              "ends_at": NOON + timedelta(days=1) + HOUR, "comment": f"{SECRET} disks"}  # fmt: skip
    return plan(fields=fields, actor="test", now=NOON)


def public() -> str:
    """Return what the public reads."""
    return Client().get("/status/").content.decode()


@pytest.mark.both_databases
def test_what_will_be_public_is_looked_at_before_it_is(client: Client, service: Service) -> None:
    """The first button shows it, with the public names of what it concerns; the second one plans it."""
    seen = client.post(NEW, said())
    assert seen.status_code == 200
    page = seen.content.decode()
    card = page[page.index('aria-label="What everybody will read"') :].partition("</section>")[0]
    assert "Faster disks" in card
    assert "All is slow." in card
    assert "Checkout" in card
    assert SECRET not in card
    assert not Maintenance.objects.exists()
    assert client.post(NEW, sent_again(page, "publish")).status_code == 302
    row = PublicMaintenance.objects.get()
    assert (row.title, row.text, row.is_shown) == ("Faster disks", "All is slow.", True)
    assert row.maintenance.comment == f"{SECRET} disks"
    assert "Faster disks" in public()
    assert SECRET not in public()
    assert client.post(NEW, sent_again(page, "publish")).status_code == 302
    assert Maintenance.objects.count() == 1


def test_what_was_changed_since_is_looked_at_again(client: Client, service: Service) -> None:
    """Also what somebody else looked at; the way back keeps all that was typed."""
    page = client.post(NEW, said()).content.decode()
    changed = {**sent_again(page, "publish"), "public_text": "Nothing works."}
    again = client.post(NEW, changed)
    assert (again.status_code, "Nothing works." in again.content.decode()) == (200, True)
    other = Client()
    other.force_login(person("bob"))
    assert other.post(NEW, sent_again(page, "publish")).status_code == 200
    assert not Maintenance.objects.exists()
    back = client.post(NEW, sent_again(page, "edit"))
    assert back.status_code == 200
    assert back.context["form"]["public_text"].value() == "All is slow."
    assert back.context["form"]["comment"].value() == f"{SECRET} disks"


@pytest.mark.parametrize("how", ["hidden", "no component"])
def test_what_is_not_public_is_planned_at_once(client: Client, service: Service, how: str) -> None:
    """Where somebody hides it, and where the page shows nothing of the service."""
    if how == "no component":
        Component.objects.update(shows_maintenance=False)
    body = said()
    if how == "hidden":
        del body["is_public"]
    assert client.post(NEW, body).status_code == 302
    assert PublicMaintenance.objects.get().is_shown == (how != "hidden")
    assert "Faster disks" not in public()


def test_the_first_occurrence_is_looked_at(client: Client, service: Service) -> None:
    """A rule may first happen on another day than it is typed with; the preview says that it repeats."""
    rule = "FREQ=WEEKLY;BYDAY=SU"
    page = client.post(NEW, said(rule=rule)).content.decode()
    assert "10 May 2026, 02:00 to 10 May 2026, 03:00 UTC" in page
    assert "It repeats" in page
    body = {"service": "pay", "starts_at": "2026-05-04T02:00:00Z", "ends_at": "2026-05-04T03:00:00Z",
            "comment": "disks", "rule": rule, "preview": True}  # fmt: skip
    seen = send(client, "post", "maintenance/", body, status=200)
    assert (seen["starts_at"], seen["ends_at"]) == ("2026-05-10T02:00:00Z", "2026-05-10T03:00:00Z")
    assert seen["is_repeated"] is True
    far = {**body, "starts_at": "2029-05-04T02:00:00Z", "ends_at": "2029-05-04T03:00:00Z"}
    seen = send(client, "post", "maintenance/", far, status=200)
    assert seen["starts_at"] == "2029-05-06T02:00:00Z"


def test_no_words_are_neutral_ones(client: Client, service: Service) -> None:
    """Nothing is kept where nothing was said."""
    page = client.post(NEW, said(public_title="", public_text="")).content.decode()
    assert "Scheduled maintenance" in page
    client.post(NEW, sent_again(page, "publish"))
    assert not PublicMaintenance.objects.exists()
    assert "Scheduled maintenance" in public()


def test_a_private_service_is_doubted(client: Client, service: Service) -> None:
    """Whoever plans its maintenance is told that everybody hears of it."""
    client = signed_in(Role.ADMIN)
    Service.objects.update(is_private=True)
    assert "is private here" in client.post(NEW, said()).content.decode()


@pytest.mark.both_databases
def test_words_are_changed_on_a_page_of_their_own(client: Client, service: Service) -> None:
    """The list leads to it; it begins with what is public, and shows what would be."""
    row = planned(service)
    address = f"/alerts/maintenance/{row.pk}/public/"
    assert address in client.get("/alerts/quiet/").content.decode()
    form = client.get(address).context["form"]
    assert (form["public_title"].value(), form["is_public"].value()) == (
        "Scheduled maintenance", True,
    )  # fmt: skip
    stamp = form["as_of"].value()
    words = {"public_title": "Faster disks", "public_text": "", "is_public": "on", "as_of": stamp}
    page = client.post(address, words).content.decode()
    assert "Faster disks" not in public()
    assert client.post(address, sent_again(page, "publish")).status_code == 302
    assert "Faster disks" in public()
    stamp = client.get(address).context["form"]["as_of"].value()
    hidden = {"public_title": "Faster disks", "public_text": "", "as_of": stamp}
    assert client.post(address, hidden).status_code == 302
    assert "Faster disks" not in public()
    acts = AuditEntry.objects.filter(act__startswith="statuspage.maintenance").order_by("seq")
    assert [one.act for one in acts] == [
        "statuspage.maintenance_created", "statuspage.maintenance_changed",
    ]  # fmt: skip


def test_words_that_somebody_else_changed_are_not_written_over(
    client: Client, service: Service
) -> None:
    """Neither with those of an open page, nor with those of a preview; sent again it is meant."""
    row = planned(service)
    address = f"/alerts/maintenance/{row.pk}/public/"
    opened = str(client.get(address).context["form"]["as_of"].value())
    own = {"public_title": "Mine", "public_text": "", "is_public": "on", "as_of": opened}
    page = client.post(address, own).content.decode()
    PublicMaintenance.objects.create(maintenance=row, title="Theirs")
    for body in (own, sent_again(page, "publish"), {**own, "as_of": ""}):
        refused = client.post(address, body)
        assert refused.status_code == 422
        assert "Somebody changed it after you opened this page" in refused.content.decode()
        assert refused.context["form"]["public_title"].value() == "Mine"
    assert PublicMaintenance.objects.get().title == "Theirs"
    again = {**own, "as_of": refused.context["form"]["as_of"].value()}
    page = client.post(address, again).content.decode()
    assert client.post(address, sent_again(page, "publish")).status_code == 302
    assert PublicMaintenance.objects.get().title == "Mine"


def test_a_look_of_long_ago_is_said_to_be_one(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same preview comes again with the reason; the first one has none."""
    page = client.post(NEW, said()).content.decode()
    assert "Look at it again" not in page
    real = time.time
    monkeypatch.setattr("django.core.signing.time.time", lambda: real() + 3700)
    again = client.post(NEW, sent_again(page, "publish")).content.decode()
    assert "Look at it again" in again
    assert not Maintenance.objects.exists()
    assert client.post(NEW, sent_again(again, "publish")).status_code == 302


@pytest.mark.parametrize(
    ("words", "field"), [({"public_title": "x" * 201}, "public_title"), ({"public_text": "x" * 6001}, "public_text")]
)  # fmt: skip
def test_too_many_words_are_said_at_their_field(
    client: Client, service: Service, words: dict[str, str], field: str
) -> None:
    """Of new maintenance and of what is planned."""
    answer = client.post(NEW, said(**words))
    assert (answer.status_code, set(answer.context["form"].errors)) == (422, {field})
    row = planned(service)
    address = f"/alerts/maintenance/{row.pk}/public/"
    stamp = client.get(address).context["form"]["as_of"].value()
    answer = client.post(address, {"is_public": "on", "as_of": stamp, **words})
    assert (answer.status_code, set(answer.context["form"].errors)) == (422, {field})


def test_only_who_may_know_it_says_what_is_public_of_it(client: Client) -> None:
    """Strangers find none, viewers only read."""
    private = planned(shop())
    assert client.get(f"/alerts/maintenance/{private.pk}/public/").status_code == 404
    assert client.get("/alerts/maintenance/4711/public/").status_code == 404
    viewer = signed_in(Role.VIEWER)
    assert viewer.get(f"/alerts/maintenance/{private.pk}/public/").status_code == 403


@pytest.mark.both_databases
def test_deployments_say_it_by_the_api(client: Client, service: Service) -> None:
    """With what they plan; `preview` answers what would be public, and plans nothing."""
    body = {
        "service": "pay", "starts_at": "2026-05-04T02:00:00Z", "ends_at": "2026-05-04T03:00:00Z",
        "comment": f"{SECRET} disks", "public_title": "Faster disks", "public_text": "All is slow.",
    }  # fmt: skip
    seen = send(client, "post", "maintenance/", {**body, "preview": True}, status=200)
    assert seen == {
        "title": "Faster disks", "text": "All is slow.", "is_shown": True, "components": ["Checkout"],
        "starts_at": "2026-05-04T02:00:00Z", "ends_at": "2026-05-04T03:00:00Z", "doubts": [], "is_repeated": False,
        "is_stored": False,
    }  # fmt: skip
    assert not Maintenance.objects.exists()
    made = send(client, "post", "maintenance/", body, status=201)
    assert (made["public_title"], made["public_text"], made["is_public"]) == (
        "Faster disks", "All is slow.", True,
    )  # fmt: skip
    address = f"maintenance/{made['id']}/"
    seen = send(client, "patch", address, {"public_title": "Disks", "preview": True}, status=200)
    assert (seen["title"], seen["text"]) == ("Disks", "All is slow.")
    changed = send(client, "patch", address, {"is_public": False}, status=200)
    assert (changed["public_title"], changed["is_public"]) == ("Faster disks", False)
    assert "Faster disks" not in public()
    wrong = send(client, "patch", address, {"comment": "x", "public_title": "y"}, status=400)
    assert set(wrong["errors"]) == {"comment"}
    (listed,) = send(client, "get", "maintenance/", status=200)["results"]
    assert (listed["public_title"], listed["is_public"]) == ("Faster disks", False)


def test_the_api_asks_the_same_rights(client: Client, service: Service) -> None:
    """Neither viewers nor tokens that only read change words; of private services nobody finds any."""
    row, private = planned(service), planned(shop())
    send(
        signed_in(Role.VIEWER), "patch", f"maintenance/{row.pk}/", {"is_public": False}, status=403
    )
    send(client, "patch", f"maintenance/{private.pk}/", {"is_public": False}, status=404)
    reader = Client(headers=bearer(token_of(person("ci"), Scope.READ)[1]))
    send(reader, "patch", f"maintenance/{row.pk}/", {"is_public": False}, status=403)
    assert not PublicMaintenance.objects.exists()


def test_a_list_asks_for_all_words_at_once(client: Client, service: Service) -> None:
    """However long it is."""
    asked = []
    for _ in range(2):
        planned(service)
        planned(service)
        with CaptureQueriesContext(connection) as queries:
            send(client, "get", "maintenance/", status=200)
        asked.append(sum("statuspage_publicmaintenance" in each["sql"] for each in queries))
    assert asked == [1, 1]


def test_who_changes_the_text_does_not_show_again_what_somebody_hides(service: Service) -> None:
    """Both read it before either wrote."""
    by: dict[str, Any] = {"actor": None, "now": NOON}
    begins = NOON + HOUR
    fields = {"service": service, "comment": "Disks", "starts_at": begins, "ends_at": begins + HOUR}
    row = plan(fields=fields, **by)
    seen = Maintenance.objects.get(pk=row.pk)
    save_public_words(row, said={"is_shown": False}, **by)
    save_public_words(seen, said={"text": "All is slow."}, **by)
    kept = PublicMaintenance.objects.get()
    assert (kept.text, kept.is_shown) == ("All is slow.", False)
