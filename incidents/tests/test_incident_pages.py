"""Pages of incidents: what each role sees and does, and the link in a message."""

import csv
import html
import io
import re
from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service, Team
from incidents.list_views import PAGE_SIZE
from incidents.models import Incident, TimelineEntry
from incidents.services import intake, lifecycle
from incidents.services.intake import AlertSignal
from incidents.services.lifecycle import Opening
from incidents.tests.oncall_portal import Portal, portal
from notifications.models import ContactMethod
from oncall.models import ServicePolicy

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db]


def do(client: Client, incident: Incident, action: str, status: int = 302, **fields: str) -> str:
    """Press a button of an incident's page; returns the page that follows."""
    answer = client.post(f"/i/{incident.pk}/{action}/", fields, follow=status == 302)
    assert answer.status_code == (200 if status == 302 else status), answer.content
    incident.refresh_from_db()
    return answer.content.decode()


def test_a_responder_works_an_incident_from_its_page(portal: Portal) -> None:
    incident = portal.open_incident("Checkout answers 500", severity="P1")
    client = signed_in(Role.RESPONDER)
    page = client.get(f"/i/{incident.pk}").content.decode()
    assert "L2 is called" in page
    assert "alice" in page
    page = do(client, incident, "acknowledge")
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "the-responder")
    assert incident.assigned_to is not None
    assert "acknowledged by the-responder" in page
    assert "Rolled back" in do(client, incident, "note", text="Rolled back <b>42</b>")
    assert "Rolled back &lt;b&gt;42&lt;/b&gt;" in client.get(f"/i/{incident.pk}").content.decode()
    do(client, incident, "severity", severity="P0")
    assert incident.severity == "P0"
    do(client, incident, "assign", to="bob")
    assert str(incident.assigned_to) == "bob"
    do(client, incident, "mitigate")
    do(client, incident, "resolve")
    assert (incident.status, incident.resolved_by) == ("resolved", "the-responder")
    do(client, incident, "reopen")
    assert (incident.status, incident.cycle) == ("triggered", 2)


def test_what_cannot_be_done_is_said_and_changes_nothing(portal: Portal) -> None:
    incident = portal.open_incident()
    client = signed_in(Role.RESPONDER)
    page = do(client, incident, "reopen")
    assert "An incident that is triggered cannot be reopened" in page
    assert do(client, incident, "note", 422, text=" ")
    assert client.post(f"/i/{incident.pk}/explode/").status_code == 404
    assert incident.status == "triggered"


def test_what_is_refused_is_said_at_the_top_of_the_page(portal: Portal) -> None:
    """The form may be far down; the link leads there."""
    client, incident = signed_in(Role.RESPONDER), portal.open_incident()
    shown = do(client, incident, "relate", 422, other="99999")
    at_the_top, _, rest = shown.partition("What happens next")
    assert '<a href="#id_other">Has to do with</a>: There is no incident' in at_the_top
    assert 'id="id_other"' in rest
    assert "<title>Error: " in at_the_top


def test_a_viewer_reads_and_does_nothing(portal: Portal) -> None:
    incident = portal.open_incident()
    client = signed_in(Role.VIEWER)
    page = client.get(f"/i/{incident.pk}").content.decode()
    assert "Acknowledge</button>" not in page
    assert client.post(f"/i/{incident.pk}/acknowledge/").status_code == 403
    assert client.get("/incidents/").status_code == 200


def test_another_teams_private_incident_does_not_exist(portal: Portal) -> None:
    incident = portal.open_incident()
    Service.objects.update(is_private=True, owner=Team.objects.create(slug="them", name="Them"))
    client = signed_in(Role.RESPONDER)
    assert client.get(f"/i/{incident.pk}").status_code == 404
    assert client.post(f"/i/{incident.pk}/resolve/").status_code == 404
    assert f"/i/{incident.pk}" not in client.get("/incidents/").content.decode()


