"""Senders in their rarer forms: fields that most leave out, older bodies, words of their own."""

import json
from typing import Any

import pytest

from incidents.domain.events import Act, AlertEvent
from incidents.domain.formats import amazon_sns, pagerduty
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, decode
from incidents.tests import bodies
from incidents.tests.test_formats import one, read

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"


def alarm(severity_map: dict[str, str], **changed: str) -> AlertEvent:
    """Return what an alarm of CloudWatch says to an integration with words of its own."""
    said = {**bodies.SNS, "Message": json.dumps({**bodies.ALARM, **changed})}
    context = Context("amazon_sns", severity_map=severity_map)
    (event,) = amazon_sns.read(amazon_sns.envelope(said), context).events
    return event


def test_an_alarm_without_data_calls_somebody_where_the_integration_says_so() -> None:
    unknown = {"NewStateValue": "INSUFFICIENT_DATA"}
    assert alarm({}, **unknown).act is Act.NOTE
    assert alarm({"insufficient_data": "none"}, **unknown).act is Act.NOTE
    event = alarm({"insufficient_data": "P1"}, **unknown)
    assert (event.act, event.severity, event.pages) == (Act.TRIGGER, "P1", True)
    assert event.title == "cpu-high is INSUFFICIENT_DATA"
    assert event.dedup_key == bodies.ALARM["AlarmArn"]
    ended = {"NewStateValue": "OK", "OldStateValue": "INSUFFICIENT_DATA"}
    assert not alarm({}, **ended).fired_before
    assert alarm({"insufficient_data": "P1"}, **ended).fired_before


def test_datadog_knows_an_alert_by_its_cycle_or_else_by_id_and_scope() -> None:
    """What many groups share tells none of them apart."""

    def key(**said: str) -> str:
        return one("datadog", {"title": "CPU", **said}).dedup_key

    shared = {"aggreg_key": "9bd4", "alert_id": "42"}
    assert key(**shared, alert_cycle_key="8123", alert_scope="host:a") == "8123"
    assert key(**shared, alert_scope="host:a") == "monitor/42/host:a"
    assert key(**shared, alert_scope="host:b") == "monitor/42/host:b"
    assert key(aggreg_key="9bd4") == "9bd4"
    assert key(**shared) != key(alert_id="42", aggreg_key="7c01")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"summary=Disk&meta=rack=3&meta=region=eu", FORM),
        (
            (
                b'--x\r\nContent-Disposition: form-data; name="summary"\r\n\r\nDisk\r\n'
                b'--x\r\nContent-Disposition: form-data; name="meta"\r\n\r\nrack=3\r\n'
                b'--x\r\nContent-Disposition: form-data; name="meta"\r\n\r\nregion=eu\r\n--x--\r\n'
            ),
            PARTS,
        ),
        (b'{"summary": "Disk", "meta": {"rack": 3, "region": "eu"}}', "application/json"),
    ],
)
def test_what_goalert_is_told_besides_is_labels(body: bytes, kind: str) -> None:
    event = one("generic", decode(body, kind))
    assert (event.title, event.labels) == ("Disk", {"rack": "3", "region": "eu"})


def test_one_field_of_a_form_may_be_a_label_too() -> None:
    assert one("generic", decode(b"summary=Disk&meta=rack%3D3", FORM)).labels == {"rack": "3"}
    assert one("generic", {"title": "x", "tags": ["env:prod", "plain"]}).labels == {}


def test_the_picture_of_a_formatted_webhook_is_kept() -> None:
    picture = "https://example.org/graph.png"
    body = {"alert_uid": "u1", "title": "Disk", "state": "alerting", "image_url": picture}
    assert one("generic", body).facts == {"image_url": picture}
    assert one("generic", {"title": "Disk"}).facts == {}


