"""Telling those who wait: inside, or everybody. What was told stays as it was."""

from datetime import datetime
from typing import Protocol

from django.db import transaction

from core.again import again_if_crossed
from core.audit import Who
from core.errors import Conflict, InvalidInput
from incidents.domain.communication import BLANK, Audience
from incidents.models import Incident, StatusUpdate, TimelineEntry
from incidents.models.communication import LONGEST_UPDATE
from incidents.queries.merges import lives_on_in
from incidents.queries.status_updates import Draft, last_public
from incidents.services import timeline
from incidents.services.acts import Acts, name_of
from incidents.services.transitions import watch

__all__ = ["check", "on_publish", "publish"]


class Listener(Protocol):
    """Told of an update that was published."""

    def __call__(self, update: StatusUpdate, *, actor: Who, now: datetime) -> None:
        """Follow it, within the transaction."""


_listeners: list[Listener] = []


def on_publish(listener: Listener) -> None:
    """Have apps above told of each update, in its transaction."""
    if listener not in _listeners:
        _listeners.append(listener)


def check(incident: Incident, draft: Draft) -> None:
    """Refuse what cannot be told as it stands; for those who only look at it first, too.

    Raises:
        Conflict: The incident lives on in another one.
        InvalidInput: It says nothing, too much, or has a blank; a public one says no state.
    """
    lives_on = lives_on_in(incident)
    if lives_on is not None:
        raise Conflict(f"It was merged: tell it of #{lives_on.pk}, in which it lives on.")
    if not 0 < len(draft.text.strip()) <= LONGEST_UPDATE:
        raise InvalidInput(f"An update has 1 to {LONGEST_UPDATE:,} characters.", field="text")
    if BLANK in draft.text:
        raise InvalidInput(f"Fill in “{BLANK}”, or take it out.", field="text")
    if draft.audience is Audience.PUBLIC and draft.state is None:
        raise InvalidInput("Say where it stands: everybody reads that first.", field="state")
    if draft.audience is Audience.INTERNAL and draft.state is not None:
        raise InvalidInput("Only public updates have a state.", field="state")


@again_if_crossed
@transaction.atomic
def publish(
    incident_id: int, draft: Draft, *, now: datetime, actor: Who, seen: int | None = None
) -> StatusUpdate:
    """Tell something of an incident, in its timeline too. It counts as activity, and as an update.

    Args:
        incident_id: About which it is; also of one that is over.
        draft: What is told, and whom.
        now: The present.
        actor: Who tells it.
        seen: The last public update that they knew of, 0 for none; None does not ask.

    Raises:
        Conflict: The incident was merged, or somebody told the public something else since `seen`.
        InvalidInput: See `check`.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    check(incident, draft)
    last = last_public(incident) if seen is not None else None
    if last is not None and last.pk != seen:
        raise Conflict(f"{last.author} published another update meanwhile: read it first.")
    update = StatusUpdate.objects.create(
        incident=incident,
        audience=draft.audience,
        state=draft.state or "",
        text=draft.text.strip(),
        author=name_of(actor),
        at=now,
    )
    watch(incident, now=now)
    text = f"{update.get_state_display()}: {update.text}" if update.state else update.text
    # A note, as those who wait hear something by it: the next update is due from now on.
    timeline.write(
        incident, TimelineEntry.Kind.NOTE, f"{draft.audience}_update", now=now, actor=actor,
        text=text, audience=str(draft.audience), state=update.state, status_update=update.pk,
    )  # fmt: skip
    acts = Acts()
    acts.add(
        "incident.update_published", incident, actor, audience=str(draft.audience),
        state=update.state or None, status_update=update.pk,
    )  # fmt: skip
    for follow in _listeners:
        follow(update, actor=actor, now=now)
    acts.record(now=now)
    return update
