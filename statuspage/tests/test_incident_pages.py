"""What the public reads of an incident, typed by who responds; and the admin of the page."""

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from core.models import AuditEntry
from incidents.services.maintenance import plan
from statuspage.models import Component, PublicIncident
from statuspage.tests.world import HOUR, NOON, SECRET, component, incident, shop, tell

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)


@pytest.fixture
def admin() -> Client:
    """Somebody who sees everything."""
    return signed_in(Role.ADMIN)


def test_the_public_title_and_what_is_affected_are_typed(admin: Client) -> None:
    """On a page of its own, which does not begin with the incident's title."""
    part, other = component("Checkout"), component("Search")
    found = incident()
    page = f"/incidents/{found.pk}/public/"
    form = admin.get(page).context["form"]
    assert form["title"].value() is None
    names = {row.pk: name for name, row in form.components.items()}
    said = {"title": "Payments fail", "impact": "", names[part.pk]: "major_outage"}
    assert admin.post(page, said).url == found.get_absolute_url()  # type: ignore[attr-defined]
    row = PublicIncident.objects.get()
    assert (row.title, row.impact) == ("Payments fail", "")
    assert [(one.component, one.status) for one in row.affected.all()] == [(part, "major_outage")]
    admin.post(page, {"title": "Payments fail", "impact": "minor", names[other.pk]: "operational"})
    row.refresh_from_db()
    assert (row.impact, [one.component for one in row.affected.all()]) == ("minor", [other])
    acts = list(AuditEntry.objects.filter(act="statuspage.incident_changed").order_by("seq"))
    assert acts[1].changes["components"] == [
        ["Checkout: major_outage"],
        ["Search: operational"],
    ]


@pytest.mark.parametrize(
    ("said", "field"),
    [({"title": " "}, "title"), ({"title": "x", "impact": "huge"}, "impact")],
)
def test_what_is_wrong_is_said_at_its_field(
    admin: Client, said: dict[str, str], field: str
) -> None:
    """And nothing is kept."""
    answer = admin.post(f"/incidents/{incident().pk}/public/", said)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not PublicIncident.objects.exists()


def test_only_who_may_know_an_incident_says_what_is_public_of_it() -> None:
    """Strangers find none, viewers only read."""
    private = incident(shop())
    known = incident()
    responder, viewer = signed_in(Role.RESPONDER), signed_in(Role.VIEWER)
    for page in (f"/incidents/{private.pk}/public/", f"/incidents/panels/public/{private.pk}/"):
        assert responder.get(page).status_code == 404
    assert viewer.get(f"/incidents/{known.pk}/public/").status_code == 403
    panel = viewer.get(f"/incidents/panels/public/{known.pk}/").content.decode()
    assert "begins with the first public update" in panel
    assert '/public/"' not in panel


def test_the_panel_says_what_the_public_sees(admin: Client) -> None:
    """With the way to change it, and to the page itself; the incident's page loads it."""
    component("Checkout", service=(service := shop()))
    found = incident(service)
    tell(found, "We look into it.")
    panel = admin.get(f"/incidents/panels/public/{found.pk}/").content.decode()
    row = PublicIncident.objects.get()
    assert f"/status/incidents/{row.public_id}/" in panel
    assert "Checkout: partial outage" in panel
    page = admin.get(found.get_absolute_url()).content.decode()
    assert f'hx-get="/incidents/panels/public/{found.pk}/"' in page


def test_the_admin_saves_by_the_service_and_tells_the_history(admin: Client) -> None:
    """What is wrong is named; what was done stands in the history of the row."""

    service = shop()
    add = "/admin/statuspage/component/add/"
    said = {"name": "Till", "order": "0", "is_shown": "on", "service": service.pk}
    assert admin.post(add, said).status_code == 302
    row = Component.objects.get()
    assert admin.post(add, said).context["adminform"].errors["__all__"]
    change = f"/admin/statuspage/component/{row.pk}/change/"
    assert admin.post(change, {**said, "manual_status": "partial_outage"}).status_code == 302
    history = admin.get(f"/admin/statuspage/component/{row.pk}/history/").content.decode()
    assert "manual status: – → partial_outage" in history


def test_public_words_of_maintenance_are_typed_in_the_admin(admin: Client) -> None:
    """Its comment stays inside."""
    component(service=(service := shop()))
    fields = {"service": service, "starts_at": NOON, "ends_at": NOON + HOUR,
              "comment": f"{SECRET} disks"}  # fmt: skip
    row = plan(fields=fields, actor="test", now=NOON)
    said = {"maintenance": row.pk, "title": "Faster disks", "text": "", "is_shown": "on"}
    assert admin.post("/admin/statuspage/publicmaintenance/add/", said).status_code == 302
    page = Client().get("/status/").content.decode()
    assert "Faster disks" in page
    assert SECRET not in page
