"""How the promises about incidents were kept: answered and resolved in time, or late."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q

from accounts.models import User
from incidents.domain.lifecycle import Status
from incidents.domain.response_targets import Standing
from incidents.models import Incident, Severity

__all__ = ["Kept", "kept"]


@dataclass(frozen=True)
class Kept:
    """The incidents of one severity.

    Args:
        severity: P0 to P3.
        count: How many there were.
        response: How many stand how with their first response: "met", "breached", and "open" for
            those of which neither is so yet.
        resolution: The same of their end.
    """

    severity: Severity
    count: int = 0
    response: Counter[str] = field(default_factory=Counter)
    resolution: Counter[str] = field(default_factory=Counter)

    def with_some(self, count: int, response: str, resolution: str) -> "Kept":
        """Return the same with so many more, whose timers stand so."""
        return Kept(
            self.severity,
            self.count + count,
            self.response + Counter({_word(response): count}),
            self.resolution + Counter({_word(resolution): count}),
        )


def _word(standing: str) -> str:
    return standing if standing in {Standing.MET, Standing.BREACHED} else "open"


def kept(user: User, since: datetime, until: datetime, *, among: Q | None = None) -> list[Kept]:
    """Return how promises stand of what was opened in [since, until), by severity, the worst first.

    What was merged counts as the incident that it lives on in. Severities without any are left out.

    Args:
        user: Who asks; counted is what they may know of.
        since: Begin of the period.
        until: Its end.
        among: Which incidents, where not all of them.
    """
    rows = (
        Incident.objects.visible_to(user)
        .filter(among or Q(), opened_at__gte=since, opened_at__lt=until)
        .exclude(status=Status.MERGED)
        .order_by("severity")
        .values_list("severity", "response", "resolution")
        .annotate(Count("pk"))
    )
    found: dict[str, Kept] = {}
    for severity, response, resolution, count in rows:
        so_far = found.get(severity) or Kept(Severity(severity))
        found[severity] = so_far.with_some(count, response, resolution)
    return list(found.values())
