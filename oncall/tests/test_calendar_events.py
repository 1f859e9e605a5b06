"""Events of a calendar as overrides, by RFC 5545."""

import contextlib
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.walltime import instant
from oncall.domain.events import MOST_OVERRIDES, Known, Unreadable, overrides_in

BERLIN = "Europe/Berlin"
ADDRESSES = {"bob@example.com": 1, "alice@example.com": 2}
PEOPLE = Known(ADDRESSES, {"bob": 1, "alice": 2, **ADDRESSES})
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))


def calendar(*events: str) -> bytes:
    """Return a calendar of events, each given as its lines."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN"]
    for event in events:
        lines += ["BEGIN:VEVENT", *event.split(), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def found(
    *events: str, zone: str = BERLIN, window: tuple[datetime, datetime] = YEAR
) -> list[tuple[str, str, str]]:
    """Return who takes over from when until when, by the clock of the schedule."""
    overrides, _ = overrides_in(
        calendar(*events), PEOPLE, zone=zone, after=window[0], before=window[1]
    )
    assert len({each.uid for each in overrides}) == len(overrides)

    def shown(at: datetime) -> str:
        return f"{at.astimezone(ZoneInfo(zone)):%m-%d %H:%M}"

    names = {1: "bob", 2: "alice"}
    return [(names[each.person], shown(each.starts_at), shown(each.ends_at)) for each in overrides]


def remarks(*events: str) -> list[str]:
    return overrides_in(calendar(*events), PEOPLE, zone=BERLIN, after=YEAR[0], before=YEAR[1])[1]


DAILY = "UID:1 DTSTART:20260105T090000Z DTEND:20260105T170000Z RRULE:FREQ=DAILY;COUNT=3 SUMMARY:bob"
DAYS = [("bob", f"01-0{day} 10:00", f"01-0{day} 18:00") for day in (5, 6, 7)]


def test_days_of_a_rule_are_those_of_the_events_zone() -> None:
    """Monday evening in New York is Tuesday in Berlin, on which the schedule's clock is."""
    new_york = "UID:1 DTSTART;TZID=America/New_York:20260105T200000 DURATION:PT2H SUMMARY:bob"
    assert found(f"{new_york} RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2") == [
        ("bob", "01-06 02:00", "01-06 04:00"),
        ("bob", "01-13 02:00", "01-13 04:00"),
    ]
    utc = "UID:1 DTSTART:20260104T233000Z DURATION:PT2H SUMMARY:bob"
    assert found(f"{utc} RRULE:FREQ=WEEKLY;BYDAY=SU;UNTIL=20260111T233000Z") == [
        ("bob", "01-05 00:30", "01-05 02:30"),
        ("bob", "01-12 00:30", "01-12 02:30"),
    ]


def test_the_hour_is_that_of_the_events_zone() -> None:
    """New York puts its clocks forward three weeks before Berlin does."""
    event = "UID:1 DTSTART;TZID=America/New_York:20260301T090000 DURATION:PT1H SUMMARY:bob"
    hours = [
        begins[-5:]
        for _, begins, _ in found(
            f"{event} RRULE:FREQ=WEEKLY;UNTIL=20260330T000000Z",
        )
    ]
    assert hours == ["15:00", "14:00", "14:00", "14:00", "15:00"]


def test_a_time_without_a_zone_is_the_schedules() -> None:
    event = "UID:1 DTSTART:20260327T090000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3 SUMMARY:bob"
    assert [begins for _, begins, _ in found(event)] == [
        "03-27 09:00", "03-28 09:00", "03-29 09:00",
    ]  # fmt: skip


def test_a_zone_that_the_calendar_defines_is_followed() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Five behind\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:-0500\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
    )
    event = "UID:1 DTSTART;TZID=Five_behind:20260105T230000 DURATION:PT1H SUMMARY:bob"
    body = calendar(f"{event} RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2").replace(
        b"Five_behind", b"Five behind"
    )
    body = body.replace(b"BEGIN:VEVENT", zone.encode(), 1)
    overrides, said = overrides_in(body, PEOPLE, zone=BERLIN, after=YEAR[0], before=YEAR[1])
    assert [each.starts_at for each in overrides] == [
        datetime(2026, 1, day, 4, tzinfo=UTC) for day in (6, 13)
    ]
    assert said == []


def test_an_unknown_zone_is_said_once() -> None:
    events = [f"UID:{n} DTSTART;TZID=Foo/Bar:20260701T0{n}0000 DURATION:PT1H SUMMARY:bob" for n in (1, 2)]  # fmt: skip
    assert found(*events)[0] == ("bob", "07-01 01:00", "07-01 02:00")
    assert remarks(*events) == [
        "The time zone Foo/Bar is not known: its times are read by the clock of Europe/Berlin."
    ]


