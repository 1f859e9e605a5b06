"""Datadog: its state and its group in a title, or all of it by the recommended template."""

from incidents.domain.events import Act
from incidents.tests import bodies
from incidents.tests.test_formats import one


def test_datadog_tells_its_state_in_the_title() -> None:
    event = one("datadog", bodies.DATADOG)
    assert event.title == "CPU is high (host:web-1)"
    assert (event.act, event.severity, event.labels) == (Act.TRIGGER, "P1", {"host": "web-1"})
    ended = one(
        "datadog", {**bodies.DATADOG, "title": "[P2] [Recovered on {host:web-1}] CPU is high"}
    )
    assert (ended.act, ended.dedup_key) == (Act.RESOLVE, event.dedup_key)
    again = one(
        "datadog", {**bodies.DATADOG, "title": "[Re-Triggered on {host:web-1}] CPU is high"}
    )
    assert (again.act, again.dedup_key) == (Act.TRIGGER, event.dedup_key)


def test_each_group_of_a_monitor_of_datadog_is_an_alert() -> None:
    """Its default body tells them apart in the title only."""

    def keys(*titles: str, **more: str) -> set[str]:
        said = [{**bodies.DATADOG, **more, "title": title} for title in titles]
        return {one("datadog", body).dedup_key for body in said}

    web, db = "[Triggered on {host:web-1}] CPU", "[Triggered on {host:db-1,env:prod}] CPU"
    assert len(keys(web, db, "[Triggered] CPU")) == 3
    assert len(keys(db, "[P1] [No Data on {host:db-1,env:prod}] CPU")) == 1
    assert len(keys(web, db, alert_id="42")) == 2
    assert keys(web, db, alert_id="42", alert_scope="host:a") == {"monitor/42/host:a"}
    event = one("datadog", {**bodies.DATADOG, "title": db, "tags": "env:prod,team:sre"})
    assert event.labels == {"host": "db-1", "env": "prod", "team": "sre"}
    assert one("datadog", {**bodies.DATADOG, "title": "[Warn on {*}] CPU"}).title == "CPU"


def test_datadog_by_the_recommended_template() -> None:
    body = {"alert_id": "42", "alert_cycle_key": "8123", "alert_transition": "Triggered",
            "alert_priority": "P1", "title": "CPU is high", "tags": "env:prod,team:sre"}  # fmt: skip
    event = one("datadog", body)
    assert (event.dedup_key, event.severity) == ("8123", "P0")
    assert event.labels == {"env": "prod", "team": "sre"}
    assert one("datadog", {**body, "alert_transition": "Recovered"}).act is Act.RESOLVE
