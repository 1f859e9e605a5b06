"""A team that is called, by itself or by a channel, is not deleted: nobody would be called then."""

import pytest

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from catalog.models import Team
from core import encryption
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from oncall.models import EscalationPolicy, FallbackContact, LevelTarget, PolicyLevel

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def team() -> Team:
    return Team.objects.create(slug="shop", name="Shop")


@pytest.fixture
def channel(team: Team) -> ContactMethod:
    address = encryption.encrypt("https://hooks.example.com/x")
    return ContactMethod.objects.create(
        team=team, kind=Kind.WEBHOOK, label="room", sealed_address=address
    )


def level(name: str) -> PolicyLevel:
    policy = EscalationPolicy.objects.create(slug=name.lower(), name=name)
    return PolicyLevel.objects.create(policy=policy, number=1, name="First")


def test_by_the_api_it_says_what_calls_it(team: Team, channel: ContactMethod) -> None:
    """Once nothing does, it goes with its channels."""
    api = signed_in(Role.MANAGER)
    LevelTarget.objects.create(level=level("Web"), team=team)
    LevelTarget.objects.create(level=level("Bank"), channel=channel)
    fallback = FallbackContact.objects.create(channel=channel)
    said = send(api, "delete", "teams/shop/", status=409)["detail"]
    assert said == (
        "It is called by the policy Bank, the policy Web, the fallback contact: have them call"
        " somebody else first."
    )
    LevelTarget.objects.all().delete()
    send(api, "delete", "teams/shop/", status=409)
    fallback.delete()
    send(api, "delete", "teams/shop/", status=204)
    assert not ContactMethod.objects.exists()


def test_of_many_some_are_named(team: Team) -> None:
    for number in range(1, 6):
        LevelTarget.objects.create(level=level(f"P{number}"), team=team)
    said = send(signed_in(Role.MANAGER), "delete", "teams/shop/", status=409)["detail"]
    assert "P3 and others:" in said
    assert "P4" not in said


@pytest.mark.parametrize("page", ["/services/teams/shop/delete/", "/admin/catalog/team/{}/delete/"])
def test_pages_refuse_it_too(team: Team, page: str) -> None:
    target = LevelTarget.objects.create(level=level("Web"), team=team)
    client, page = signed_in(Role.ADMIN), page.format(team.pk)
    answer = client.post(page, {"post": "yes"})
    assert answer.status_code == 409
    assert "called by the policy Web" in answer.content.decode()
    target.delete()
    assert client.post(page, {"post": "yes"}).status_code == 302
    assert not Team.objects.exists()
