"""What a person knew who set how bad an incident is."""

from django.db.models import Min

from incidents.models import Alert, Incident

__all__ = ["worst_firing", "worst_judged"]

# Comes after every severity.
_NONE = "none"


def worst_firing(incident: Incident) -> str:
    """Return the worst severity of an incident's alerts that fire."""
    worst: str | None = (
        Alert.objects.firing().filter(incident=incident).aggregate(w=Min("severity"))["w"]
    )
    return worst or _NONE


def worst_judged(incident: Incident) -> str:
    """Return the worst severity of alerts that was known when a person set an incident's, or called for since."""
    judged = incident.timeline.filter(act__in=["severity", "urgent_alert"])
    facts = judged.order_by("-at", "-pk").values_list("facts", flat=True).first() or {}
    return str(facts.get("worst", _NONE))
