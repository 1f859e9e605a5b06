"""Errors as RFC 9457 problem documents: `application/problem+json`.

    {"type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid",
     "detail": "email: Enter a valid email address.", "errors": {"email": ["Enter a …"]},
     "id": "0192f…"}

`errors` names each offending field; `id` is the request id that the log carries too.
"""

from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.db.models import Model, ProtectedError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.errors import Conflict, DomainError, InvalidInput, TooLarge, Unavailable
from core.middleware import current_request_id
from core.parsers import body_limit
from core.taken import TAKEN, taken_fields

log = structlog.get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
INTERNAL = "Something broke on our side. The id finds it in the log."
CUT_SHORT = "Ended before it was complete."
CONFLICTS = "It contradicts what is stored, or what somebody else stored in this moment."
DATABASE_DOWN = "The database does not answer. Nothing was stored; try again shortly."
CROSSED = "Somebody else changed this in the same moment. Nothing was stored; try again."
HELD = "Somebody else is still changing this. Nothing was stored; try again shortly."
TOO_SLOW = "It took the database too long. Nothing was stored; ask for less, or try again later."
UNKEPT = "One of the values is longer, larger or of other letters than any that is kept."
# Of values that another row has.
_TAKEN = frozenset({"unique", "unique_together"})
# What PostgreSQL says (SQLSTATE, its manual's appendix A) while it is well.
_CROSSED = frozenset({"40001", "40P01"})
_HELD = frozenset({"55P03"})
_TOO_SLOW = frozenset({"57014"})
_UNKEPT = frozenset({"22001", "22003", "22007", "22008", "22021", "22P02", "22P05"})


