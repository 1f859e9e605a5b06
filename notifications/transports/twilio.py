"""Text messages and telephone calls by Twilio's REST API."""

import base64
import json
import re
from typing import Any, ClassVar
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from django.conf import settings

from core import http_client
from core.http_client import Deadline, OutboundError, Response
from notifications.domain.digests import as_many
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message, utf16_length
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["ACKNOWLEDGES", "ENDED_BADLY", "TextMessage", "VoiceCall", "gather", "why"]

FEATURE = "notifications"
# Characters of one text message, and of what a call says, as Twilio takes them.
_MOST_TEXT, _MOST_TWIML = 1600, 4000
# The key of a telephone that acknowledges.
ACKNOWLEDGES = "1"
# Of a message and of a call: it did not reach anybody, and will not.
ENDED_BADLY = frozenset({"failed", "undelivered", "canceled", "busy", "no-answer"})
_SID = re.compile(r"\A[A-Z]{2}[0-9A-Za-z]{1,62}\Z")
# https://www.twilio.com/docs/api/errors
_REASONS = {
    10001: "the account is not active",
    13224: "that is no telephone number",
    20003: "account or token is wrong",
    20429: "too many requests",
    21210: "TWILIO_FROM is not verified",
    21211: "that is no telephone number",
    21212: "TWILIO_FROM is no telephone number",
    21214: "that number cannot be reached",
    21215: "the account may not call that country",
    21217: "that is no telephone number",
    21219: "a trial account calls verified numbers only",
    21408: "the account may not send to that country",
    21606: "TWILIO_FROM sends no text messages",
    21608: "a trial account sends to verified numbers only",
    21610: "the receiver has unsubscribed",
    21612: "that number cannot be reached from TWILIO_FROM",
    21614: "that number takes no text messages",
    30003: "the telephone is off or out of reach",
    30004: "the receiver blocks messages",
    30005: "that number is unknown or no longer in service",
    30006: "that number takes no text messages",
    30007: "the carrier filtered it",
    30008: "the carrier does not say why",
}


class _Twilio(Transport):
    kind = Kind.SMS
    resource: ClassVar[str] = "Messages"

    @property
    def is_configured(self) -> bool:
        """Whether account, token and number are set."""
        return bool(
            settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN and settings.TWILIO_FROM
        )

    def contents(self, message: Message) -> list[dict[str, str]]:
        """Return what is said, a request each."""
        return [{"Body": text} for text in message.texts(_MOST_TEXT)]

    def requests(self, message: Message, number: str) -> list[dict[str, str]]:
        """Return what Twilio is asked for, and where it tells what became of it."""
        told = {"StatusCallback": message.status_url} if _is_heard(message.status_url) else {}
        asked = {"To": number, "From": settings.TWILIO_FROM, **told}
        return [{**asked, **content} for content in self.contents(message)]

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; the id is Twilio's `sid`, of several text messages the first one's."""
        if not self.is_configured:
            raise TransportFailed("No Twilio account is configured.", is_final=True)
        deadline = Deadline(self.deadline.total_seconds())
        ids: list[str] = []
        for fields in self.requests(message, to.address):
            try:
                ids.append(self._post(fields, deadline))
            except TransportFailed as error:
                # The first ones are on their way.
                error.is_uncertain = error.is_uncertain or bool(ids)
                raise
        return ids[0]

    def _post(self, fields: dict[str, str], deadline: Deadline) -> str:
        account = settings.TWILIO_ACCOUNT_SID
        credentials = base64.b64encode(f"{account}:{settings.TWILIO_AUTH_TOKEN}".encode()).decode()
        try:
            answer = http_client.request(
                f"{settings.TWILIO_URL}/2010-04-01/Accounts/{account}/{self.resource}.json",
                feature=FEATURE,
                deadline=deadline,
                method="POST",
                headers={
                    "Authorization": f"Basic {credentials}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                content=urlencode(fields).encode(),
            )
        except OutboundError as error:
            raise TransportFailed.of(error) from error
        return _sid(answer)


def _sid(answer: Response) -> str:
    """Return the id of what was taken.

    Raises:
        TransportFailed: It was not, or whoever answered is not Twilio.
    """
    said = _object(answer.body)
    if answer.status not in {200, 201}:
        # 429 and 5xx pass; everything else stays wrong.
        is_final = 400 <= answer.status < 500 and answer.status != 429
        reason = f"Twilio answered {answer.status}{why(said.get('code'))}."
        raise TransportFailed.refused(reason, answer, is_final=is_final)
    sid = said.get("sid")
    if not isinstance(sid, str) or not _SID.match(sid):
        raise TransportFailed(
            f"What answered {answer.status} in Twilio's place is not Twilio.", is_uncertain=True
        )
    if said.get("status") in ENDED_BADLY:
        raise TransportFailed(f"Twilio says {said['status']}{why(said.get('error_code'))}.")
    return sid


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def why(code: object) -> str:
    """Return, in brackets, what one of Twilio's codes means; its own words have the telephone number in them."""
    if not isinstance(code, int) or isinstance(code, bool):
        return ""
    return f" ({code}: {_REASONS[code]})" if code in _REASONS else f" ({code})"


class TextMessage(_Twilio):
    """A text message."""

    kind = Kind.SMS


class VoiceCall(_Twilio):
    """A call that says the subject twice, and every incident of a digest by its number.

    A key acknowledges, where the portal can be reached.
    """

    kind = Kind.VOICE
    resource = "Calls"

    def contents(self, message: Message) -> list[dict[str, str]]:
        """Return what is said, as TwiML."""
        if not message.entries:
            return [{"Twiml": _said(f"{message.heading[:300]}.", message.answer_url)}]
        # Whoever listens hears the worst by its title, and then all of them.
        begins = f"{message.heading[:200]}. All of them:"

        def twiml(numbers: str) -> str:
            return _said(f"{begins} {numbers}.", message.answer_url)

        def fits(numbers: str) -> bool:
            return utf16_length(twiml(numbers)) <= _MOST_TWIML

        return [{"Twiml": twiml(as_many(message.entries, fits))}]


def _said(text: str, answer_url: str) -> str:
    """Return TwiML that says something twice, and how to acknowledge."""
    if _is_heard(answer_url):
        asks = f"{text} Press {ACKNOWLEDGES} to acknowledge."
        return f"<Response>{gather(asks, answer_url, times=2)}</Response>"
    asks = escape(f"{text} Open the portal to acknowledge.")
    return f'<Response><Say loop="2">{asks}</Say></Response>'


def gather(said: str, address: str, *, times: int = 1) -> str:
    """Return TwiML that says something and sends the key that is pressed then to an address."""
    return (
        f'<Gather numDigits="1" timeout="10" method="POST" action={quoteattr(address)}>'
        f'<Say loop="{times}">{escape(said)}</Say></Gather>'
    )


def _is_heard(address: str) -> bool:
    """Return whether Twilio can be given an address: it refuses those of this machine."""
    return address.startswith("https://")
