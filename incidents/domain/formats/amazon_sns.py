"""Amazon SNS: its envelope, what its signature covers, and the CloudWatch alarms it carries."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from incidents.domain.events import Act, AlertEvent, Reading, key_of
from incidents.domain.formats import event_bridge
from incidents.domain.formats.context import Context
from incidents.domain.formats.generic import title_in
from incidents.domain.payloads import Unreadable, clean, instant, mapping, sequence, text
from incidents.domain.severities import SILENT

__all__ = ["CONFIRMATIONS", "envelope", "is_amazons", "read", "signed_text"]

CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_TYPES = ("Notification", *CONFIRMATIONS)
# How functions of Lambda get what SNS posts under another name.
_AS_POSTED = {"SigningCertUrl": "SigningCertURL", "UnsubscribeUrl": "UnsubscribeURL"}
_HOST = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?")
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_CONFIRMATION = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
# It calls somebody where the integration's words for severities say how bad it is.
_UNKNOWN = "INSUFFICIENT_DATA"
_STATES = {"ALARM": Act.TRIGGER, "OK": Act.RESOLVE, _UNKNOWN: Act.NOTE}


def envelope(payload: Any) -> Mapping[str, str]:
    """Return the fields of a message as SNS posts it, to the letter: its signature covers them.

    What it hands to a function of Lambda is the same, once that is sent on here.

    Raises:
        Unreadable: A field that every message has is missing.
    """
    message = {
        name: value if isinstance(value, str) or name == "Message" else text(value)
        for name, value in _posted(mapping(payload)).items()
    }
    if message.get("Type") not in _TYPES:
        raise Unreadable(f"Type: one of {', '.join(_TYPES)} is wanted")
    for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Signature", "SigningCertURL"):
        if not isinstance(message.get(name), str) or not message[name]:
            raise Unreadable(f"{name}: missing")
    if message.get("SignatureVersion") not in {"1", "2"}:
        raise Unreadable("SignatureVersion: 1 or 2 is wanted")
    return message


def _posted(said: Mapping[str, Any]) -> Mapping[str, Any]:
    if "Records" not in said:
        return said
    records = [mapping(mapping(each).get("Sns")) for each in sequence(said["Records"])]
    if len(records) != 1 or not records[0]:
        raise Unreadable("Records: one with a message of SNS is wanted")
    return {_AS_POSTED.get(name, name): value for name, value in records[0].items()}


def signed_text(message: Mapping[str, str]) -> bytes:
    """Return what the signature of a message covers: names and values, a line each."""
    names = _SIGNED if message["Type"] == "Notification" else _SIGNED_CONFIRMATION
    return "".join(
        f"{name}\n{message[name]}\n"
        for name in names
        if name in message and (name != "Subject" or message[name])
    ).encode()


def is_amazons(url: str, *, is_certificate: bool = False) -> bool:
    """Return whether an address is one of SNS's own: https, its exact hosts, nothing else in it.

    Args:
        url: The address.
        is_certificate: Whether it must be a file of SNS's. What its API answers, whoever asks may have
            put there: a certificate of their own, too.
    """
    if not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if is_certificate and not (parts.path.endswith(".pem") and url.endswith(parts.path)):
        return False
    return (
        parts.scheme == "https"
        and port is None
        and "@" not in parts.netloc
        and _HOST.fullmatch(parts.hostname or "") is not None
    )


def read(message: Mapping[str, str], context: Context) -> Reading:
    """Read a notification: a CloudWatch alarm, an EventBridge event, or words.

    Raises:
        Unreadable: An alarm that has no name, or a state of its own invention.
    """
    try:
        said = clean(json.loads(message["Message"]))
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        said = event_bridge.native_alarm(said) or said
        if "AlarmName" in said:
            return Reading((_alarm(said, message, context),))
        if "detail-type" in said:
            return Reading((event_bridge.read(said, context),))
    subject = text(message.get("Subject"))
    severity, pages = context.judge("")
    plain = AlertEvent(
        act=Act.TRIGGER,
        dedup_key=key_of(message["TopicArn"], subject or message["MessageId"]),
        title=text(subject or _headline(said, message), 300),
        severity=severity,
        pages=pages,
        detail=text(message["Message"], 15_000),
        labels={"topic": message["TopicArn"]},
    )
    return Reading((plain,))


def _headline(said: Any, message: Mapping[str, str]) -> str:
    """Return what a message without a subject is about."""
    line = message["Message"].strip().partition("\n")[0].strip()
    if not isinstance(said, dict | list) and any(map(str.isalnum, line)):
        return line
    return title_in(said) or f"Message of topic {message['TopicArn'].rpartition(':')[2]}"


def _alarm(said: Mapping[str, Any], message: Mapping[str, str], context: Context) -> AlertEvent:
    state = text(said.get("NewStateValue"))
    name = text(said.get("AlarmName"))
    if state not in _STATES:
        raise Unreadable(f"Message.NewStateValue: one of {', '.join(_STATES)} is wanted")
    if not name:
        raise Unreadable("Message.AlarmName: missing")
    arn = text(said.get("AlarmArn"))
    # `Region` is a name for people; the topic's address has the code.
    parts = (arn or message["TopicArn"]).split(":")
    region = parts[3] if len(parts) > 3 else ""
    is_firing_unknown = context.severity_map.get(_UNKNOWN.lower(), SILENT) != SILENT
    firing = {"ALARM", _UNKNOWN} if is_firing_unknown else {"ALARM"}
    trigger = mapping(said.get("Trigger"))
    labels = {"alarm": name, "region": region, "account": text(said.get("AWSAccountId"))}
    labels |= {
        text(mapping(pair).get("name")): text(mapping(pair).get("value"))
        for pair in sequence(trigger.get("Dimensions"))
        if mapping(pair).get("name")
    }
    labels |= {key: text(trigger[key]) for key in ("Namespace", "MetricName") if trigger.get(key)}
    word = state if state in firing - {"ALARM"} else _word_in(text(said.get("AlarmDescription")))
    severity, pages = context.judge(word, labels)
    return AlertEvent(
        act=Act.TRIGGER if state in firing else _STATES[state],
        dedup_key=key_of(arn or key_of(labels["account"], region, name)),
        title=text(f"{name} is {state}" if state in firing else name, 300),
        severity=severity,
        pages=pages,
        detail="\n".join(
            filter(None, (text(said.get("AlarmDescription")), text(said.get("NewStateReason"))))
        ),
        labels=labels,
        at=instant(said.get("StateChangeTime")) or instant(message["Timestamp"]),
        is_ordered=True,
        fired_before=text(said.get("OldStateValue")) in firing,
        facts={key: said[key] for key in ("OldStateValue", "Trigger") if said.get(key)},
    )


def _word_in(description: str) -> str:
    """Return the severity that a description spells out, as in "severity: critical"."""
    found = re.search(r"\bseverity\s*[:=]\s*([A-Za-z0-9]+)", description)
    return found.group(1) if found else ""
