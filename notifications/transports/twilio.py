"""Text messages and telephone calls by Twilio's REST API."""

import base64
import json
from typing import ClassVar
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from django.conf import settings

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["TextMessage", "VoiceCall"]

FEATURE = "notifications"


class _Twilio(Transport):
    kind = Kind.SMS
    resource: ClassVar[str] = "Messages"

    @property
    def is_configured(self) -> bool:
        """Whether account, token and number are set."""
        return bool(
            settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN and settings.TWILIO_FROM
        )

    def content(self, message: Message) -> dict[str, str]:
        """Return what is said."""
        return {"Body": message.short}

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; the id is Twilio's `sid`."""
        if not self.is_configured:
            raise TransportFailed("No Twilio account is configured.", is_final=True)
        account = settings.TWILIO_ACCOUNT_SID
        credentials = base64.b64encode(f"{account}:{settings.TWILIO_AUTH_TOKEN}".encode()).decode()
        try:
            answer = http_client.request(
                f"{settings.TWILIO_URL}/2010-04-01/Accounts/{account}/{self.resource}.json",
                feature=FEATURE,
                deadline=Deadline(self.deadline.total_seconds()),
                method="POST",
                headers={
                    "Authorization": f"Basic {credentials}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                content=urlencode(
                    {"To": to.address, "From": settings.TWILIO_FROM, **self.content(message)}
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
    """A call that says the subject twice."""

    kind = Kind.VOICE
    resource = "Calls"

    def content(self, message: Message) -> dict[str, str]:
        """Return what is said, as TwiML."""
        said = escape(message.heading[:300])
        return {
            "Twiml": f'<Response><Say loop="2">{said}. Open the portal to acknowledge.</Say></Response>'
        }
