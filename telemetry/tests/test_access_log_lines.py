"""What a line of an access log says."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.domain.access_logs import alb, combined
from telemetry.domain.access_logs.combined import Unit
from telemetry.domain.access_logs.lines import LoggedRequest, NotUnderstood
from telemetry.domain.access_logs.reading import Format, UnknownFormat, choose
from telemetry.tests import access_logs as logs
from telemetry.tests.builders import NOW


def test_a_line_of_nginx_in_seconds() -> None:
    """$request_time is seconds with three decimals; the query stays with the target."""
    found = combined.parse(logs.combined("/a?b=1", duration="1.250"), Unit.SECONDS)
    assert found == LoggedRequest(NOW.timestamp(), "GET", "/a?b=1", 200, 1250.0)


def test_a_line_of_apache_in_microseconds() -> None:
    """%D is whole microseconds."""
    found = combined.parse(logs.combined(duration="150500"), Unit.MICROSECONDS)
    assert found is not None
    assert found.duration_ms == pytest.approx(150.5)


def test_the_zone_of_a_line_counts() -> None:
    """The same instant in two zones is the same instant."""
    utc = logs.combined()
    tokyo = utc.replace("10:05:30 +0000", "19:05:30 +0900")
    assert combined.parse(utc, Unit.SECONDS) == combined.parse(tokyo, Unit.SECONDS)


@pytest.mark.parametrize(
    "line",
    [
        f"shop.example:443 {logs.combined()}",
        logs.combined().replace(" 0.012", ' "198.51.100.4, 10.0.0.1" 0.012'),
        logs.combined().replace(" 0.012", " rt=0.012"),
        logs.combined().replace(' "-" "curl/8.5 (a \\"b\\")"', ""),
    ],
    ids=["virtual host", "forwarded for", "named", "common format"],
)
def test_what_people_add_to_the_format_does_no_harm(line: str) -> None:
    """Only the time, the request, the status and the last field are read."""
    found = combined.parse(line, Unit.SECONDS)
    assert found is not None
    assert (found.status, found.duration_ms) == (200, 12.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "not in the combined format"),
        (logs.combined(duration="-"), "no duration at its end"),
        (logs.combined().removesuffix(" 0.012"), "no duration at its end"),
        (logs.combined(status=999), "is no HTTP status"),
        (logs.combined().replace("23/Nov", "31/Feb"), "is no time"),
        (logs.combined(duration="-0.5"), "no duration at its end"),
        (logs.combined(duration="nan"), "no duration at its end"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(line: str, reason: str) -> None:
    """Whoever reads the output can mend the log's format."""
    with pytest.raises(NotUnderstood, match=reason):
        combined.parse(line, Unit.SECONDS)


def test_what_a_scanner_sent_was_a_request() -> None:
    """The server answered 400: that is a request without a target."""
    line = logs.combined(request="\\x16\\x03\\x01", status=400)
    found = combined.parse(line, Unit.SECONDS)
    assert found is not None
    assert (found.method, found.target, found.status) == ("", "", 400)


@given(st.text(max_size=300))
def test_no_text_breaks_a_parser(text: str) -> None:
    """Anything is a request, nothing, or not understood."""
    for line in (text, logs.combined(request=text), logs.combined(duration=text), logs.alb(text)):
        for parse in (alb.parse, partial(combined.parse, unit=Unit.SECONDS)):
            with suppress(NotUnderstood):
                request = parse(line)
                assert request is None or request.duration_ms >= 0


def test_a_reason_is_one_short_line() -> None:
    """Whatever the log holds, a terminal can show what is said of it."""
    with pytest.raises(NotUnderstood) as error:
        combined.parse("\x1b[2J\n" * 900, Unit.SECONDS)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 200


def test_an_alb_adds_up_what_it_waited_for() -> None:
    """The time a client waits is that of request, target and response together."""
    found = alb.parse(logs.alb("/users/42?x=1"))
    assert found is not None
    assert found.target == "https://shop.example:443/users/42?x=1"
    assert (found.at, found.status) == (NOW.timestamp(), 200)
    assert found.duration_ms == pytest.approx(125.0)


def test_an_unanswered_alb_request_lasted_until_the_load_balancer_gave_up() -> None:
    """-1 is no duration: the client waited from its request to the 504."""
    line = logs.alb(status="504", times="0.001 -1 -1", waited=timedelta(seconds=60))
    found = alb.parse(line)
    assert found is not None
    assert (found.status, found.duration_ms) == (504, pytest.approx(60_000))


def test_an_old_alb_line_without_its_creation_lasted_what_is_known() -> None:
    """Logs of before that field: the parts that happened."""
    line = logs.alb(status="502", times="0.250 -1 -1").partition(' "Root=')[0]
    found = alb.parse(line)
    assert found is not None
    assert found.duration_ms == pytest.approx(250)


def test_a_websocket_is_no_request() -> None:
    """How long a connection was open is no latency."""
    assert alb.parse(logs.alb(kind="wss", status="101")) is None
    assert combined.parse(logs.combined(status=101), Unit.SECONDS) is None


@pytest.mark.parametrize(
    "line",
    [
        logs.combined(),
        logs.alb(kind="tcp"),
        logs.alb(times="a b c"),
        logs.alb(times="-5 0 0"),
        logs.alb(status="-"),
        " ".join(logs.alb().split(" ")[:9]),
    ],
)
def test_a_line_that_is_not_of_an_alb_is_refused(line: str) -> None:
    """Another type, no figures, too few fields."""
    with pytest.raises(NotUnderstood):
        alb.parse(line)


@pytest.mark.parametrize(
    ("lines", "form", "unit"),
    [
        ([logs.combined(duration="0.000")], Format.COMBINED, Unit.SECONDS),
        ([logs.combined(duration="1234")], Format.COMBINED, Unit.MICROSECONDS),
        (["garbage", logs.combined(duration="1234")], Format.COMBINED, Unit.MICROSECONDS),
        ([logs.alb()], Format.ALB, None),
    ],
)
def test_format_and_unit_are_found_by_the_first_lines(
    lines: list[str], form: Format, unit: Unit | None
) -> None:
    """nginx always writes decimals and Apache never does, so they cannot be confused."""
    found = choose(lines, told=None, unit=None)
    assert (found.format, found.unit) == (form, unit)


def test_milliseconds_must_be_told() -> None:
    """`%{ms}T` looks like microseconds: only whoever wrote the format knows."""
    found = choose([logs.combined(duration="12")], told=None, unit=Unit.MILLISECONDS)
    request = found.parse(logs.combined(duration="12"))
    assert request is not None
    assert request.duration_ms == 12.0


def test_a_log_of_no_known_format_is_refused() -> None:
    """Nothing is guessed from lines that nobody understands."""
    with pytest.raises(UnknownFormat, match="not in the"):
        choose(["Nov 23 10:05:30 host sshd[1]: hello"], told=None, unit=None)
