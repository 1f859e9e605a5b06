"""Signs of life: what a ping changes, and what silence does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import QuerySet

from core import audit
from core.locking import lock
from incidents.domain.heartbeats import DEFAULTS, Sign, key_of_sender
from incidents.models import Heartbeat, InboundEvent, Integration, Severity
from incidents.services.acts import Acts
from incidents.services.intake import AlertSignal, receive, take

__all__ = ["check", "delete_heartbeat", "find", "named", "ping", "save_heartbeat"]

log = structlog.get_logger(__name__)
SOURCE = "heartbeat"
_BATCH = 100
_CHANGED_BY_A_SIGN = (
    "last_sign", "last_sign_at", "ended_at", "started_at", "due_at", "state", "is_paused",
    "updated_at",
)  # fmt: skip
# As it is in Healthchecks itself; in Opsgenie a heartbeat is off until somebody switches it on.
_RESUMED_BY_A_SIGN = frozenset({Integration.Kind.HEALTHCHECKS})


def find(integration: Integration, name: str) -> Heartbeat | None:
    """Return the heartbeat that senders call so, if there is one."""
    key = key_of_sender(name)
    known = Heartbeat.objects.select_related("integration__service").filter(integration=integration)
    return known.filter(sender_key=key).first() if key else None


def named(integration: Integration, name: str) -> Heartbeat:
    """Return the heartbeat that senders call so, made with the defaults of its kind when it is new.

    Args:
        integration: Through which they give signs.
        name: "" for the integration's own.
    """
    expected = DEFAULTS.get(integration.kind, DEFAULTS["healthchecks"])
    key = key_of_sender(name)
    identity: dict[str, Any] = {"sender_key": key} if key else {"is_own": True}
    # As long a name as its key, so that what begins alike is told apart where it is shown, too.
    label = key or integration.name[:100]
    heartbeat, _ = Heartbeat.objects.get_or_create(
        integration=integration,
        **identity,
        defaults={"name": label, "period": expected.period, "grace": expected.grace},
    )
    return heartbeat


def ping(
    heartbeat: Heartbeat,
    sign: Sign,
    acts: Acts,
    *,
    now: datetime,
    event: InboundEvent | None = None,
) -> None:
    """Take a sign of life within the caller's transaction, who records `acts` at its end.

    A failure alerts at once; a success ends the alert. A log changes nothing, any other sign ends a
    pause where the kind does so.
    """
    if sign is Sign.LOG:
        return
    heartbeat = Heartbeat.objects.select_for_update().get(pk=heartbeat.pk)
    if heartbeat.is_paused and heartbeat.integration.kind in _RESUMED_BY_A_SIGN:
        _resume(heartbeat, acts)
    _note(heartbeat, sign, now=now)
    if not heartbeat.is_paused:
        heartbeat.count_rhythm()
        failed = sign is Sign.FAIL
        stays_down = sign is Sign.START and heartbeat.state == Heartbeat.State.DOWN
        if not stays_down:
            heartbeat.state = Heartbeat.State.DOWN if failed else Heartbeat.State.UP
        if sign is not Sign.START:
            words = "reported a failure" if failed else ""
            take(_signal(heartbeat, words, event), acts, now=now)
    heartbeat.save(update_fields=_CHANGED_BY_A_SIGN)


def _resume(heartbeat: Heartbeat, acts: Acts) -> None:
    """Begin anew: what was missed during the pause is nobody's concern."""
    heartbeat.is_paused, heartbeat.state = False, Heartbeat.State.NEW
    heartbeat.ended_at = heartbeat.started_at = None
    acts.add(
        "heartbeat.changed", heartbeat, heartbeat.integration.kind, is_paused=["True", "False"]
    )


def _note(heartbeat: Heartbeat, sign: Sign, *, now: datetime) -> None:
    heartbeat.last_sign, heartbeat.last_sign_at = sign.value, now
    if sign is Sign.START:
        heartbeat.started_at = heartbeat.started_at or now
    else:
        heartbeat.ended_at, heartbeat.started_at = now, None


