"""The shape of a preview."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from core.api import StrictFieldsMixin
from slo.api.corrections import JudgedSerializer
from slo.api.findings import FindingSerializer
from slo.domain.lint import Finding
from slo.domain.replay import Replay
from slo.models import BudgetPolicy, Slo
from slo.queries import previews
from slo.queries.previews import Preview


class ProposalSerializer(StrictFieldsMixin, serializers.ModelSerializer[Slo]):
    """What would be changed; what is left out stays as it is."""

    objective = serializers.DecimalField(max_digits=9, decimal_places=8, required=False)
    policy = serializers.SlugRelatedField(
        slug_field="slug", queryset=BudgetPolicy.objects.all(), allow_null=True, required=False
    )

    class Meta:
        model = Slo
        fields = [
            "objective",
            "method",
            "window_kind",
            "window_days",
            "calendar_period",
            "timezone",
            "policy",
            "minimum_events",
        ]


class DaySerializer(serializers.Serializer[Any]):
    """What was left of the budget at an instant; null is no data."""

    at = serializers.DateTimeField()
    budget_remaining = serializers.FloatField(allow_null=True)


class ReplaySerializer(serializers.Serializer[Any]):
    """Ninety days by one objective."""

    now = JudgedSerializer(help_text="The present window.")
    state = serializers.CharField()
    hours_in = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    pages = serializers.IntegerField(help_text="Burn alerts that would have paged.")
    tickets = serializers.IntegerField(help_text="Those that would have made a ticket.")
    alert_minutes = serializers.IntegerField()
    days = DaySerializer(many=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """The last 90 days as they were judged, and as the change would have judged them."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    alerts_from = serializers.DateTimeField(
        help_text="Burn alerts are told from here on: they need single minutes."
    )
    present = ReplaySerializer()
    proposed = ReplaySerializer()
    findings = FindingSerializer(many=True, help_text="What the linter says of the change.")


def as_preview(found: Preview, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a preview in that shape."""
    return PreviewSerializer(
        {
            "start": found.period.start,
            "end": found.period.end,
            "alerts_from": found.period.alerts_from,
            "present": _replay(found.present),
            "proposed": _replay(found.proposed),
            "findings": findings,
        }
    ).data


def _replay(found: Replay) -> dict[str, Any]:
    last = found.hours[-1]
    return {
        "now": last.judgement,
        "state": last.state,
        "hours_in": {state.value: hours for state, hours in found.hours_in.items()},
        "pages": found.pages,
        "tickets": found.tickets,
        "alert_minutes": found.alert_minutes,
        "days": [{"at": at, "budget_remaining": left} for at, left in previews.daily(found)],
    }
