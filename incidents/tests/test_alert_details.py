"""Who opens an incident reads what the alert says, and comes to its runbook."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from incidents.domain.alert_details import MOST, Detail, details_of
from incidents.domain.formats.runbooks import runbook_in
from incidents.models import Alert, Incident
from incidents.tests.senders import integration_of, post

LINKS = [
    {"href": "https://wiki.example.org/disk", "text": "Disk runbook"},
    {"href": "javascript:alert(1)", "text": "Click"},
]


@pytest.mark.parametrize(
    ("labels", "facts", "expected"),
    [
        ({}, {}, []),
        ({"instance": "a:1"}, {}, [Detail("instance", "a:1")]),
        ({}, {"annotations": {"summary": "Full"}}, [Detail("summary", "Full")]),
        ({}, {"custom_details": {"disk": {"free": 3, "hot": True}}},
         [Detail("disk.free", "3"), Detail("disk.hot", "true")]),
        ({}, {"custom_details": "just words"}, [Detail("custom_details", "just words")]),
        ({"depth": "12"}, {"details": {"depth": "12"}}, [Detail("depth", "12")]),
        ({}, {"tags": ["a", "b"], "none": None, "empty": [], "nothing": {}}, [Detail("tags", "a, b")]),
        ({"dashboard": "https://g.example.org/d"}, {},
         [Detail("dashboard", "https://g.example.org/d", "https://g.example.org/d")]),
        ({}, {"links": LINKS},
         [Detail("links", "Disk runbook", "https://wiki.example.org/disk"),
          Detail("links", '{"href": "javascript:alert(1)", "text": "Click"}')]),
        ({}, {"images": [{"src": "https://g.example.org/a.png"}]},
         [Detail("images", "https://g.example.org/a.png", "https://g.example.org/a.png")]),
        ({}, {"values": [[1, 2], "x"]}, [Detail("values", "[1, 2], x")]),
    ],
)  # fmt: skip
def test_each_thing_an_alert_says_is_a_line(
    labels: dict[str, Any], facts: dict[str, Any], expected: list[Detail]
) -> None:
    assert details_of(labels, facts) == expected


def test_lines_are_as_many_and_as_long_as_somebody_reads() -> None:
    found = details_of({}, {f"n{number}": "x" * 5000 for number in range(500)})
    assert found.pop() == Detail("…", f"{500 - MOST} more")
    assert len(found) == MOST
    assert {len(line.text) for line in found} == {1000}


@pytest.mark.parametrize(
    ("sources", "address"),
    [
        ((), ""),
        (({"runbook": "https://r.example.org"},), "https://r.example.org"),
        (({"runbook_url": "see the wiki"}, {"runbookUrl": "http://r.example.org"}),
         "http://r.example.org"),
        ((LINKS,), "https://wiki.example.org/disk"),
        (([{"href": "https://x.example.org", "text": "Graph"}], "words", None, [1]), ""),
        (([{"href": "javascript:x", "text": "runbook"}],), ""),
    ],
)  # fmt: skip
def test_a_runbook_is_found_where_senders_put_it(sources: tuple[Any, ...], address: str) -> None:
    assert runbook_in(*sources) == address


def page_of(incident: Incident) -> str:
    viewer = User.objects.create_user("vera", role=Role.VIEWER)
    client = Client()
    client.force_login(viewer)
    answer = client.get(incident.get_absolute_url())
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.django_db
@pytest.mark.both_databases
def test_the_page_of_an_incident_shows_what_pagerduty_s_clients_say_of_it() -> None:
    _integration, key = integration_of("pagerduty")
    payload = {"summary": "Full", "source": "db1", "severity": "critical", "component": "postgres",
               "custom_details": {"free": "<b>3 GB</b>", "disk": {"mount": "/var"}}}  # fmt: skip
    event = {"routing_key": key, "event_action": "trigger", "dedup_key": "k", "payload": payload,
             "client": "Zabbix", "client_url": "https://zbx.example.org/1", "links": LINKS}  # fmt: skip
    assert post("/v2/enqueue", event).status_code == 202
    alert = Alert.objects.get()
    assert alert.runbook_url == "https://wiki.example.org/disk"
    assert alert.incident is not None
    page = page_of(alert.incident)
    for said in ("postgres", "&lt;b&gt;3 GB&lt;/b&gt;", "disk.mount", "/var", "Zabbix",
                 'href="https://wiki.example.org/disk"', "pagerduty of shop"):  # fmt: skip
        assert said in page, said
    assert 'href="javascript' not in page


@pytest.mark.django_db
def test_details_of_opsgenie_name_a_runbook_too() -> None:
    _integration, key = integration_of("opsgenie")
    body = {"message": "Full", "details": {"runbook": "https://wiki.example.org/q", "depth": "12"}}
    assert post("/v2/alerts", body, Authorization=f"GenieKey {key}").status_code == 202
    alert = Alert.objects.get()
    assert alert.runbook_url == "https://wiki.example.org/q"
    assert alert.details.count(Detail("depth", "12")) == 1


@pytest.mark.django_db
def test_of_several_alerts_the_page_shows_each_with_its_own() -> None:
    _integration, key = integration_of("generic")
    for number in (1, 2):
        body = {"title": f"t{number}", "dedup_key": f"k{number}", "group": "g",
                "labels": {"host": f"host-{number}"}}  # fmt: skip
        assert post(f"/integrations/v1/generic/{key}/", body).status_code == 200
    page = page_of(Incident.objects.get())
    assert ("host-1" in page, "host-2" in page) == (True, True)
    assert "<details open" not in page