@transaction.atomic
def save_heartbeat(
    heartbeat: Heartbeat,
    *,
    fields: Mapping[str, Any],
    actor: audit.Actor | str | None,
    now: datetime,
) -> Heartbeat:
    """Create or change a heartbeat; a new rhythm counts from its last sign.

    Raises:
        ValidationError: With the messages by field.
        NotFound: The stored one was deleted.
    """
    is_new = heartbeat.pk is None
    if not is_new:
        lock(heartbeat)
    changes = {
        name: ["" if is_new else str(getattr(heartbeat, name)), str(value)]
        for name, value in fields.items()
        if is_new or getattr(heartbeat, name) != value
    }
    for name, value in fields.items():
        setattr(heartbeat, name, value)
    heartbeat.full_clean()
    if is_new:
        heartbeat.is_own = _is_made_for_all(heartbeat)
    heartbeat.count_rhythm()
    if is_new or changes:
        heartbeat.save()
    if heartbeat.is_paused:
        receive(_signal(heartbeat, ""), now=now)
    if is_new or changes:
        act = "heartbeat.created" if is_new else "heartbeat.changed"
        audit.record(act=act, subject=heartbeat, actor=actor, now=now, changes=changes)
    return heartbeat


def _is_made_for_all(heartbeat: Heartbeat) -> bool:
    """Whether it was made, before any sign, under the name that the integration's own would have."""
    integration = heartbeat.integration
    is_called_so = heartbeat.name == integration.name[:100]
    return is_called_so and not integration.heartbeats.filter(is_own=True).exists()


@transaction.atomic
def delete_heartbeat(
    heartbeat: Heartbeat, *, actor: audit.Actor | str | None, now: datetime
) -> None:
    """Expect no sign of it any more; what it alerted about ends.

    Raises:
        NotFound: Somebody else deleted it.
    """
    # Before its alert, as signs take them.
    lock(heartbeat, to_delete=True)
    receive(_signal(heartbeat, ""), now=now)
    name = audit.subject_name(heartbeat)
    heartbeat.delete()
    audit.record(act="heartbeat.deleted", subject=name, actor=actor, now=now)


def check(*, now: datetime) -> int:
    """Alert about every heartbeat that is overdue; several may check at once, each alerts once.

    Returns:
        How many alerted.

    Raises:
        ExceptionGroup: At the end, where some could not alert; the log says which, all others did.
    """
    overdue = Heartbeat.objects.filter(state=Heartbeat.State.UP, is_paused=False, due_at__lte=now)
    found, failures = 0, []
    for pk in list(overdue.order_by("due_at").values_list("pk", flat=True)[:_BATCH]):
        try:
            found += _alert(pk, overdue, now=now)
        except Exception as error:
            if not connection.is_usable():
                raise
            log.exception("heartbeat_not_alerted", heartbeat=pk)
            failures.append(error)
    if failures:
        raise ExceptionGroup("heartbeats that could not alert", failures)
    return found


@transaction.atomic
def _alert(pk: int, overdue: QuerySet[Heartbeat], *, now: datetime) -> bool:
    # Whoever changes the row first alerts; a ping in between makes it no longer due.
    if not overdue.filter(pk=pk).update(state=Heartbeat.State.DOWN):
        return False
    heartbeat = Heartbeat.objects.select_related("integration__service").get(pk=pk)
    receive(_signal(heartbeat, _silence(heartbeat)), now=now)
    return True


def _silence(heartbeat: Heartbeat) -> str:
    if heartbeat.started_at is not None:
        return f"started at {heartbeat.started_at:%Y-%m-%d %H:%M:%S} UTC and did not end"
    return f"gave no sign since {heartbeat.last_sign_at:%Y-%m-%d %H:%M:%S} UTC"


def _rhythm(heartbeat: Heartbeat) -> str:
    if heartbeat.schedule:
        return f"by {heartbeat.schedule} ({heartbeat.timezone})"
    return f"every {heartbeat.period}"


def _signal(heartbeat: Heartbeat, words: str, event: InboundEvent | None = None) -> AlertSignal:
    integration = heartbeat.integration
    return AlertSignal(
        source=SOURCE,
        dedup_key=f"heartbeat/{heartbeat.pk}",
        firing=bool(words),
        severity=Severity(heartbeat.severity),
        title=f"{heartbeat.name} {words}".strip(),
        service=integration.service,
        integration=integration,
        labels={"heartbeat": heartbeat.name},
        group_key=f"heartbeat/{heartbeat.pk}",
        runbook_url=integration.runbook_url,
        detail=f"Expected {_rhythm(heartbeat)}, at most {heartbeat.grace} later.",
        event=event,
    )
