"""Rows that are written together, and instances that are made without their `__init__`."""

import uuid
from typing import Any

import pytest

from core.inserts import Inserts, made
from incidents.models import Alert, InboundEvent, Incident, LadderSnapshot
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("model", [Alert, Incident, InboundEvent])
def test_what_is_made_is_as_its_model_makes_it(
    model: type[Alert | Incident | InboundEvent],
) -> None:
    given: dict[str, Any] = {"uid": uuid.uuid4()} if model is InboundEvent else {}
    quick, usual = made(model, **given), model(**given)
    values = [
        {field.attname: getattr(each, field.attname) for field in model._meta.concrete_fields}
        for each in (quick, usual)
    ]
    assert values[0] == values[1]
    assert quick._state.adding
    assert quick.pk is None


def test_two_that_are_made_share_nothing_that_changes() -> None:
    one, other = made(Alert), made(Alert)
    one.labels["a"] = "b"
    assert other.labels == {}
    assert Alert().labels == {}


def test_what_a_foreign_key_leads_to_is_at_hand(django_assert_num_queries: object) -> None:
    integration, _ = integration_of("generic")
    with django_assert_num_queries(0):  # type: ignore[operator]
        alert = made(Alert, related={"integration": integration}, title="t")
        assert alert.integration is integration
        assert alert.integration_id == integration.pk
        assert alert.title == "t"


def test_a_row_that_is_there_is_left_as_it_is() -> None:
    LadderSnapshot.objects.create(digest="b", content={"n": 1})
    inserts = Inserts()
    for digest in ("c", "b", "a", "c"):
        inserts.add_unless_there(LadderSnapshot, digest=digest, content={"n": 2})
    inserts.write()
    stored = LadderSnapshot.objects.order_by("digest").values_list("digest", "content")
    assert list(stored) == [("a", {"n": 2}), ("b", {"n": 1}), ("c", {"n": 2})]
