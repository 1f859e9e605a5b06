"""What subscribers read."""

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from statuspage.addresses import public_address
from statuspage.domain.maintenance_news import News
from statuspage.models import MaintenanceNotice, Notice, Subscriber, SubscriptionRequest
from statuspage.queries.incidents import Published
from statuspage.queries.maintenance_news import Work
from statuspage.tokens import Purpose, token_of

__all__ = ["about", "about_maintenance", "question"]


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
    subject = f"[{update.state.capitalize()}] {incident.title}"
    context = {
        "incident": incident,
        "update": update,
        "page": public_address(f"incidents/{incident.public_id}/"),
    }
    name = f"{update.public_id}-{notice.pk}"
    return _news(notice.subscriber, subject, "update", context, name=name)


def about_maintenance(notice: MaintenanceNotice, work: Work) -> EmailMessage:
    """Return what a subscriber reads of maintenance.

    Args:
        notice: With its subscriber.
        work: What is told.
    """
    subject = f"[{work.news.label}] {work.title}"
    # What is over or called off has no place on the page.
    is_listed = work.news not in {News.COMPLETED, News.CANCELLED}
    place = f"#maintenance-{work.public_id}" if is_listed else ""
    context = {"work": work, "page": public_address(place)}
    name = f"maintenance-{work.public_id}-{work.news}-{notice.pk}"
    return _news(notice.subscriber, subject, "maintenance", context, name=name)


def _news(
    to: Subscriber, subject: str, template: str, context: dict[str, object], *, name: str
) -> EmailMessage:
    """Return a message that a subscriber can end all of by one click."""
    unsubscribe = _of_portal("status:unsubscribe", token_of(to.key, Purpose.UNSUBSCRIBE))
    own = {**context, "name": settings.STATUSPAGE_NAME, "unsubscribe": unsubscribe}
    mail = _mail(to.email, subject, template, own, name=name)
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
