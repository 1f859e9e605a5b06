"""Buttons of messages: pressed long after the message was sent, twice, or told of twice."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction

from accounts.models import User
from core.again import again_if_crossed
from core.errors import Conflict, NotFound
from core.once import is_first_time
from incidents.models import Incident
from incidents.queries.incidents import NextCall, next_call
from incidents.services import lifecycle
from incidents.services.answering import answer
from incidents.services.messages import Asked
from notifications.transports.slack_buttons import Act

__all__ = ["Press", "Pressed", "about", "press", "whom"]

SNOOZE = timedelta(hours=1)
# What ends so much sooner than another snooze is the same one, pressed twice.
_ALIKE = timedelta(minutes=1)


class Press(NamedTuple):
    """What somebody pressed.

    Args:
        act: What it does.
        asked: What it is about, and who pressed.
        step: Which call an escalation means; "" where the message did not know.
        once: Tells this press from all others; "" where nothing does.
    """

    act: Act
    asked: Asked
    step: str = ""
    once: str = ""


class Pressed(NamedTuple):
    """What became of it.

    Args:
        incident: As it stands.
        is_new: Whether that changed anything; an acknowledgement is always written down.
    """

    incident: Incident
    is_new: bool


@again_if_crossed
@transaction.atomic
def press(pressed: Press, *, now: datetime, actor: User) -> Pressed:
    """Do what a button says, as the page does, once, and in the cycle that the message was about.

    Raises:
        NotFound: There is no such incident.
        Conflict: People were called anew since, this press was told of before, or it cannot be done.
    """
    asked = pressed.asked
    incident = Incident.objects.select_for_update(of=("self",)).filter(pk=asked.incident).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    if incident.cycle != asked.cycle:
        raise Conflict("this message is old, people were called anew since.")
    if not is_first_time(pressed.once):
        raise Conflict("that is done already.")
    if pressed.act is Act.ESCALATE:
        return _escalate(incident, pressed.step, now=now, actor=actor)
    if pressed.act is Act.SNOOZE:
        return _snooze(incident, now=now, actor=actor)
    if pressed.act is Act.RESOLVE:
        return Pressed(lifecycle.resolve(incident.pk, now=now, actor=actor), is_new=True)
    return Pressed(answer(incident.pk, now=now, actor=actor), is_new=True)


def _escalate(incident: Incident, step: str, *, now: datetime, actor: User) -> Pressed:
    """Call whom the button means; one that does not know whom says who it would be."""
    call = next_call(incident)
    if not step:
        raise Conflict(f"this calls {whom(call)} now." if call else "nobody is left to call.")
    is_new = call is None or call.is_set_aside or call.due_at > now
    return Pressed(lifecycle.escalate(incident.pk, now=now, actor=actor, step=step), is_new)


def _snooze(incident: Incident, *, now: datetime, actor: User) -> Pressed:
    """Call nobody for an hour; a snooze that lasts about as long, or longer, stays."""
    until, known = now + SNOOZE, incident.snoozed_until
    if known is not None and known > until - _ALIKE:
        return Pressed(incident, is_new=False)
    done = lifecycle.snooze(incident.pk, until=until, now=now, actor=actor, person=actor)
    return Pressed(done, is_new=True)


def whom(call: NextCall) -> str:
    """Return whom a call calls, in words."""
    return f"L{call.level}" if call.level else "the fallback contact"


def about(incident: Incident, call: NextCall | None) -> dict[str, Any]:
    """Return what buttons are about that are shown now, and whom they would call next."""
    return {
        "incident": incident.pk,
        "cycle": incident.cycle,
        "opened_at": incident.opened_at.isoformat(),
        "next_step": call.step if call else "",
    }
