"""What calls a team, or a channel of it, which is therefore not deleted."""

from django.db.models import Q

from catalog.models import Team
from core.locking import locked
from notifications.models import ContactMethod
from oncall.models import FallbackContact, LevelTarget

__all__ = ["callers_of"]


def callers_of(team: Team) -> list[str]:
    """Return what calls a team or its channels, in words, and keep others from calling a channel."""
    for channel in ContactMethod.objects.filter(team=team).order_by("pk"):
        locked(channel, to_delete=True)
    calls = LevelTarget.objects.filter(Q(team=team) | Q(channel__team=team)).order_by()
    names = calls.values_list("level__policy__name", flat=True).distinct()
    callers = [f"the policy {name}" for name in sorted(names)]
    if FallbackContact.objects.filter(channel__team=team).exists():
        callers.append("the fallback contact")
    return callers