@pytest.mark.parametrize(
    ("event", "begins", "ends"),
    [
        ("DTSTART;VALUE=DATE:20260329", "03-29 00:00", "03-30 00:00"),
        ("DTSTART;VALUE=DATE:20261025 DURATION:P1D", "10-25 00:00", "10-26 00:00"),
        ("DTSTART;VALUE=DATE:20261024 DURATION:P1W", "10-24 00:00", "10-31 00:00"),
        ("DTSTART;VALUE=DATE:20260323 DTEND;VALUE=DATE:20260330", "03-23 00:00", "03-30 00:00"),
        ("DTSTART;TZID=Europe/Berlin:20260328T090000 DURATION:P1D", "03-28 09:00", "03-29 09:00"),
        # Between two times it is as long as it is.
        ("DTSTART:20260328T080000Z DURATION:PT20H", "03-28 09:00", "03-29 06:00"),
    ],
)
def test_days_end_at_midnight_whatever_the_clocks_do(event: str, begins: str, ends: str) -> None:
    assert found(f"UID:1 {event} SUMMARY:bob") == [("bob", begins, ends)]


def test_weeks_follow_each_other_without_an_hour_between() -> None:
    event = "UID:1 DTSTART;VALUE=DATE:20260316 DTEND;VALUE=DATE:20260323 RRULE:FREQ=WEEKLY;COUNT=4 SUMMARY:bob"
    weeks = found(event)
    assert [begins for _, begins, _ in weeks[1:]] == [ends for _, _, ends in weeks[:-1]]


@given(
    st.sampled_from([BERLIN, "America/Havana", "Australia/Lord_Howe", "Africa/Cairo"]),
    st.dates(date(2026, 1, 2), date(2026, 11, 1)),
    st.integers(1, 40),
)
def test_whole_days_are_those_of_the_schedules_calendar(zone: str, on: date, days: int) -> None:
    """From the first moment of one day to that of another, also where midnight is skipped."""
    event = f"UID:1 DTSTART;VALUE=DATE:{on:%Y%m%d} DURATION:P{days}D SUMMARY:bob"
    (each,), _ = overrides_in(calendar(event), PEOPLE, zone=zone, after=YEAR[0], before=YEAR[1])
    ends = on + timedelta(days=days)
    assert each.starts_at == instant(on, time(), ZoneInfo(zone))
    assert each.ends_at == instant(ends, time(), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("until", "days"), [("20260107", 3), ("20260107T235959Z", 3), ("20260106T235959Z", 2)]
)
def test_the_last_day_of_a_rule_counts(until: str, days: int) -> None:
    event = f"UID:1 DTSTART;VALUE=DATE:20260105 RRULE:FREQ=DAILY;UNTIL={until} SUMMARY:bob"
    assert len(found(event)) == days


def test_added_dates_count() -> None:
    """Times, days and periods; one that the rule has as well is once."""
    once = "UID:1 DTSTART:20260105T090000Z DTEND:20260105T170000Z SUMMARY:bob"
    assert found(f"{once} RDATE:20260107T090000Z,20260106T090000Z RDATE:20260105T090000Z") == DAYS
    assert found(f"{once} RDATE;VALUE=DATE:20260106 RDATE;VALUE=DATE:20260107") == DAYS
    assert found(f"{DAILY} RDATE:20260106T090000Z EXDATE:20260107T090000Z") == DAYS[:2]
    periods = "RDATE;VALUE=PERIOD:20260107T090000Z/PT2H,20260108T090000Z/20260108T100000Z"
    assert found(f"{once} {periods}")[1:] == [
        ("bob", "01-07 10:00", "01-07 12:00"),
        ("bob", "01-08 10:00", "01-08 11:00"),
    ]
    day = "UID:1 DTSTART;VALUE=DATE:20260105 RDATE;VALUE=DATE:20260107 SUMMARY:bob"
    assert found(day)[1:] == [("bob", "01-07 00:00", "01-08 00:00")]


def test_a_moved_occurrence_is_where_it_was_moved_to() -> None:
    moved = (
        "UID:1 RECURRENCE-ID:20260106T090000Z DTSTART:20260106T190000Z DURATION:PT2H SUMMARY:bob"
    )
    assert found(DAILY, moved) == [DAYS[0], ("bob", "01-06 20:00", "01-06 22:00"), DAYS[2]]
    assert found(moved, DAILY) == found(DAILY, moved)


