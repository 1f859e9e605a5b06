"""Who does what in an incident: a free role is claimed in one tap, a held one is handed over.

Each function locks the incident, so of two who claim at once the second hears who was first. A tap
that finds what it asks for changes nothing and says nothing.
"""

from datetime import datetime

from accounts.models import User
from accounts.roles import Role
from core.audit import Who
from core.errors import Conflict, Forbidden, InvalidInput
from incidents.domain.lifecycle import OPEN
from incidents.domain.roles import RoleName
from incidents.models import Incident, IncidentRole, TimelineEntry
from incidents.queries.merges import lives_on_in
from incidents.queries.roles import holder_of, may_know
from incidents.services import role_news, timeline
from incidents.services.acts import Acts
from incidents.services.transitions import changes, watch

__all__ = ["accept", "claim", "decline", "offer", "release", "take_over"]

Kind = TimelineEntry.Kind


@changes
def claim(
    incident: Incident, acts: Acts, *, role: RoleName, person: User, now: datetime, actor: Who
) -> None:
    """Take a role that nobody has, or whose holder is gone. It counts as activity.

    Raises:
        Conflict: Somebody has it, whom the message names, or the incident is over.
        Forbidden: They only look.
    """
    row = _row(incident, role)
    if row.holder_id == person.pk:
        return
    _refuse_over(incident)
    _refuse_unfit(incident, person)
    held = holder_of(row, incident)
    if held is not None and not held.absence:
        raise Conflict(_has_it(row))
    why = f" {held.absence}" if held else ""
    _give(incident, acts, row, person, f"{person}.{why}", now=now, actor=actor, act="claimed")


@changes
def offer(
    incident: Incident,
    acts: Acts,
    *,
    role: RoleName,
    to: User,
    person: User,
    now: datetime,
    actor: Who,
) -> None:
    """Ask somebody to take a role; until they accept, whoever has it keeps it. It counts as activity.

    They are told as what can wait is told. Another offer of the same role is taken back.

    Raises:
        Conflict: The incident is over, or nobody has the role and `person` is no manager.
        Forbidden: Somebody else has it, and `person` is no manager.
        InvalidInput: Whoever is asked cannot have it, or has it.
    """
    row = _row(incident, role)
    _refuse_over(incident)
    _refuse_strangers(row, person)
    if to.pk == row.holder_id:
        raise InvalidInput(f"{to} is {role} already.", field="to")
    if to.pk == person.pk:
        raise InvalidInput("Claim it, or take it over, instead of offering it to you.", field="to")
    _refuse_unfit(incident, to, field="to")
    if row.offered_to_id == to.pk:
        return
    role_news.take_back(incident, role)
    row.offered_to, row.offered_at, row.offered_by = to, now, str(person)[:200]
    row.save()
    watch(incident, now=now)
    role_news.tell(incident, role, to, now=now)
    _tell(incident, acts, row, f"to {to}.", now=now, actor=actor, act="offered", to=to.username)


@changes
def accept(
    incident: Incident, acts: Acts, *, role: RoleName, person: User, now: datetime, actor: Who
) -> None:
    """Take a role that one is offered. It counts as activity.

    Raises:
        Conflict: It is not offered to them (any more), or the incident is over.
    """
    row = _row(incident, role)
    if row.holder_id == person.pk:
        return
    _refuse_over(incident)
    if row.offered_to_id != person.pk:
        raise Conflict(f"It is not offered to you any more. {_has_it(row)}")
    _refuse_unfit(incident, person)
    text = f"{person}, offered by {row.offered_by}."
    _give(incident, acts, row, person, text, now=now, actor=actor, act="accepted")


@changes
def decline(
    incident: Incident, acts: Acts, *, role: RoleName, person: User, now: datetime, actor: Who
) -> None:
    """Say that one does not take a role that is offered; its holder and managers take an offer back.

    Raises:
        Conflict: The incident is over.
        Forbidden: It is offered to somebody else, by somebody else.
    """
    row = _row(incident, role)
    asked = row.offered_to
    if asked is None:
        return
    _refuse_over(incident)
    is_own = asked.pk == person.pk
    if not (is_own or row.holder_id == person.pk or person.has_role(Role.MANAGER)):
        raise Forbidden(
            f"It is offered to {asked}; whoever offers it, or a manager, takes it back."
        )
    _offer_no_more(incident, row)
    row.save()
    text = f"by {asked}." if is_own else f"no more to {asked}: {person} took the offer back."
    _tell(incident, acts, row, text, now=now, actor=actor, act="declined", to=asked.username)


