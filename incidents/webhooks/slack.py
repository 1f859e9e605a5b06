"""`/integrations/v1/slack/actions`: what people press in Slack.

Signed by Slack over the raw body; whoever pressed is known by their own verified Slack method.
"""

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from slack_sdk.signature import SignatureVerifier

from accounts.models import User
from accounts.roles import Role
from core import clock, http_client
from core.errors import DomainError, InvalidInput
from core.http_client import Deadline, OutboundError
from incidents.models import Incident, Page
from incidents.queries.quorum import answers_of
from incidents.services.acts import name_of
from incidents.services.answering import answer, snoozed
from incidents.services.messages import Asked
from incidents.services.pages import TAKEN
from incidents.services.receiving import RawRequest
from incidents.webhooks.requests import webhook, whole_request
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.transports.slack import FEATURE

__all__ = ["act"]

log = structlog.get_logger(__name__)
# Slack waits three seconds for the answer to what was pressed.
_ANSWER_WITHIN_S = 2.0


class Said(NamedTuple):
    """What is answered to who pressed.

    Args:
        text: In words; "" where nothing was asked.
        to_all: Whether all in the channel read it: who answers an incident concerns them.
    """

    text: str
    to_all: bool = False


def _large() -> HttpResponse:
    return JsonResponse({"error": "body: at most 512 KiB"}, status=413)


def _broken() -> HttpResponse:
    return JsonResponse({"error": "Nothing was stored; try again."}, status=503)


@webhook("POST", large=_large, broken=_broken)
def act(request: HttpRequest) -> HttpResponse:
    """Do what was pressed; 200 means that it was understood, what became of it is said in Slack."""
    try:
        raw = whole_request(request)
    except InvalidInput as error:
        return JsonResponse({"error": error.message}, status=400)
    if not _is_signed(raw):
        return JsonResponse({"error": "signature: missing, too old, or not ours"}, status=401)
    payload = _payload(raw.body)
    if payload is None:
        return JsonResponse({"error": "payload: no JSON object"}, status=400)
    said = _done(payload)
    if said.text:
        _say(payload, said)
    return HttpResponse(status=200)


def _is_signed(raw: RawRequest) -> bool:
    """Return whether Slack sent it, just now; whatever else stands where a signature should is not."""
    secret = settings.SLACK_SIGNING_SECRET
    try:
        return bool(secret) and SignatureVerifier(secret).is_valid_request(
            raw.body, dict(raw.headers)
        )
    except (ValueError, TypeError, OverflowError):
        # A time that is no number or no time, a signature of other letters, a body of other bytes.
        return False


def _payload(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(parse_qs(body.decode())["payload"][0])
    except (KeyError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _done(payload: dict[str, Any]) -> Said:
    """Acknowledge what was pressed; returns what to say."""
    actions, user = payload.get("actions"), payload.get("user")
    if not isinstance(actions, list) or not isinstance(user, dict):
        return Said("")
    wanted = [action for action in actions if isinstance(action, dict)]
    pressed = next(
        (a for a in wanted if str(a.get("action_id", "")).startswith("acknowledge-")), None
    )
    if pressed is None:
        return Said("")
    person = _person(str(user.get("id", "")))
    if person is None:
        return Said(
            "Who are you? Add your Slack member ID to “How I am reached” in the portal first."
        )
    if (asked := _asked(str(pressed.get("value", "")), person)) is None:
        return Said("That button is none of ours.")
    if (found := Incident.objects.filter(pk=asked.incident).first()) and not asked.is_about(found):
        return Said(f"#{asked.incident} of this message is not known any more.")
    return _answered(asked.incident, asked.cycle, person)


def _asked(value: str, person: User) -> Asked | None:
    """Return what a button is about; those of earlier versions do not say when that was opened."""
    parts = value.split(".")
    if len(parts) not in {2, 3} or not all(each.isdecimal() for each in parts):
        return None
    if len(parts[0]) > 18 or len(parts[1]) > 9 or len(value) > 60:
        return None
    number, cycle, *opened = map(int, parts)
    return Asked(number, cycle, person.pk, *opened)


def _answered(number: int, cycle: int, person: User) -> Said:
    """Acknowledge for somebody who was called, or who may answer whatever they see."""
    if not _was_called(number, cycle, person):
        if not Incident.objects.visible_to(person).filter(pk=number).exists():
            return Said("There is no such incident.")
        if not person.has_role(Role.RESPONDER):
            return Said(f"{person} may look at incidents, not answer them.")
    if not Incident.objects.filter(pk=number, cycle=cycle).exists():
        return Said(f"#{number}: this message is old, people were called anew since.")
    try:
        found = answer(number, now=clock.now(), actor=person)
    except DomainError as error:
        return Said(f"#{number}: {error}")
    return _became(found, person)


def _became(found: Incident, person: User) -> Said:
    """Return what to say of an answer that was taken."""
    number = found.pk
    if found.snoozed_until is not None:
        return Said(f"#{number}: {snoozed(found)}")
    if answers := answers_of(found):
        text = f"#{number}: {person} has answered, {answers.quorum}; calling goes on."
        return Said(text, to_all=True)
    if found.acknowledged_by != name_of(person):
        return Said(f"#{number} is {found.acknowledged_by}'s already.")
    return Said(f"#{number} acknowledged by {person}.", to_all=True)


def _was_called(number: int, cycle: int, person: User) -> bool:
    """Return whether somebody was asked to answer an incident, as its link would ask them."""
    asked = Page.objects.filter(incident=number, cycle=cycle, person=person)
    return asked.exclude(reason=TAKEN).exists()


def _person(member: str) -> User | None:
    """Return whose verified Slack method a member is; addresses are encrypted, so all are read."""
    if not member:
        return None
    methods = ContactMethod.objects.usable().filter(kind=Kind.SLACK, person__is_active=True)
    for method in methods.select_related("person"):
        if method.known_address == member:
            return method.person
    return None


def _say(payload: dict[str, Any], said: Said) -> None:
    """Tell whoever pressed, where Slack says; only Slack itself is answered."""
    url = str(payload.get("response_url") or "")
    ours = urlsplit(settings.SLACK_API_URL)
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if parts.netloc not in {"hooks.slack.com", ours.netloc} or parts.scheme != ours.scheme:
        return
    body = {
        "response_type": "in_channel" if said.to_all else "ephemeral",
        "replace_original": False,
        "text": said.text,
    }
    try:
        http_client.request(
            url,
            feature=FEATURE,
            deadline=Deadline(_ANSWER_WITHIN_S),
            method="POST",
            headers={"Content-Type": "application/json"},
            content=json.dumps(body).encode(),
            truncate=True,
        )
    except OutboundError as error:
        log.warning("slack_not_told", reason=str(error))
