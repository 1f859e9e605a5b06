"""Text messages and telephone calls by Twilio's REST API."""

import base64
import json
from typing import ClassVar
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from django.conf import settings

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.digests import as_many
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message, utf16_length
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["TextMessage", "VoiceCall"]

FEATURE = "notifications"
# Characters of one text message, and of what a call says, as Twilio takes them.
_MOST_TEXT, _MOST_TWIML = 1600, 4000


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

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; the id is Twilio's `sid`, of several text messages the first one's."""
        if not self.is_configured:
            raise TransportFailed("No Twilio account is configured.", is_final=True)
        deadline = Deadline(self.deadline.total_seconds())
        ids: list[str] = []
        for content in self.contents(message):
            try:
                ids.append(self._post(content, to, deadline))
            except TransportFailed as error:
                # The first ones are on their way.
                error.is_uncertain = error.is_uncertain or bool(ids)
                raise
        return ids[0]

    def _post(self, content: dict[str, str], to: Recipient, deadline: Deadline) -> str:
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
                content=urlencode(
                    {"To": to.address, "From": settings.TWILIO_FROM, **content}
                ).encode(),
            )
        except OutboundError as error:
            raise TransportFailed.of(error) from error
        return _sid(answer)


def _sid(answer: http_client.Response) -> str:
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = {}
    if answer.status not in {200, 201}:
        reason = said.get("message", "") if isinstance(said, dict) else ""
        # 429 and 5xx pass; everything else stays wrong.
        final = 400 <= answer.status < 500 and answer.status != 429
        raise TransportFailed(f"Twilio answered {answer.status}. {reason}"[:300], is_final=final)
    return str(said.get("sid", ""))[:200] if isinstance(said, dict) else ""


class TextMessage(_Twilio):
    """A text message."""

    kind = Kind.SMS


class VoiceCall(_Twilio):
    """A call that says the subject twice, and every incident of a digest by its number."""

    kind = Kind.VOICE
    resource = "Calls"

    def contents(self, message: Message) -> list[dict[str, str]]:
        """Return what is said, as TwiML."""
        if not message.entries:
            return [{"Twiml": _said(message.heading[:300])}]
        # Whoever listens hears the worst by its title, and then all of them.
        begins = f"{message.heading[:200]}. All of them:"

        def fits(numbers: str) -> bool:
            return utf16_length(_said(f"{begins} {numbers}")) <= _MOST_TWIML

        return [{"Twiml": _said(f"{begins} {as_many(message.entries, fits)}")}]


def _said(text: str) -> str:
    said = f"{escape(text)}. Open the portal to acknowledge."
    return f'<Response><Say loop="2">{said}</Say></Response>'
