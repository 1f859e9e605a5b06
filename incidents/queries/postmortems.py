"""Of which incidents a postmortem is asked for, until when, and how each stands."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Max, Q, QuerySet

from accounts.models import User
from accounts.roles import Role
from core.models import AuditEntry
from incidents.domain.lifecycle import Status as IncidentStatus
from incidents.domain.postmortems import DEFAULTS, Demand, Status
from incidents.models import Incident, Postmortem, PostmortemPolicy, PostmortemReview
from incidents.queries.incidents import visible_incidents
from incidents.queries.merges import merged_into

__all__ = [
    "STATES",
    "SWITCHED_ON",
    "approvals",
    "demands",
    "due_at",
    "is_owed",
    "listed",
    "may_approve",
    "of_incident",
    "of_parts",
    "readable",
    "standing",
    "switching",
]

# With which migration postmortems came.
_CAME_WITH = ("incidents", "0015_postmortems")
# What the audit calls it that a severity asks for postmortems from then on.
SWITCHED_ON = "postmortem_policy.switched_on"
# What a list is narrowed by, as its addresses and its words have it.
STATES = {
    "due": "Due",
    "overdue": "Overdue",
    "draft": "Draft",
    "in_review": "In review",
    "published": "Published",
    "merged": "Merged",
    "all": "All",
}


def demands() -> dict[str, Demand]:
    """Return what is asked for by severity: the edited rows, else the defaults.

    Of what was resolved before this portal knew of postmortems none is asked for, nor of what was
    before its severity was switched on.
    """
    came_at, switched_on = _came_at(), _switched_on()
    asked = {
        severity: replace(each, since=switched_on.get(severity, came_at))
        for severity, each in DEFAULTS.items()
    }
    for row in PostmortemPolicy.objects.all():
        default = DEFAULTS[row.severity]
        # Nobody switched it on in the admin: other means leave no trace but the row's own times.
        since = came_at if default.is_required else row.updated_at
        asked[row.severity] = Demand(
            row.is_required, row.within, switched_on.get(row.severity, since)
        )
    return asked


def switching(severity: str) -> str:
    """Return by what the audit names whether incidents of a severity ask for a postmortem."""
    return f"incidents.severity:{severity}"


def _switched_on() -> dict[str, datetime]:
    """Return when each severity began to ask for one last, where somebody had it do so."""
    of = {switching(severity): severity for severity in DEFAULTS}
    acts = AuditEntry.objects.filter(subject__in=of, act=SWITCHED_ON).order_by()
    latest = acts.values_list("subject").annotate(Max("at"))
    return {of[subject]: at for subject, at in latest}


def _came_at() -> datetime | None:
    """Return when postmortems came to this portal, with an upgrade or from its beginning."""
    app, name = _CAME_WITH
    found = MigrationRecorder(connection).migration_qs.filter(app=app, name=name).first()
    return found.applied if found else None


def of_incident(incident: Incident) -> Postmortem | None:
    """Return the postmortem of an incident, if one was begun."""
    try:
        return incident.postmortem
    except Postmortem.DoesNotExist:
        return None


def readable(incident: Incident, user: User) -> Postmortem | None:
    """Return the postmortem of an incident where `user` may open it: drafts are for responders."""
    found = of_incident(incident)
    if found is None or user.has_role(Role.RESPONDER) or found.status == Status.PUBLISHED:
        return found
    return None


def is_owed(incident: Incident, asked: Mapping[str, Demand]) -> bool:
    """Return whether an incident waits for its postmortem: it is closed by publishing that.

    Merged ones ask for none: the one they are in does.
    """
    is_asked_for = asked[incident.severity].is_asked_for(incident.resolved_at)
    if incident.status != IncidentStatus.RESOLVED or not is_asked_for:
        return False
    found = of_incident(incident)
    return found is None or found.status != Status.PUBLISHED


def due_at(incident: Incident, asked: Mapping[str, Demand]) -> datetime | None:
    """Return until when the postmortem of an incident is to be published; None where nobody asks."""
    found = of_incident(incident)
    agreed = found.due_at if found else None
    return asked[incident.severity].due_at(incident.resolved_at, agreed)


def standing(incident: Incident, asked: Mapping[str, Demand], *, now: datetime) -> str:
    """Return how the postmortem of an incident stands: `due`, `overdue`, `merged`, or its own status.

    Of a merged incident nobody waits for it: that of the one it lives on in is asked for.
    """
    found = of_incident(incident)
    if found is not None and found.status == Status.PUBLISHED:
        return str(found.status)
    if incident.status == IncidentStatus.MERGED:
        return "merged"
    due = due_at(incident, asked)
    if due is not None and due < now and is_owed(incident, asked):
        return "overdue"
    return "due" if found is None else str(found.status)


def listed(user: User, state: str, *, now: datetime) -> QuerySet[Incident]:
    """Return incidents that owe a postmortem or have one, narrowed to those that stand so.

    Args:
        user: Who asks; to viewers, drafts are due.
        state: One of `STATES`; any other is all of them.
        now: The present.
    """
    asked = demands()
    wanted, late = Q(pk__in=[]), Q(postmortem__due_at__lt=now)
    for severity, demand in asked.items():
        if not demand.is_required:
            continue
        own_kind = Q(severity=severity)
        if demand.since is not None:
            own_kind &= Q(resolved_at__gte=demand.since)
        wanted |= own_kind
        late |= own_kind & Q(resolved_at__lt=now - demand.within, postmortem__due_at=None)
    owed = Q(wanted, status=IncidentStatus.RESOLVED) & ~Q(postmortem__status=Status.PUBLISHED)
    own = Q(postmortem__isnull=False)
    if not user.has_role(Role.RESPONDER):
        own = Q(postmortem__status=Status.PUBLISHED)
    merged, published = Q(status=IncidentStatus.MERGED), Q(postmortem__status=Status.PUBLISHED)
    chosen = {
        "due": owed,
        "overdue": owed & late,
        "merged": own & merged & ~published,
        str(Status.PUBLISHED): published,
    }.get(state, own | owed)
    if state in {Status.DRAFT, Status.IN_REVIEW}:
        chosen = own & Q(postmortem__status=state) & ~merged
    rows = visible_incidents(user).filter(chosen)
    return rows.select_related("service", "postmortem__author")


def of_parts(incident: Incident, user: User) -> list[Postmortem]:
    """Return the postmortems of what was merged into an incident, as far as `user` may read them."""
    parts = merged_into(incident)
    return list(Postmortem.objects.visible_to(user).filter(pk__in=parts)) if parts else []


def approvals(postmortem: Postmortem) -> QuerySet[PostmortemReview]:
    """Return who approved what stands there now: what was said of an earlier text counts no more."""
    approved = PostmortemReview.Verdict.APPROVED
    return postmortem.reviews.filter(round=postmortem.round, verdict=approved)


def may_approve(postmortem: Postmortem, person: User) -> bool:
    """Return whether somebody neither began it, nor wrote last, nor asked for the review."""
    return person.pk not in {
        postmortem.author_id,
        postmortem.edited_by_id,
        postmortem.asked_by_id,
    }
