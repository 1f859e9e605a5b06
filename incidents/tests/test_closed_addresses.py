"""Addresses that no key opens: after a restore beside another key, or with another ENCRYPTION_KEYS."""

from datetime import UTC, datetime

import pytest
from django.conf import LazySettings
from django.test import Client

from incidents.models import Page
from incidents.tests.oncall_portal import Portal, portal
from notifications.models import ContactMethod
from oncall.models import FallbackContact
from sreportal.diagnosis import Verdict, examine

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NO_KEY = "No key of ENCRYPTION_KEYS opens its address."


def test_whoever_it_was_for_is_passed_over_at_once(portal: Portal, settings: LazySettings) -> None:
    """Trying again cannot help: the next level follows, and in the end the fallback contact."""
    settings.ENCRYPTION_KEYS = ["another key"]
    FallbackContact.objects.create(person=portal.add_person("eve"))
    incident = portal.open_incident()
    assert portal.paged() == [(0, "eve")]
    lost = Page.objects.filter(state=Page.State.FAILED)
    assert set(lost.values_list("target", "attempts", "problem")) == {
        (f"user:{name}", 1, NO_KEY) for name in portal.names
    }
    assert incident.timeline.filter(text__contains=NO_KEY).exists()


def test_doctor_says_which_keys_are_missing(portal: Portal, settings: LazySettings) -> None:
    def encryption() -> tuple[Verdict, str]:
        found = next(each for each in examine(now=datetime.now(UTC)) if each.name == "encryption")
        return found.verdict, found.detail

    assert encryption()[0] is Verdict.OK
    settings.ENCRYPTION_KEYS = ["another key"]
    verdict, detail = encryption()
    assert verdict is Verdict.WRONG
    assert "4 of notifications.contactmethod.sealed_address" in detail
    assert "ENCRYPTION_KEYS" in detail


def test_their_owner_sees_it_and_adds_them_again(
    portal: Portal, settings: LazySettings, client: Client
) -> None:
    alice = portal.people["alice"]
    settings.ENCRYPTION_KEYS = ["another key"]
    client.force_login(alice)
    page = client.get("/contact/")
    assert "cannot be read: remove it, add it again" in page.content.decode()
    method = ContactMethod.objects.get(person=alice)
    answer = client.post(f"/contact/{method.pk}/test/", follow=True)
    assert "No key of ENCRYPTION_KEYS opens its address" in answer.content.decode()
    client.post(f"/contact/{method.pk}/remove/")
    assert not ContactMethod.objects.filter(person=alice).exists()
