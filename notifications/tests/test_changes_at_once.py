"""A way to be reached, changed by two at once: neither undoes what the other did."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person
from core import encryption
from core.errors import NotFound
from core.models import AuditEntry
from notifications.admin import ContactMethodAdmin
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.services.contacts import remove_method, rename_method, renew_secret
from notifications.services.switching import set_enabled

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
WHO: dict[str, Any] = {"actor": "test", "now": NOW}


def webhook() -> ContactMethod:
    return ContactMethod.objects.create(
        person=person("alice"),
        kind=Kind.WEBHOOK,
        label="mine",
        sealed_address=encryption.encrypt("https://hooks.example.com/x"),
        sealed_secret=encryption.encrypt("whsec_first"),
        verified_at=NOW,
    )


@contextmanager
def renewed_while_the_admin_saves(method: ContactMethod) -> Iterator[None]:
    """Have its owner renew the secret once the admin's form was read."""
    save = ContactMethodAdmin.save_model

    def renew_and_save(*args: Any, **kwargs: Any) -> None:
        renew_secret(method, **WHO)
        save(*args, **kwargs)

    with patch.object(ContactMethodAdmin, "save_model", renew_and_save):
        yield


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"label": "mine"}, {"contact_method.disabled"}),
        ({"label": "new", "is_enabled": "on"}, {"contact_method.renamed"}),
        ({"label": "new"}, {"contact_method.disabled", "contact_method.renamed"}),
        ({"label": "mine", "is_enabled": "on"}, set()),
    ],
)
def test_the_admin_changes_what_was_changed_and_tells_it_once(
    client: Client, form: dict[str, str], told: set[str]
) -> None:
    """A secret that its owner renews meanwhile stays the new one."""
    client.force_login(person("root", Role.ADMIN))
    method = webhook()
    page = f"/admin/notifications/contactmethod/{method.pk}/change/"
    with renewed_while_the_admin_saves(ContactMethod.objects.get()):
        assert client.post(page, form).status_code == 302
    stored = ContactMethod.objects.get()
    assert stored.sealed_secret != method.sealed_secret
    assert (stored.label, stored.is_enabled) == (form["label"], "is_enabled" in form)
    acts = list(AuditEntry.objects.values_list("act", flat=True))
    assert sorted(acts) == sorted({*told, "contact_method.secret_renewed"})


def test_what_was_removed_meanwhile_is_not_there_any_more() -> None:
    """Whoever comes second hears so, and nothing is told of it."""
    as_read = webhook()
    remove_method(ContactMethod.objects.get(), **WHO)
    for act in (
        lambda: remove_method(as_read, **WHO),
        lambda: renew_secret(as_read, **WHO),
        lambda: rename_method(as_read, label="new", **WHO),
        lambda: set_enabled(as_read, enabled=False, **WHO),
    ):
        with pytest.raises(NotFound):
            act()
    assert AuditEntry.objects.count() == 1


def test_switching_off_twice_is_off() -> None:
    """Whoever read it before it was switched off does not tell it again."""
    as_read = webhook()
    set_enabled(ContactMethod.objects.get(), enabled=False, **WHO)
    set_enabled(as_read, enabled=False, **WHO)
    assert not ContactMethod.objects.get().is_enabled
    assert AuditEntry.objects.count() == 1
