"""Alertmanager's webhook, versions 3 and 4, and all that is shaped like it.

An alert's absence from the array says nothing. Old senders have no fingerprint, number their
group keys and leave the state to the top of the message.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from incidents.domain.events import Act, AlertEvent, HeartbeatPing, Reading
from incidents.domain.formats.context import Context
from incidents.domain.formats.runbooks import runbook_in
from incidents.domain.payloads import Unreadable, instant, mapping, text, web_address

__all__ = ["read"]

WATCHDOG = "Watchdog"
_TITLE = 300


def read(payload: Any, context: Context) -> Reading:
    """Read a message of the webhook.

    Raises:
        Unreadable: It has no array of alerts.
    """
    message = mapping(payload)
    alerts = message.get("alerts")
    if not isinstance(alerts, list):
        raise Unreadable("alerts: an array is wanted")
    common = _common(message)
    events: list[AlertEvent] = []
    pings: list[HeartbeatPing] = []
    remarks: list[str] = []
    for index, alert in enumerate(alerts):
        try:
            found = _read_alert(alert, message, common, context)
        except Unreadable as error:
            remarks.append(f"alerts[{index}].{error}")
            continue
        if isinstance(found, HeartbeatPing):
            pings.append(found)
        elif found is not None:
            events.append(found)
    notes: tuple[str, ...] = ()
    if (left_out := text(message.get("truncatedAlerts"), 20)) not in {"", "0"}:
        notes = (f"The sender left out {left_out} more alerts of this group (truncatedAlerts).",)
        events = [_with_warning(event, *notes) for event in events]
    return Reading(tuple(events), pings=tuple(pings), remarks=tuple(remarks), notes=notes)


def _with_warning(event: AlertEvent, warning: str) -> AlertEvent:
    return replace(event, detail=f"{event.detail}\n\n{warning}".strip())


class _Common(NamedTuple):
    """What the alerts of a message share.

    Args:
        notes: Their common annotations.
        url: Of Alertmanager.
        group_key: What belongs together.
    """

    notes: Mapping[str, str]
    url: str
    group_key: str


def _common(message: Mapping[str, Any]) -> _Common:
    return _Common(
        _texts(message.get("commonAnnotations")),
        web_address(message.get("externalURL")),
        _group_key(message),
    )


def _texts(values: Any) -> dict[str, str]:
    return {
        key: value.strip() if type(value) is str else text(value)
        for key, value in mapping(values).items()
    }


def _read_alert(
    alert: Any, message: Mapping[str, Any], common: _Common, context: Context
) -> AlertEvent | HeartbeatPing | None:
    """Read one element of the array; None for the end of a sign of life.

    Raises:
        Unreadable: It has neither labels nor a fingerprint, or a state of its own invention.
    """
    if not isinstance(alert, dict):
        raise Unreadable("labels: an object is wanted")
    labels = _texts(alert.get("labels"))
    notes = {**common.notes, **_texts(alert.get("annotations"))}
    act = _act(text(alert.get("status")) or _state_on_top(message))
    if "heartbeat" in labels or labels.get("alertname") == WATCHDOG:
        name = labels.get("heartbeat") or WATCHDOG
        return HeartbeatPing(name) if act is Act.TRIGGER else None
    severity, pages = context.judge(labels.get("severity", ""), labels)
    return AlertEvent(
        act=act,
        dedup_key=_key(alert, labels),
        title=text(_title(labels, notes) or _fallback(alert, message), _TITLE),
        severity=severity,
        pages=pages,
        detail=notes.get("description") or notes.get("message", ""),
        url=web_address(alert.get("generatorURL")) or common.url,
        runbook_url=runbook_in(notes),
        labels=labels,
        group_key=common.group_key,
        at=instant(alert.get("endsAt") if act is Act.RESOLVE else alert.get("startsAt")),
        facts={"annotations": notes} if notes else {},
    )


def _state_on_top(message: Mapping[str, Any]) -> str:
    return text(message.get("status")) or text(message.get("state")) or "firing"


def _act(state: str) -> Act:
    if state.lower() in {"firing", "alerting"}:
        return Act.TRIGGER
    if state.lower() in {"resolved", "ok"}:
        return Act.RESOLVE
    raise Unreadable(f"status: firing or resolved is wanted, not {state[:40]!r}")


def _key(alert: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    if fingerprint := text(alert.get("fingerprint"), 200):
        return fingerprint
    if not labels:
        raise Unreadable("labels: what the alert is about is not said")
    canonical = json.dumps(sorted(labels.items()), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _title(labels: Mapping[str, str], notes: Mapping[str, str]) -> str:
    summary = notes.get("summary") or notes.get("title")
    return (
        summary
        or labels.get("alertname")
        or ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if v)
    )


def _fallback(alert: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """Return a title for what no label and no annotation says a word about."""
    fingerprint, receiver = text(alert.get("fingerprint"), 40), text(message.get("receiver"))
    words = (fingerprint or "without labels", f"of receiver {receiver}" if receiver else "")
    return " ".join(("Alert", *words)).strip()


def _group_key(message: Mapping[str, Any]) -> str:
    given = text(message.get("groupKey"))
    if not given:
        return ""
    receiver = text(message.get("receiver"))
    return hashlib.sha256(f"{receiver}\n{given}".encode()).hexdigest()
