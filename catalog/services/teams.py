"""Creating, changing and deleting teams."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from catalog.models import Team
from catalog.services.keeping import kept_by
from catalog.services.records import Actor, record
from catalog.services.saving import assign, check, insert, refuse_rename
from core import audit
from core.errors import Conflict
from core.locking import lock

if TYPE_CHECKING:
    from accounts.models import User

__all__ = ["FIELDS", "create_team", "delete_team", "update_team"]

FIELDS = ("slug", "name", "description", "contact")


@transaction.atomic
def create_team(
    *,
    values: Mapping[str, Any],
    now: datetime,
    actor: audit.Who = None,
    members: "Iterable[User]" = (),
) -> Team:
    """Create a team; without a name it is called by its slug.

    Args:
        values: By field name, of `FIELDS`.
        now: When, for the audit trail.
        actor: Who; None for the portal itself.
        members: Its people.

    Raises:
        InvalidInput: Names each wrong field.
        Conflict: The slug is taken.
    """
    team = Team(**{"name": values.get("slug", ""), **values})
    check(team)
    insert(team, slug=team.slug, noun="team")
    people = list(members)
    team.members.set(people)
    changes = {"members": [[], sorted(person.username for person in people)]} if people else {}
    record("team.created", team, actor=actor, now=now, changes=changes)
    return team


@transaction.atomic
def update_team(
    team: Team,
    *,
    values: Mapping[str, Any],
    now: datetime,
    actor: Actor = None,
    members: "Iterable[User] | None" = None,
) -> dict[str, list[Any]]:
    """Change the given fields of `team`, and its people unless `members` is None.

    Returns:
        What changed, `{field: [before, after]}`; empty when all was so already.

    Raises:
        InvalidInput: Names each wrong field.
        NotFound: Somebody deleted it.
    """
    refuse_rename(team.slug, values)
    lock(team)
    changes = assign(team, values)
    check(team)
    if changes:
        team.save(update_fields=[*changes, "updated_at"])
    if members is not None:
        before = set(team.members.all())
        after = set(members)
        if before != after:
            team.members.set(after)
            changes["members"] = [
                sorted(person.username for person in people) for people in (before, after)
            ]
    if changes:
        record("team.changed", team, actor=actor, now=now, changes=changes)
    return changes


@transaction.atomic
def delete_team(team: Team, *, now: datetime, actor: Actor = None) -> None:
    """Delete `team`; its services stay, without an owner.

    Raises:
        Conflict: Something still calls it or a channel of it; some are named.
        NotFound: Somebody else deleted it.
    """
    lock(team, to_delete=True)
    if callers := kept_by(team):
        told = ", ".join(callers[:3]) + (" and others" if len(callers) > 3 else "")
        raise Conflict(f"It is called by {told}: have them call somebody else first.")
    orphans = sorted(team.services.values_list("slug", flat=True))
    name = audit.subject_name(team)
    team.delete()
    record("team.deleted", name, actor=actor, now=now, changes={"services": [orphans, []]})
