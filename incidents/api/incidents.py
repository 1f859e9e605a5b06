"""`/api/v1/incidents/`: read them, declare one, and everything a person can do to one."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from catalog.visible_services import VisibleServiceMixin
from core.api import ChoiceField, StrictFieldsMixin
from core.clock import now
from core.errors import InvalidInput
from core.idempotency import refuse_key
from core.listing import InstantFilter
from incidents.api.coordination import RolesMixin, StatusUpdatesMixin
from incidents.api.receipts import ReceiptSerializer
from incidents.models import Acknowledgement, Incident, Page, Severity, TimelineEntry
from incidents.queries.decisions import with_decisions
from incidents.queries.incidents import visible_incidents
from incidents.queries.receipts import receipt_of_incident
from incidents.queries.told import known_alerts, timeline_for
from incidents.services import answering, channels, lifecycle, merging
from incidents.services.lifecycle import Opening


class AcknowledgementSerializer(serializers.ModelSerializer[Acknowledgement]):
    """One of several answers that an incident asks for."""

    by = serializers.CharField(source="actor", read_only=True)

    class Meta:
        model = Acknowledgement
        fields = ["by", "cycle", "at"]
        read_only_fields = fields


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """One disruption of one service."""

    service: serializers.SlugRelatedField[Service] = serializers.SlugRelatedField(
        slug_field="slug", read_only=True, allow_null=True
    )
    assigned_to = serializers.CharField(
        source="assigned_to.username", read_only=True, allow_null=True, default=None
    )
    url = serializers.CharField(source="get_absolute_url", read_only=True)
    channel = serializers.CharField(
        source="channel.name", read_only=True, allow_null=True, default=None,
        help_text="Name of its Slack channel.",
    )  # fmt: skip

    acknowledgements = AcknowledgementSerializer(
        many=True, read_only=True, help_text="Where a level asks for several people; else empty."
    )

    class Meta:
        model = Incident
        fields = [
            "id",
            "title",
            "summary",
            "service",
            "severity",
            "status",
            "cycle",
            "url",
            "assigned_to",
            "merged_into",
            "channel",
            "opened_at",
            "acknowledged_at",
            "acknowledged_by",
            "acknowledgements",
            "responded_at",
            "mitigated_at",
            "resolved_at",
            "resolved_by",
            "closed_at",
            "snoozed_until",
            "held_until",
            "is_flapping",
            "response",
            "resolution",
            "unreached",
        ]
        read_only_fields = fields


class DeclarationSerializer(
    StrictFieldsMixin, VisibleServiceMixin, serializers.Serializer[Incident]
):
    """What an incident is declared with."""

    title = serializers.CharField(max_length=1024)
    severity = ChoiceField(choices=Severity.choices)
    service = serializers.SlugRelatedField(
        slug_field="slug", queryset=Service.objects.all(), required=False, allow_null=True
    )
    summary = serializers.CharField(required=False, allow_blank=True, max_length=10_000)


class SnoozeSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Until when nobody is called."""

    until = serializers.DateTimeField()


class AssignmentSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Whose it is."""

    to = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        allow_null=True,
        help_text="A username; null takes it from whoever has it.",
    )


class NoteSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """What the others should know."""

    text = serializers.CharField(max_length=10_000)


class ReasonSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Why, where somebody wants to say so."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class MergeSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Into which incident."""

    into = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class RelationSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """To which incident."""

    to = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class SplitSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Which alerts become an incident of their own."""

    alerts = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        min_length=1,
        max_length=500,
    )
    title = serializers.CharField(required=False, allow_blank=True, max_length=1024)


class SeveritySerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """How bad it is."""

    severity = ChoiceField(choices=Severity.choices)


class TimelineSerializer(serializers.ModelSerializer[TimelineEntry]):
    """One thing that happened."""

    text = serializers.CharField(source="told", read_only=True)

    class Meta:
        model = TimelineEntry
        fields = ["at", "kind", "act", "actor", "text", "facts"]
        read_only_fields = fields


class PageSerializer(serializers.ModelSerializer[Page]):
    """One message to one person or channel, and what became of it."""

    person = serializers.CharField(
        source="person.username", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Page
        fields = [
            "key",
            "cycle",
            "loop",
            "step",
            "level",
            "person",
            "target",
            "channel",
            "reason",
            "urgency",
            "state",
            "created_at",
            "due_at",
            "sent_at",
            "attempts",
            "is_repeat",
            "problem",
        ]
        read_only_fields = fields


class IncidentFilter(FilterSet):
    """What lists are narrowed by, besides their fields."""

    opened_after = InstantFilter(field_name="opened_at", lookup_expr="gte")
    opened_before = InstantFilter(field_name="opened_at", lookup_expr="lt")

    class Meta:
        model = Incident
        fields: list[str] = []


class IncidentViewSet(
    RolesMixin,
    StatusUpdatesMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Incident],
):
    """Read incidents, declare one, act on one."""

    queryset = Incident.objects.none()
    serializer_class = IncidentSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    filterset_class = IncidentFilter
    ordering = ["-opened_at", "-id"]
    ordering_fields = ["opened_at", "severity", "id"]
    search_fields = ["title", "summary"]

    def get_queryset(self) -> QuerySet[Incident]:
        """Only of services the caller may know of."""
        rows = visible_incidents(signed_in(self.request))
        return rows.prefetch_related("acknowledgements")

    @extend_schema(request=DeclarationSerializer, responses={201: IncidentSerializer})
    def create(self, request: Request) -> Response:
        """Declare an incident: people are called at once."""
        said = self._read(DeclarationSerializer)
        service = said.get("service")
        opening = Opening(
            said["severity"],
            said["title"],
            service_id=service.pk if service else None,
            summary=said.get("summary", ""),
            is_severity_set=True,
        )
        incident = lifecycle.declare(opening, now=now(), actor=acting(self.request))
        return Response(IncidentSerializer(incident).data, 201)

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str | None = None) -> Response:
        """Say that you work on it: nobody else is called for now. Again changes nothing."""
        person = signed_in(request)
        return self._done(lifecycle.acknowledge(self._id, person=person, **self._by))

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def unacknowledge(self, request: Request, pk: str | None = None) -> Response:
        """Say that nobody works on it any more: people are called from the beginning."""
        why = self._read(ReasonSerializer).get("reason", "")
        return self._done(lifecycle.unacknowledge(self._id, why=why, **self._by))

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def mitigate(self, request: Request, pk: str | None = None) -> Response:
        """Say that users no longer notice it."""
        return self._done(lifecycle.mitigate(self._id, **self._by))

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str | None = None) -> Response:
        """Say that it is over; alerts of it that still fire end with it."""
        why = self._read(ReasonSerializer).get("reason", "")
        return self._done(lifecycle.resolve(self._id, why=why, **self._by))

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str | None = None) -> Response:
        """Say that it is not over after all: people are called from the beginning."""
        why = self._read(ReasonSerializer).get("reason", "")
        return self._done(lifecycle.reopen(self._id, why=why, **self._by))

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str | None = None) -> Response:
        """Put it away; where its severity asks for a postmortem, publishing that does."""
        return self._done(lifecycle.close(self._id, **self._by))

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def escalate(self, request: Request, pk: str | None = None) -> Response:
        """Call the next level now."""
        return self._done(lifecycle.escalate(self._id, **self._by))

    @extend_schema(request=SnoozeSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str | None = None) -> Response:
        """Call nobody until then; whoever is on call at that time is called anew.

        409 while others must answer, too: the answer of whoever asks is kept, and calling goes on.
        """
        until: datetime = self._read(SnoozeSerializer)["until"]
        person = signed_in(request)
        return self._done(answering.snooze(self._id, until=until, person=person, **self._by))

    @extend_schema(request=AssignmentSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str | None = None) -> Response:
        """Say whose it is; whoever it is given to is told."""
        to = self._read(AssignmentSerializer)["to"]
        return self._done(lifecycle.assign(self._id, to=to, **self._by))

    @extend_schema(request=NoteSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def note(self, request: Request, pk: str | None = None) -> Response:
        """Write something into the timeline."""
        text = self._read(NoteSerializer)["text"]
        return self._done(lifecycle.note(self._id, text=text, **self._by))

    @extend_schema(request=SeveritySerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def severity(self, request: Request, pk: str | None = None) -> Response:
        """Say how bad it is; from then on alerts no longer change that."""
        said = self._read(SeveritySerializer)["severity"]
        return self._done(lifecycle.set_severity(self._id, severity=said, **self._by))

    @extend_schema(request=MergeSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str | None = None) -> Response:
        """Make it part of another incident, which is the answer."""
        into = self._read(MergeSerializer)["into"]
        if not self.get_queryset().filter(pk=into).exists():
            raise InvalidInput("There is no such incident.", field="into")
        return self._done(merging.merge(self._id, into=into, **self._by))

    @extend_schema(request=SplitSerializer, responses={201: IncidentSerializer})
    @action(detail=True, methods=["post"])
    def split(self, request: Request, pk: str | None = None) -> Response:
        """Make some of its alerts an incident of their own, which is the answer."""
        said = self._read(SplitSerializer)
        known = known_alerts(self.get_object(), signed_in(request)).filter(pk__in=said["alerts"])
        if known.count() != len(set(said["alerts"])):
            raise InvalidInput("Name alerts of this incident.", field="alerts")
        found = merging.split(
            self._id, alerts=said["alerts"], title=said.get("title", ""), **self._by
        )
        return Response(IncidentSerializer(found).data, 201)

    @extend_schema(request=RelationSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def relate(self, request: Request, pk: str | None = None) -> Response:
        """Say that another incident has to do with it."""
        return self._done(merging.relate(self._id, to=self._other("to"), **self._by))

    @extend_schema(request=RelationSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def unrelate(self, request: Request, pk: str | None = None) -> Response:
        """Say that another incident has nothing to do with it."""
        return self._done(merging.unrelate(self._id, to=self._other("to"), **self._by))

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def channel(self, request: Request, pk: str | None = None) -> Response:
        """Open a Slack channel for it now, and invite who was called. Takes no Idempotency-Key."""
        refuse_key(request)
        incident = self.get_object()
        channels.open_channel(incident, **self._by)
        return self._done(incident)

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def unmerge(self, request: Request, pk: str | None = None) -> Response:
        """Make a merged incident one of its own again."""
        return self._done(merging.unmerge(self._id, **self._by))

    @extend_schema(responses=TimelineSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def timeline(self, request: Request, pk: str | None = None) -> Response:
        """Read what happened, oldest first; of very much the newest thousand entries."""
        entries = timeline_for(self.get_object(), signed_in(request)).order_by("-at", "-pk")
        told = with_decisions([*reversed(entries[:1000])])
        return Response(TimelineSerializer(told, many=True).data)

    @extend_schema(responses=PageSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def pages(self, request: Request, pk: str | None = None) -> Response:
        """Read who was called, by what, and what became of it; the newest thousand."""
        newest = self.get_object().pages.select_related("person").order_by("-created_at", "-pk")
        return Response(PageSerializer([*reversed(newest[:1000])], many=True).data)

    @extend_schema(responses=ReceiptSerializer, filters=False)
    @action(detail=True)
    def receipt(self, request: Request, pk: str | None = None) -> Response:
        """Read why people were called for it, and others were not: each rule with its verdict."""
        found = receipt_of_incident(self.get_object(), signed_in(request), now=now())
        return Response(ReceiptSerializer(found).data)

    @property
    def _by(self) -> dict[str, Any]:
        return {"now": now(), "actor": acting(self.request)}

    @property
    def _id(self) -> int:
        return int(self.get_object().pk)

    def _read(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        serializer = kind(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _other(self, field: str) -> Incident:
        other = self.get_queryset().filter(pk=self._read(RelationSerializer)[field]).first()
        if other is None:
            raise InvalidInput("There is no such incident.", field=field)
        return other

    def _done(self, incident: Incident) -> Response:
        return Response(IncidentSerializer(incident).data)
