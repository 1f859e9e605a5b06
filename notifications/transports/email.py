"""Email by the configured server; the key is in its Message-ID, so mail programs show doubles once."""

import smtplib
from datetime import timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from core.mail import MayHaveArrived
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.transports.base import Recipient, Transport, TransportFailed

__all__ = ["Email", "failure_of"]

# From here on a reply of SMTP says that it will be the same next time.
_FOR_GOOD = 500


class Email(Transport):
    """One message to one address, as text."""

    kind = Kind.EMAIL
    deadline = timedelta(seconds=settings.EMAIL_TIMEOUT)

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; the id is that of the message."""
        host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
        name = f"<{message.key[:40]}@{host}>"
        mail = EmailMessage(
            subject=message.heading[:200],
            body=_body(message),
            to=[to.address],
            headers={"Message-ID": name, "X-Priority": "1", "Auto-Submitted": "auto-generated"},
            connection=get_connection(fail_silently=False),
        )
        try:
            mail.send()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise failure_of(error) from error
        return name


def failure_of(error: Exception) -> TransportFailed:
    """Return what an error means for the message; replies of servers are not repeated."""
    if isinstance(error, MayHaveArrived):
        return TransportFailed(str(error), is_uncertain=True)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        is_final = min(codes, default=_FOR_GOOD) >= _FOR_GOOD
        return TransportFailed(
            f"The mail server refuses the address ({codes[0]}).", is_final=is_final
        )
    if isinstance(error, smtplib.SMTPResponseException):
        is_final = error.smtp_code >= _FOR_GOOD
        return TransportFailed(
            f"The mail server refuses it ({error.smtp_code}).", is_final=is_final
        )
    return TransportFailed(f"The mail server did not take it ({type(error).__name__}).")


def _body(message: Message) -> str:
    parts = [message.text]
    if message.act_url:
        parts.append(f"Acknowledge: {message.act_url}")
    if message.url:
        parts.append(f"Open: {message.url}")
    return "\n\n".join(part for part in parts if part)