def test_a_slash_at_the_end_leads_to_the_incident(portal: Portal, client: Client) -> None:
    """Somebody types what was read out to them; whether it is there is said to those who may know."""
    incident = portal.open_incident()
    typed = f"/i/{incident.pk}/"
    assert "/accounts/login/" in client.get(typed)["Location"]
    viewer = signed_in(Role.VIEWER)
    answer = viewer.get(typed)
    assert (answer.status_code, answer["Location"]) == (302, f"/i/{incident.pk}")
    assert viewer.get(f"{typed}?all=1")["Location"] == f"/i/{incident.pk}?all=1"
    assert viewer.post(typed).status_code == 405
    assert viewer.get("/i/4711/", follow=True).status_code == 404


def test_lists_filter(portal: Portal) -> None:
    one = portal.open_incident("Checkout answers 500", severity="P0")
    two = portal.open_incident("Search is slow", severity="P2")
    lifecycle.resolve(two.pk, now=portal.now, actor="test")
    client = signed_in(Role.VIEWER)

    def shown(query: str) -> set[int]:
        page = client.get(f"/incidents/?{query}").content.decode()
        return {int(pk) for pk in re.findall(r'"/i/(\d+)"', page)}

    assert shown("") == {one.pk}
    assert shown("state=resolved") == {two.pk}
    assert shown("state=all") == {one.pk, two.pk}
    assert shown("state=all&severity=P0") == {one.pk}
    assert shown("state=all&q=search") == {two.pk}
    assert shown("state=all&mine=1") == set()


def test_lists_of_incidents_and_alerts_have_pages_filters_and_an_export(portal: Portal) -> None:
    """Each row is on exactly one page, whatever is filtered, and all of them are in the export."""
    other = Service.objects.create(slug="search", name="Search")
    for number in range(PAGE_SIZE + 5):
        signal = AlertSignal(
            source="test",
            dedup_key=f"disk {number}",
            firing=True,
            severity="P2",
            title="=1+1" if number else "disk",
            service=portal.service if number % 10 else other,
            group_key=str(number),
        )
        intake.receive(signal, now=portal.now)
    client = signed_in(Role.VIEWER)

    def followed(address: str) -> list[str]:
        """Return the links to incidents on all pages."""
        found, page = [], client.get(address).content.decode()
        while True:
            table = page.split("<tbody>")[1]
            found += re.findall(r'"/i/(\d+)"', table)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            if following is None:
                return found
            page = client.get(
                address.split("?", maxsplit=1)[0] + html.unescape(following[1])
            ).content.decode()

    everything = sorted(str(incident.pk) for incident in Incident.objects.all())
    for address in ("/incidents/", "/alerts/"):
        assert sorted(followed(address)) == everything
        assert len(followed(f"{address}?service=search&state=all")) == 6
        answer = client.get(f"{address}?format=csv&service=checkout")
        assert answer["Content-Disposition"].startswith("attachment")
        rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
        assert len(rows) == PAGE_SIZE - 1
        assert {row["title"] for row in rows} == {"'=1+1"}
        assert client.get(f"{address}?cursor=rubbish").status_code == 400


def test_a_services_page_says_what_is_wrong_and_who_is_called(portal: Portal) -> None:
    client = signed_in(Role.VIEWER)
    assert (
        "/incidents/panels/service/checkout/" in client.get("/services/checkout/").content.decode()
    )
    quiet = client.get("/incidents/panels/service/checkout/").content.decode()
    assert "alice" in quiet
    assert "Standard" in quiet
    incident = portal.open_incident("Checkout answers 500")
    told = client.get("/incidents/panels/service/checkout/").content.decode()
    assert f"#{incident.pk} Checkout answers 500" in told
    ServicePolicy.objects.all().delete()
    assert "No policy calls" in client.get("/incidents/panels/service/checkout/").content.decode()
    Service.objects.update(is_private=True)
    assert client.get("/incidents/panels/service/checkout/").status_code == 404


def test_a_page_says_that_nobody_could_be_called(portal: Portal) -> None:
    ContactMethod.objects.all().delete()
    User.objects.update(email="")
    incident = portal.open_incident()
    page = signed_in(Role.VIEWER).get(f"/i/{incident.pk}").content.decode()
    assert "Nobody could be called." in page
    assert "The pager calls within a second" not in page


