"""`/api/v1/contact-methods/` and `/api/v1/channels/`: by what people and teams are reached.

Everybody has their own ways and sees nobody else's; channels are a team's. An address is written and
never read back, as it is on the page.
"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Team
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import Forbidden, InvalidInput
from core.idempotency import refuse_key
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, teams_managed_by
from notifications.services import trials
from notifications.services.contacts import add_method, change_method, remove_method, renew_secret

KEPT = "It stays as it was added: remove it, add another."
ONCE = {"Cache-Control": "no-store"}
OPTIONAL: dict[str, Any] = {"label": {"required": False}}


class WaySerializer(StrictFieldsMixin, serializers.ModelSerializer[ContactMethod]):
    """What somebody's way and a team's channel have in common."""

    address = serializers.CharField(
        max_length=1000,
        write_only=True,
        help_text="Email address, number with country code, https address, Slack member or channel "
        "ID, or the address of a push service, e.g. ntfy://topic. It is never shown again.",
    )
    is_usable = serializers.BooleanField(
        read_only=True, help_text="Whether it is verified and switched on."
    )
    secret = serializers.SerializerMethodField(
        help_text="With which a webhook's messages are signed. Shown when it is made, only then."
    )

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_secret(self, method: ContactMethod) -> str | None:
        """Return a secret that was made for this answer."""
        return getattr(method, "fresh_secret", None)

    def validate_kind(self, kind: str) -> str:
        """Refuse what only a browser can add: it subscribes for a key of the portal."""
        if self.instance is None and kind == Kind.WEB_PUSH:
            raise serializers.ValidationError("A browser adds itself: open /contact/ in it.")
        return kind

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Keep what was verified what it was; an address is not even compared, which would tell it."""
        if self.instance is not None:
            stored = {"kind": self.instance.kind, "team": self.instance.team}
            fixed = attrs.keys() & {"kind", "team", "address"}
            wrong = {name: [KEPT] for name in fixed if attrs[name] != stored.get(name)}
            if wrong:
                raise serializers.ValidationError(wrong)
        return attrs

    def added(
        self, fields: dict[str, Any], *, person: User | None, team: Team | None = None
    ) -> ContactMethod:
        """Add a way of a person or of a team through the service."""
        actor, at = acting(self.context["request"]), now()
        method = add_method(
            person=person,
            team=team,
            kind=Kind(fields["kind"]),
            label=fields.get("label", ""),
            address=fields["address"],
            actor=actor,
            now=at,
        )
        # Whoever adds it switched off means so.
        change_method(method, fields=fields, actor=actor, now=at)
        return with_secret(method, method.secrets_at(at) if method.kind == Kind.WEBHOOK else None)

    def update(self, instance: ContactMethod, validated_data: dict[str, Any]) -> ContactMethod:
        """Change it through the service."""
        actor = acting(self.context["request"])
        return change_method(instance, fields=validated_data, actor=actor, now=now())


class ContactMethodSerializer(WaySerializer):
    """One way to reach you."""

    masked_address = serializers.CharField(read_only=True, help_text="Enough to recognise it.")

    class Meta:
        model = ContactMethod
        fields = [
            "id",
            "kind",
            "label",
            "address",
            "masked_address",
            "is_enabled",
            "is_usable",
            "verified_at",
            "delivered_at",
            "failed_at",
            "problem",
            "secret",
        ]
        read_only_fields = ["verified_at", "delivered_at", "failed_at", "problem"]
        extra_kwargs = OPTIONAL

    def create(self, validated_data: dict[str, Any]) -> ContactMethod:
        """Add it for the caller: nobody adds ways of others."""
        return self.added(validated_data, person=signed_in(self.context["request"]))