def test_a_moved_occurrence_is_known_in_any_zone() -> None:
    moved = "UID:1 RECURRENCE-ID;TZID=America/New_York:20260106T040000 DTSTART:20260110T190000Z DURATION:PT2H SUMMARY:bob"
    assert found(DAILY, moved) == [DAYS[0], DAYS[2], ("bob", "01-10 20:00", "01-10 22:00")]


def test_somebody_else_takes_one_occurrence() -> None:
    other = "UID:1 RECURRENCE-ID:20260106T090000Z DTSTART:20260106T090000Z DTEND:20260106T170000Z SUMMARY:alice"
    assert found(DAILY, other) == [DAYS[0], ("alice", *DAYS[1][1:]), DAYS[2]]


def test_a_cancelled_occurrence_is_none() -> None:
    gone = (
        "UID:1 RECURRENCE-ID:20260106T090000Z DTSTART:20260106T090000Z STATUS:CANCELLED SUMMARY:bob"
    )
    assert found(DAILY, gone) == [DAYS[0], DAYS[2]]
    day = "UID:1 DTSTART;VALUE=DATE:20260105 RRULE:FREQ=DAILY;COUNT=3 SUMMARY:bob"
    gone = "UID:1 RECURRENCE-ID;VALUE=DATE:20260106 DTSTART;VALUE=DATE:20260106 STATUS:CANCELLED"
    assert [begins for _, begins, _ in found(day, gone)] == ["01-05 00:00", "01-07 00:00"]


def test_a_change_of_all_later_ones_is_remarked_on() -> None:
    range_ = "UID:1 RECURRENCE-ID;RANGE=THISANDFUTURE:20260106T090000Z DTSTART:20260106T100000Z DURATION:PT1H SUMMARY:bob"
    assert remarks(DAILY, range_) == [
        "bob: changes later ones too, of which only the first is changed here."
    ]


def test_events_without_an_identity_are_two() -> None:
    events = [f"DTSTART:20260105T090000Z DURATION:PT{h}H SUMMARY:{name}" for h, name in ((1, "bob"), (2, "alice"))]  # fmt: skip
    assert found(*events) == [
        ("alice", "01-05 10:00", "01-05 12:00"), ("bob", "01-05 10:00", "01-05 11:00"),
    ]  # fmt: skip
    twice = [f"DTSTART:20260105T090000Z DURATION:PT{hours}H SUMMARY:bob" for hours in (1, 2)]
    assert found(*twice) == [("bob", "01-05 10:00", "01-05 12:00")]


def test_who_declined_does_not_go_on_call() -> None:
    """Not by the title either."""
    event = "UID:1 DTSTART:20260105T090000Z DURATION:PT1H SUMMARY:bob ATTENDEE;PARTSTAT={}:MAILTO:Bob@example.com"
    assert len(found(event.format("ACCEPTED"))) == 1
    assert found(event.format("DECLINED")) == []
    assert remarks(event.format("DECLINED")) == ["bob: who is named has declined."]
    both = event.format("declined") + " ATTENDEE:mailto:alice@example.com"
    assert found(both) == [("alice", "01-05 10:00", "01-05 11:00")]


def test_the_soonest_of_all_events_are_kept() -> None:
    """Not those of the first event, and what is left out is said."""
    often = (
        "UID:{0} DTSTART:2026010{0}T000000Z DURATION:PT1H RRULE:FREQ=HOURLY;INTERVAL=2 SUMMARY:bob"
    )
    late = "UID:9 DTSTART:20260110T093000Z DURATION:PT1H SUMMARY:alice"
    kept = found(often.format(1), often.format(2), late)
    assert len(kept) == MOST_OVERRIDES
    assert ("alice", "01-10 10:30", "01-10 11:30") in kept
    (said,) = remarks(often.format(1), often.format(2), late)
    assert said.startswith(
        "Only the 500 soonest overrides are taken over, which begin until 2026-0"
    )


def test_the_latest_version_of_an_event_counts() -> None:
    """In any order; called off, there is none, nor are its moved occurrences."""
    later = "UID:1 SEQUENCE:2 DTSTART:20260105T190000Z DURATION:PT1H SUMMARY:alice"
    gone = "UID:1 SEQUENCE:3 DTSTART:20260105T090000Z STATUS:CANCELLED"
    moved = (
        "UID:1 RECURRENCE-ID:20260106T090000Z DTSTART:20260106T190000Z DURATION:PT2H SUMMARY:bob"
    )
    for events in ((DAILY, later), (later, DAILY)):
        assert found(*events) == [("alice", "01-05 20:00", "01-05 21:00")]
    assert found(moved, DAILY, gone, later) == []


