"""Which walk up a ladder calls people for an incident."""

from django.db.models import Q

from incidents.domain.lifecycle import Status
from incidents.models import EscalationRun, Incident
from oncall.domain.escalations import Phase

__all__ = ["WAITING_FOR", "present_walk"]

State = EscalationRun.State
# How an incident stands while a walk of each phase calls people.
WAITING_FOR = {Phase.UNACKNOWLEDGED: Status.TRIGGERED, Phase.UNRESOLVED: Status.ACKNOWLEDGED}


def present_walk(incident: Incident) -> EscalationRun | None:
    """Return the walk that calls people for an incident, or would if it had not been set aside."""
    phases = [phase for phase, status in WAITING_FOR.items() if status == incident.status]
    aside = Q(state=State.QUARANTINED, cycle=incident.cycle, phase__in=phases)
    walks = incident.runs.filter(Q(state=State.RUNNING) | aside).select_related("snapshot")
    # "running" is after "quarantined".
    return walks.order_by("-state", "-pk").first()
