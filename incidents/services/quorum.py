"""Counting answers where a level asks for several people. The caller holds the incident's lock."""

from datetime import datetime

from accounts.models import User
from core.audit import Who
from incidents.models import Acknowledgement, Incident, Page
from incidents.queries.quorum import Quorum, needed_for
from incidents.services.acts import name_of
from incidents.services.pages import HAS_ANSWERED, of_news

__all__ = ["count_answer"]


def count_answer(incident: Incident, *, now: datetime, actor: Who, person: User | None) -> Quorum:
    """Count somebody's answer; they are not called again, whether it was the last one or not.

    Where one answer is enough nothing is stored.
    """
    needed = needed_for(incident)
    if needed == 1:
        return Quorum(1, 1)
    Acknowledgement.objects.get_or_create(
        incident=incident,
        cycle=incident.cycle,
        actor=name_of(actor)[:200],
        defaults={"person": person, "at": now},
    )
    if person is not None:
        calls = Page.objects.filter(incident=incident, person=person, state=Page.State.WAITING)
        calls.exclude(of_news()).update(state=Page.State.CANCELLED, problem=HAS_ANSWERED)
    count = Acknowledgement.objects.filter(incident=incident, cycle=incident.cycle).count()
    return Quorum(count, needed)
