"""`/api/v1/swaps/` and `/api/v1/calendars/`: what people on call arrange for themselves."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.models import User
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from oncall.models import CalendarFeed, Schedule, ShiftSwap
from oncall.services.calendars import make_feed, revoke_feed
from oncall.services.schedules import accept_swap, ask_for_swap, withdraw_swap


class SwapSerializer(StrictFieldsMixin, serializers.ModelSerializer[ShiftSwap]):
    """Somebody asks to be replaced; whoever accepts gets an override."""

    schedule = serializers.SlugRelatedField(slug_field="slug", queryset=Schedule.objects.all())
    asked_by = serializers.CharField(source="asked_by.username", read_only=True)
    offered_to = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        required=False,
        allow_null=True,
        help_text="A username; null: anybody who responds.",
    )

    class Meta:
        model = ShiftSwap
        fields = [
            "id",
            "schedule",
            "asked_by",
            "offered_to",
            "starts_at",
            "ends_at",
            "reason",
            "state",
            "override",
        ]
        read_only_fields = ["state", "override"]

    def create(self, validated_data: dict[str, Any]) -> ShiftSwap:
        """Ask through the service."""
        request = self.context["request"]
        swap = ShiftSwap(**validated_data)
        return ask_for_swap(swap, actor=signed_in(request), token=acting(request), now=now())


class SwapViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[ShiftSwap],
):
    """Ask to be replaced, take somebody's place, take the question back."""

    queryset = ShiftSwap.objects.select_related("schedule", "asked_by", "offered_to")
    serializer_class = SwapSerializer
    search_fields = ["reason"]
    read_role = Role.VIEWER
    write_role = Role.RESPONDER

    @extend_schema(request=None, responses=SwapSerializer)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str | None = None) -> Response:
        """Take their place: an override is made for it."""
        person, token = signed_in(request), acting(request)
        swap = accept_swap(self.get_object(), actor=person, token=token, now=now())
        return Response(self.get_serializer(swap).data)

    @extend_schema(request=None, responses=SwapSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str | None = None) -> Response:
        """Take the question back."""
        person, token = signed_in(request), acting(request)
        swap = withdraw_swap(self.get_object(), actor=person, token=token, now=now())
        return Response(self.get_serializer(swap).data)


class CalendarSerializer(StrictFieldsMixin, serializers.ModelSerializer[CalendarFeed]):
    """A calendar to subscribe to."""

    schedule = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=Schedule.objects.all(),
        required=False,
        allow_null=True,
        help_text="A slug; null: your own shifts of every schedule.",
    )
    url = serializers.CharField(
        read_only=True, allow_null=True, default=None, help_text="Shown when it is made, only then."
    )

    class Meta:
        model = CalendarFeed
        fields = ["id", "schedule", "url", "created_at", "read_at"]
        read_only_fields = ["created_at", "read_at"]

    def create(self, validated_data: dict[str, Any]) -> CalendarFeed:
        """Make it through the service."""
        request = self.context["request"]
        feed, secret = make_feed(
            person=signed_in(request),
            schedule=validated_data.get("schedule"),
            token=acting(request),
            now=now(),
        )
        feed.url = settings.PORTAL_URL + reverse("oncall:calendar", args=[secret])  # type: ignore[attr-defined]
        return feed


class CalendarViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[CalendarFeed],
):
    """Your calendars; deleting one revokes its address."""

    queryset = CalendarFeed.objects.none()
    serializer_class = CalendarSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER

    def get_queryset(self) -> QuerySet[CalendarFeed]:
        """Only your own."""
        own = CalendarFeed.objects.filter(person=signed_in(self.request), revoked_at=None)
        return own.select_related("schedule")

    def perform_destroy(self, instance: CalendarFeed) -> None:
        """Revoke through the service."""
        revoke_feed(instance, actor=acting(self.request), now=now())