def problem(
    status: int,
    detail: str,
    *,
    code: str,
    errors: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """Return the body of a problem document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": _sayable(detail),
        "id": current_request_id(),
    }
    if errors:
        body["errors"] = {
            _sayable(path): [_sayable(str(message)) for message in messages]
            for path, messages in errors.items()
        }
    return body


def _sayable(text: str) -> str:
    # A caller's own words come back in it, and half a surrogate pair cannot be sent.
    return text.encode("utf-8", "backslashreplace").decode()


def problem_response(error: DomainError) -> JsonResponse:
    """Return a plain Django response for a refusal (views outside the REST framework)."""
    response = JsonResponse(
        problem(error.status, error.message, code=error.code, errors=error.fields),
        status=error.status,
        content_type=CONTENT_TYPE,
    )
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def refusal_of(error: Exception, *, limit: int | None = None) -> DomainError | None:
    """Return how the caller is refused whose doing an error of the framework is, if it is.

    Bodies that it could not read, numbers beyond what columns hold, rows that others still need or
    are changing.

    `limit` is how many bytes are read at all, where that is less than the framework's own limit.
    """
    if isinstance(error, RequestDataTooBig):
        most = limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return TooLarge(f"Send at most {most} bytes.", field="body")
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        return TooLarge("Has too many fields.", field="body")
    if isinstance(error, UnreadablePostError):
        return InvalidInput(CUT_SHORT, field="body")
    # Its own conversion of a parameter; PostgreSQL compares with numbers of any size.
    if isinstance(error, OverflowError) and "SQLite" in str(error):
        return InvalidInput("One of the numbers is larger than any that is kept.")
    if isinstance(error, ProtectedError):
        used = _in_words(error.protected_objects)
        return Conflict(f"It is still used by {used}: delete or move those first.")
    return _refusal_of_database(error) if isinstance(error, DatabaseError) else None


def _refusal_of_database(error: DatabaseError) -> DomainError | None:
    """Return what a database means that answers, but not with what was asked for."""
    state = getattr(error.__cause__, "pgcode", None)
    # SQLite has one lock for all, and waits for it as long as the settings say.
    is_busy = getattr(error.__cause__, "sqlite_errorname", "").startswith("SQLITE_BUSY")
    if state in _CROSSED:
        refusal: DomainError = Conflict(CROSSED)
    elif state in _HELD or is_busy:
        refusal = Unavailable(HELD)
    elif state in _TOO_SLOW:
        refusal = Unavailable(TOO_SLOW)
    elif state in _UNKEPT:
        refusal = InvalidInput(UNKEPT)
    else:
        return None
    log.warning("database_refused", code=refusal.code, exc_info=error)
    return refusal


def _in_words(rows: Iterable[Model]) -> str:
    counts = Counter(type(row)._meta for row in rows)
    said = [
        f"{count} {of.verbose_name if count == 1 else of.verbose_name_plural}"
        for of, count in sorted(counts.items(), key=lambda item: item[0].label)
    ]
    return " and ".join(said)


_OF_PROGRAMS = (
    "/api/",
    "/v1/",
    "/v2/",
    "/integrations/v1/",
    "/generic/",
    "/health",
    "/status/api/",
)


def wants_json(request: HttpRequest) -> bool:
    """Return whether an error on this path is read by a program rather than a person."""
    path = request.path
    if path.startswith(_OF_PROGRAMS):
        return True
    return path.startswith("/sre/") and not path.startswith("/sre/dashboard-ui")


def flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Return nested validation messages as `{"path.to[0].field": [message, …]}`."""
    if isinstance(detail, dict):
        merged: dict[str, list[str]] = {}
        for key, value in detail.items():
            # Of a list that has wrong elements only those are told, by their numbers.
            name = "" if key == "non_field_errors" else f"[{key}]" if isinstance(key, int) else key
            dot = "." if prefix and name and not isinstance(key, int) else ""
            merged.update(flatten(value, f"{prefix}{dot}{name}"))
        return merged
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        merged = {}
        for index, item in enumerate(detail):
            merged.update(flatten(item, f"{prefix}[{index}]"))
        return merged
    messages = detail if isinstance(detail, list) else [detail]
    return {prefix or "body": [str(message) for message in messages]} if messages else {}


def _sentence(errors: dict[str, list[str]]) -> str:
    return "; ".join(f"{path}: {' '.join(messages)}" for path, messages in errors.items())


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Turn any exception of an API view into a problem document (REST framework's hook)."""
    set_rollback()
    exc = refusal_of(exc, limit=body_limit(context.get("view"))) or exc
    if isinstance(exc, DomainError):
        headers = {"Retry-After": str(exc.retry_after_s)} if exc.retry_after_s is not None else {}
        body = problem(exc.status, exc.message, code=exc.code, errors=exc.fields)
        return Response(body, exc.status, headers=headers, content_type=CONTENT_TYPE)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound("Not found.")
    if isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied(str(exc) or None)
    if isinstance(exc, ModelValidationError):
        exc = exceptions.ValidationError(_coded(exc))
    if isinstance(exc, exceptions.APIException):
        return _api_exception(exc)
    if isinstance(exc, IntegrityError):
        log.error("integrity_error", view=str(context.get("view")), exc_info=exc)
        errors = _taken(exc, context.get("view"))
        body = problem(409, _sentence(errors) or CONFLICTS, code="conflict", errors=errors)
        return Response(body, 409, content_type=CONTENT_TYPE)
    if isinstance(exc, OperationalError | InterfaceError):
        log.error("database_error", view=str(context.get("view")), exc_info=exc)
        body = problem(503, DATABASE_DOWN, code="unavailable")
        return Response(body, 503, headers={"Retry-After": "5"}, content_type=CONTENT_TYPE)
    log.error("unhandled_error", view=str(context.get("view")), exc_info=exc)
    return Response(problem(500, INTERNAL, code="internal"), 500, content_type=CONTENT_TYPE)


def _taken(error: IntegrityError, view: Any) -> dict[str, list[str]]:
    """Return which fields of a view's rows are taken; of rows of other kinds the caller knows nothing."""
    rows = getattr(view, "queryset", None)
    names = [] if rows is None else taken_fields(error, rows.model)
    return {name: [TAKEN] for name in names}


def _coded(error: ModelValidationError) -> Any:
    """Return what a model says is wrong, each with its code, as REST framework has it."""

    def said(errors: list[ModelValidationError]) -> list[exceptions.ErrorDetail]:
        return [
            exceptions.ErrorDetail(message, each.code)
            for each in errors
            for message in each.messages
        ]

    by_field = getattr(error, "error_dict", None)
    if by_field is None:
        return said(error.error_list)
    return {name: said(errors) for name, errors in by_field.items()}


def _codes(codes: Any) -> set[str]:
    """Return all codes of validation errors that are nested as the fields are."""
    if isinstance(codes, str):
        return {codes}
    inner = codes.values() if isinstance(codes, dict) else codes or ()
    return set().union(*map(_codes, inner))


def _api_exception(exc: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(exc, exceptions.ValidationError):
        errors = flatten(exc.detail)
        # Where nothing else is wrong it is the present state that does not allow it.
        is_taken = bool(codes := _codes(exc.get_codes())) and codes <= _TAKEN
        status, code = (409, "conflict") if is_taken else (400, "invalid")
        body = problem(status, _sentence(errors), code=code, errors=errors)
        return Response(body, status, headers=headers, content_type=CONTENT_TYPE)
    detail = str(exc.detail)
    unread = {"body": [detail]} if isinstance(exc, exceptions.ParseError) else None
    body = problem(exc.status_code, detail, code=exc.default_code, errors=unread)
    return Response(body, exc.status_code, headers=headers, content_type=CONTENT_TYPE)