@changes
def release(
    incident: Incident, acts: Acts, *, role: RoleName, person: User, now: datetime, actor: Who
) -> None:
    """Give a role back: nobody has it then, and an offer of it is over.

    Raises:
        Conflict: Somebody else has it, or the incident is over.
    """
    row = _row(incident, role)
    if not row.holder_name:
        return
    if row.holder_id != person.pk:
        raise Conflict(_has_it(row))
    _refuse_over(incident)
    _offer_no_more(incident, row)
    row.holder, row.holder_name, row.since = None, "", None
    row.save()
    _tell(incident, acts, row, f"by {person}.", now=now, actor=actor, act="released")


@changes
def take_over(
    incident: Incident, acts: Acts, *, role: RoleName, person: User, now: datetime, actor: Who
) -> None:
    """Take a role from somebody who is away, as a manager. It counts as activity.

    Raises:
        Conflict: The incident is over.
        Forbidden: They are no manager.
    """
    row = _row(incident, role)
    if not person.has_role(Role.MANAGER):
        raise Forbidden("A manager takes a role over. Ask whoever has it to offer it to you.")
    if row.holder_id == person.pk:
        return
    _refuse_over(incident)
    _refuse_unfit(incident, person)
    held = holder_of(row, incident)
    why = held.absence or f"Taken over by a manager, as {held.name} is away." if held else ""
    text = f"{person}. {why}".strip()
    _give(incident, acts, row, person, text, now=now, actor=actor, act="taken_over")


def _row(incident: Incident, role: RoleName) -> IncidentRole:
    """Return who has a role of a locked incident; a row that is not stored where nobody ever had it."""
    rows = IncidentRole.objects.select_related("holder", "offered_to")
    found = rows.filter(incident=incident, role=role).first()
    return found or IncidentRole(incident=incident, role=role)


def _refuse_over(incident: Incident) -> None:
    if incident.status in OPEN:
        return
    lives_on = lives_on_in(incident)
    if lives_on is not None:
        raise Conflict(f"It was merged: it lives on in #{lives_on.pk}, which has roles of its own.")
    raise Conflict("It is over; reopen it first.")


def _refuse_unfit(incident: Incident, person: User, *, field: str | None = None) -> None:
    """Refuse who cannot have a role, in the words of why somebody else may claim it from them."""
    why = ""
    if not person.is_active:
        why = f"{person} is no longer active."
    elif not person.has_role(Role.RESPONDER):
        why = f"{person} is a viewer, and can only look."
    elif not may_know(incident, person):
        why = f"{person} may not know of this service."
    if why and field:
        raise InvalidInput(why, field=field)
    if why:
        raise Forbidden(why)


def _refuse_strangers(row: IncidentRole, person: User) -> None:
    if row.holder_id == person.pk or person.has_role(Role.MANAGER):
        return
    if not row.holder_name:
        raise Conflict(f"{_has_it(row)} Claim it, then hand it over; managers offer it at once.")
    raise Forbidden(f"{_has_it(row)} Only they, or a manager, offer it.")


def _has_it(row: IncidentRole) -> str:
    """Return who has a role, in a sentence."""
    name = row.holder or row.holder_name
    if not name:
        return f"Nobody has the role {row.role}."
    since = f" since {row.since:%Y-%m-%d %H:%M} UTC" if row.since else ""
    return f"{name} is {row.role}{since}."


def _give(
    incident: Incident,
    acts: Acts,
    row: IncidentRole,
    person: User,
    text: str,
    *,
    now: datetime,
    actor: Who,
    act: str,
) -> None:
    before = row.holder_name
    _offer_no_more(incident, row)
    row.holder, row.holder_name, row.since = person, person.username, now
    row.save()
    watch(incident, now=now)
    changed = {"holder": [before or None, person.username]}
    _tell(incident, acts, row, text, now=now, actor=actor, act=act, **changed)


def _offer_no_more(incident: Incident, row: IncidentRole) -> None:
    row.offered_to, row.offered_at, row.offered_by = None, None, ""
    role_news.take_back(incident, RoleName(row.role))


def _tell(
    incident: Incident,
    acts: Acts,
    row: IncidentRole,
    text: str,
    *,
    now: datetime,
    actor: Who,
    act: str,
    **changed: object,
) -> None:
    """Write down what became of a role, for those who read along and for the audit."""
    role = RoleName(row.role)
    timeline.write(
        incident, Kind.ACTION, f"role_{act}", now=now, actor=actor, text=f"{role.label}: {text}",
        role=role.value,
    )  # fmt: skip
    acts.add(f"incident.role_{act}", incident, actor, role=role.value, **changed)