def test_legacy_grafana_tells_organizations_and_pictures() -> None:
    """Before its bodies had the organization, the address of the rule did."""
    old = {key: value for key, value in bodies.GRAFANA_LEGACY.items() if key != "orgId"}
    address = "https://grafana.example.org/d/1/x?tab=alert&orgId={}"
    keys = [one("grafana", {**old, "ruleUrl": address.format(n)}).dedup_key for n in (1, 2)]
    assert keys == ["rule/1/7", "rule/2/7"]
    assert one("grafana", bodies.GRAFANA_LEGACY).dedup_key == "rule/1/7"
    assert one("grafana", {**old, "ruleUrl": address.format("x")}).dedup_key == "rule/7"
    picture = "https://grafana.example.org/render/1.png"
    assert one("grafana", {**old, "imageUrl": picture}).facts["imageUrl"] == picture


def test_links_of_the_older_pagerduty_lead_to_pages_and_runbooks() -> None:
    links = [
        {"type": "image", "src": "https://example.org/graph.png"},
        {"type": "link", "href": "https://example.org/graph", "text": "Graph"},
        {"type": "link", "href": "https://example.org/runbook", "text": "The runbook"},
    ]
    said = {"event_type": "trigger", "description": "Down", "contexts": links}
    (event,) = pagerduty.read_v1(said, Context("pagerduty"), fresh_key="k").events
    assert event.url == "https://example.org/graph"
    assert event.runbook_url == "https://example.org/runbook"
    named = {**said, "client_url": "https://example.org/client"}
    (event,) = pagerduty.read_v1(named, Context("pagerduty"), fresh_key="k").events
    assert event.url == "https://example.org/client"


def test_only_what_will_expire_is_news_without_a_heartbeat() -> None:
    """Anything else that Uptime Kuma says without one is its test button; words alone may be news."""
    for words in ("hello", "Portal Testing", "[Portal] Test"):
        assert read("uptimekuma", {"heartbeat": None, "monitor": None, "msg": words}) == []
    assert one("uptimekuma", {"msg": "Shop is down"}).title == "Shop is down"
    assert read("uptimekuma", {"msg": "Portal Testing"}) == []
    notice = "[web][https://x.example.org] server certificate x.example.org will expire in 7 days"
    assert one("uptimekuma", {"heartbeat": None, "monitor": None, "msg": notice}).severity == "P3"


def test_sentrys_older_plugin_has_title_and_tags_in_its_event() -> None:
    body = {
        "id": "9", "project": "shop", "message": "", "culprit": "views.buy", "level": "error",
        "url": "https://sentry.example.org/9",
        "event": {"title": "ZeroDivisionError", "tags": [["environment", "production"]]},
    }  # fmt: skip
    event = one("sentry", body)
    assert event.title == "ZeroDivisionError"
    assert event.labels == {"environment": "production", "project": "shop"}
    assert one("sentry", {**body, "message": "Division"}).title == "Division"
    assert one("sentry", {"id": "9", "event": None}).title == "Sentry issue 9"


def test_what_a_function_of_lambda_was_handed_is_read_as_what_sns_posts() -> None:
    """It has the same fields, two of them written otherwise, in a list of one."""
    handed = {**bodies.SNS, "Subject": None}
    handed["SigningCertUrl"] = handed.pop("SigningCertURL")
    handed["UnsubscribeUrl"] = "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe"
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": handed}
    message = amazon_sns.envelope({"Records": [record]})
    posted = {key: value for key, value in bodies.SNS.items() if key != "Subject"}
    assert message["SigningCertURL"] == bodies.SNS["SigningCertURL"]
    assert amazon_sns.signed_text(message) == amazon_sns.signed_text(amazon_sns.envelope(posted))
    wrong: list[Any] = [[], [record, record], [{}], "x"]
    for records in wrong:
        with pytest.raises(Unreadable, match="Records"):
            amazon_sns.envelope({"Records": records})


def test_a_state_on_top_is_that_of_alerts_that_say_none() -> None:
    """Grafana calls it so, beside a status."""
    alert = {"labels": {"alertname": "A"}}
    for state, act in (("alerting", Act.TRIGGER), ("ok", Act.RESOLVE)):
        assert one("grafana", {"state": state, "alerts": [alert]}).act is act
