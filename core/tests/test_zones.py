"""Time zones are those of the world, whatever machine knows them."""

from zoneinfo import available_timezones

import pytest

from core import zones


def test_the_zone_of_the_machine_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many have a file of that name among their zones; on another machine it is another time."""
    monkeypatch.setattr(zones, "available_timezones", lambda: available_timezones() | {"localtime"})
    names = zones.zone_names.__wrapped__()
    assert "localtime" not in names
    assert {"UTC", "Europe/London"} <= names
