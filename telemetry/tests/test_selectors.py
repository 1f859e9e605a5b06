"""Selectors say what they select, and what is wrong with them."""

import pytest

from telemetry.domain.selectors import Matcher, Selector, SelectorError, parse


def test_a_selector_is_a_name_and_its_conditions() -> None:
    """Dots need no quotes, anything else does; a comma may end the list."""
    assert parse(' jobs.done{ queue = "mail", "a key"!="b" ,}') == Selector(
        "jobs.done", (Matcher("queue", "=", "mail"), Matcher("a key", "!=", "b"))
    )
    assert parse('"(other)"') == Selector("(other)")


def test_a_pattern_must_fit_the_whole_value() -> None:
    """As in Prometheus, where mail does not select mailbox."""
    selector = parse('jobs{queue=~"mail|bills"}')
    assert selector.fits("jobs", {"queue": "mail"})
    assert not selector.fits("jobs", {"queue": "mailbox"})
    assert not selector.fits("other", {"queue": "mail"})


def test_a_missing_attribute_is_an_empty_one() -> None:
    """Both for equality and for patterns."""
    assert parse('jobs{queue=""}').fits("jobs", {})
    assert parse('jobs{queue!~".+"}').fits("jobs", {})
    assert not parse('jobs{queue!=""}').fits("jobs", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected the name of a metric at character 1."),
        ("{a='b'}", "Expected the name of a metric at character 1."),
        ("jobs done", "Expected { or the end, found 'd' at character 6."),
        ("jobs{", "Expected the name of an attribute at character 6."),
        ("jobs{a}", "Expected =, !=, =~ or !~ at character 7."),
        ("jobs{a='b'}", 'Expected a value in double quotes, like "mail" at character 8.'),
        ('jobs{a="b" c="d"}', "Expected , or } at character 12."),
        (r'jobs{a="\q"}', "Expected JSON's escapes in the quoted text at character 8."),
        ('jobs{a=~"("}', "Not a regular expression"),
        ('jobs{a=~"(?=a)b"}', "Not a regular expression"),
        (f'jobs{{a=~"{201 * "a"}"}}', "at most 200 characters at character 9."),
        ("j" * 2_001, "Is longer than 2000 characters at character 2000."),
    ],
)
def test_what_is_wrong_is_said_with_its_position(text: str, message: str) -> None:
    """The admin shows it beside the field."""
    with pytest.raises(SelectorError) as error:
        parse(text)
    assert message in str(error.value)