class ChannelSerializer(WaySerializer):
    """A team's channel."""

    team = serializers.SlugRelatedField(slug_field="slug", queryset=Team.objects.all())

    class Meta:
        model = ContactMethod
        fields = ["id", "team", "kind", "label", "address", "is_enabled", "is_usable", "secret"]
        extra_kwargs = OPTIONAL

    def create(self, validated_data: dict[str, Any]) -> ContactMethod:
        """Add it for the team."""
        team = validated_data["team"]
        refuse_others(signed_in(self.context["request"]), team)
        return self.added(validated_data, person=None, team=team)


class CodeSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """The code that was sent."""

    code = serializers.CharField(max_length=6)


def with_secret(method: ContactMethod, secret: str | None) -> ContactMethod:
    """Return a method that shows its secret, in this one answer."""
    method.fresh_secret = secret  # type: ignore[attr-defined]
    return method


def refuse_others(user: User, team: Team | None) -> None:
    """Keep channels to those who may change them on their page.

    Raises:
        Forbidden: They may not.
    """
    if team is None or not teams_managed_by(user).filter(pk=team.pk).exists():
        raise Forbidden("Channels are changed by members of the team, and by managers.")


class WayViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[ContactMethod],
):
    """What is done to somebody's way and to a team's channel alike.

    What sends, and what counts wrong codes, takes no key: a refusal would not count, and a provider
    would be waited for while the key is held.
    """

    http_method_names = ["get", "head", "options", "post", "patch", "delete"]
    read_role = Role.VIEWER

    def get_success_headers(self, data: Any) -> dict[str, str]:
        """Have nobody keep a secret on its way."""
        return ONCE

    def perform_destroy(self, instance: ContactMethod) -> None:
        """Remove through the service."""
        remove_method(instance, actor=acting(self.request), now=now())

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def code(self, request: Request, pk: str | None = None) -> Response:
        """Have a code sent there, by which its owner shows that it reaches them."""
        refuse_key(request)
        method = self.get_object()
        trials.send_code(method, now=now())
        return self._shown()

    @extend_schema(request=CodeSerializer)
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, pk: str | None = None) -> Response:
        """Enter the code that was sent: from then on it counts."""
        refuse_key(request)
        method = self.get_object()
        body = CodeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        code, actor = body.validated_data["code"], acting(request)
        if not trials.verify(method, code, actor=actor, now=now()):
            raise InvalidInput("That is not the code that was sent.", field="code")
        return self._shown()

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Send a test there; its provider took it where this is answered with 200."""
        refuse_key(request)
        method = self.get_object()
        trials.try_method(method, now=now())
        return self._shown()

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: str | None = None) -> Response:
        """Give a webhook another secret; the one before signs beside it for a day."""
        method = self.get_object()
        secret = renew_secret(method, actor=acting(request), now=now())
        return self._shown(secret)

    def _shown(self, secret: str | None = None) -> Response:
        """Answer how it is now."""
        body = self.get_serializer(with_secret(self.get_object(), secret)).data
        return Response(body, headers=ONCE if secret else None)


class ContactMethodViewSet(WayViewSet):
    """Your own ways to be reached; a way counts once the code that was sent there was entered."""

    queryset = ContactMethod.objects.none()
    serializer_class = ContactMethodSerializer
    # As on the page; a token needs the scope write besides.
    write_role = Role.VIEWER
    search_fields = ["label"]

    def get_queryset(self) -> QuerySet[ContactMethod]:
        """Only your own."""
        return ContactMethod.objects.filter(person=signed_in(self.request))


class ChannelViewSet(WayViewSet):
    """Channels of teams, by whose numbers policies and the fallback contact call them."""

    queryset = ContactMethod.objects.filter(person=None).select_related("team")
    serializer_class = ChannelSerializer
    write_role = Role.RESPONDER
    search_fields = ["label", "team__slug"]

    def check_object_permissions(self, request: Request, obj: ContactMethod) -> None:
        """Show each to everybody, have it changed by its team and by managers."""
        super().check_object_permissions(request, obj)
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            refuse_others(signed_in(request), obj.team)
