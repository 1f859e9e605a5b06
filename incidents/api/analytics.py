"""`/api/v1/analytics/incidents/`: figures of a period beside the one before."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import signed_in
from accounts.roles import Role
from core.clock import now
from core.listing import refuse_blank, refuse_unknown_parameters
from incidents.domain.analytics import Figures, Share, Spread
from incidents.domain.calls import Called
from incidents.models import Severity
from incidents.periods import NAMES, question_from
from incidents.queries.analytics import Repeated, Report, report
from incidents.queries.promises import Kept

STANDINGS = ("met", "breached", "open")


class SpreadSerializer(serializers.Serializer[Any]):
    """Lengths of time, in seconds."""

    n = serializers.IntegerField(help_text="How many.")
    mean_s = serializers.FloatField()
    median_s = serializers.FloatField()
    p90_s = serializers.FloatField(help_text="Nine of ten are no longer.")


class ShareSerializer(serializers.Serializer[Any]):
    """So many of so many."""

    part = serializers.IntegerField()
    of = serializers.IntegerField()
    fraction = serializers.FloatField(allow_null=True, help_text="Null of nothing.")


class IncidentFiguresSerializer(serializers.Serializer[Any]):
    """Figures of one period; null is no data. docs/analytics.md has their definitions."""

    count = serializers.IntegerField(help_text="Incidents opened; merged ones are not counted.")
    still_open = serializers.IntegerField()
    unacknowledged = serializers.IntegerField(help_text="Never acknowledged, over or not.")
    time_to_acknowledge = SpreadSerializer(allow_null=True)
    time_to_mitigate = SpreadSerializer(allow_null=True)
    time_to_resolve = SpreadSerializer(allow_null=True)
    time_between_failures = SpreadSerializer(allow_null=True)
    acknowledged_without_action = ShareSerializer()
    over_by_itself_within_5_min = ShareSerializer()


class CalledSerializer(serializers.Serializer[Any]):
    """How often people were paged."""

    pages = serializers.IntegerField()
    at_night = serializers.IntegerField(help_text="22:00 to 06:00 on their own clock.")
    at_weekends = serializers.IntegerField(help_text="Saturday and Sunday on their own clock.")
    interrupted_nights = serializers.IntegerField(help_text="Nights with a page at least.")
    messages = serializers.IntegerField(help_text="Sent for these pages.")


class CalledPersonSerializer(CalledSerializer):
    """How often one person was paged."""

    person = serializers.CharField()


class ServiceFiguresSerializer(serializers.Serializer[Any]):
    """The incidents of one service."""

    service = serializers.CharField(allow_null=True, help_text="Its slug; null is of no service.")
    count = serializers.IntegerField()
    time_between_failures = SpreadSerializer(allow_null=True)


class IncidentDaySerializer(serializers.Serializer[Any]):
    """How many incidents a day opened."""

    day = serializers.DateField()
    count = serializers.IntegerField()


class KeptSerializer(serializers.Serializer[Any]):
    """How promises about incidents of one severity stand: `met`, `breached` and `open`."""

    severity = serializers.ChoiceField(choices=Severity.choices)
    count = serializers.IntegerField()
    response = serializers.DictField(child=serializers.IntegerField())
    resolution = serializers.DictField(child=serializers.IntegerField())


class RepeatSerializer(serializers.Serializer[Any]):
    """What one condition of a service opened at least three times."""

    incident = serializers.IntegerField(help_text="The newest of them.")
    title = serializers.CharField()
    service = serializers.CharField(allow_null=True)
    count = serializers.IntegerField()
    pages = serializers.IntegerField(help_text="What they cost.")
    median_s = serializers.FloatField(allow_null=True)
    over_by_itself = ShareSerializer()
    over_by_itself_within_5_min = ShareSerializer()
    acted_on = ShareSerializer()
    suggestion = serializers.CharField(
        allow_blank=True, help_text="Empty where the figures do not say."
    )


class IncidentAnalyticsSerializer(IncidentFiguresSerializer):
    """Figures of a period, of the one before, and what they are made of."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="No longer in it.")
    timezone = serializers.CharField(help_text="In which days and hours are counted: the caller's.")
    before = IncidentFiguresSerializer(help_text="The period before, which is as long.")
    by_day = IncidentDaySerializer(many=True, help_text="Days without incidents are left out.")
    by_hour = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="Seven days from Monday, of 24 hours.",
    )
    promises = KeptSerializer(many=True)
    services = ServiceFiguresSerializer(many=True)
    pages = CalledSerializer()
    pages_before = CalledSerializer()
    people = CalledPersonSerializer(many=True, help_text="A viewer's own only.")
    repeats = RepeatSerializer(many=True, help_text="The most often first, ten at most.")


