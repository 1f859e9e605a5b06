"""What a mapping makes is bounded by what it gets: no expression keeps an alert, or a preview, waiting."""

import time

import pytest

from incidents.domain.formats.context import Context
from incidents.domain.formats.generic import check_mapping, read
from incidents.domain.payloads import Unreadable
from incidents.models import Alert, InboundEvent, Integration
from incidents.queries.previews import previews
from incidents.tests.senders import integration_of, post

DOUBLINGS = "|".join(["[@,@]"] * 22)
TOO_MUCH = [
    DOUBLINGS,
    "|".join(["[@,@]"] * 160),
    "|".join(["join('',[@,@])"] * 6),
    "a.[@,@].[@,@].[@,@].[@,@].[@,@].[@,@].[@,@]",
    "map(&[@,@,@,@,@,@], map(&[@,@,@,@,@,@], @))",
    "[*].[@,@,@,@,@,@] | [*].[@,@,@,@,@,@]",
    "{a: @, b: @} | {a: @, b: @} | {a: @, b: @, c: @, d: @} | {a: @, b: @, c: @, d: @}",
    "'x' | " + DOUBLINGS,
    "not_null(" + DOUBLINGS + ")",
    "sort_by(@, &a) | " + DOUBLINGS,
]
SENSIBLE = [
    "title",
    "join(' on ', [name, host])",
    "up && 'ok' || 'down'",
    "alerts[?status == 'firing' && severity != 'info'] | [0].labels.{a: x, b: y}",
    "join(', ', [a, b, c, d, e, f, g, h, i, j, k])",
    "map(&join(':', [@.name, @.value]), tags) | join(' ', @)",
    "checks[*].{title: name, state: status, at: time} | [?title]",
    "to_string(@)",
    "max_by(checks, &level).name",
    "sort_by(checks, &level)[*].name | map(&join('', [@, '!']), @)",
    "labels[].name | sort(@) | [0:5] | join(',', @)",
]


@pytest.mark.parametrize("expression", TOO_MUCH)
def test_one_that_makes_too_much_is_refused_at_once(expression: str) -> None:
    """Also where it was stored before: the body is then kept unread."""
    began = time.process_time()
    wrong = check_mapping({"detail": expression})
    assert wrong == {"detail": "It makes too much: more than 32 times what it gets."}
    context = Context("generic", mapping={"detail": expression})
    with pytest.raises(Unreadable, match=r"^detail: the expression makes too much"):
        read({"title": "t", "a": [1] * 5000}, context)
    assert time.process_time() - began < 0.5


LOOSE = [
    "to_array(&a)",
    "&a",
    "not_null(&a, b)",
    "type(&@)",
    "[0] | &a",
    "map(&[0], [&a])",
    "{a: &a}",
]


@pytest.mark.parametrize("expression", LOOSE)
def test_an_expression_is_no_value(expression: str) -> None:
    """What would be an object of Python's, and no text, is refused before it is saved, and after."""
    said = "has an & elsewhere than in map, max_by, min_by, sort_by"
    assert check_mapping({"title": expression}) == {"title": f"It {said}."}
    with pytest.raises(Unreadable, match=f"^title: the expression {said}"):
        read({"title": "t", "a": 1}, Context("generic", mapping={"title": expression}))


@pytest.mark.parametrize("expression", SENSIBLE)
def test_what_people_write_is_taken(expression: str) -> None:
    assert check_mapping({"detail": expression}) == {}


@pytest.mark.django_db
@pytest.mark.both_databases
def test_its_alerts_are_kept_and_its_preview_says_why() -> None:
    integration, key = integration_of("generic")
    Integration.objects.filter(pk=integration.pk).update(mapping={"detail": DOUBLINGS})
    answer = post(f"/integrations/v1/generic/{key}/", {"title": "Disk full"})
    assert answer.status_code == 400
    assert (InboundEvent.objects.get().state, Alert.objects.count()) == ("unparsed", 0)
    (preview,) = previews(integration, {"detail": DOUBLINGS})
    assert preview.problem.startswith("detail: the expression makes too much")
