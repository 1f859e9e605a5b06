"""`/api/v1/postmortems/`: begun, written, looked through and published; each has its incident's number."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import NotFound
from incidents.domain.postmortems import LONGEST_SECTION, SECTIONS
from incidents.models import Incident, Postmortem, PostmortemReview
from incidents.queries.incidents import visible_incidents
from incidents.queries.postmortems import demands, due_at, listed, standing
from incidents.services import postmortems

_SECTIONS = [section.name for section in SECTIONS]
_MOST_OWED = 500


class PostmortemReviewSerializer(serializers.ModelSerializer[PostmortemReview]):
    """What one person said of it; those of earlier rounds were about another text."""

    by = serializers.CharField(source="actor", read_only=True)

    class Meta:
        model = PostmortemReview
        fields = ["round", "by", "verdict", "comment", "at"]
        read_only_fields = fields


class PostmortemSummarySerializer(serializers.ModelSerializer[Postmortem]):
    """A postmortem as lists show it: without its texts."""

    service = serializers.CharField(
        source="incident.service.slug", read_only=True, allow_null=True, default=None
    )
    severity = serializers.CharField(source="incident.severity", read_only=True)
    merged_into = serializers.IntegerField(
        source="incident.merged_into_id",
        read_only=True,
        allow_null=True,
        help_text="The incident that its own lives on in: nothing is changed here then.",
    )
    author = serializers.CharField(
        source="author.username", read_only=True, allow_null=True, default=None
    )
    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Postmortem
        fields = [
            "incident",
            "status",
            "service",
            "severity",
            "merged_into",
            "author",
            "due_at",
            "version",
            "round",
            "created_at",
            "published_at",
            "published_by",
            "url",
        ]
        read_only_fields = fields


class PostmortemSerializer(PostmortemSummarySerializer):
    """A postmortem with its texts, as Markdown, and what was said of them."""

    reviews = PostmortemReviewSerializer(many=True, read_only=True)

    class Meta(PostmortemSummarySerializer.Meta):
        fields = [*PostmortemSummarySerializer.Meta.fields, *_SECTIONS, "reviews"]
        read_only_fields = fields


class BeginningSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Of which incident."""

    incident = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class PostmortemChangeSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """What is written, and which version it replaces."""

    version = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        help_text="As it was read: with an older one nothing is saved (409).",
    )
    due_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="Another time than the policy's; null: the policy's.",
    )

    def get_fields(self) -> dict[str, Any]:
        """Add a field for each section."""
        fields: dict[str, Any] = super().get_fields()
        for section in SECTIONS:
            fields[section.name] = serializers.CharField(
                required=False,
                allow_blank=True,
                max_length=LONGEST_SECTION,
                help_text=section.hint,
            )
        return fields


class CommentSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """What somebody says who looked through it."""

    comment = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    version = serializers.IntegerField(
        source="seen",
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="As it was read: of another one nothing is done (409).",
    )


class SendingBackSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """What is still to be written."""

    comment = serializers.CharField(max_length=10_000)


class OwedSerializer(serializers.Serializer[Any]):
    """An incident that is closed by publishing its postmortem."""

    incident = serializers.IntegerField(source="pk")
    title = serializers.CharField()
    severity = serializers.CharField()
    service = serializers.CharField(source="service.slug", allow_null=True, default=None)
    resolved_at = serializers.DateTimeField()
    due_at = serializers.SerializerMethodField()
    standing = serializers.SerializerMethodField(
        help_text="due, overdue, draft or in_review; overdue whether it was begun or not."
    )

    def get_due_at(self, incident: Incident) -> datetime | None:
        """Return until when it is to be published."""
        return due_at(incident, self.context["asked"])

    def get_standing(self, incident: Incident) -> str:
        """Return how it stands."""
        return standing(incident, self.context["asked"], now=self.context["now"])


class PostmortemViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Postmortem]
):
    """Postmortems; what is not published is for responders."""

    queryset = Postmortem.objects.none()
    serializer_class = PostmortemSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    ordering = ["-pk"]
    search_fields = ["incident__title", "summary", "root_cause", "lessons"]

    def get_queryset(self) -> QuerySet[Postmortem]:
        """Only of incidents the caller may know of."""
        rows = Postmortem.objects.visible_to(signed_in(self.request))
        rows = rows.select_related("incident__service", "author")
        return rows.defer(*_SECTIONS) if self.action == "list" else rows

    def get_serializer_class(self) -> type[serializers.Serializer[Any]]:
        """Leave the texts out of lists."""
        return PostmortemSummarySerializer if self.action == "list" else PostmortemSerializer

    @extend_schema(request=BeginningSerializer, responses={201: PostmortemSerializer})
    def create(self, request: Request) -> Response:
        """Begin the postmortem of an incident that is over; one that is there is the answer."""
        number = self._read(BeginningSerializer)["incident"]
        if not visible_incidents(signed_in(request)).filter(pk=number).exists():
            raise NotFound("There is no such incident.")
        postmortems.begin(number, person=signed_in(request), **self._by)
        return Response(self._shown(number), 201)

    @extend_schema(request=PostmortemChangeSerializer, responses=PostmortemSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change sections of a draft; what is left out stays."""
        fields = self._read(PostmortemChangeSerializer)
        seen = fields.pop("version")
        postmortems.edit(self._id, fields=fields, seen=seen, person=signed_in(request), **self._by)
        return self._done()

    @extend_schema(request=None, responses=PostmortemSerializer)
    @action(detail=True, methods=["post"])
    def ask(self, request: Request, pk: str | None = None) -> Response:
        """Ask for a review: it is not changed from then on, unless it is sent back."""
        postmortems.ask_for_review(self._id, person=signed_in(request), **self._by)
        return self._done()

    @extend_schema(request=CommentSerializer, responses=PostmortemSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str | None = None) -> Response:
        """Say that it may be published; who wrote it, or asked, may not."""
        said = self._read(CommentSerializer)
        postmortems.approve(self._id, **said, person=signed_in(request), **self._by)
        return self._done()

    @extend_schema(request=SendingBackSerializer, responses=PostmortemSerializer)
    @action(detail=True, methods=["post"], url_path="send-back")
    def send_back(self, request: Request, pk: str | None = None) -> Response:
        """Make it a draft again, and say what is still to be written."""
        comment = self._read(SendingBackSerializer)["comment"]
        postmortems.send_back(self._id, comment=comment, person=signed_in(request), **self._by)
        return self._done()

    @extend_schema(request=CommentSerializer, responses=PostmortemSerializer)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str | None = None) -> Response:
        """Publish what was approved, and close its incident; with a comment one approves it, too."""
        said = self._read(CommentSerializer)
        postmortems.publish(self._id, **said, person=signed_in(request), **self._by)
        return self._done()

    @extend_schema(request=None, responses=PostmortemSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str | None = None) -> Response:
        """Make what is published a draft again; its incident stays as it is."""
        postmortems.reopen(self._id, **self._by)
        return self._done()

    @extend_schema(responses=OwedSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None, filter_backends=[])
    def owed(self, request: Request) -> Response:
        """Read which incidents wait for theirs, the oldest first; at most 500."""
        asked, present = demands(), now()
        rows = listed(signed_in(request), "due", now=present).order_by("resolved_at", "pk")
        waiting = rows[:_MOST_OWED]
        context = {"asked": asked, "now": present}
        return Response(OwedSerializer(waiting, many=True, context=context).data)

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

    def _done(self) -> Response:
        return Response(self._shown(self._id))

    def _shown(self, number: int) -> dict[str, Any]:
        found = self.get_queryset().get(pk=number)
        return dict(PostmortemSerializer(found, context=self.get_serializer_context()).data)
