"""Buttons below a Slack message: what is done about an incident where people read of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["Act", "act_button", "act_buttons", "open_button"]


class Act(StrEnum):
    """What a button does, as its action id begins."""

    ACKNOWLEDGE = "acknowledge"
    ESCALATE = "escalate"
    SNOOZE = "snooze"
    RESOLVE = "resolve"


_LABELS = {
    Act.ACKNOWLEDGE: "Acknowledge",
    Act.ESCALATE: "Escalate",
    Act.SNOOZE: "Snooze 1 h",
    Act.RESOLVE: "Resolve",
}


def act_buttons(about: Mapping[str, Any], acts: Iterable[Act] = Act) -> list[dict[str, Any]]:
    """Return the buttons of one incident; none to escalate where everybody was called.

    Args:
        about: Facts of a page: `incident`, `cycle`, `opened_at`, and `next_step`, which is "" where
            nobody is left to call, and None where that is not known.
        acts: Which ones.
    """
    is_over = about.get("next_step") == ""
    return [act_button(act, about) for act in acts if not (is_over and act is Act.ESCALATE)]


def act_button(act: Act, about: Mapping[str, Any], label: str = "") -> dict[str, Any]:
    """Return one button; its value says what it is about, of an escalation also which step.

    Args:
        act: What it does.
        about: As `act_buttons` has it.
        label: What stands on it; "" is the usual word.
    """
    opened = int(datetime.fromisoformat(about["opened_at"]).timestamp())
    parts = [about["incident"], about["cycle"], opened]
    if act is Act.ESCALATE and about.get("next_step"):
        parts.append(about["next_step"])
    found = {
        "type": "button",
        "text": _plain(label or _LABELS[act]),
        "action_id": f"{act}-{about['incident']}",
        "value": ".".join(map(str, parts)),
    }
    if act is Act.ACKNOWLEDGE:
        found["style"] = "primary"
    if act is Act.RESOLVE:
        found["confirm"] = {
            "title": _plain(f"Resolve #{about['incident']}?"),
            "text": _plain("It is over: nobody is called for it, and its alerts end with it."),
            "confirm": _plain("Resolve"),
            "deny": _plain("Cancel"),
        }
    return found


def open_button(url: str) -> dict[str, Any]:
    """Return the button that leads to a page."""
    return {"type": "button", "text": _plain("Open"), "url": url, "action_id": "open"}


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}
