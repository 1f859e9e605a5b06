"""What each sender means, and that no body breaks a reader."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.formats import amazon_sns, opsgenie, pagerduty
from incidents.domain.formats.context import Context
from incidents.domain.formats.generic import check_mapping
from incidents.domain.formats.registry import WEBHOOKS
from incidents.domain.payloads import Unreadable, clean, decode, instant
from incidents.tests import bodies

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["alerts", "status", "labels", "data", "event", "id", "title", "state", "tags",
                 "monitor", "heartbeat", "msg", "payload", "event_action", "Message", "Trigger"]
            ) | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)  # fmt: skip


def read(kind: str, payload: Any, **context: Any) -> list[AlertEvent]:
    return list(WEBHOOKS[kind](clean(payload), Context(kind, **context)).events)


def one(kind: str, payload: Any, **context: Any) -> AlertEvent:
    (event,) = read(kind, payload, **context)
    return event


def changed(payload: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(payload)
    *parents, last = path.split(".")
    target: Any = copied
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target[name]
    target[last] = value
    return copied


def test_alertmanager_says_each_alert_by_itself() -> None:
    firing, resolved = read("alertmanager", bodies.ALERTMANAGER)
    assert (firing.act, resolved.act) == (Act.TRIGGER, Act.RESOLVE)
    assert firing.dedup_key == "c1a2b3c4d5e6f708"
    assert firing.title == "Errors above 5 % on a"
    assert (firing.severity, firing.pages) == ("P1", True)
    assert firing.runbook_url == "https://wiki.example.org/errors"
    assert firing.at == datetime(2026, 3, 2, 11, 59, 30, 123456, tzinfo=UTC)
    assert firing.group_key == resolved.group_key != ""
    assert resolved.title == "Errors above 5 %"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("critical", ("P1", True)),
        ("page", ("P1", True)),
        ("ERROR", ("P2", True)),
        ("high", ("P2", True)),
        ("warning", ("P3", True)),
        ("info", ("P3", False)),
        ("", ("P2", True)),
        ("strange", ("P2", True)),
    ],
)
def test_severity_is_read_from_the_label(word: str, expected: tuple[str, bool]) -> None:
    payload = changed(bodies.ALERTMANAGER, "alerts.0.labels.severity", word)
    event = read("alertmanager", payload)[0]
    assert (event.severity, event.pages) == expected


def test_a_priority_label_wins_and_a_map_may_be_edited() -> None:
    payload = changed(bodies.ALERTMANAGER, "alerts.0.labels.priority", "P0")
    assert read("alertmanager", payload)[0].severity == "P0"
    edited = read("alertmanager", bodies.ALERTMANAGER, severity_map={"critical": "P0"})
    assert edited[0].severity == "P0"
    silent = read("alertmanager", bodies.ALERTMANAGER, severity_map={"critical": "none"})
    assert silent[0].pages is False


def test_old_alertmanagers_have_neither_fingerprint_nor_state() -> None:
    """GoAlert's minimal body: labels only, the state on top, the key a number."""
    payload = {
        "version": "3",
        "groupKey": 42,
        "status": "firing",
        "alerts": [{"labels": {"a": "1"}}],
    }
    first, again = one("alertmanager", payload), one("alertmanager", payload)
    assert first.dedup_key == again.dedup_key
    assert len(first.dedup_key) == 64
    assert first.act is Act.TRIGGER
    ended = one("alertmanager", {**payload, "status": "resolved"})
    assert (ended.act, ended.dedup_key) == (Act.RESOLVE, first.dedup_key)


def test_a_watchdog_is_a_sign_of_life_and_no_incident() -> None:
    payload = changed(bodies.ALERTMANAGER, "alerts.0.labels.alertname", "Watchdog")
    reading = WEBHOOKS["alertmanager"](payload, Context("alertmanager"))
    assert [ping.name for ping in reading.pings] == ["Watchdog"]
    assert [event.act for event in reading.events] == [Act.RESOLVE]


def test_what_cannot_be_read_is_named_and_the_rest_is_kept() -> None:
    payload = {
        **bodies.ALERTMANAGER,
        "alerts": [{"status": "odd", "labels": {"a": "1"}}, *bodies.ALERTMANAGER["alerts"][1:], 7],
    }
    reading = WEBHOOKS["alertmanager"](payload, Context("alertmanager"))
    assert len(reading.events) == 1
    assert reading.remarks == (
        "alerts[0].status: firing or resolved is wanted, not 'odd'",
        "alerts[2].labels: an object is wanted",
    )


