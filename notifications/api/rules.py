"""`/api/v1/notification-rules/`: by which of your ways you are called, and how long after the first."""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.roles import Role
from core.api import KeyRelatedField, StrictFieldsMixin
from core.clock import now
from notifications.models import ContactMethod, NotificationRule
from notifications.services.rules import MOST_RULES, add_rule, remove_rule, replace_rules

__all__ = ["NotificationRuleViewSet"]

URGENCY = OpenApiParameter(
    "urgency", str, OpenApiParameter.PATH, enum=NotificationRule.Urgency.values
)


class OwnMethodField(KeyRelatedField):
    """A way of the caller; others' do not exist for them."""

    def get_queryset(self) -> QuerySet[Model]:
        """Return the caller's ways."""
        return ContactMethod.objects.filter(person=signed_in(self.context["request"]))


class NotificationRuleSerializer(StrictFieldsMixin, serializers.ModelSerializer[NotificationRule]):
    """By this way, so long after you are called first, unless you have answered by then."""

    method = OwnMethodField(queryset=ContactMethod.objects.filter(team=None))

    class Meta:
        model = NotificationRule
        fields = ["id", "urgency", "method", "delay"]

    def create(self, validated_data: dict[str, Any]) -> NotificationRule:
        """Add it through the service."""
        request = self.context["request"]
        return add_rule(signed_in(request), **validated_data, actor=acting(request), now=now())


class OneRuleSerializer(StrictFieldsMixin, serializers.ModelSerializer[NotificationRule]):
    """A rule of the urgency that the address says."""

    method = OwnMethodField(queryset=ContactMethod.objects.filter(team=None))

    class Meta:
        model = NotificationRule
        fields = ["method", "delay"]


class RulesSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """All rules of one urgency."""

    rules = OneRuleSerializer(many=True, max_length=MOST_RULES)  # type: ignore[call-arg]


class NotificationRuleViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[NotificationRule],
):
    """Your own rules; without any of an urgency, all of your ways are used at once."""

    queryset = NotificationRule.objects.none()
    serializer_class = NotificationRuleSerializer
    read_role = Role.VIEWER
    # As on the page; a token needs the scope write besides.
    write_role = Role.VIEWER

    def get_queryset(self) -> QuerySet[NotificationRule]:
        """Only your own."""
        return NotificationRule.objects.filter(person=signed_in(self.request))

    def perform_destroy(self, instance: NotificationRule) -> None:
        """Remove through the service."""
        remove_rule(instance, actor=acting(self.request), now=now())

    @extend_schema(
        parameters=[URGENCY],
        request=RulesSerializer,
        responses=NotificationRuleSerializer(many=True),
        filters=False,
    )
    @action(detail=False, methods=["put"], url_path="(?P<urgency>high|low)", pagination_class=None)
    def replace(self, request: Request, urgency: str) -> Response:
        """Have these be all rules of one urgency; none: all of your ways are used at once."""
        body = RulesSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        rules = replace_rules(
            signed_in(request),
            urgency=urgency,
            rules=body.validated_data["rules"],
            actor=acting(request),
            now=now(),
        )
        return Response(self.get_serializer(rules, many=True).data)
