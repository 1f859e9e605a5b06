"""What subscribers read."""

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from statuspage.addresses import public_address
from statuspage.models import Notice, SubscriptionRequest
from statuspage.queries.incidents import Published
from statuspage.tokens import Purpose, token_of

__all__ = ["about", "question"]


def question(asked: SubscriptionRequest) -> EmailMessage:
    """Return what the owner of an address is asked."""
    token = token_of(asked.key, Purpose.CONFIRM)
    context = {
        "name": settings.STATUSPAGE_NAME,
        "link": _of_portal("status:confirm", token),
        "page": public_address(),
        "components": [component.name for component in asked.components.all()],
    }
    subject = f"Confirm your subscription to {settings.STATUSPAGE_NAME}"
    return _mail(asked.email, subject, "confirm", context, name=f"confirm-{asked.key}")


def about(notice: Notice, incident: Published, number: int) -> EmailMessage:
    """Return what a subscriber reads of an update.

    Args:
        notice: With its subscriber.
        incident: As the public sees it.
        number: Of its updates, counted from the newest.
    """
    update = incident.updates[number]
    token = token_of(notice.subscriber.key, Purpose.UNSUBSCRIBE)
    unsubscribe = _of_portal("status:unsubscribe", token)
    context = {
        "name": settings.STATUSPAGE_NAME,
        "incident": incident,
        "update": update,
        "page": public_address(f"incidents/{incident.public_id}/"),
        "unsubscribe": unsubscribe,
    }
    subject = f"[{update.state.capitalize()}] {incident.title}"
    mail = _mail(
        notice.subscriber.email, subject, "update", context, name=f"{update.public_id}-{notice.pk}"
    )
    # RFC 8058: mail programs unsubscribe by one POST, without opening a page.
    mail.extra_headers["List-Unsubscribe"] = f"<{unsubscribe}>"
    mail.extra_headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return mail


def _mail(
    to: str, subject: str, template: str, context: dict[str, object], *, name: str
) -> EmailMessage:
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return EmailMessage(
        subject=" ".join(subject.split())[:200],
        body=render_to_string(f"statuspage/email/{template}.txt", context),
        to=[to],
        headers={"Message-ID": f"<status-{name}@{host}>", "Auto-Submitted": "auto-generated"},
    )


def _of_portal(name: str, token: str) -> str:
    """Return the address of a link that changes something: only the portal itself can."""
    return f"{settings.PORTAL_URL}{reverse(name, args=[token])}"