def test_alerts_say_that_others_were_left_out() -> None:
    payload = {**bodies.ALERTMANAGER, "truncatedAlerts": 3}
    payload = changed(payload, "alerts.0.annotations.description", "Too many.")
    reading = WEBHOOKS["alertmanager"](payload, Context("alertmanager"))
    warning = "The sender left out 3 more alerts of this group (truncatedAlerts)."
    assert [event.detail for event in reading.events] == [f"Too many.\n\n{warning}", warning]
    assert (reading.remarks, reading.notes) == ((), (warning,))


@pytest.mark.parametrize(
    ("alert", "title"),
    [
        ({"fingerprint": "c1a2"}, "Alert c1a2 of receiver portal"),
        ({"fingerprint": "c1a2", "labels": {"alertname": " "}}, "Alert c1a2 of receiver portal"),
        ({"labels": {"alertname": "", "job": "api"}}, "job=api"),
        ({"labels": {"alertname": ""}}, "Alert without labels of receiver portal"),
    ],
)
def test_every_alert_has_a_title(alert: dict[str, Any], title: str) -> None:
    assert one("alertmanager", {"receiver": "portal", "alerts": [alert]}).title == title


def test_grafana_unified_and_legacy() -> None:
    event = one("grafana", bodies.GRAFANA)
    assert event.url == "https://grafana.example.org/d/1?viewPanel=2"
    assert event.facts["values"] == {"B": 12.5}
    legacy = one("grafana", bodies.GRAFANA_LEGACY)
    assert (legacy.act, legacy.dedup_key, legacy.severity) == (Act.TRIGGER, "rule/1/7", "P3")
    ended = one("grafana", {**bodies.GRAFANA_LEGACY, "state": "ok"})
    assert (ended.act, ended.dedup_key) == (Act.RESOLVE, legacy.dedup_key)


def test_sentry_resolves_by_issue() -> None:
    event = one("sentry", bodies.SENTRY_EVENT, headers={"sentry-hook-resource": "event_alert"})
    assert (event.dedup_key, event.severity) == ("issue/1117540176", "P2")
    assert event.labels == {"environment": "production"}
    issue = {"action": "resolved", "data": {"issue": {"id": "1117540176", "title": "Zero"}}}
    ended = one("sentry", issue, headers={"sentry-hook-resource": "issue"})
    assert (ended.act, ended.dedup_key) == (Act.RESOLVE, event.dedup_key)
    metric = one("sentry", bodies.SENTRY_METRIC)
    assert (metric.dedup_key, metric.severity) == ("metric/5", "P1")
    assert one("sentry", {**bodies.SENTRY_METRIC, "action": "resolved"}).act is Act.RESOLVE
    plugin = {"id": "9", "project": "shop", "message": "Broken", "level": "warning", "url": "x:"}
    assert one("sentry", plugin).url == ""


def test_uptime_kuma_down_up_and_its_test_button() -> None:
    event = one("uptimekuma", bodies.UPTIME_KUMA)
    assert (event.act, event.dedup_key, event.title) == (Act.TRIGGER, "monitor/3", "Shop is down")
    assert event.at == datetime(2026, 3, 2, 12, 0, 0, 123000, tzinfo=UTC)
    up = one("uptimekuma", changed(bodies.UPTIME_KUMA, "heartbeat.status", 1))
    assert (up.act, up.dedup_key) == (Act.RESOLVE, event.dedup_key)
    assert read("uptimekuma", changed(bodies.UPTIME_KUMA, "heartbeat.status", 2)) == []
    assert read("uptimekuma", {"heartbeat": None, "monitor": None, "msg": "Portal Testing"}) == []


def test_cloudwatch_alarms_by_way_of_sns() -> None:
    context = Context("amazon_sns")
    (event,) = amazon_sns.read(amazon_sns.envelope(bodies.SNS), context).events
    assert event.dedup_key == bodies.ALARM["AlarmArn"]
    assert (event.act, event.severity) == (Act.TRIGGER, "P1")
    assert event.labels["region"] == "eu-central-1"
    assert event.labels["ClusterName"] == "main"
    assert event.at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    for state, act in (("OK", Act.RESOLVE), ("INSUFFICIENT_DATA", Act.NOTE)):
        said = {**bodies.SNS, "Message": json.dumps({**bodies.ALARM, "NewStateValue": state})}
        assert amazon_sns.read(amazon_sns.envelope(said), context).events[0].act is act
    words = amazon_sns.envelope({**bodies.SNS, "Message": "Disk full\nsoon"})
    assert amazon_sns.read(words, context).events[0].detail == "Disk full\nsoon"


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://sns.eu-central-1.amazonaws.com/a.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", True),
        ("http://sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com.evil.example/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com:8443/a.pem", False),
        ("https://evil.example@sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://evil.example/sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://xsns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com/a.crt", False),
        ("https://sns.eu-central-1.amazonaws.com:x/a.pem", False),
        ("https://[sns/a.pem", False),
    ],
)
def test_only_amazons_own_addresses_are_fetched(url: str, ours: bool) -> None:
    assert amazon_sns.is_amazons(url, is_certificate=True) is ours


