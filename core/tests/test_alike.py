"""Rows of kinds arrive as if each had been written by itself, on both databases."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from core.alike import insert_alike, update_alike
from core.tests.test_bulk import alert
from incidents.models import Alert

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
AT = datetime(2026, 5, 3, 12, tzinfo=UTC)
ODD = ['" , {}', "\\", "'%s $1", "é 😀", "NULL", ""]


def _shared(**columns: object) -> dict[str, object]:
    return {n: v for n, v in alert(**columns).items() if n not in {"dedup_key", "service_id"}}


def test_rows_have_what_their_kind_has_and_their_own_in_their_order() -> None:
    kinds = [_shared(title="one", facts={"a": [1]}), _shared(title="two", opened_at=AT)]
    numbers = [1, 0, 1, 0, 0, 1]
    own: dict[str, list[Any]] = {"dedup_key": ODD, "service_id": [None] * 6}
    insert_alike(Alert, kinds, numbers, own)
    stored = Alert.objects.order_by("pk").values_list("dedup_key", "title", "service")
    assert list(stored) == [
        (key, ("one", "two")[number], None) for key, number in zip(ODD, numbers, strict=True)
    ]
    of_kind = {alert.title: (alert.opened_at, alert.facts) for alert in Alert.objects.all()}
    assert of_kind == {"one": (kinds[0]["opened_at"], {"a": [1]}), "two": (AT, {})}


def test_what_exists_already_is_left_where_that_is_asked_for() -> None:
    own: dict[str, list[Any]] = {"dedup_key": ["k", "l"], "service_id": [None, None]}
    insert_alike(Alert, [_shared()], [0, 0], own)
    insert_alike(Alert, [_shared()], [0, 0], own, on_conflict="DO NOTHING")
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_alike(Alert, [_shared()], [0, 0], own)
    assert Alert.objects.count() == 2


def test_changes_reach_the_rows_that_are_as_they_were() -> None:
    kind = [_shared()]
    insert_alike(Alert, kind, [0] * 4, {"dedup_key": list("abcd"), "service_id": [None] * 4})
    ids = list(Alert.objects.order_by("pk").values_list("pk", flat=True))
    Alert.objects.filter(pk=ids[1]).update(count=7)
    Alert.objects.filter(pk=ids[2]).update(state="resolved", resolved_at=AT)
    changes = [
        {"title": "new", "facts": {"b": 1}, "was": 1},
        {"title": "newer", "facts": {}, "was": 1},
    ]
    changed = update_alike(
        Alert,
        changes,
        [0, 0, 0, 1],
        ids,
        matching={"was": "count"},
        only_if="incidents_alert.state = 'firing'",
    )
    assert changed == {ids[0], ids[3]}
    titles = Alert.objects.order_by("pk").values_list("title", flat=True)
    assert list(titles) == ["new", "t", "t", "newer"]
    assert Alert.objects.get(pk=ids[0]).facts == {"b": 1}


def test_nothing_is_asked_of_the_database_for_nothing(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        insert_alike(Alert, [], [], {"dedup_key": []})
        assert update_alike(Alert, [], [], []) == set()
