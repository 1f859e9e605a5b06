"""An import beside a change of somebody who is in it: neither waits for the other for ever."""

from datetime import UTC, datetime

import pytest

from accounts.models import User
from accounts.tests.cast import person
from core.tests.crossing import cross
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from oncall.domain.exports.documents import Export, ImportedPerson, Way
from oncall.services.importing import import_export

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_people_are_held_before_anybody_is_told_of() -> None:
    alice = person("alice")
    way = Way(str(Kind.EMAIL), "pager@example.com", "Pager")
    export = Export(
        people=(
            ImportedPerson("1", "New", email="new@example.com"),
            ImportedPerson("2", "Alice", username="alice", ways=(way,)),
        )
    )
    cross(alice, lambda: import_export(export, actor="test", now=NOW, create_users=True))
    assert User.objects.filter(email="new@example.com").exists()
    assert ContactMethod.objects.get().person == alice