def test_pagerduty_v2_in_its_own_words() -> None:
    context = Context("pagerduty")
    (event,) = pagerduty.read_v2(bodies.PAGERDUTY, context, fresh_key="new").events
    assert (event.dedup_key, event.severity, event.title) == (
        "db-1/disk",
        "P1",
        "Disk of db-1 is full",
    )
    assert event.facts["timestamp"] == "2026-03-02T12:00:00.000+0000"
    assert event.at is None, "its clock orders nothing: several hosts may send for one key"
    unnamed = {key: value for key, value in bodies.PAGERDUTY.items() if key != "dedup_key"}
    assert pagerduty.read_v2(unnamed, context, fresh_key="new").events[0].dedup_key == "new"
    with pytest.raises(pagerduty.Invalid) as refused:
        pagerduty.read_v2(
            {"event_action": "trigger", "payload": {"severity": "bad"}}, context, fresh_key=""
        )
    assert refused.value.errors == [
        "'payload.summary' is missing or blank",
        "'payload.source' is missing or blank",
        "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
    ]
    with pytest.raises(pagerduty.Invalid, match="'dedup_key' is missing or blank"):
        pagerduty.read_v2({"event_action": "resolve"}, context, fresh_key="")


def test_pagerduty_v1_and_changes() -> None:
    context = Context("pagerduty")
    v1 = {"event_type": "trigger", "description": "Down", "incident_key": "k", "details": {"a": 1}}
    (event,) = pagerduty.read_v1(v1, context, fresh_key="").events
    assert (event.title, event.dedup_key, event.severity) == ("Down", "k", "P2")
    change = {"payload": {"summary": "Deploy 42", "timestamp": "2026-03-02T12:00:00Z"}}
    (report,) = pagerduty.read_change(change, context).changes
    assert (report.summary, report.at) == ("Deploy 42", datetime(2026, 3, 2, 12, tzinfo=UTC))


def test_opsgenie_creates_and_acts() -> None:
    context = Context("opsgenie")
    (event,) = opsgenie.read_create(bodies.OPSGENIE, context, fresh_key="new").events
    assert (event.dedup_key, event.severity) == ("queue/1", "P0")
    (plain,) = opsgenie.read_create({"message": "x" * 200}, context, fresh_key="new").events
    assert (plain.dedup_key, plain.severity, len(plain.title)) == ("new", "P2", 130)
    with pytest.raises(opsgenie.Invalid) as refused:
        opsgenie.read_create({"priority": "P9", "tags": "x"}, context, fresh_key="")
    assert set(refused.value.errors) == {"message", "priority", "tags"}
    for action, act in (
        ("close", Act.RESOLVE),
        ("acknowledge", Act.ACKNOWLEDGE),
        ("notes", Act.NOTE),
    ):
        (done,) = opsgenie.read_action(
            action, {"user": "ada", "note": "on it"}, context, key="k"
        ).events
        assert (done.act, done.actor, done.detail) == (act, "ada", "on it")
    for action in ("snooze", "assign", "priority", "tags", "details", "sing"):
        with pytest.raises(opsgenie.Invalid):
            opsgenie.read_action(action, {}, context, key="k")


@pytest.mark.parametrize("expression", ["(" * 490 + "a" + ")" * 490, "[" * 900, "!" * 900 + "a"])
def test_a_mapping_too_deep_is_refused(expression: str) -> None:
    """It is read by descending into it, which has an end."""
    assert check_mapping({"title": expression}) == {"title": "Not JMESPath: nested too deep"}


@pytest.mark.parametrize("expression", ["a[::0]", "sum(a)", "abs(a)"])
def test_an_expression_that_breaks_on_a_body_leaves_it_unread(expression: str) -> None:
    """The body is kept for people to see; nothing of it is guessed."""
    with pytest.raises(Unreadable, match="title: "):
        read("generic", {"a": ["text"]}, mapping={"title": expression})


