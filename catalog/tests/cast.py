"""Who and what the catalog's tests are about."""

from typing import Any

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service, Team


def person(name: str, role: Role = Role.VIEWER) -> User:
    """Make somebody who can sign in."""
    return User.objects.create_user(username=name, email=f"{name}@example.com", role=role)


def team(slug: str = "payments", *members: User) -> Team:
    """Make a team with its people."""
    made = Team.objects.create(slug=slug, name=slug.title())
    made.members.set(members)
    return made


def service(slug: str, **values: Any) -> Service:
    """Make a service called by its slug."""
    return Service.objects.create(**{"slug": slug, "name": slug, **values})
