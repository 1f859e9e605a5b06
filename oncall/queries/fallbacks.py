"""Who is called when nobody else can be."""

from accounts.models import User
from accounts.roles import Role
from notifications.models import ContactMethod
from oncall.models import FallbackContact

__all__ = ["fallback_people"]


def fallback_people() -> tuple[list[User], list[ContactMethod]]:
    """Return people and channels of the fallback contact; where none is set, all active admins."""
    people, channels = [], []
    for row in FallbackContact.objects.select_related("person", "channel__team"):
        if row.person is not None and row.person.is_active:
            people.append(row.person)
        elif row.channel is not None and row.channel.is_usable:
            channels.append(row.channel)
    if not people and not channels:
        people = list(User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk")[:20])
    return people, channels
