"""`/integrations/v1/slack/actions`: what people press in Slack.

Signed by Slack over the raw body; whoever pressed is known by their own verified Slack method.
"""

import hashlib
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
from incidents.domain.lifecycle import OPEN, Status
from incidents.models import Incident, Page
from incidents.queries.incidents import next_call
from incidents.queries.quorum import answers_of
from incidents.services.acts import name_of
from incidents.services.answering import snoozed, too_few
from incidents.services.messages import Asked
from incidents.services.pages import of_news
from incidents.services.pressing import Press, about, press, whom
from incidents.services.receiving import RawRequest
from incidents.webhooks.requests import webhook, whole_request
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.transports.slack import FEATURE, plain
from notifications.transports.slack_buttons import Act, act_button, act_buttons

__all__ = ["act"]

log = structlog.get_logger(__name__)
# Slack waits three seconds for the answer to what was pressed.
_ANSWER_WITHIN_S = 2.0
_OVER = frozenset({Status.RESOLVED, Status.CLOSED})


class Said(NamedTuple):
    """What is answered to who pressed.

    Args:
        text: In words; "" where nothing was asked.
        to_all: Whether all in the channel read it: who answers an incident concerns them.
        buttons: What they may press instead.
    """

    text: str
    to_all: bool = False
    buttons: tuple[dict[str, Any], ...] = ()


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
    """Do what was pressed; returns what to say."""
    actions, user = payload.get("actions"), payload.get("user")
    if not isinstance(actions, list) or not isinstance(user, dict):
        return Said("")
    wanted = [action for action in actions if isinstance(action, dict)]
    pressed = next((action for action in wanted if _act(action) is not None), None)
    if pressed is None:
        return Said("")
    person = _person(str(user.get("id", "")))
    if person is None:
        return Said(
            "Who are you? Add your Slack member ID to “How I am reached” in the portal first."
        )
    if (meant := _meant(pressed, person)) is None:
        return Said("That button is none of ours.")
    number = meant.asked.incident
    found = Incident.objects.filter(pk=number).first()
    if found is not None and not meant.asked.is_about(found):
        return Said(f"#{number} of this message is not known any more.")
    if why_not := _forbidden(meant, person):
        return Said(why_not)
    return _pressed(meant, person)


def _act(action: dict[str, Any]) -> Act | None:
    try:
        return Act(str(action.get("action_id", "")).partition("-")[0])
    except ValueError:
        return None


def _meant(action: dict[str, Any], person: User) -> Press | None:
    """Return what a button is about.

    Those of earlier versions do not say when that was opened; to escalate, one says the step, too.
    """
    act, value = _act(action), str(action.get("value", ""))
    parts = value.split(".")
    if act is None or len(value) > 120 or not all(each.isdecimal() for each in parts):
        return None
    if len(parts) not in ({2, 3, 6} if act is Act.ESCALATE else {2, 3}):
        return None
    if len(parts[0]) > 18 or len(parts[1]) > 9:
        return None
    number, cycle, *opened = map(int, parts[:3])
    asked = Asked(number, cycle, person.pk, *opened)
    return Press(act, asked, step=".".join(parts[3:]), once=_once(action, person))


def _once(action: dict[str, Any], person: User) -> str:
    """Return what tells a press from all others: by whom, on what, and when by Slack's clock."""
    at = str(action.get("action_ts") or "")
    if not at:
        return ""
    said = f"{person.pk} {action.get('action_id')} {action.get('value')} {at}"
    return f"slack-{hashlib.sha256(said.encode(errors='replace')).hexdigest()}"


def _forbidden(meant: Press, person: User) -> str:
    """Return why somebody may not do it: who was called may answer, for the rest the page's rules hold."""
    number, cycle, *_ = meant.asked
    is_called = _was_called(number, cycle, person)
    if is_called and meant.act is Act.ACKNOWLEDGE:
        return ""
    is_visible = Incident.objects.visible_to(person).filter(pk=number).exists()
    if is_visible and person.has_role(Role.RESPONDER):
        return ""
    if is_called:
        return f"{person} may acknowledge what they are called for, no more."
    if is_visible:
        return f"{person} may look at incidents, not answer them."
    return "There is no such incident."


def _pressed(meant: Press, person: User) -> Said:
    """Do it; returns what became of it."""
    try:
        found, is_new = press(meant, now=clock.now(), actor=person)
    except DomainError as error:
        return _refused(meant, str(error))
    number = found.pk
    if meant.act is Act.ACKNOWLEDGE:
        return _answered(found, person)
    if meant.act is Act.RESOLVE:
        return Said(f"#{number} resolved by {person}.", to_all=True)
    if meant.act is Act.SNOOZE:
        if not is_new:
            return Said(f"#{number}: {snoozed(found)}")
        if answers := too_few(found):
            return Said(f"#{number}: {person} has answered, {answers}", to_all=True)
        until = f"{found.snoozed_until:%Y-%m-%d %H:%M} UTC"
        return Said(f"#{number} snoozed by {person} until {until}.", to_all=True)
    if not is_new:
        return Said(f"#{number}: the next level is being called already.")
    return Said(f"#{number} escalated by {person}: the next level is called now.", to_all=True)


def _refused(meant: Press, why: str) -> Said:
    """Return why something was not done, and a button of now where the one that was pressed is old."""
    found = Incident.objects.filter(pk=meant.asked.incident).first()
    if found is None:
        return Said(why)
    is_old, number = found.cycle != meant.asked.cycle, found.pk
    if found.status in OPEN:
        call = next_call(found)
        if meant.act is Act.ESCALATE and call is not None:
            button = act_button(meant.act, about(found, call), f"Escalate to {whom(call)}")
            return Said(f"#{number}: {why}", buttons=(button,))
        if is_old:
            return Said(
                f"#{number}: {why}", buttons=(*act_buttons(about(found, call), [meant.act]),)
            )
    elif found.status in _OVER and not is_old and meant.act in {Act.ACKNOWLEDGE, Act.RESOLVE}:
        return Said(f"#{number} was resolved by {found.resolved_by} already.")
    return Said(f"#{number}: {why}")


def _answered(found: Incident, person: User) -> Said:
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
    return asked.exclude(of_news()).exists()


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
    body: dict[str, Any] = {
        "response_type": "in_channel" if said.to_all else "ephemeral",
        "replace_original": False,
        "text": said.text,
    }
    if said.buttons:
        body["blocks"] = [
            {"type": "section", "text": {"type": "mrkdwn", "text": plain(said.text, 2000)}},
            {"type": "actions", "elements": [*said.buttons]},
        ]
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
