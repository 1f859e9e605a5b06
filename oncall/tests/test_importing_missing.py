"""What a file does not have is refused in words; it is not taken for nothing."""

from typing import Any

import pytest

from oncall.domain import exports
from oncall.domain.exports.documents import ImportedSchedule

SHIFT = {
    "id": "O1", "name": "Shift", "type": "rolling_users", "start": "2026-03-02T00:00:00",
    "duration": 604800, "frequency": "weekly", "interval": 1, "rolling_users": [["U1"], ["U2"]],
}  # fmt: skip


def schedule_of(source: str, schedule: dict[str, Any], **more: Any) -> ImportedSchedule:
    """Return what is read of a schedule."""
    document = {"schedules": [{"id": "S1", "name": "Search", **schedule}], **more}
    (found,) = exports.read(source, document).schedules
    return found


@pytest.mark.parametrize("given", [{}, {"rotations": None}, {"rotations": "x"}, {"rotations": [1]}])
def test_opsgenies_rotations_must_be_there(given: dict[str, Any]) -> None:
    """`GET /v2/schedules` lists schedules without them."""
    refused = schedule_of("opsgenie", given).refused
    assert "does not have its rotations" in refused
    assert "expand=rotation" in refused


@pytest.mark.parametrize("given", [{}, {"schedule_layers": None}, {"users": [{"id": "P1"}]}])
def test_pagerdutys_layers_must_be_there(given: dict[str, Any]) -> None:
    """`GET /schedules` lists schedules without them."""
    refused = schedule_of("pagerduty", given).refused
    assert "does not have its schedule_layers" in refused
    assert "GET /schedules/{id}" in refused
    assert "include[]=schedule_layers" in refused


@pytest.mark.parametrize(
    ("given", "said"),
    [({"shifts": ["O1", "O2", "O3"]}, "shifts O2, O3: list"), ({}, "does not say its shifts")],
)
def test_grafanas_shifts_must_be_there(given: dict[str, Any], said: str) -> None:
    assert said in schedule_of("grafana-oncall", given, on_call_shifts=[SHIFT]).refused


@pytest.mark.parametrize(
    ("source", "field"),
    [("opsgenie", "rotations"), ("pagerduty", "schedule_layers"), ("grafana-oncall", "shifts")],
)
def test_an_empty_list_is_an_empty_schedule(source: str, field: str) -> None:
    found = schedule_of(source, {field: []})
    assert (found.refused, found.layers) == ("", ())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"by_month": [12]}, "some days of a month"),
        ({"by_monthday": [1]}, "some days of a month"),
        ({"by_day": ["MO"], "duration": 3600, "interval": 2}, "one week of 2"),
        ({"by_day": ["MO"], "duration": 3600, "frequency": "daily"}, "counts some days only"),
    ],
)
def test_shifts_that_no_layer_can_say_are_refused(given: dict[str, Any], said: str) -> None:
    shift = {**SHIFT, **given}
    found = schedule_of("grafana-oncall", {"shifts": ["O1"]}, on_call_shifts=[shift])
    assert said in found.refused


def test_oncalls_repetition_begins_anew_five_times() -> None:
    """Which is six times in all."""
    steps = [
        {"escalation_chain_id": "C1", "position": 0, "type": "notify_persons",
         "persons_to_notify": ["U1"]},
        {"escalation_chain_id": "C1", "position": 1, "type": "repeat_escalation"},
    ]  # fmt: skip
    document = {"escalation_chains": [{"id": "C1", "name": "C"}], "escalation_policies": steps}
    (policy,) = exports.read("grafana-oncall", document).policies
    assert policy.loops == 6
