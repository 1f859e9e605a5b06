"""The database itself says which values are taken, where two store them in the same moment."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model
from rest_framework.views import APIView

from catalog.models import Dependency, Service, Team
from core.models import JobSlot
from core.problems import exception_handler
from core.taken import taken_fields
from users_api.models import Person

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def refused(row: Model) -> IntegrityError:
    """Return what storing a row without any check ends with."""
    with pytest.raises(IntegrityError) as told, transaction.atomic():
        row.save(force_insert=True)
    return told.value


def test_taken_columns_are_told_by_their_fields() -> None:
    one, other = (Service.objects.create(slug=slug, name=slug) for slug in ("one", "other"))
    Dependency.objects.create(service=one, target=other)
    assert taken_fields(refused(Service(slug="one", name="x")), Service) == ["slug"]
    twice = refused(Dependency(service=one, target=other))
    assert taken_fields(twice, Dependency) == ["service", "target"]


def test_what_else_is_refused_names_nothing() -> None:
    """A check of the table, or a row of another kind than was sent."""
    one = Service.objects.create(slug="one", name="One")
    assert taken_fields(refused(Dependency(service=one, target=one)), Dependency) == []
    assert taken_fields(refused(Service(slug="one", name="x")), Team) == []
    assert taken_fields(IntegrityError("made by nobody"), Service) == []


def test_the_api_names_fields_of_its_own_rows_only() -> None:
    Service.objects.create(slug="one", name="One")
    error = refused(Service(slug="one", name="x"))
    for model, named in ((Service, ["slug"]), (JobSlot, []), (None, [])):
        view = APIView()
        if model:
            view.queryset = model._default_manager.all()  # type: ignore[attr-defined]
        answer = exception_handler(error, {"view": view})
        assert answer is not None
        assert answer.status_code == 409
        assert list(answer.data.get("errors", [])) == named
        assert "one" not in str(answer.data)


@pytest.mark.parametrize("email", ["a@example.com", "A@example.com"])
def test_columns_within_expressions_are_told_where_the_database_does(email: str) -> None:
    Person.objects.create(name="A", email="a@example.com")
    named = taken_fields(refused(Person(name="B", email=email)), Person)
    # SQLite tells the name of the index alone.
    assert named in (["email"], [])
