"""Action items: made, changed, finished, reopened and dropped, each with its line in the timeline."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from core.audit import Who
from core.changes import differing
from core.errors import Conflict, InvalidInput
from core.locking import locked
from core.reach import BEYOND, is_within_reach
from incidents.models import ActionItem, Incident, TimelineEntry
from incidents.services import timeline
from incidents.services.acts import Acts, name_of

__all__ = ["create", "drop", "edit", "finish", "reopen"]

Kind = TimelineEntry.Kind
EDITABLE = ("kind", "title", "owner", "due_on", "url")


@transaction.atomic
def create(
    incident: Incident, *, fields: Mapping[str, Any], now: datetime, actor: Who
) -> ActionItem:
    """Write down something to be done about an incident, whatever its state.

    Args:
        incident: About which.
        fields: Of `EDITABLE`.
        now: The present.
        actor: Who says so.

    Raises:
        InvalidInput: Names what is wrong.
        Conflict: The incident was merged: it lives on in another one.
        NotFound: The incident is not there any more.
    """
    incident = locked(incident)
    if incident.merged_into_id is not None:
        raise Conflict(f"It was merged: write it down at #{incident.merged_into_id}.")
    item = ActionItem(incident=incident, created_by=name_of(actor), **_stripped(fields))
    _check(item)
    item.save(force_insert=True)
    return _told(item, "added", now=now, actor=actor, changes=_plain(fields))


@transaction.atomic
def edit(item: ActionItem, *, fields: Mapping[str, Any], now: datetime, actor: Who) -> ActionItem:
    """Change what is to be done, by whom or until when; what is as it was is not written down.

    Raises:
        InvalidInput: Names what is wrong.
        Conflict: It is done, or was dropped.
        NotFound: It went with its incident.
    """
    item = _open(item)
    changes = differing(item, _stripped(fields))
    if not changes:
        return item
    before = {name: str(getattr(item, name)) for name in changes}
    for name, value in changes.items():
        setattr(item, name, value)
    _check(item, is_given="owner" in changes)
    item.save(update_fields=[*changes, "updated_at"])
    told = {name: [before[name], str(value)] for name, value in changes.items()}
    return _told(item, "changed", now=now, actor=actor, changes=told)


@transaction.atomic
def finish(item: ActionItem, *, now: datetime, actor: Who) -> ActionItem:
    """Say that it is done; again, by whoever it was, changes nothing.

    Raises:
        Conflict: It was dropped.
        NotFound: It went with its incident.
    """
    item = locked(item)
    if item.done_at is not None:
        return item
    if item.dropped_at is not None:
        raise Conflict("It was dropped: reopen it first.")
    item.done_at, item.done_by = now, name_of(actor)
    item.save(update_fields=["done_at", "done_by", "updated_at"])
    return _told(item, "done", now=now, actor=actor)


@transaction.atomic
def drop(item: ActionItem, *, reason: str, now: datetime, actor: Who) -> ActionItem:
    """Say that it will not be done, and why: it is kept, for whoever meets the same again.

    Raises:
        InvalidInput: No reason is given, or a very long one.
        Conflict: It is done, or was dropped already.
        NotFound: It went with its incident.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= 500:
        raise InvalidInput("Say in up to 500 characters why it is not done.", field="reason")
    item = _open(item)
    item.dropped_at, item.dropped_by, item.drop_reason = now, name_of(actor), reason
    item.save(update_fields=["dropped_at", "dropped_by", "drop_reason", "updated_at"])
    return _told(item, "dropped", now=now, actor=actor, changes={"reason": reason})


@transaction.atomic
def reopen(item: ActionItem, *, now: datetime, actor: Who) -> ActionItem:
    """Say that it is to be done after all; what is open already stays so.

    Raises:
        NotFound: It went with its incident.
    """
    item = locked(item)
    if item.state == "open":
        return item
    item.done_at = item.dropped_at = None
    item.done_by = item.dropped_by = item.drop_reason = ""
    item.save(
        update_fields=[
            "done_at", "done_by", "dropped_at", "dropped_by", "drop_reason", "updated_at",
        ]
    )  # fmt: skip
    return _told(item, "reopened", now=now, actor=actor)


def _open(item: ActionItem) -> ActionItem:
    item = locked(item)
    if item.state != "open":
        raise Conflict(f"It is {item.state}: reopen it first.")
    return item


def _check(item: ActionItem, *, is_given: bool = True) -> None:
    """Refuse what cannot be: a follow-up that is nobody's, or has no day, is never done.

    An owner who was deactivated since stays, unless it is given (`is_given`) to them now.
    """
    wrong: dict[str, list[str]] = {}
    try:
        item.clean_fields(exclude=["incident", "owner", "created_by"])
    except ValidationError as error:
        wrong |= error.message_dict
    if item.due_on is not None and not is_within_reach(item.due_on):
        wrong["due_on"] = [BEYOND]
    if item.kind == ActionItem.Kind.FOLLOW_UP:
        if item.owner is None:
            wrong["owner"] = ["Say who does it: what is nobody's is not done."]
        if item.due_on is None:
            wrong["due_on"] = ["Say until which day."]
    if is_given and item.owner is not None and (problem := _cannot_own(item)):
        wrong["owner"] = [problem]
    if wrong:
        raise InvalidInput("Some fields are wrong.", fields=wrong)


def _cannot_own(item: ActionItem) -> str:
    owner = item.owner
    assert owner is not None
    if not owner.is_active:
        return f"{owner} is no longer active."
    if not Incident.objects.visible_to(owner).filter(pk=item.incident_id).exists():
        return f"{owner} may not know of this incident: its service is private."
    return ""


def _told(
    item: ActionItem,
    what: str,
    *,
    now: datetime,
    actor: Who,
    changes: Mapping[str, Any] | None = None,
) -> ActionItem:
    """Write the timeline, then the audit, which is last."""
    owner = f" ({item.owner})" if item.owner else ""
    reason = f" Not done: {item.drop_reason}" if what == "dropped" else ""
    timeline.write(
        item.incident, Kind.ACTION, f"action_item_{what}", now=now, actor=actor,
        text=f"{item.title}{owner}.{reason}", item=item.pk,
    )  # fmt: skip
    acts = Acts()
    acts.add(f"action_item.{what}", item, actor, **(changes or {}))
    acts.record(now=now)
    return item


def _stripped(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.strip() if isinstance(value, str) else value for name, value in fields.items()
    }


def _plain(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items() if value not in (None, "")}
