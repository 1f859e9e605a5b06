"""`/api/v1/users/`: people, as far as others need to know them."""

from typing import Any

from django_filters import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import BaseSerializer

from accounts.access import acting
from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.services.users import change_user, create_user
from core import clock
from core.api import StrictFieldsMixin

__all__ = ["UserViewSet", "register"]


class UserSerializer(serializers.ModelSerializer[User]):
    """What everyone who is signed in may know of a person."""

    name = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = User
        fields = read_only_fields = ("id", "username", "name", "role")


class UserDetailsSerializer(UserSerializer):
    """A person with what only admins may know of them, and set; it is null for everybody else."""

    email = serializers.CharField(read_only=True, allow_null=True)
    first_name = serializers.CharField(read_only=True, allow_null=True)
    last_name = serializers.CharField(read_only=True, allow_null=True)
    timezone = serializers.CharField(read_only=True, allow_null=True)

    OF_ADMINS = ("email", "first_name", "last_name", "timezone")

    class Meta:
        model = User
        fields = read_only_fields = (
            *UserSerializer.Meta.fields,
            "is_active",
            "email",
            "first_name",
            "last_name",
            "timezone",
        )

    def to_representation(self, instance: User) -> dict[str, Any]:
        """Show as much as the caller may know."""
        shown = super().to_representation(instance)
        if not _caller(self.context["request"]).has_role(Role.ADMIN):
            shown |= dict.fromkeys(self.OF_ADMINS)
        return shown


class MeSerializer(UserSerializer):
    """What people see of themselves."""

    email = serializers.CharField(read_only=True, help_text="Empty when nobody has said it.")
    scopes = serializers.SerializerMethodField(help_text="Of the token in use; null in a session.")

    class Meta:
        model = User
        fields = read_only_fields = (*UserSerializer.Meta.fields, "email", "timezone", "scopes")

    def get_scopes(self, _user: User) -> list[str] | None:
        """Return what the token in use may be used for."""
        auth = self.context["request"].auth
        return auth.scopes if isinstance(auth, ApiToken) else None


class UserWriteSerializer(StrictFieldsMixin, serializers.ModelSerializer[User]):
    """What an admin sets of a person."""

    username = serializers.CharField(max_length=150)
    name = serializers.CharField(source="__str__", read_only=True)
    password = serializers.CharField(write_only=True, required=False, max_length=128)

    class Meta:
        model = User
        fields = (
            "id",
            "username",
            "name",
            "password",
            "email",
            "first_name",
            "last_name",
            "timezone",
            "role",
            "is_active",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Passwords are set once, at creation; later only their owner changes them."""
        if self.instance is not None and "password" in attrs:
            raise serializers.ValidationError({"password": ["Only its owner changes it."]})
        return attrs


class UserFilter(FilterSet):
    """What lists are narrowed by, besides their fields."""

    class Meta:
        model = User
        fields = ("is_active",)


@extend_schema_view(
    list=extend_schema(summary="List people"),
    retrieve=extend_schema(summary="Read a person"),
    create=extend_schema(
        summary="Create a person",
        request=UserWriteSerializer,
        responses={201: UserDetailsSerializer},
    ),
    partial_update=extend_schema(
        summary="Change some fields of a person; `is_active: false` lets them go",
        request=UserWriteSerializer,
        responses=UserDetailsSerializer,
    ),
)
class UserViewSet(
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.ReadOnlyModelViewSet[User],
):
    """People. Nobody is deleted: whoever leaves is deactivated, and the audit keeps its sense."""

    queryset = User.objects.all()
    # Lists are filtered by its fields, so by none of those that only admins see.
    serializer_class = UserSerializer
    filterset_class = UserFilter
    search_fields = ("username", "first_name", "last_name")
    ordering = "username"
    ordering_fields = ("username", "role", "date_joined")
    http_method_names = ["get", "head", "options", "post", "patch"]
    read_role = Role.VIEWER
    write_role = Role.ADMIN

    def get_serializer_class(self) -> type[BaseSerializer[User]]:
        """Write with one shape, answer with the other."""
        writes = self.action in {"create", "partial_update"}
        return UserWriteSerializer if writes else UserDetailsSerializer

    def create(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Create through the service layer."""
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        user = create_user(**body.validated_data, now=clock.now(), actor=acting(request))
        return Response(self._shown(user), 201)

    def partial_update(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Change through the service layer."""
        user = self.get_object()
        body = self.get_serializer(user, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        changed = change_user(
            user=user, fields=body.validated_data, now=clock.now(), actor=acting(request)
        )
        return Response(self._shown(changed))

    @extend_schema(summary="Read yourself", responses=MeSerializer)
    @action(detail=False, pagination_class=None, filter_backends=[])
    def me(self, request: Request) -> Response:
        """Answer who the caller is."""
        return Response(MeSerializer(_caller(request), context={"request": request}).data)

    def _shown(self, user: User) -> dict[str, Any]:
        return UserDetailsSerializer(user, context=self.get_serializer_context()).data


def _caller(request: Request) -> User:
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def register(router: SimpleRouter) -> None:
    """Add people to the API."""
    router.register("users", UserViewSet, basename="user")
