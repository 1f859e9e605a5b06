"""`Idempotency-Key`: a request of the API that is sent again does nothing a second time.

The answer is kept for a day, in the transaction of what the request changed, so that a lost
connection, a crash and two attempts at once all end alike: done once, answered the same. A refusal
changes nothing and is not kept. Who asks again is asked again who they are and what they may.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import encryption
from core.clock import now
from core.errors import Conflict, InvalidInput
from core.models import KeptAnswer
from core.problems import CUT_SHORT, problem_response

__all__ = ["KEPT_FOR", "IdempotencyMiddleware", "forget_answers", "refuse_key"]

KEPT_FOR = timedelta(days=1)
MAX_KEY = 200
# Batches of telemetry have a way of their own.
ELSEWHERE = "/api/v1/telemetry/"
_KEPT = "_kept_answer"
View = Callable[[HttpRequest], HttpResponse]


class IdempotencyMiddleware:
    """Answers again what was answered before; stands last, so that it holds nothing but views."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST" or not _is_ours(request.path_info):
            return self.get_response(request)
        # An empty one is a variable that is not set: it would be done twice when sent again.
        if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
            text = f"1 to {MAX_KEY} printable characters."
            return problem_response(InvalidInput(text, field="Idempotency-Key"))
        try:
            body = request.body
        except RequestDataTooBig:
            return self.get_response(request)
        except UnreadablePostError:
            return problem_response(InvalidInput(CUT_SHORT, field="body"))
        fingerprint = _digest(request.get_full_path().encode(), body)
        return self._answered_once(request, key, fingerprint)

    def _answered_once(self, request: HttpRequest, key: str, fingerprint: str) -> HttpResponse:
        caller = _caller(request)
        with transaction.atomic():
            kept, is_new = KeptAnswer.objects.get_or_create(
                caller=caller,
                key=key,
                defaults={"fingerprint": fingerprint, "created_at": now()},
            )
            if not is_new:
                setattr(request, _KEPT, _again(kept, fingerprint))
                return self.get_response(request)
            response = self.get_response(request)
            if not 200 <= response.status_code < 300:
                transaction.set_rollback(True)
                return response
            kept.status = response.status_code
            kept.content_type = response.headers.get("Content-Type", "")[:100]
            kept.sealed_body = encryption.encrypt(response.content.decode())
            kept.save(update_fields=["status", "content_type", "sealed_body"])
        return response

    def process_view(
        self, request: HttpRequest, view: View, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        """Answer from what is kept instead of calling the view, to those whom the view lets in."""
        kept: HttpResponse | None = getattr(request, _KEPT, None)
        return kept and (_refusal(request, view, args, kwargs) or kept)


def _refusal(
    request: HttpRequest, view: View, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> HttpResponse | None:
    """Return how a view of the API refuses a request before it looks at what is wanted, if it does."""
    kind: type[APIView] | None = getattr(view, "cls", None)
    if kind is None:
        return None
    own: Any = kind(**getattr(view, "initkwargs", {}))
    own.args, own.kwargs = args, kwargs
    own.action_map = getattr(view, "actions", None) or {}
    asked = own.request = own.initialize_request(request, *args, **kwargs)
    own.headers = own.default_response_headers
    try:
        own.initial(asked, *args, **kwargs)
    except Exception as error:  # noqa: BLE001 worded as the view words it, or raised again by it
        refused: Response = own.handle_exception(error)
        own.finalize_response(asked, refused, *args, **kwargs)
        rendered: HttpResponse = refused.render()
        return rendered
    return None


def refuse_key(request: Request) -> None:
    """Refuse a key, for what must count although it is refused, or waits for others.

    Raises:
        InvalidInput: The request carries one.
    """
    if "Idempotency-Key" in request.headers:
        text = "This takes no key: send it without one."
        raise InvalidInput(text, field="Idempotency-Key")


def forget_answers() -> int:
    """Delete answers that are no longer kept; returns how many."""
    count, _ = KeptAnswer.objects.filter(created_at__lt=now() - KEPT_FOR).delete()
    return count


def _is_ours(path: str) -> bool:
    return path.startswith("/api/v1/") and not path.startswith(ELSEWHERE)


def _again(kept: KeptAnswer, fingerprint: str) -> HttpResponse:
    if kept.fingerprint != fingerprint:
        text = "This key was used for another request."
        return problem_response(Conflict(text, field="Idempotency-Key"))
    return HttpResponse(
        encryption.decrypt(kept.sealed_body),
        status=kept.status,
        content_type=kept.content_type or None,
        # Some were shown once: a new key is in no other answer.
        headers={"Idempotency-Replayed": "true", "Cache-Control": "no-store"},
    )


def _caller(request: HttpRequest) -> str:
    """Return what tells callers apart: the credential, whatever its scheme, checked only by the view."""
    header = request.headers.get("Authorization", "").strip()
    sent = header.partition(" ")[2].strip() or header
    sent = sent or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return _digest(settings.TOKEN_PEPPER.encode(), sent.encode())


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()
