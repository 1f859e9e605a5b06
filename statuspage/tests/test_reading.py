"""What the page never leaves out, and what strangers get where there is nothing."""

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service
from incidents.domain.communication import PublicState
from incidents.models import Incident
from incidents.services.lifecycle import resolve
from incidents.services.maintenance import plan
from incidents.services.merging import merge
from statuspage.models import Component, PublicIncident, Subscriber
from statuspage.queries.incidents import recent
from statuspage.services import publishing
from statuspage.tests.world import HOUR, NOON, component, incident, responder, shop, tell

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + 2 * HOUR)
    cache.clear()


def states(client: Client) -> list[str]:
    """Return how the components are, as programs read it."""
    parts = client.get("/status/api/v2/components.json").json()["components"]
    return [part["status"] for part in parts]


def merged(service: Service) -> tuple[Incident, Incident]:
    """Tell the public of an incident, and merge it into another one that it knows nothing of."""
    known, other = incident(service), incident(service)
    tell(known, "We look into it.")
    merge(known.pk, into=other.pk, now=NOON, actor=responder())
    return known, other


def test_what_is_open_is_never_left_out() -> None:
    """However many that are over began since."""
    tell(incident(now=NOON - HOUR), "It goes on.", now=NOON - HOUR)
    for _ in range(2):
        over = incident()
        tell(over, "It broke.")
        tell(over, "It works.", state=PublicState.RESOLVED)
    found = recent(since=NOON - HOUR, most=1)
    assert [one.is_open for one in found] == [False, True]


def test_maintenance_that_goes_on_is_never_left_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is planned; of that the nearest is kept."""
    monkeypatch.setattr("statuspage.queries.maintenance.MOST", 2)
    component(service=(service := shop()))
    for begins in (-6, 1, 5, 24):
        fields = {"service": service, "starts_at": NOON + begins * HOUR,
                  "ends_at": NOON + (begins + 3) * HOUR, "comment": "x"}  # fmt: skip
        plan(fields=fields, actor="test", now=NOON - 6 * HOUR)
    assert states(client) == ["under_maintenance"]
    work = client.get("/status/api/v2/scheduled-maintenances.json").json()["scheduled_maintenances"]
    assert [one["scheduled_for"][:16] for one in work] == ["2026-05-03T13:00", "2026-05-03T17:00"]


@pytest.mark.both_databases
def test_what_was_merged_goes_on_with_the_other(client: Client) -> None:
    """Nothing can be told of it any more, so it ends with the one in which it lives on, and ages with it."""
    component(service=(service := shop()))
    known, other = merged(service)
    assert states(client) == ["partial_outage"]
    tell(other, "It is over.", state=PublicState.RESOLVED, now=NOON + HOUR)
    assert states(client) == ["operational"]
    told = client.get("/status/api/v2/incidents.json").json()["incidents"]
    row = PublicIncident.objects.get(incident=known)
    (own,) = [one for one in told if one["id"] == row.public_id]
    updates = [(one["id"], one["body"]) for one in own["incident_updates"]]
    assert updates == [
        (f"{row.public_id}-2", "It is over."),
        (f"{row.public_id}-1", "We look into it."),
    ]
    assert recent(since=NOON + 2 * HOUR, most=50) == []


def test_who_heard_of_what_was_merged_hears_how_it_goes_on() -> None:
    """Also where the other one affects something else."""
    part, elsewhere = component(service=(service := shop())), component("Search")
    _, other = merged(service)
    publishing.make_public(other, actor=None, now=NOON).affected.update(component=elsewhere)
    reader = Subscriber.objects.create(email="eve@example.org", confirmed_at=NOON)
    reader.components.set([part])
    update = tell(other, "It is over.", state=PublicState.RESOLVED, now=NOON + HOUR)
    publishing.announce_due(now=NOON + HOUR, is_over=lambda: False)
    assert list(reader.notices.filter(update=update)) != []


def test_the_panel_says_that_the_public_still_waits() -> None:
    """Once the incident is over, also for what was merged into it."""
    viewer = signed_in(Role.ADMIN)
    known, other = merged(shop())

    def panel(row: Incident) -> str:
        return viewer.get(f"/incidents/panels/public/{row.pk}/").content.decode()

    assert "still waits" not in panel(known) + panel(other)
    resolve(other.pk, now=NOON + HOUR, actor=responder())
    assert f"#{other.pk}</a> that says resolved" in panel(known)
    assert "still waits" in panel(other)
    tell(other, "It is over.", state=PublicState.RESOLVED, now=NOON + HOUR)
    assert "still waits" not in panel(known) + panel(other)


def test_the_form_begins_with_what_would_be_affected() -> None:
    """Whoever types a title before the first public update loses no component."""
    part = component(service=(service := shop()))
    page = f"/incidents/{incident(service).pk}/public/"
    form = signed_in(Role.ADMIN).get(page).context["form"]
    (name,) = form.components
    assert form.components[name] == part
    assert form[name].value() == "partial_outage"


@pytest.mark.parametrize(
    "path",
    ["incidents/none/", "components/none/", "confirm/none/", "unsubscribe/none/", "api/v2/x.json"],
)
def test_nothing_sets_a_cookie_where_there_is_nothing(client: Client, path: str) -> None:
    """Programs get a problem document, people a page without the portal's own ways."""
    answer = client.get(f"/status/{path}")
    assert answer.status_code == 404
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert "sign in" not in answer.content.decode().lower()
    is_for_programs = path.startswith("api/")
    assert (answer["Content-Type"] == "application/problem+json") == is_for_programs
    assert ("Access-Control-Allow-Origin" in answer) == is_for_programs


def test_other_sites_may_read_that_nothing_changed(client: Client) -> None:
    """A browser hides an answer from scripts that does not say so itself."""
    known = client.get("/status/api/v2/status.json")["ETag"]
    answer = client.get("/status/api/v2/status.json", headers={"If-None-Match": known})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (304, "*")


def test_managers_keep_the_page_in_the_admin() -> None:
    """As in the catalog: they add and change, and delete nothing."""
    manager = signed_in(Role.MANAGER)
    said = {"name": "Till", "order": "0", "is_shown": "on"}
    assert manager.post("/admin/statuspage/component/add/", said).status_code == 302
    row = Component.objects.get()
    assert manager.get(f"/admin/statuspage/component/{row.pk}/delete/").status_code == 403


def test_a_component_that_is_shown_this_moment_breaks_nothing(client: Client) -> None:
    """It was hidden when the components were read, and is not when the incidents are."""
    part = component(service=(service := shop()), is_shown=False)
    tell(incident(service), "We look into it.")
    real = recent

    def meanwhile(**given: object) -> object:
        Component.objects.filter(pk=part.pk).update(is_shown=True)
        return real(**given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("statuspage.queries.incidents.recent", meanwhile)
        assert client.get("/status/api/v2/incidents.json").status_code == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html"),
        ("subscribe/", "text/html"),
        ("api/v2/summary.json", "application/problem"),
    ],
)
def test_without_a_database_it_says_when_to_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    """In the reader's own language, and nothing of what went wrong."""

    def fail(*_args: object, **_given: object) -> None:
        raise OperationalError("secret address")

    monkeypatch.setattr("statuspage.models.components.ComponentQuerySet.shown", fail)
    client.raise_request_exception = False
    answer = client.get(f"/status/{path}")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"].startswith(kind)
    assert "secret" not in answer.content.decode()