def test_declared_by_a_person(portal: Portal) -> None:
    client = signed_in(Role.RESPONDER)
    assert client.post("/incidents/new/", {"severity": "P1"}).status_code == 422
    answer = client.post(
        "/incidents/new/",
        {"title": "Nobody can pay", "severity": "P0", "service": str(portal.service.pk)},
    )
    incident = Incident.objects.get()
    assert answer["Location"] == f"/i/{incident.pk}"
    assert (incident.title, incident.is_severity_set) == ("Nobody can pay", True)
    portal.settle()
    assert [name for _, name in portal.paged()] == ["alice"]


def test_the_link_in_a_message_shows_and_acknowledges(portal: Portal) -> None:
    """GET changes nothing, POST answers for the person of the page, without signing in."""
    incident = portal.open_incident()
    link = re.sub(r"^https?://[^/]+", "", portal.post.sent[0].message.act_url)
    stranger = Client(enforce_csrf_checks=True)
    page = stranger.get(link).content.decode()
    assert "You answer as alice" in page
    incident.refresh_from_db()
    assert incident.status == "triggered"
    assert "Acknowledged by alice" in stranger.post(link).content.decode()
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "alice")
    # A late second tap, or another's, says who has it.
    assert "Acknowledged by alice" in stranger.post(link).content.decode()


def test_a_link_is_good_for_its_cycle_its_incident_and_a_person_who_is_active(
    portal: Portal,
) -> None:
    incident = portal.open_incident()
    other = portal.open_incident("other")
    link = re.sub(r"^https?://[^/]+", "", portal.post.sent[0].message.act_url)
    assert Client().get(link[:-2] + "x/").status_code == 403
    assert Client().post(link.replace(f"/i/{incident.pk}/", f"/i/{other.pk}/")).status_code == 403
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    lifecycle.unacknowledge(incident.pk, now=portal.now, actor="test")
    assert "older than the incident" in Client().post(link).content.decode()
    incident.refresh_from_db()
    assert incident.status == "triggered"
    portal.people["alice"].is_active = False
    portal.people["alice"].save()
    assert Client().get(link).status_code == 403


def test_snoozed_from_the_page(portal: Portal) -> None:
    incident = portal.open_incident()
    page = do(signed_in(Role.RESPONDER), incident, "snooze", minutes="60")
    assert incident.snoozed_until == portal.now + timedelta(hours=1)
    assert "snoozed until" in page


def test_related_and_not_any_more(portal: Portal) -> None:
    first, second = portal.open_incident("Disk"), portal.open_incident("Network")
    client = signed_in(Role.RESPONDER)
    assert "#" + str(second.pk) in do(client, first, "relate", other=str(second.pk))
    assert list(first.related.all()) == [second]
    assert "Not any more" in client.get(f"/i/{second.pk}").content.decode()
    for unknown in ("0", str(2**80), "x", ""):
        do(client, first, "relate", 422, other=unknown)
    page = do(client, first, "relate", 422, other="4711")
    assert "There is no incident with this number." in page
    assert '<details class="card" open>' in page
    do(client, first, "relate", other=str(first.pk))
    do(client, second, "unrelate", other=str(first.pk))
    assert not first.related.exists()


def test_what_it_has_to_do_with_is_not_told_to_those_who_may_not_know(portal: Portal) -> None:
    """Of an incident of a private service others see its number, in the timeline too."""
    hidden = Service.objects.create(slug="secret", name="Secret", is_private=True)
    first, second = portal.open_incident("Disk"), portal.open_incident("Takeover of a rival")
    Incident.objects.filter(pk=second.pk).update(service=hidden)
    admin, viewer = signed_in(Role.ADMIN), signed_in(Role.VIEWER)
    do(admin, first, "relate", other=str(second.pk))
    for address in (f"/i/{first.pk}", f"/api/v1/incidents/{first.pk}/timeline/"):
        seen = viewer.get(address).content.decode()
        assert f"#{second.pk}" in seen
        assert "Takeover" not in seen
    assert f"#{first.pk} Disk" in admin.get(f"/i/{second.pk}").content.decode()