def test_generic_by_guess_and_by_mapping() -> None:
    event = one("generic", bodies.GENERIC)
    assert (event.title, event.dedup_key, event.severity) == ("Backup failed", "backup-7", "P2")
    assert one("generic", {**bodies.GENERIC, "state": "ok"}).act is Act.RESOLVE
    goalert = {"summary": "Disk", "action": "close", "dedup": "d"}
    assert one("generic", goalert).act is Act.RESOLVE
    mapping = {
        "items": "checks",
        "title": "join(' on ', [name, host])",
        "state": "up && 'ok' || 'down'",
        "dedup_key": "name",
    }
    body = {
        "checks": [
            {"name": "ping", "host": "a", "up": False},
            {"name": "tcp", "host": "b", "up": True},
        ]
    }
    first, second = read("generic", body, mapping=mapping)
    assert (first.title, first.act, second.act) == ("ping on a", Act.TRIGGER, Act.RESOLVE)
    wrong = check_mapping({"title": "a[", "colour": "x", "state": 7})
    assert set(wrong) == {"title", "colour", "state"}


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b'{"a": "b\\u0000c"}', "text/plain; charset=UTF-8", {"a": "b\ufffdc"}),
        ('{"a": "é"}'.encode("utf-16"), "application/json", {"a": "é"}),
        (b'{"a": 1e999, "b": NaN}', "application/json", {"a": "inf", "b": "NaN"}),
        (b"a=1&b=x+y", "application/x-www-form-urlencoded", {"a": "1", "b": "x y"}),
        (b' {"a": "1&b=2"}', "application/x-www-form-urlencoded", {"a": "1&b=2"}),
        (b'payload={"a":1}'.replace(b'"', b"%22"), "application/x-www-form-urlencoded", {"a": 1}),
        (b"Disk full", "text/plain", "Disk full"),
        (
            b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"a": 1}\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            {"a": 1},
        ),
    ],
)
def test_bodies_are_decoded(body: bytes, kind: str, expected: object) -> None:
    assert decode(body, kind) == expected


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"a": ', "text/plain"),
        (b"\xff\xfe\xfa", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"", "application/json"),
        (b"1" * 5000, "application/json"),
        (b"a=%FF&" * 2000, "application/x-www-form-urlencoded"),
        (b'{"a": 1', "application/x-www-form-urlencoded"),
        (b"nothing", "multipart/form-data; boundary=x"),
    ],
)
def test_rubbish_is_unreadable(body: bytes, kind: str) -> None:
    with pytest.raises(Unreadable):
        decode(body, kind)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "", None, "x", True, 1e30, [], "9" * 40])
def test_no_instant_is_none(value: object) -> None:
    assert instant(value) is None


def storable(event: AlertEvent) -> bool:
    said = json.dumps(
        [event.title, event.detail, dict(event.labels), dict(event.facts)], allow_nan=False
    )
    return "\\u0000" not in said and len(event.dedup_key) <= 512 and len(event.title) <= 1024


@settings(max_examples=200)
@given(st.sampled_from(sorted(WEBHOOKS)), JSON)
def test_no_body_breaks_a_reader(kind: str, payload: object) -> None:
    """It says something that can be stored, or it is unreadable."""
    try:
        events = WEBHOOKS[kind](clean(payload), Context(kind)).events
    except Unreadable:
        return
    assert all(storable(event) for event in events)


@settings(max_examples=200)
@given(JSON)
def test_no_body_breaks_the_apis(payload: object) -> None:
    said = clean(payload)
    context = Context("x")
    readers: list[Callable[[], Reading]] = [
        lambda: pagerduty.read_v2(said, context, fresh_key="k"),
        lambda: pagerduty.read_v1(said, context, fresh_key="k"),
        lambda: pagerduty.read_change(said, context),
        lambda: opsgenie.read_create(said, context, fresh_key="k"),
        *(
            partial(opsgenie.read_action, action, said, context, key="k")
            for action in opsgenie.ACTIONS
        ),
        lambda: amazon_sns.read(
            amazon_sns.envelope({**bodies.SNS, "Message": json.dumps(said)}), context
        ),
    ]
    for reader in readers:
        try:
            assert all(storable(event) for event in reader().events)
        except Unreadable:
            continue


@settings(max_examples=200)
@given(st.sampled_from(sorted(bodies.WEBHOOKS)), st.data())
def test_one_wrong_field_breaks_no_reader(kind: str, data: st.DataObject) -> None:
    """A real body with any one value replaced."""
    payload = copy.deepcopy(bodies.WEBHOOKS[kind])
    target: Any = payload
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        inner = target[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            target[key] = data.draw(JSON)
            break
        target = inner
    try:
        events = WEBHOOKS[kind](clean(payload), Context(kind)).events
    except Unreadable:
        return
    assert all(storable(event) for event in events)
