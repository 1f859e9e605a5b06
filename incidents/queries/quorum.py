"""Levels for which one answer is not enough: how many people must acknowledge, and who has."""

from collections.abc import Collection
from dataclasses import dataclass

from accounts.models import User
from incidents.domain.lifecycle import Status
from incidents.models import Acknowledgement, EscalationRun, Incident
from oncall.domain.escalations import Phase

__all__ = ["Answers", "Quorum", "answers_of", "needed_for", "people_who_answered"]


@dataclass(frozen=True)
class Quorum:
    """How far an incident is from enough answers.

    Args:
        count: People who have answered in this cycle.
        needed: How many must; one is the rule.
    """

    count: int
    needed: int

    @property
    def is_reached(self) -> bool:
        """Whether calling may stop."""
        return self.count >= self.needed

    def __str__(self) -> str:
        return f"{self.count} of {self.needed} who must answer"


@dataclass(frozen=True)
class Answers:
    """What has been answered of a triggered incident that asks for several people.

    Args:
        quorum: How far it is.
        actors: Who answered, in order.
        is_mine: Whether the person who asks is among them.
    """

    quorum: Quorum
    actors: tuple[str, ...]
    is_mine: bool


def needed_for(incident: Incident) -> int:
    """Return how many people must answer: what the levels ask that were called in this cycle."""
    run = (
        EscalationRun.objects.filter(
            incident=incident, cycle=incident.cycle, phase=Phase.UNACKNOWLEDGED
        )
        .select_related("snapshot")
        .order_by("-pk")
        .first()
    )
    if run is None:
        return 1
    # One that was set aside has not called all of its levels, and calls no more.
    is_through = run.state == EscalationRun.State.EXHAUSTED
    return run.ladder.acknowledgements_after(run.loop + is_through, run.position)


def answers_of(incident: Incident, person: User | None = None) -> Answers | None:
    """Return the answers to an incident; None where there are none, or one was enough."""
    if incident.status != Status.TRIGGERED:
        return None
    rows = list(Acknowledgement.objects.filter(incident=incident, cycle=incident.cycle))
    if not rows:
        return None
    return Answers(
        Quorum(len(rows), needed_for(incident)),
        tuple(row.actor for row in rows),
        person is not None and any(row.person_id == person.pk for row in rows),
    )


def people_who_answered(incidents: Collection[int]) -> dict[tuple[int, int], set[int]]:
    """Return who gave an answer that was not enough, by incident and cycle."""
    rows = Acknowledgement.objects.filter(incident__in=incidents)
    found: dict[tuple[int, int], set[int]] = {}
    for incident, cycle, person in rows.values_list("incident_id", "cycle", "person_id"):
        if person is not None:
            found.setdefault((incident, cycle), set()).add(person)
    return found
