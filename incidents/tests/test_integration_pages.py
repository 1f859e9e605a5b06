"""Pages of integrations: the key is shown once, the inbox loses nothing, roles are kept."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, seen
from catalog.models import Service, Team
from core.models import AuditEntry
from incidents.domain.formats.setup import steps_for
from incidents.integration_views import PAGE_SIZE
from incidents.models import Heartbeat, InboundEvent, Integration
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = pytest.mark.django_db


def as_(role: Role) -> Client:
    client = Client()
    client.force_login(person(f"a-{role}", role))
    return client


def test_a_key_is_made_shown_once_and_works() -> None:
    service = Service.objects.create(slug="shop", name="Shop")
    client = as_(Role.MANAGER)
    answer = client.post(
        "/integrations/new/",
        {"kind": "alertmanager", "name": "Main", "service": service.pk, "is_enabled": "on",
         "severity_map": '{"CRITICAL": "P0"}', "mapping": "{}"},
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    key = re.search(r"/integrations/v1/alertmanager/([0-9a-f]{32})/", answer.content.decode())
    assert key
    assert post(key[0], bodies.ALERTMANAGER).status_code == 200
    integration = Integration.objects.get()
    assert integration.severity_map == {"critical": "P0"}
    assert integration.alerts.get().severity == "P0"
    for page in ("/integrations/", f"/integrations/{integration.pk}/"):
        shown = client.get(page).content.decode()
        assert key[1] not in shown
        assert integration.masked_key in shown
    assert not AuditEntry.objects.filter(changes__icontains=key[1]).exists()


def test_what_is_wrong_is_said_at_its_field() -> None:
    service = Service.objects.create(slug="shop", name="Shop")
    answer = as_(Role.MANAGER).post(
        "/integrations/new/",
        {"kind": "generic", "name": "x", "service": service.pk,
         "severity_map": '{"bad": "P9"}', "mapping": '{"title": "a["}'},
    )  # fmt: skip
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "P0, P1, P2, P3 or none" in page
    assert "title: Not JMESPath" in page
    assert Integration.objects.count() == 0


def test_editing_keeps_the_key_and_the_secret() -> None:
    integration, key = integration_of("generic", secret="hidden secret")
    client = as_(Role.MANAGER)
    form = {"name": "Other", "service": integration.service_id, "is_enabled": "on",
            "severity_map": "{}", "mapping": "{}", "auto_resolve": "on"}  # fmt: skip
    page = f"/integrations/{integration.pk}/edit/"
    assert "hidden secret" not in client.get(page).content.decode()
    assert client.post(page, form | seen(client, page)).status_code == 302
    integration.refresh_from_db()
    assert (integration.name, bool(integration.signing_secret)) == ("Other", True)
    form |= {"forget_secret": "on", **seen(client, page)}
    assert client.post(page, form).status_code == 302
    assert post(f"/integrations/v1/generic/{key}", bodies.GENERIC).status_code == 200


def test_how_its_incidents_end_is_set_on_its_page() -> None:
    integration, _ = integration_of("generic")
    client, page = as_(Role.MANAGER), f"/integrations/{integration.pk}/edit/"
    form = {"name": "Main", "service": integration.service_id, "is_enabled": "on",
            "severity_map": "{}", "mapping": "{}"}  # fmt: skip
    for entered, auto_resolve, hold_off in (
        ({"auto_resolve": "on", "hold_off": "5 min"}, True, timedelta(minutes=5)),
        ({"hold_off": ""}, False, timedelta()),
    ):
        assert client.post(page, {**form, **entered, **seen(client, page)}).status_code == 302
        integration.refresh_from_db()
        assert (integration.auto_resolve, integration.hold_off) == (auto_resolve, hold_off)
    refused = client.post(page, {**form, "hold_off": "2 d", **seen(client, page)})
    assert refused.status_code == 422
    assert "1 day" in refused.content.decode()


def test_the_inbox_shows_and_lets_go() -> None:
    _integration, key = integration_of("alertmanager")
    post(f"/integrations/v1/alertmanager/{key}", b"<script>alert(1)</script>\x00")
    event = InboundEvent.objects.get()
    client = as_(Role.RESPONDER)
    assert "body: not JSON" in client.get("/integrations/inbox/").content.decode()
    page = client.get(f"/integrations/events/{event.pk}/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert client.post(f"/integrations/events/{event.pk}/settle/").status_code == 302
    assert "Everything was understood" in client.get("/integrations/inbox/").content.decode()
    assert bytes(InboundEvent.objects.get().body).startswith(b"<script>")
    assert AuditEntry.objects.filter(act="inbound_event.settled").count() == 1


# Neither is read by Python: the depth is too much for it, and the number.
UNREADABLE = ("[" * 5000, '{"title": ' + "1" * 5000 + "}")


@pytest.mark.parametrize("field", ["mapping", "severity_map"])
@pytest.mark.parametrize("typed", UNREADABLE)
def test_json_that_cannot_be_read_is_shown_again(field: str, typed: str) -> None:
    integration, _key = integration_of("generic")
    client = as_(Role.ADMIN)
    for page in (
        f"/integrations/{integration.pk}/edit/",
        f"/admin/incidents/integration/{integration.pk}/change/",
    ):
        answer = client.post(page, {"name": "x", field: typed})
        assert answer.status_code in {200, 422}
        shown = answer.content.decode()
        assert "Enter a valid JSON." in shown
        assert typed[:1000].replace('"', "&quot;") in shown


def test_a_mapping_is_tried_on_the_last_bodies() -> None:
    integration, key = integration_of("generic")
    post(f"/integrations/v1/generic/{key}", {"check": {"what": "Tape full"}, "up": False})
    client = as_(Role.MANAGER)
    page = f"/integrations/{integration.pk}/preview/"
    mapping = '{"title": "check.what", "state": "up && \'ok\' || \'down\'"}'
    assert "Tape full" in client.post(page, {"mapping": mapping}).content.decode()
    for wrong in ('{"title": "check["}', '{"title": "to_array(&a)"}', *UNREADABLE):
        assert client.post(page, {"mapping": wrong}).status_code == 422
    integration.refresh_from_db()
    assert integration.mapping == {}


def test_a_rotated_key_is_shown_once() -> None:
    integration, key = integration_of("generic")
    client, page = as_(Role.MANAGER), f"/integrations/{integration.pk}/"
    sent = {"of": integration.key_hint}
    assert f'value="{integration.key_hint}"' in client.get(page).content.decode()
    answer = client.post(f"{page}rotate/", sent).content.decode()
    fresh = re.search(r"/integrations/v1/generic/([0-9a-f]{32})/", answer)
    assert fresh
    assert fresh[1] != key
    assert post(fresh[0], bodies.GENERIC).status_code == 200
    # A reload of the answer sends the same again.
    again = client.post(f"{page}rotate/", sent, follow=True).content.decode()
    assert "replaced already" in again
    assert post(fresh[0], bodies.GENERIC).status_code == 200


def test_a_reload_of_the_answer_makes_no_second_one() -> None:
    service = Service.objects.create(slug="shop", name="Shop")
    client = as_(Role.MANAGER)
    form = client.get("/integrations/new/").context["form"]
    sent = {"once": form["once"].value(), "kind": "generic", "name": "", "service": service.pk,
            "severity_map": "{}", "mapping": "{}"}  # fmt: skip
    refused = client.post("/integrations/new/", sent)
    assert (refused.status_code, Integration.objects.count()) == (422, 0)
    wrong = sent | {"name": "Main", "mapping": '{"title": "a["}'}
    assert client.post("/integrations/new/", wrong).status_code == 422
    assert client.post("/integrations/new/", sent | {"name": "Main"}).status_code == 200
    again = client.post("/integrations/new/", sent | {"name": "Main"}, follow=True)
    assert "It was made already" in again.content.decode()
    assert Integration.objects.count() == 1


def test_what_only_other_senders_know_is_refused_and_later_not_asked() -> None:
    service = Service.objects.create(slug="shop", name="Shop")
    client = as_(Role.MANAGER)
    sent = {"kind": "alertmanager", "name": "Main", "service": service.pk, "severity_map": "{}",
            "mapping": '{"title": "alert.name"}', "topic_arn": "arn:aws:sns:x"}  # fmt: skip
    answer = client.post("/integrations/new/", sent)
    assert (answer.status_code, set(answer.context["form"].errors)) == (
        422, {"mapping", "topic_arn"},
    )  # fmt: skip
    for kind, asked in {
        "alertmanager": set[str](), "generic": {"mapping"}, "amazon_sns": {"topic_arn"},
    }.items():  # fmt: skip
        integration, _ = integration_of(kind)
        form = client.get(f"/integrations/{integration.pk}/edit/").context["form"]
        assert {"mapping", "topic_arn"} & set(form.fields) == asked


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MANAGER])
@pytest.mark.parametrize("kind", Integration.Kind.values)
def test_every_sender_is_told_how(kind: str, role: Role) -> None:
    integration, _key = integration_of(kind)
    page = as_(role).get(f"/integrations/{integration.pk}/")
    assert page.status_code == 200
    shown = page.content.decode()
    assert "At the sender" in shown
    assert f"Zeros stand for the key, <code>{integration.masked_key}</code>" in shown
    assert ("replace it below" in shown) == (role == Role.MANAGER)


def test_the_topic_that_may_send_is_the_one_that_is_subscribed() -> None:
    url = "http://sre.example.org/integrations/v1/amazon_sns/0f8e/"
    arn = "arn:aws:sns:eu-west-1:123456789012:alarms"
    (step,) = steps_for("amazon_sns", portal="", url=url, key="0f8e", topic=arn)
    assert step.code == (
        f"aws sns subscribe --topic-arn {arn} --protocol http --notification-endpoint {url}\n"
    )


def test_private_services_keep_theirs_to_themselves() -> None:
    integration, key = integration_of("generic")
    post(f"/integrations/v1/generic/{key}", b"{")
    integration.service.owner = Team.objects.create(slug="own", name="Own")
    integration.service.is_private = True
    integration.service.save()
    client = as_(Role.MANAGER)
    event = InboundEvent.objects.get()
    for page in (
        f"/integrations/{integration.pk}/",
        f"/integrations/{integration.pk}/edit/",
        f"/integrations/events/{event.pk}/",
    ):
        assert client.get(page).status_code == 404
    assert integration.name not in client.get("/integrations/").content.decode()
    assert "Everything was understood" in client.get("/integrations/inbox/").content.decode()


def test_the_address_that_gives_signs_is_shown_to_who_may_change_it() -> None:
    integration, _key = integration_of("healthchecks")
    heartbeat = Heartbeat.objects.create(integration=integration, name="nightly")
    for role, is_shown in ((Role.RESPONDER, False), (Role.MANAGER, True)):
        page = as_(role).get(f"/integrations/{integration.pk}/").content.decode()
        assert "nightly" in page
        assert (str(heartbeat.uid) in page) == is_shown


def test_the_list_has_pages_and_is_searched() -> None:
    """However many there are: each is on a page, and none is left out."""
    for number in range(PAGE_SIZE + 2):
        integration_of("generic", name=f"Sender {number:02}")
    integration_of("grafana", name="Dashboards")
    client = as_(Role.VIEWER)

    def names(query: str) -> list[str]:
        page = client.get(f"/integrations/{query}").context["page"]
        return [row.name for row in page.object_list]

    assert len(names("")) == PAGE_SIZE
    assert len({*names(""), *names("?page=2")}) == PAGE_SIZE + 3
    assert names("?q=sender 07") == ["Sender 07"]
    assert names("?kind=grafana") == ["Dashboards"]
    assert "No integration matches." in client.get("/integrations/?q=nothing").content.decode()
