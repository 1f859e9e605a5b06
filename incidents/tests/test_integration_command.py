"""`manage.py integration create`."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from catalog.models import Service
from incidents.models import Integration
from incidents.tests import bodies
from incidents.tests.senders import post

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", Integration.Kind.values)
def test_prints_a_key_and_where_to_send(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    Service.objects.create(slug="shop", name="Shop")
    call_command("integration", "create", kind, "--service", "shop")
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"kind", "key", "url", "service"}
    assert (made["kind"], made["service"]) == (kind, "shop")
    assert made["url"].startswith("http")
    if "/integrations/" in made["url"] and kind in bodies.WEBHOOKS:
        path = "/" + made["url"].split("/", 3)[3]
        assert post(path, bodies.WEBHOOKS[kind]).status_code == 200


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(CommandError, match="no service none") as stopped:
        call_command("integration", "create", "generic", "--service", "none")
    assert stopped.value.returncode == 2


def test_a_value_that_cannot_be_is_bad_usage_and_named() -> None:
    Service.objects.create(slug="shop", name="Shop")
    with pytest.raises(CommandError, match="name: Ensure this value has at most") as stopped:
        call_command("integration", "create", "generic", "--service", "shop", "--name", "x" * 300)
    assert stopped.value.returncode == 2
    assert not Integration.objects.exists()
