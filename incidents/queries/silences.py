"""Which silence holds an alert back."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q

from incidents.domain.silencing import are_met
from incidents.models import Alert, Maintenance, Silence

__all__ = ["first_match", "first_span", "goes_on", "labels_of", "next_span", "silence_for"]


def silence_for(alert: Alert, *, now: datetime) -> Silence | None:
    """Return the active silence that ends last among those that match, if any does."""
    active = Silence.objects.active(now).filter(Q(service=None) | Q(service=alert.service_id))
    return first_match(alert, active.order_by("-ends_at", "pk"))


def first_match(alert: Alert, silences: Iterable[Silence]) -> Silence | None:
    """Return the first silence that holds an alert back."""
    labels = labels_of(alert)
    for silence in silences:
        if silence.service_id in (None, alert.service_id) and are_met(silence.rules, labels):
            return silence
    return None


def goes_on(now: datetime) -> Q:
    """Return what maintenance is that was not called off, and is not over as it was planned."""
    return Q(Q(ends_at__gt=now) | ~Q(rule=""), cancelled_at=None)


def next_span(row: Maintenance, *, now: datetime) -> tuple[datetime, datetime] | None:
    """Return the occurrence that goes on or comes next within a year; None when none does.

    One whose silence was ended is over. None as well of a rule that nothing can be worked out of: the
    others are shown beside it.
    """
    if row.cancelled_at is not None:
        return None
    ended = row.early_ends
    try:
        spans = row.spans(now, now + timedelta(days=366))
        return next((span for span in spans if ended.get(span[0], span[1]) > now), None)
    except ValueError:
        return None


def first_span(draft: Maintenance, *, now: datetime) -> tuple[datetime, datetime]:
    """Return the occurrence that goes on or comes first of what is not stored.

    Where its rule says none within a year, it is the one that was typed.

    Args:
        draft: That `check_maintenance` takes.
        now: The present.
    """
    after = max(now, draft.starts_at)
    spans = draft.spans(after, after + timedelta(days=366))
    return next(spans, (draft.starts_at, draft.ends_at))


def labels_of(alert: Alert) -> dict[str, str]:
    """Return what matchers see: the sender's labels, and the alert's own title, severity, source."""
    own = {"title": alert.title, "severity": alert.severity, "source": alert.source}
    return {**own, **{str(name): str(value) for name, value in alert.labels.items()}}