class AnalyticsView(APIView):
    """Figures of incidents."""

    read_role = Role.VIEWER

    @extend_schema(
        operation_id="analytics_incidents",
        responses=IncidentAnalyticsSerializer,
        parameters=[
            OpenApiParameter(
                "from", str, description="A day, or an instant; 30 days before `to` unless given."
            ),
            OpenApiParameter(
                "to",
                str,
                description="A day, which is in the period, or an instant, which is not; now unless given.",
            ),
            OpenApiParameter("team", str, description="Slug of the team that owns the services."),
            OpenApiParameter("service", str, description="Slug of a service."),
            OpenApiParameter("severity", str, enum=Severity.values),
        ],
    )
    def get(self, request: Request) -> Response:
        """Return how soon incidents were answered and over, how often they come, and whom they woke."""
        refuse_unknown_parameters(request, set(NAMES))
        refuse_blank(request, set(NAMES))
        asked = question_from(request.query_params, signed_in(request), now=now())
        return Response(IncidentAnalyticsSerializer(_as_json(report(asked))).data)


def _as_json(found: Report) -> dict[str, Any]:
    asked, figures = found.question, found.now
    slugs = {pk: service.slug for pk, service in found.services.items()}
    return {
        **_figures(figures),
        "start": asked.since,
        "end": asked.until,
        "timezone": str(asked.zone),
        "before": _figures(found.before),
        "by_day": [{"day": day, "count": count} for day, count in sorted(figures.by_day.items())],
        "by_hour": figures.by_hour,
        "promises": [_kept(each) for each in found.promises],
        "services": [
            {
                "service": slugs.get(pk) if pk is not None else None,
                "count": of.count,
                "time_between_failures": _spread(of.between),
            }
            for pk, of in figures.by_service.items()
        ],
        "pages": _called(found.pages),
        "pages_before": _called(found.pages_before),
        "people": [{"person": name, **_called(called)} for name, called in found.people],
        "repeats": [_repeat(each) for each in found.repeats],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "count": figures.count,
        "still_open": figures.still_open,
        "unacknowledged": figures.unanswered,
        "time_to_acknowledge": _spread(figures.to_acknowledge),
        "time_to_mitigate": _spread(figures.to_mitigate),
        "time_to_resolve": _spread(figures.to_resolve),
        "time_between_failures": _spread(figures.between),
        "acknowledged_without_action": _share(figures.without_action),
        "over_by_itself_within_5_min": _share(figures.short),
    }


def _spread(found: Spread | None) -> dict[str, Any] | None:
    if found is None:
        return None
    lengths = {"mean_s": found.mean, "median_s": found.median, "p90_s": found.p90}
    return {"n": found.n, **{name: each.total_seconds() for name, each in lengths.items()}}


def _share(found: Share) -> dict[str, Any]:
    return {"part": found.part, "of": found.of, "fraction": found.fraction}


def _called(found: Called) -> dict[str, int]:
    return {
        "pages": found.pages,
        "at_night": found.at_night,
        "at_weekends": found.at_weekends,
        "interrupted_nights": found.nights,
        "messages": found.messages,
    }


def _kept(found: Kept) -> dict[str, Any]:
    return {
        "severity": found.severity,
        "count": found.count,
        "response": {name: found.response[name] for name in STANDINGS},
        "resolution": {name: found.resolution[name] for name in STANDINGS},
    }


def _repeat(found: Repeated) -> dict[str, Any]:
    of, service = found.figures, found.incident.service
    return {
        "incident": found.incident.pk,
        "title": found.incident.title,
        "service": service.slug if service else None,
        "count": of.count,
        "pages": found.pages,
        "median_s": of.median.total_seconds() if of.median is not None else None,
        "over_by_itself": _share(of.by_itself),
        "over_by_itself_within_5_min": _share(of.short),
        "acted_on": _share(of.acted_on),
        "suggestion": found.fix,
    }
