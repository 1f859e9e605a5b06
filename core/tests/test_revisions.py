"""A revision's token changes with every write to its tables, whoever writes, and never comes again."""

import pytest
from django.db import connection, transaction

from catalog.models import Service
from core.revisions import token_of
from incidents.models import Integration, ResponseTarget, Silence
from incidents.queries import configuration
from oncall.models import (
    EscalationPolicy,
    Holiday,
    HolidayCalendar,
    LevelTarget,
    PolicyLevel,
    ServicePolicy,
    Timing,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_every_watched_table_has_its_triggers() -> None:
    """A migration that makes a table anew on SQLite would lose them, and nobody would notice."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT event_object_table, trigger_name, event_manipulation"
                           " FROM information_schema.triggers")  # fmt: skip
            found = {(table, act) for table, name, act in cursor.fetchall() if "revise" in name}
        else:
            cursor.execute("SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'")
            found = {
                (table, name.rpartition("_")[2].upper())
                for table, name in cursor.fetchall()
                if "_revise_" in name
            }
    acts = ("INSERT", "UPDATE", "DELETE")
    assert found == {(table, act) for table in configuration.TABLES for act in acts}


def test_the_watched_tables_are_those_that_the_configuration_reads() -> None:
    models = (Integration, ResponseTarget, Silence, EscalationPolicy, PolicyLevel, LevelTarget,
              ServicePolicy, Timing, Holiday, HolidayCalendar)  # fmt: skip
    assert sorted(model._meta.db_table for model in models) == sorted(configuration.TABLES)


def test_each_kind_of_write_changes_the_token() -> None:
    seen = [token_of(configuration.REVISION)]
    policy = EscalationPolicy.objects.create(slug="p", name="P")
    seen.append(token_of(configuration.REVISION))
    EscalationPolicy.objects.filter(pk=policy.pk).update(name="Q")
    seen.append(token_of(configuration.REVISION))
    policy.delete()
    seen.append(token_of(configuration.REVISION))
    assert len(set(seen)) == 4


def test_other_tables_leave_it_as_it_is() -> None:
    EscalationPolicy.objects.create(slug="p", name="P")
    before = token_of(configuration.REVISION)
    Service.objects.create(slug="shop", name="Shop")
    assert token_of(configuration.REVISION) == before


def test_what_is_rolled_back_is_not_kept() -> None:
    service = Service.objects.create(slug="shop", name="Shop")
    EscalationPolicy.objects.filter(is_default=True).update(is_default=False)
    assert configuration.current().policies([service.pk]) == {service.pk: None}
    with transaction.atomic():
        policy = EscalationPolicy.objects.create(slug="p", name="P")
        ServicePolicy.objects.create(service=service, policy=policy)
        found = configuration.current().policies([service.pk])[service.pk]
        assert found is not None
        assert found.name == "P"
        transaction.set_rollback(True)
    assert configuration.current().policies([service.pk]) == {service.pk: None}


def test_it_is_kept_while_nothing_changes() -> None:
    EscalationPolicy.objects.create(slug="p", name="P")
    assert configuration.current() is configuration.current()


def test_unknown_keys_do_not_fill_the_memory() -> None:
    EscalationPolicy.objects.create(slug="p", name="P")
    kept = configuration.current()
    for number in range(100):
        assert kept.integration(f"{number:064}") is None
    assert kept._integrations == {}