def test_several_calendars_after_each_other_are_one() -> None:
    """One that calls off what another holds does so."""
    alice = calendar("UID:2 DTSTART:20260105T190000Z DURATION:PT1H SUMMARY:alice")
    both = calendar(DAILY) + alice
    off = calendar(DAILY.replace("RRULE:FREQ=DAILY;COUNT=3 ", ""))
    off = off.replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:CANCEL")

    def who(body: bytes) -> list[int]:
        found, _ = overrides_in(body, PEOPLE, zone=BERLIN, after=YEAR[0], before=YEAR[1])
        return [each.person for each in found]

    assert who(both) == [1, 2, 1, 1]
    assert who(both + off) == [2]


def test_a_whole_day_may_end_on_the_day_on_which_it_begins() -> None:
    event = "UID:1 DTSTART;VALUE=DATE:20260105 DTEND;VALUE=DATE:20260105 SUMMARY:bob"
    assert found(event) == [("bob", "01-05 00:00", "01-06 00:00")]


LINES = [
    *DAILY.split(),
    "RDATE;VALUE=PERIOD:20260107T090000Z/PT2H",
    "EXDATE:20260106T090000Z",
    "RECURRENCE-ID:20260106T090000Z",
    "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com",
]


@given(st.sampled_from(LINES), st.text(max_size=40))
@settings(max_examples=150)
def test_rubbish_is_no_error_of_ours_and_takes_nothing_else_away(line: str, rubbish: str) -> None:
    broken = " ".join(each for each in LINES if each != line).replace("UID:1", "UID:2")
    body = calendar("UID:8 DTSTART:20260201T090000Z DURATION:PT1H SUMMARY:alice", broken)
    name = line.split(":", maxsplit=1)[0]
    body = body.replace(b"UID:2", f"UID:2\r\n{name}:{rubbish}".encode())
    with contextlib.suppress(Unreadable):
        overrides, _ = overrides_in(body, PEOPLE, zone=BERLIN, after=YEAR[0], before=YEAR[1])
        assert 2 in {each.person for each in overrides}


def own_zone(offset: str, *, is_last: bool = False) -> bytes:
    """Return bob's day from midnight on, in a zone that the calendar defines."""
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    ).encode()
    name = "TZID=Customized_Time_Zone"
    body = calendar(f"UID:1 DTSTART;{name}:20260105T000000 DURATION:PT1H SUMMARY:bob")
    body = body.replace(b"Customized_Time_Zone", b"Customized Time Zone")
    mark = b"END:VCALENDAR" if is_last else b"BEGIN:VEVENT"
    return body.replace(mark, zone + mark)


@pytest.mark.parametrize("is_last", [False, True])
def test_zones_of_one_calendar_are_not_those_of_another(is_last: bool) -> None:
    """Outlook calls each zone of one's own "Customized Time Zone"."""
    for offset, hour in (("+0100", 23), ("-0500", 5), ("+0530", 18)):
        (override,), said = overrides_in(
            own_zone(offset, is_last=is_last), PEOPLE, zone=BERLIN, after=YEAR[0], before=YEAR[1]
        )
        assert (override.starts_at.hour, said) == (hour, [])
    # What no calendar defines is not known, whatever the one before it defined.
    undefined = (
        b"\r\n".join(
            line
            for line in own_zone("-0500").split(b"\r\n")
            if not line.startswith((b"TZID", b"TZOFF"))
        )
        .replace(b"BEGIN:VTIMEZONE", b"BEGIN:X-NONE")
        .replace(b"END:VTIMEZONE", b"END:X-NONE")
    )
    (override,), said = overrides_in(undefined, PEOPLE, zone=BERLIN, after=YEAR[0], before=YEAR[1])
    assert override.starts_at.hour == 23
    assert "is not known" in said[0]


@pytest.mark.parametrize("name", ["Europe", "America", "A" * 300])
def test_a_zone_that_is_no_zone_spoils_only_its_own_event(name: str) -> None:
    """Of the names of files, one is a folder, one longer than any: the rest is read."""
    wrong = f"UID:2 DTSTART;TZID={name}:20260201T090000 DURATION:PT1H SUMMARY:alice"
    assert found(DAILY, wrong) == [*DAYS, ("alice", "02-01 09:00", "02-01 10:00")]
    assert remarks(wrong) == [
        f"The time zone {name} is not known: its times are read by the clock of {BERLIN}."
    ]
