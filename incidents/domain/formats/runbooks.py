"""Where senders put the address of the runbook."""

from typing import Any

from incidents.domain.payloads import mapping, sequence, text, web_address

__all__ = ["runbook_in"]

_NAMES = ("runbook_url", "runbook", "runbookUrl")
_WORDS = ("runbook", "playbook")


def runbook_in(*sources: Any) -> str:
    """Return the address of the runbook that objects or lists of links name, "" for none."""
    for source in sources:
        said = mapping(source)
        for name in _NAMES:
            if (given := said.get(name)) and (address := web_address(given)):
                return address
        for link in map(mapping, sequence(source)):
            words = text(link.get("text")).lower()
            if any(word in words for word in _WORDS) and (address := web_address(link.get("href"))):
                return address
    return ""
