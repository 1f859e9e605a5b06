"""Telling whoever is offered a role: by their rules for what can wait, so nobody is woken for it."""

from datetime import datetime

from accounts.models import User
from incidents.domain.page_reasons import OFFERED
from incidents.domain.roles import RoleName
from incidents.models import Incident, Page
from incidents.services import pages
from incidents.services.pages import Calls, Place, Ways
from oncall.domain.escalations import Urgency

__all__ = ["take_back", "tell"]

ANSWERED = "It was answered, or is offered no more."


def tell(incident: Incident, role: RoleName, person: User, *, now: datetime) -> int:
    """Tell somebody that they are offered a role; returns how many pages that makes.

    Who has no rules for low urgency, or none that lead to a usable method, sees it on the pages
    only, as with news of answers.
    """
    # Each offer is told anew, also in the moment in which another one was taken back.
    told = Page.objects.filter(incident=incident, reason__startswith=_reason(role)).count()
    reason = f"{_reason(role)} {told + 1}"
    place = Place(incident.cycle, incident.severity, reason, urgency=Urgency.LOW)
    ways = Ways(now).of_news(person)
    return pages.insert([Calls(place, way, [(incident.pk, None)]) for way in ways], now=now)


def take_back(incident: Incident, role: RoleName) -> None:
    """Take back what has not been sent yet."""
    waiting = Page.objects.filter(incident=incident, state=Page.State.WAITING)
    waiting.filter(reason__startswith=_reason(role)).update(
        state=Page.State.CANCELLED, problem=ANSWERED
    )


def _reason(role: RoleName) -> str:
    return f"{OFFERED} {role}"
