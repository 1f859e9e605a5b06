"""Receipts of alerts: all that is stored of what was decided about one, in a fixed number of queries."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.models import User
from incidents.domain import alert_receipts as domain
from incidents.domain import flapping
from incidents.domain.page_reasons import OFFERED, TAKEN
from incidents.domain.page_receipts import channel_name
from incidents.domain.receipts import Receipt
from incidents.domain.sender_words import Kept, Word, judged_by, word_in
from incidents.models import (
    Alert,
    AlertLogEntry,
    EscalationRun,
    Incident,
    Page,
    Silence,
    TimelineEntry,
)
from incidents.queries.receipts import kept_facts, name_of

__all__ = ["receipt_of_alert"]

_MOST_REPORTS = 1000
# A row is stored in this time; what changes it later is a change.
_STORED_WITHIN = timedelta(seconds=1)


def receipt_of_alert(alert: Alert, user: User) -> Receipt:
    """Return why an alert called somebody, or nobody.

    Args:
        alert: As it is stored, with its integration.
        user: Who asks: of an incident of which they may not know there is no more than its number.
    """
    log = list(alert.log.filter(kind__in=_REPORTS).order_by("at", "pk")[:_MOST_REPORTS])
    entries = _entries_about(alert, {alert.opened_at, alert.last_seen_at, *(row.at for row in log)})
    released = next((row for row in entries if row.act == "released"), None)
    return domain.receipt_of(
        domain.Alert(
            number=alert.pk,
            source=alert.source,
            severity=alert.severity,
            pages=alert.pages,
            group_key=alert.group_key,
            dedup_key=alert.dedup_key,
            count=alert.count,
            opened_at=alert.opened_at,
            last_seen_at=alert.last_seen_at,
            resolved_at=alert.resolved_at,
            sender_at=alert.sender_at,
            openings=_openings(alert),
            is_own=alert.integration_id is None,
            sender=_sender(alert, log),
            holder=_holder(alert, released, user),
            home=_home(alert, entries, user),
        )
    )


_REPORTS = (AlertLogEntry.Kind.OPENED, AlertLogEntry.Kind.REPEATED)


def _sender(alert: Alert, log: Collection[AlertLogEntry]) -> domain.Sender | None:
    integration = alert.integration
    if integration is None or alert.source != integration.kind:
        # The silence of a heartbeat is the portal's own, whoever should have sent it.
        return None
    opening = next((row for row in log if row.kind == AlertLogEntry.Kind.OPENED), None)
    event = opening.event if opening is not None else None
    word: Word | None = None
    if event is not None:
        kept = Kept(
            integration.kind, event.address, event.content_type, event.headers, bytes(event.body), integration.mapping
        )  # fmt: skip
        word = word_in(kept, alert.dedup_key)
    return domain.Sender(
        integration.name,
        integration.get_kind_display(),
        word,
        is_request_kept=event is not None,
        today=judged_by(word, integration.severity_map) if word else None,
        changed_at=integration.updated_at if integration.updated_at > alert.opened_at else None,
        is_mapped=bool(integration.mapping),
    )


def _holder(alert: Alert, released: TimelineEntry | None, user: User) -> domain.Holder | None:
    number = alert.silenced_by_id or (kept_facts(released).get("silence") if released else None)
    if number is None:
        return None
    silence = Silence.objects.visible_to(user).filter(pk=number).first()
    released_at = released.at if released is not None else None
    if silence is None:
        return domain.Holder(number, released_at=released_at)
    is_changed = silence.updated_at > max(alert.opened_at, silence.created_at + _STORED_WITHIN)
    return domain.Holder(
        number,
        silence.comment,
        silence.ends_at,
        silence.is_maintenance,
        silence.updated_at if is_changed else None,
        released_at,
    )


def _openings(alert: Alert) -> int:
    """Return how often the condition opened in the time by which flapping is judged, this time included."""
    before = Alert.objects.filter(
        state=Alert.State.RESOLVED,
        dedup_key=alert.dedup_key,
        integration=alert.integration_id,
        source=alert.source,
        opened_at__gt=alert.opened_at - flapping.WINDOW,
        opened_at__lte=alert.opened_at,
        count__gt=0,
    )
    return before.exclude(pk=alert.pk).count() + 1


def _entries_about(alert: Alert, moments: set[datetime]) -> list[TimelineEntry]:
    """Return what the timeline of its incident has of an alert, and what came of its reports at once."""
    if alert.incident_id is None:
        return []
    of = [number for number in (alert.incident_id, alert.origin_id) if number is not None]
    its_own = Q(act__in=["alert_fired", "released"], facts__alert=alert.pk)
    its_own |= Q(act="split_off", incident=alert.incident_id, at__gte=alert.opened_at)
    changes = Q(act__in=["severity", "urgent_alert"], actor="portal", at__in=moments)
    rows = TimelineEntry.objects.filter(its_own | changes, incident__in=of)
    return list(rows.order_by("at", "pk"))


def _home(alert: Alert, entries: Collection[TimelineEntry], user: User) -> domain.Home | None:
    number = alert.incident_id
    if number is None:
        return None
    incident = Incident.objects.visible_to(user).filter(pk=number).first()
    if incident is None:
        return domain.Home(number, is_known=False, opened_at=alert.opened_at)
    joined = next((row.at for row in entries if row.act == "alert_fired"), None)
    return domain.Home(
        number,
        is_known=True,
        opened_at=incident.opened_at,
        title=incident.title,
        joined_at=joined,
        is_same_group=incident.group == alert.group_digest,
        origin=alert.origin_id if alert.origin_id != number else None,
        parted=_parted(alert, entries),
        is_flapping=incident.is_flapping,
        held_until=incident.held_until,
        raises=_raises(alert, [row for row in entries if row.act in {"severity", "urgent_alert"}]),
        first_call=_first_call(alert),
    )


def _parted(alert: Alert, entries: Collection[TimelineEntry]) -> tuple[str, str] | None:
    """Return from which incident its own one was split off with it, and by whom; None: it was not."""
    if alert.origin_id not in (None, alert.incident_id):
        return None
    return next(((row.text, row.actor) for row in entries if row.act == "split_off"), None)


def _raises(alert: Alert, changes: Collection[TimelineEntry]) -> tuple[domain.Raise, ...]:
    """Return how the incident changed in the moments of an alert's reports, by any that is as bad."""
    moments = [row.at for row in changes]
    runs = EscalationRun.objects.filter(
        incident=alert.incident_id, started_at__in=moments, cycle__gt=1
    )
    begun = dict(runs.values_list("started_at", "cycle"))
    siblings = Alert.objects.filter(incident=alert.incident_id, opened_at__in=moments)
    beside = list(siblings.exclude(pk=alert.pk).order_by().values_list("opened_at", "severity"))
    found = []
    for row in changes:
        becomes = _becomes(row)
        if alert.severity <= becomes:
            others = sum(at == row.at and severity <= becomes for at, severity in beside)
            found.append(domain.Raise(row.at, row.text, others, begun.get(row.at)))
    return tuple(found)


def _becomes(row: TimelineEntry) -> str:
    """Return how bad an incident became, or what came into it is."""
    said: str = kept_facts(row).get("worst") or row.text
    return said if "→" not in said else said.partition("→ ")[2][:2]


def _first_call(alert: Alert) -> domain.FirstCall | None:
    """Return who was called first for the incident since the alert came."""
    sent = Page.objects.filter(
        incident=alert.incident_id, state=Page.State.SENT, sent_at__gte=alert.opened_at
    ).exclude(Q(reason=TAKEN) | Q(reason__startswith=OFFERED))
    page = sent.select_related("person", "method").order_by("sent_at", "pk").first()
    if page is None or page.sent_at is None:
        return None
    return domain.FirstCall(name_of(page), channel_name(page.channel), page.sent_at)
