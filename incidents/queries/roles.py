"""Who has which role in an incident, what somebody may do about it, and what they were offered."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from accounts.roles import Role
from incidents.domain.lifecycle import OPEN
from incidents.domain.roles import DUTIES, Holder, RoleName
from incidents.models import OPEN_STATES, Incident, IncidentRole

__all__ = ["RoleState", "holder_of", "may_know", "role_offers", "roles_of"]

# More nobody answers at once.
_MOST_OFFERS = 20


@dataclass(frozen=True)
class RoleState:
    """One role of an incident as somebody sees it.

    Args:
        role: Which.
        duty: What whoever has it does, in a sentence.
        holder: Name of whoever took it; "" where nobody did.
        since: When they did.
        absence: Why anybody may claim it all the same; "" where its holder is there.
        offered_to: Name of whoever is asked to take it; "" where nobody is, or the incident is not open.
        offered_by: Who asks them.
        offered_at: When they were asked.
        may: What the reader can do: claim, offer, accept, decline, release, take_over.
    """

    role: RoleName
    duty: str
    holder: str = ""
    since: datetime | None = None
    absence: str = ""
    offered_to: str = ""
    offered_by: str = ""
    offered_at: datetime | None = None
    may: frozenset[str] = frozenset()

    @property
    def is_free(self) -> bool:
        """Whether anybody who responds may claim it."""
        return not self.holder or bool(self.absence)


def roles_of(incident: Incident, user: User) -> list[RoleState]:
    """Return all roles of an incident, those that nobody has, too, as `user` sees them."""
    rows = incident.roles.select_related("holder", "offered_to")
    known = {row.role: row for row in rows}
    return [_state(known.get(role), role, incident, user) for role in RoleName]


def _state(row: IncidentRole | None, role: RoleName, incident: Incident, user: User) -> RoleState:
    if row is None:
        may = _may(IncidentRole(role=role), incident, user, is_free=True)
        return RoleState(role, DUTIES[role], may=may)
    holder = holder_of(row, incident)
    absence = holder.absence if holder else ""
    # Of what is over, or lives on elsewhere, nobody accepts one.
    asked = row.offered_to if incident.status in OPEN else None
    return RoleState(
        role,
        DUTIES[role],
        holder=holder.name if holder else "",
        since=row.since if holder else None,
        absence=absence,
        offered_to=str(asked or ""),
        offered_by=row.offered_by if asked else "",
        offered_at=row.offered_at if asked else None,
        may=_may(row, incident, user, is_free=holder is None or bool(absence)),
    )


def _may(row: IncidentRole, incident: Incident, user: User, *, is_free: bool) -> frozenset[str]:
    if incident.status not in OPEN or not user.has_role(Role.RESPONDER):
        return frozenset()
    is_mine, is_manager = row.holder_id == user.pk, user.has_role(Role.MANAGER)
    decides = is_mine or is_manager
    can = {
        "claim": is_free,
        "offer": decides,
        "accept": row.offered_to_id == user.pk,
        "decline": row.offered_to_id is not None and (decides or row.offered_to_id == user.pk),
        "release": is_mine,
        "take_over": is_manager and not is_mine and not is_free,
    }
    return frozenset(act for act, is_so in can.items() if is_so)


def holder_of(row: IncidentRole, incident: Incident) -> Holder | None:
    """Return whoever took a role, as they are now; None where nobody did."""
    person = row.holder
    if person is None:
        return Holder(row.holder_name, has_account=False) if row.holder_name else None
    return Holder(
        str(person),
        is_active=person.is_active,
        may_act=not person.is_active or person.has_role(Role.RESPONDER),
        may_know=may_know(incident, person),
    )


def may_know(incident: Incident, person: User) -> bool:
    """Return whether somebody may know of an incident; asks the database for private services only."""
    service = incident.service
    if service is None or not service.is_private:
        return True
    return Incident.objects.visible_to(person).filter(pk=incident.pk).exists()


def role_offers(user: User) -> list[IncidentRole]:
    """Return the roles of open incidents that somebody is asked to take, the last asked first."""
    if not user.has_role(Role.RESPONDER):
        return []
    known = Incident.objects.visible_to(user).filter(status__in=OPEN_STATES)
    rows = IncidentRole.objects.filter(offered_to=user, incident__in=known)
    return list(rows.select_related("incident").order_by("-offered_at", "-pk")[:_MOST_OFFERS])
