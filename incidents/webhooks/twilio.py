"""`/integrations/v1/twilio/…`: what became of messages and calls, and keys that were pressed in calls.

Twilio signs over the address and what it posts; the address is the one that the portal gave it.
"""

import time
from collections.abc import Callable
from functools import wraps
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.models import User
from core import clock
from core.errors import DomainError, Forbidden, InvalidInput
from incidents.domain.lifecycle import OPEN
from incidents.models import Incident
from incidents.queries.merges import lives_on_in
from incidents.queries.quorum import answers_of
from incidents.services import answering, deliveries
from incidents.services.acts import name_of
from incidents.services.deliveries import Report
from incidents.services.messages import read_ack_token
from incidents.webhooks.requests import webhook, whole_request
from notifications.domain.twilio import is_signed
from notifications.transports.twilio import ACKNOWLEDGES, ENDED_BADLY, gather, why

__all__ = ["answer", "status"]

_ARRIVED = {"delivered", "read", "completed"}
_BLAMES_WAY = {"failed", "undelivered"}
_MOST_FIELDS = 200
# A report may come before the answer that it is about is written down, for a moment.
_LOOKS, _LOOK_EVERY_S = 10, 0.1
_UNSIGNED = "signature: missing, or not Twilio's for this address; see PORTAL_URL"


def _large() -> HttpResponse:
    return JsonResponse({"error": "body: at most 512 KiB"}, status=413)


def _broken() -> HttpResponse:
    return JsonResponse({"error": "Nothing was stored; try again."}, status=503)


def _signed(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give a view the form that Twilio signed; refuse what is none."""

    @wraps(view)
    def answered(request: HttpRequest, **where: str) -> HttpResponse:
        try:
            form = _form(request)
        except InvalidInput as error:
            return JsonResponse({"error": error.message}, status=400)
        if form is None:
            return JsonResponse({"error": _UNSIGNED}, status=401)
        return view(request, form, **where)

    return answered


@webhook("POST", large=_large, broken=_broken)
@_signed
def status(
    _request: HttpRequest, form: dict[str, str], incident: str, key: str, attempt: str
) -> HttpResponse:
    """Take note of what became of a message or a call."""
    word = form.get("MessageStatus") or form.get("CallStatus") or ""
    report = Report(
        incident=int(incident),
        key=key,
        attempt=int(attempt),
        provider_id=form.get("MessageSid") or form.get("CallSid") or "",
        is_delivered=word in _ARRIVED,
        problem=f"Twilio says {word}{_code(form)}." if word in ENDED_BADLY else "",
        blames_way=word in _BLAMES_WAY,
    )
    for _ in range(_LOOKS):
        if deliveries.note(report, now=clock.now()):
            return HttpResponse(status=204)
        time.sleep(_LOOK_EVERY_S)
    return _broken()


@webhook("POST", large=_large, broken=_broken)
@_signed
def answer(request: HttpRequest, form: dict[str, str], token: str) -> HttpResponse:
    """Acknowledge for whom was called, if they pressed the key; what is answered is said to them."""
    if form.get("Digits") != ACKNOWLEDGES:
        again = f"{settings.PORTAL_URL}{request.path}"
        said = gather(f"Press {ACKNOWLEDGES} to acknowledge.", again)
    else:
        said = f"<Say>{escape(_acknowledged(token))}</Say>"
    return HttpResponse(f"<Response>{said}</Response>", content_type="text/xml")


def _form(request: HttpRequest) -> dict[str, str] | None:
    """Return what Twilio posts, None where the signature is not its own.

    Raises:
        InvalidInput: It is no form.
    """
    raw = whole_request(request)
    try:
        fields = parse_qsl(raw.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise InvalidInput("body: not a form.", field="body") from error
    signature = request.headers.get("X-Twilio-Signature", "")
    address, token = f"{settings.PORTAL_URL}{request.path}", settings.TWILIO_AUTH_TOKEN
    return dict(fields) if token and is_signed(signature, token, address, fields) else None


def _code(form: dict[str, str]) -> str:
    given = form.get("ErrorCode", "")
    return why(int(given)) if given.isascii() and given.isdecimal() and len(given) < 7 else ""


def _acknowledged(token: str) -> str:
    """Acknowledge; returns what to say of it."""
    try:
        asked = read_ack_token(token)
    except Forbidden:
        return "This call is too old. Open the portal instead."
    person = User.objects.filter(pk=asked.person, is_active=True).first()
    incident = Incident.objects.filter(pk=asked.incident).first()
    if person is None or incident is None or not asked.is_about(incident):
        return "There is no such incident. Open the portal instead."
    if incident.cycle != asked.cycle:
        return "This call is old: people were called anew since. Open the portal instead."
    if incident.status not in OPEN:
        return _of_what_is_over(incident)
    try:
        found = answering.answer(incident.pk, now=clock.now(), actor=person)
    except DomainError as error:
        return f"{error} Open the portal instead."
    return _became(found, person)


def _became(found: Incident, person: User) -> str:
    """Return what to say of an answer that was taken."""
    if found.snoozed_until is not None:
        return f"{answering.snoozed(found)} Thank you."
    if answers := answers_of(found):
        return f"You have answered: {answers.quorum}. Calling goes on. Thank you."
    if found.acknowledged_by != name_of(person):
        return f"{found.acknowledged_by} has it already. Thank you."
    return "Acknowledged. Thank you."


def _of_what_is_over(incident: Incident) -> str:
    if lives_on := lives_on_in(incident):
        return f"It was merged into incident {lives_on.pk}. Open the portal instead."
    return "It is over. Thank you."
