"""Events of Amazon EventBridge: alarms of CloudWatch in its own form, AWS Health, and all others."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from incidents.domain.events import Act, AlertEvent, key_of
from incidents.domain.formats.context import Context
from incidents.domain.payloads import instant, mapping, sequence, text

__all__ = ["native_alarm", "read"]

_ALARM = "CloudWatch Alarm State Change"
_HEALTH = "AWS Health Event"


def native_alarm(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm's change of state as CloudWatch itself tells it; {} for any other event."""
    if said.get("detail-type") != _ALARM:
        return {}
    detail = mapping(said.get("detail"))
    state, configured = mapping(detail.get("state")), mapping(detail.get("configuration"))
    resources = sequence(said.get("resources"))
    return {
        "AlarmName": detail.get("alarmName"),
        "AlarmArn": resources[0] if resources else None,
        "AlarmDescription": configured.get("description"),
        "AWSAccountId": said.get("account"),
        "NewStateValue": state.get("value"),
        "NewStateReason": state.get("reason"),
        "OldStateValue": mapping(detail.get("previousState")).get("value"),
        "StateChangeTime": state.get("timestamp") or said.get("time"),
        "Trigger": _trigger(sequence(configured.get("metrics"))),
    }


def _trigger(metrics: list[Any]) -> dict[str, Any]:
    """Return what is measured: one metric by its name, of several what is said of them."""
    if len(metrics) != 1:
        return {"Metrics": metrics} if metrics else {}
    metric = mapping(mapping(mapping(metrics[0]).get("metricStat")).get("metric"))
    pairs = mapping(metric.get("dimensions")).items()
    return {
        "MetricName": metric.get("name"),
        "Namespace": metric.get("namespace"),
        "Dimensions": [{"name": name, "value": value} for name, value in pairs],
    }


def read(said: Mapping[str, Any], context: Context) -> AlertEvent:
    """Read an event that is no alarm."""
    detail = mapping(said.get("detail"))
    if said.get("detail-type") == _HEALTH and text(detail.get("eventArn")):
        return _health(said, detail, context)
    severity, pages = context.judge("")
    kind = text(said.get("detail-type"))
    return AlertEvent(
        act=Act.TRIGGER,
        dedup_key=key_of("event", text(said.get("id")) or kind),
        title=text(f"{kind} ({text(said.get('source'))})", 300),
        severity=severity,
        pages=pages,
        detail=text(said.get("detail"), 15_000),
        labels=_labels(said),
        facts={"detail": said.get("detail")},
    )


def _health(said: Mapping[str, Any], detail: Mapping[str, Any], context: Context) -> AlertEvent:
    """Read what AWS says of its own state: the same event again while it goes on, closed at last."""
    is_over = text(detail.get("statusCode")).lower() == "closed"
    category = text(detail.get("eventTypeCategory"))
    code = text(detail.get("eventTypeCode")) or text(detail.get("service")) or _HEALTH
    region = text(detail.get("eventRegion")) or text(said.get("region"))
    severity, pages = context.judge(category)
    at = _instant(text(detail.get("lastUpdatedTime")))
    return AlertEvent(
        act=Act.RESOLVE if is_over else Act.TRIGGER,
        dedup_key=key_of(text(detail["eventArn"])),
        title=text(f"{code} in {region}" if region else code, 300),
        severity=severity,
        pages=pages,
        detail=_description(sequence(detail.get("eventDescription"))),
        labels={
            **_labels(said),
            **{name: text(detail[name]) for name in ("service", "statusCode") if detail.get(name)},
        },
        at=at,
        is_ordered=at is not None,
        fired_before=is_over,
        facts={"detail": detail},
    )


def _labels(said: Mapping[str, Any]) -> dict[str, str]:
    return {name: text(said[name]) for name in ("source", "region", "account") if said.get(name)}


def _description(said: list[Any]) -> str:
    """Return the words in English where there are such, else in the first language."""
    texts = {
        text(each.get("language")): each.get("latestDescription") for each in map(mapping, said)
    }
    return text(texts.get("en_US") or next(iter(texts.values()), ""), 15_000)


def _instant(said: str) -> datetime | None:
    """Return an instant as AWS Health writes it: "Wed, 12 Feb 2025 00:37:55 GMT"."""
    try:
        at = parsedate_to_datetime(said)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, LookupError, OverflowError):
        return instant(said)
