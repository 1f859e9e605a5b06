"""What a page says, and where its receiver acknowledges with one tap."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.core import signing

from core.errors import Forbidden
from incidents.domain.lifecycle import Status
from incidents.domain.page_reasons import (
    FALLBACK,
    SET_ASIDE,
    STILL_ON_IT,
    TAKEN,
    is_news,
    offered_role,
)
from incidents.models import Alert, EscalationRun, Incident, Page
from incidents.services.pages import DELAYED_AFTER
from notifications.domain.digests import Entry, in_full
from notifications.domain.messages import Message
from notifications.transports import Recipient

__all__ = ["Asked", "ack_token", "ack_url", "message_for", "read_ack_token", "recipient_of"]

_SALT = "incidents.acknowledge"
# As long as somebody may look at an old message and still mean it.
_VALID = timedelta(hours=24)
# Characters of a subject, and of an alert's title for programs: receivers take only so much of both.
_ONE_LINE = 300
# Characters of a title in a line that says more, and alerts whose titles people are told.
_TITLE, _ALERTS = 200, 5


class Asked(NamedTuple):
    """Who was asked to answer what.

    Args:
        incident: Its number.
        cycle: In which it was opened or reopened last.
        person: Who was called.
        opened: When it was opened, in whole seconds; None was not said by earlier versions.
    """

    incident: int
    cycle: int
    person: int
    opened: int | None = None

    def is_about(self, incident: Incident) -> bool:
        """Return whether it is this one: after a restore of a backup numbers are given again."""
        return self.opened in {None, int(incident.opened_at.timestamp())}


def message_for(pages: Sequence[Page], key: str, *, now: datetime) -> Message:
    """Return what one or more pages to one recipient say.

    Args:
        pages: The worst incident's first.
        key: Identity of the message.
        now: The present.
    """
    facts = [_facts(page, now=now) for page in pages]
    first = pages[0]
    # Who is called by their level and as the fallback contact is asked once for each incident.
    told: dict[int, Page] = {}
    for page in pages:
        told.setdefault(page.incident_id, page)
    if len(told) == 1:
        asks = first.person_id is not None and not is_news(first.reason)
        return Message(
            key=key,
            subject=_line(first, now)[:_ONE_LINE],
            text=_text(first, now),
            url=f"{settings.PORTAL_URL}{first.incident.get_absolute_url()}",
            act_url=ack_url(first) if asks else "",
            status_url=_status_url(first),
            answer_url=_answer_url(first) if asks else "",
            is_repeat=first.is_repeat,
            facts={**facts[0], "pages": facts},
        )
    entries = tuple(
        Entry(page.incident_id, _line(page, now), _answer(page)) for page in told.values()
    )
    return Message(
        key=key,
        subject=f"{len(told)} incidents: {_line(first, now)}"[:_ONE_LINE],
        text=in_full(entries),
        url=f"{settings.PORTAL_URL}/incidents/",
        status_url=_status_url(first),
        is_repeat=first.is_repeat,
        entries=entries,
        facts={**facts[0], "pages": facts},
    )


def _line(page: Page, now: datetime) -> str:
    """Return severity, number, service and title: whoever is woken by it knows what is wrong."""
    incident = page.incident
    delayed = "Delayed:" if _is_delayed(page, now) else ""
    service = f"{str(incident.service)[:60]}:" if incident.service else ""
    count = _counts(incident)[0]
    parts = (
        incident.severity,
        f"#{incident.pk}",
        delayed,
        _asks(page),
        service,
        incident.title[:_TITLE],
        f"({count} alerts)" if count > 1 else "",
    )
    return " ".join(" ".join(parts).split())


def _is_delayed(page: Page, now: datetime) -> bool:
    return page.due_at < now - DELAYED_AFTER


def _answer(page: Page) -> str:
    if page.person_id and not offered_role(page.reason):
        return f"Acknowledge: {ack_url(page)}"
    return f"Open: {settings.PORTAL_URL}{page.incident.get_absolute_url()}"


def _facts(page: Page, *, now: datetime) -> dict[str, Any]:
    incident = page.incident
    service = incident.service
    return {
        "key": page.key,
        "incident": incident.pk,
        "cycle": page.cycle,
        "loop": page.loop,
        "step": page.step,
        "next_step": _next_step(page),
        "level": page.level,
        "severity": incident.severity,
        "title": incident.title,
        "service": service.slug if service else None,
        "target": page.target,
        "reason": page.reason,
        "is_news": is_news(page.reason),
        "urgency": page.urgency,
        "attempt": page.attempts,
        "acknowledge_url": ack_url(page) if page.person_id else "",
        "opened_at": incident.opened_at.isoformat(),
        "due_at": page.due_at.isoformat(),
        "sent_at": now.isoformat(),
        "is_delayed": _is_delayed(page, now),
        "alerts": _alerts(incident),
        "alert_count": _counts(incident)[0],
    }


def _next_step(page: Page) -> str | None:
    """Return which step of its walk fires next; "" where all have, None where it came of no walk."""
    # Read when the page was claimed, as alerts are.
    run = page.run
    if run is None:
        return None
    state = EscalationRun.State
    # What was set aside goes on if somebody escalates.
    return run.next_step if run.state in {state.RUNNING, state.QUARANTINED} else ""


def _asks(page: Page) -> str:
    if page.reason.startswith(STILL_ON_IT):
        return "Still on it?"
    if page.reason == TAKEN:
        return _how_it_stands(page.incident)
    if role := offered_role(page.reason):
        return f"{role.capitalize()}? You are asked to take this role:"
    if page.reason == SET_ASIDE:
        return "Calling people failed:"
    return "Nobody else was reached:" if page.reason == FALLBACK else ""


def _how_it_stands(incident: Incident) -> str:
    """Return why nobody is needed any more."""
    if incident.status in {Status.RESOLVED, Status.CLOSED}:
        return f"Resolved by {incident.resolved_by}:"
    if incident.status == Status.MITIGATED:
        return "Mitigated:"
    return f"Taken by {incident.acknowledged_by}:"


def _text(page: Page, now: datetime) -> str:
    incident = page.incident
    runbook = _runbook(incident)
    lines = (
        f"Delayed: this was due at {_moment(page.due_at)}." if _is_delayed(page, now) else "",
        f"Service: {incident.service}" if incident.service else "",
        f"Opened: {_moment(incident.opened_at)}",
        f"Runbook: {runbook}" if runbook else "",
        _alert_titles(incident),
        # Last: it is what is cut where there is room for less.
        incident.summary[:2000],
    )
    return "\n".join(line for line in lines if line)


def _alert_titles(incident: Incident) -> str:
    """Return what an incident of several alerts consists of, the first of them by their titles."""
    count, firing = _counts(incident)
    if count < 2:
        return ""
    titles = [" ".join(alert.title[:_TITLE].split()) for alert in _named(incident)[:_ALERTS]]
    more = f"\nand {count - len(titles)} more" if count > len(titles) else ""
    return "\n- ".join([f"{count} alerts, {firing} firing:", *titles]) + more


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _runbook(incident: Incident) -> str:
    """Return what to do: as the worst of its alerts says, else as its service does."""
    worst = sorted(_named(incident), key=lambda alert: alert.severity)
    own = incident.service.runbook_url if incident.service else ""
    return next((alert.runbook_url for alert in worst if alert.runbook_url), own)


def _alerts(incident: Incident) -> list[dict[str, Any]]:
    names = ("dedup_key", "title", "severity", "state", "runbook_url")
    return [
        {**{name: getattr(alert, name) for name in names}, "title": alert.title[:_ONE_LINE]}
        for alert in _named(incident)
    ]


def _counts(incident: Incident) -> tuple[int, int]:
    """Return how many alerts an incident has, and how many of them fire."""
    # Counted as they were read: each says how many it was read of.
    first = next(iter(_read(incident)), None)
    return (getattr(first, "count_of_all", 0), getattr(first, "count_firing", 0))


def _named(incident: Incident) -> list[Alert]:
    """Return alerts by their titles: none that came by a merge from a private service."""
    return [alert for alert in _read(incident) if not _is_hidden(alert, incident)]


def _is_hidden(alert: Alert, incident: Incident) -> bool:
    service = alert.service
    return service is not None and service.is_private and service.pk != incident.service_id


def _read(incident: Incident) -> list[Alert]:
    # Read when the page was claimed: whoever sends has no database.
    alerts: list[Alert] = getattr(incident, "named_alerts", [])
    return alerts


def recipient_of(page: Page, *, now: datetime) -> Recipient:
    """Return where a page goes: its method's address, else the email address of the account.

    Only of what `closed_because` finds open: a page has no method either once it was removed.
    """
    if page.method is not None:
        return Recipient(page.method.address, page.method.secrets_at(now))
    return Recipient(page.person.email if page.person else "")


def _status_url(page: Page) -> str:
    """Return where a provider tells what became of a message: by its first page, and which try."""
    return f"{_twilio()}/status/{page.incident_id}/{page.key}/{page.attempts}"


def _answer_url(page: Page) -> str:
    """Return where a provider tells which key was pressed in a call, bound as `ack_url` is."""
    return f"{_twilio()}/answer/{ack_token(page)}"


def _twilio() -> str:
    return f"{settings.PORTAL_URL}/integrations/v1/twilio"


def ack_url(page: Page) -> str:
    """Return where the person of a page acknowledges: bound to them, for this cycle, expiring."""
    path = f"/i/{page.incident_id}/ack/{ack_token(page)}/"
    return f"{settings.PORTAL_URL}{path}"


def ack_token(page: Page) -> str:
    """Return the signed part of that address."""
    opened = int(page.incident.opened_at.timestamp())
    return signing.dumps([page.incident_id, page.cycle, page.person_id, opened], salt=_SALT)


def read_ack_token(token: str) -> Asked:
    """Return who was asked to answer what by a token.

    Raises:
        Forbidden: It is not one of ours, or too old.
    """
    try:
        asked = Asked(*map(int, signing.loads(token, salt=_SALT, max_age=_VALID)))
    except (signing.BadSignature, ValueError, TypeError):
        raise Forbidden("This link is no longer valid: open the incident instead.") from None
    return asked
