"""Two people change one thing in the same moment: what both did stands."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.clock import now
from core.errors import NotFound
from slo.models import Annotation, BudgetPolicy, Sli, Slo, Source, ThresholdRule
from slo.services import annotations, objectives, policies, rules, sources
from slo.tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
KINDS: tuple[Any, ...] = (Sli, Slo, Source, BudgetPolicy, ThresholdRule)


def save(row: Any, **fields: Any) -> None:
    """Change a row by the service of its kind."""
    said: dict[str, Any] = {"actor": "test", "now": now(), "fields": fields}
    if isinstance(row, Sli):
        objectives.change_sli(sli=row, **said)
    elif isinstance(row, Slo):
        objectives.change_slo(slo=row, **said)
    elif isinstance(row, Source):
        sources.save_source(row, **said)
    elif isinstance(row, BudgetPolicy):
        policies.save_policy(row, **said)
    elif isinstance(row, ThresholdRule):
        rules.save_rule(row, **said)


def stored() -> list[Any]:
    """Return one row of each kind that people edit."""
    World()
    fields = {"slug": "prom", "kind": "prometheus", "url": "https://prom.example.org"}
    save(Source(), **fields)
    save(BudgetPolicy(), slug="strict", name="Strict")
    return [kind.objects.all()[0] for kind in KINDS]


def other_field(row: Any) -> tuple[str, Any]:
    """Return a field besides the slug, and another value for it."""
    if isinstance(row, Source):
        return "delay_minutes", 7
    return ("description", "Other.") if isinstance(row, Sli | Slo) else ("name", "Other")


def test_fields_that_others_changed_meanwhile_stay_so() -> None:
    for row in stored():
        name, value = other_field(row)
        as_read = type(row).objects.get(pk=row.pk)
        save(row, **{name: value})
        save(as_read, slug="another")
        now_stored = type(row).objects.get(pk=row.pk)
        assert (getattr(now_stored, name), now_stored.slug) == (value, "another"), type(row)


def test_what_was_deleted_meanwhile_is_not_there_again() -> None:
    for row in reversed(stored()):
        as_read = type(row).objects.get(pk=row.pk)
        if isinstance(row, Sli):
            row.slos.all().delete()
        row.delete()
        with pytest.raises(NotFound):
            save(as_read, slug="another")
        assert not type(row).objects.filter(pk=as_read.pk).exists()


def test_a_source_that_failed_meanwhile_keeps_its_pause() -> None:
    """The tick notes it while somebody edits the source."""
    stored()
    as_read = Source.objects.get()
    later = now() + timedelta(minutes=5)
    Source.objects.update(busy_until=later, last_error="refused")
    save(as_read, delay_minutes=7)
    source = Source.objects.get()
    assert (source.busy_until, source.last_error, source.delay_minutes) == (later, "refused", 7)


def test_an_objective_is_set_of_what_is_stored() -> None:
    stored()
    slo = Slo.objects.all()[0]
    as_read = Slo.objects.get(pk=slo.pk)
    save(slo, name="Renamed")
    save(as_read, objective=Decimal("0.42"))
    slo = Slo.objects.get(pk=slo.pk)
    assert (slo.name, slo.objective) == ("Renamed", Decimal("0.42"))


def test_an_annotation_that_was_removed_meanwhile_is_not_there_again() -> None:
    fields: dict[str, Any] = {"service": World().service, "title": "Deploy", "starts_at": now()}
    said: dict[str, Any] = {"actor": "test", "now": now()}
    row = annotations.annotate(**fields, **said)
    as_read = Annotation.objects.get()
    annotations.remove(row, **said)
    with pytest.raises(NotFound):
        annotations.annotate(**fields, **said, known=as_read)
    assert not Annotation.objects.exists()