def test_some_of_its_alerts_become_an_incident_of_their_own(portal: Portal) -> None:
    first = portal.alert("disk", group_key="g")
    assert first is not None
    assert portal.alert("network", group_key="g") == first
    other = portal.alert("elsewhere")
    assert other is not None
    client = signed_in(Role.RESPONDER)
    keys = {alert.dedup_key: str(alert.pk) for alert in first.alerts.all()}
    do(client, first, "split", 422)
    do(client, first, "split", 422, alerts=str(other.alerts.get().pk))
    do(client, first, "split", alerts=keys["network"])
    new = Incident.objects.get(alerts=int(keys["network"]))
    assert new not in (first, other)
    assert [alert.dedup_key for alert in first.alerts.all()] == ["disk"]
    assert (new.status, portal.paged()[-1][1]) == ("triggered", "alice")
    page = do(client, first, "split", alerts=keys["disk"])
    assert "Leave at least one alert where it is." in page


def test_merged_and_taken_apart_again(portal: Portal) -> None:
    """Its alerts move with it, and come back; nobody is called for what is merged."""
    first, second = portal.alert("disk"), portal.alert("network")
    assert first is not None
    assert second is not None
    client = signed_in(Role.RESPONDER)
    do(client, second, "merge", into=str(first.pk))
    assert (second.status, second.merged_into) == ("merged", first)
    assert first.alerts.count() == 2
    assert portal.alert("network") == first
    page = client.get(second.get_absolute_url()).content.decode()
    assert f'It goes on as <a href="{first.get_absolute_url()}">#{first.pk}</a>.' in page
    do(client, second, "unmerge")
    assert (second.status, second.cycle) == ("triggered", 2)
    assert [alert.dedup_key for alert in second.alerts.all()] == ["network"]


def test_what_was_over_before_anybody_was_called_does_not_wait_for_the_pager(
    portal: Portal,
) -> None:
    opening = Opening(severity="P3", title="A false alarm", group="false", service_id=None)
    incident = lifecycle.declare(opening, now=portal.now, actor="test")
    client = signed_in(Role.RESPONDER)
    address = incident.get_absolute_url()
    assert "Nobody was called yet." in client.get(address).content.decode()
    do(client, incident, "resolve")
    assert "Nobody was called for it." in client.get(address).content.decode()


def test_a_page_does_not_grow_with_what_else_is_open(portal: Portal) -> None:
    """Which one it is merged into is said by its number; one that is not open is refused in words."""
    first = portal.alert("disk")
    assert first is not None
    client = signed_in(Role.RESPONDER)
    before = len(client.get(first.get_absolute_url()).content)
    others = [
        Incident(severity="P3", title=f"Storm {number}", group=str(number), opened_at=portal.now)
        for number in range(200)
    ]
    Incident.objects.bulk_create(others)
    assert len(client.get(first.get_absolute_url()).content) - before < 200
    for wrong in (first.pk, 10**9):
        page = do(client, first, "merge", status=422, into=str(wrong))
        assert "There is no other open incident with this number." in page


def test_what_is_left_out_is_counted_and_shown_when_asked_for(portal: Portal) -> None:
    """Lists show the newest; nobody has to guess that there are more."""
    incident = portal.open_incident()
    TimelineEntry.objects.bulk_create(
        TimelineEntry(incident=incident, at=portal.now, act="note", actor="alice", text=f"{n}.")
        for n in range(205)
    )
    client, page = signed_in(Role.VIEWER), f"/i/{incident.pk}"
    older = incident.timeline.count() - 200
    shown = client.get(page).content.decode()
    assert f"And {older} older." in shown
    assert f'href="{page}?all=1"' in shown
    whole = client.get(f"{page}?all=1")
    assert len(whole.context["timeline"]) == 200 + older
    assert "older." not in whole.content.decode()
