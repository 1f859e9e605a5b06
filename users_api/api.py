"""`/api/users`: a small service under the portal's own objectives."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.errors import InvalidInput, NotFound
from core.listing import refuse_unknown_parameters
from core.pagination import CursorPagination
from users_api import demo_faults
from users_api.degradation import LastGood, Served
from users_api.freshness import record_age
from users_api.models import Person
from users_api.permissions import AnonymousWhereAllowed
from users_api.serializers import PersonSerializer
from users_api.services import people

Payload = dict[str, Any]

MAX_BODY_BYTES = 16 * 1024
SEARCH_MAX = 200
LARGEST_ID = 2**63 - 1

last_good = LastGood()
"""What this process read last, for the time the database is away."""

PERSON_ID = OpenApiParameter("id", int, OpenApiParameter.PATH, description="Id of the person.")
DEGRADED = OpenApiParameter(
    "X-Degraded",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description="`stale; age=<seconds>` when the database is away and this is the last good copy.",
)
SEARCH = OpenApiParameter("q", str, description="Text within name or email, whatever its case.")


@extend_schema_view(
    list=extend_schema(
        operation_id="list_persons",
        summary="List persons, newest first",
        parameters=[SEARCH, DEGRADED],
        responses={200: PersonSerializer(many=True)},
    ),
    create=extend_schema(
        operation_id="add_person",
        summary="Add a person",
        request=PersonSerializer,
        responses={201: PersonSerializer},
    ),
    retrieve=extend_schema(
        operation_id="read_person",
        summary="Read a person",
        parameters=[PERSON_ID, DEGRADED],
        responses={200: PersonSerializer},
    ),
    update=extend_schema(
        operation_id="replace_person",
        summary="Replace a person",
        parameters=[PERSON_ID],
        request=PersonSerializer,
        responses={200: PersonSerializer},
    ),
    partial_update=extend_schema(
        operation_id="change_person",
        summary="Change some fields of a person",
        parameters=[PERSON_ID],
        request=PersonSerializer(partial=True),
        responses={200: PersonSerializer},
    ),
    destroy=extend_schema(
        operation_id="remove_person",
        summary="Remove a person",
        parameters=[PERSON_ID],
        responses={204: None},
    ),
)
@extend_schema(tags=["users"])
class PersonViewSet(viewsets.ViewSet):
    """Persons of the reference service."""

    permission_classes = [AnonymousWhereAllowed]
    pagination_class = CursorPagination
    max_body_bytes = MAX_BODY_BYTES

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Admit the caller, then do what a demonstration request asks for."""
        super().initial(request, *args, **kwargs)
        demo_faults.inject(request.headers.get(demo_faults.HEADER))

    def perform_authentication(self, request: Request) -> None:
        """Let a caller who need not be known through while nobody can be known."""
        try:
            super().perform_authentication(request)
        except (DatabaseError, InterfaceError):
            if not settings.USERS_API_ANONYMOUS:
                raise
            request.user = AnonymousUser()

    def list(self, request: Request) -> Response:
        """Answer one page; a page that was read before outlives an outage."""
        refuse_unknown_parameters(request, {"q"})
        text = _search_text(request)
        pages = self.pagination_class()
        # Refuses a bad cursor or page size here: below, it would count against the database.
        pages.paginate_queryset(Person.objects.none(), request, self)

        def read_page() -> Payload:
            found = pages.paginate_queryset(Person.objects.search(text), request, self)
            page = pages.get_paginated_response([PersonSerializer(person).data for person in found])
            return dict(page.data)

        return _answer(last_good.read(_page_key(request, text), read_page))

    def retrieve(self, _request: Request, **_route: str) -> Response:
        """Answer one person."""
        person_id = self.person_id
        served = last_good.read(person_id, _reader(person_id))
        if served.value is None:
            raise NotFound(people.UNKNOWN)
        return _answer(served)

    def create(self, request: Request) -> Response:
        """Store a person; 201 only once it is committed."""
        person = people.create_person(**_validated(request))
        location = reverse("users_api:person", args=[person.pk])
        return Response(PersonSerializer(person).data, 201, headers={"Location": location})

    def update(self, request: Request, **_route: str) -> Response:
        """Replace name and email."""
        return self._change(request, partial=False)

    def partial_update(self, request: Request, **_route: str) -> Response:
        """Replace the fields that are sent."""
        return self._change(request, partial=True)

    def destroy(self, _request: Request, **_route: str) -> Response:
        """Remove a person, also from the copies kept for an outage."""
        people.delete_person(self.person_id)
        last_good.revise(_revision(self.person_id, None))
        return Response(status=204)

    @property
    def person_id(self) -> int:
        """The id in the address; what cannot be one is the id of nobody."""
        return _person_id(self.kwargs["id"])

    def _change(self, request: Request, *, partial: bool) -> Response:
        person_id = self.person_id
        person = people.update_person(person_id, **_validated(request, partial=partial))
        payload = dict(PersonSerializer(person).data)
        last_good.revise(_revision(person_id, payload))
        return Response(payload)


@extend_schema(exclude=True)
class UnknownAddress(APIView):
    """Whatever else is asked for below `/api/users`."""

    permission_classes = [AnonymousWhereAllowed]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse, whatever the method."""
        super().initial(request, *args, **kwargs)
        raise Http404


def _reader(person_id: int) -> Callable[[], Payload | None]:
    def read() -> Payload | None:
        person = Person.objects.filter(pk=person_id).first()
        return None if person is None else dict(PersonSerializer(person).data)

    return read


def _page_key(request: Request, text: str) -> tuple[str | None, ...]:
    # The host belongs to it: `next` and `previous` are absolute.
    given = request.query_params
    return (request.build_absolute_uri("/"), text, given.get("page_size"), given.get("cursor"))


def _revision(person_id: int, payload: Payload | None) -> Callable[[Payload], Payload | None]:
    """Return the edit that puts `payload` in place of a person, or takes them out for None."""

    def edit(kept: Payload) -> Payload | None:
        if "results" not in kept:
            return payload if kept["id"] == person_id else kept
        rows = [payload if row["id"] == person_id else row for row in kept["results"]]
        return {**kept, "results": [row for row in rows if row is not None]}

    return edit


def _answer(served: Served[Any]) -> Response:
    record_age(served.age_s)
    headers = {"X-Degraded": f"stale; age={served.age_s:.0f}"} if served.is_stale else {}
    return Response(served.value, headers=headers)


def _validated(request: Request, *, partial: bool = False) -> dict[str, str]:
    serializer = PersonSerializer(data=request.data, partial=partial)
    serializer.is_valid(raise_exception=True)
    validated: dict[str, str] = serializer.validated_data
    return validated


def _person_id(given: str) -> int:
    canonical = given.isascii() and given.isdecimal() and not given.startswith("0")
    if not canonical or len(given) > 19 or int(given) > LARGEST_ID:
        raise NotFound(people.UNKNOWN)
    return int(given)


def _search_text(request: Request) -> str:
    text = request.query_params.get("q", "").strip()
    if len(text) > SEARCH_MAX or "\0" in text:
        raise InvalidInput(f"Use at most {SEARCH_MAX} characters of text.", field="q")
    return text
