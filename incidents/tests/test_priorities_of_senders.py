"""Whose word counts: a label of ours, or a sender's own priority of the same name."""

from typing import Any

from incidents.domain.formats import opsgenie
from incidents.domain.formats.context import Context
from incidents.tests.test_formats import one


def test_a_priority_that_only_we_have_wins_over_a_senders_own() -> None:
    """P1 to P3 mean another thing there, and count where it says nothing in words of its own."""

    def opsgenies(**said: Any) -> str:
        body = {"message": "m", **said}
        (event,) = opsgenie.read_create(body, Context("opsgenie"), fresh_key="k").events
        return event.severity

    assert opsgenies(priority="P3", details={"priority": "P0"}) == "P0"
    assert opsgenies(priority="P1", details={"priority": "P1"}) == "P0"
    assert opsgenies(details={"priority": "P1"}) == "P1"
    assert opsgenies(details={"priority": "P5"}) == "P2"

    def datadogs(**said: str) -> str:
        return one("datadog", {"title": "CPU", **said}).severity

    assert datadogs(alert_priority="P3", tags="priority:P0") == "P0"
    assert datadogs(alert_priority="P1", tags="priority:P1") == "P0"
    assert datadogs(tags="priority:P1") == "P1"
    assert datadogs(alert_type="warning", tags="priority:p2") == "P2"
