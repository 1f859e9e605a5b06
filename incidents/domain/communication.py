"""Templates of what is told to those who wait: a fixed set of placeholders, and nothing that runs.

>>> filled("{service}: {severity}", {"service": "Checkout {title}", "severity": "P1"})
'Checkout {title}: P1'
>>> mistakes_in("{sev} of {service}")
['{sev}']
"""

import re
from collections.abc import Mapping
from enum import StrEnum

__all__ = [
    "BLANK",
    "DEFAULTS",
    "PLACEHOLDERS",
    "Audience",
    "Kind",
    "PublicState",
    "filled",
    "mistakes_in",
]


class Audience(StrEnum):
    """Who reads it: people of the portal, or everybody."""

    INTERNAL = "internal"
    PUBLIC = "public"


class PublicState(StrEnum):
    """Where an incident stands, as status pages everywhere say it."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Kind(StrEnum):
    """When in an incident a template is used."""

    INITIAL = "initial"
    UPDATE = "update"
    RESOLUTION = "resolution"


# What each stands for, as whoever edits a template is told.
PLACEHOLDERS: Mapping[str, str] = {
    "service": "name of the service",
    "severity": "P0 to P3",
    "title": "title of the incident",
    "since": "when it was opened, in UTC",
    "impact": "its summary; in public drafts a blank, as the summary is internal",
    "next_update": "when the next update is due, in UTC",
}
# Stands where only a person can say something; nothing is published that still has it.
BLANK = "[say what users notice]"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_BRACE = re.compile(r"[{}]")
DEFAULTS: Mapping[tuple[Kind, Audience], str] = {
    (Kind.INITIAL, Audience.INTERNAL): (
        "{severity} since {since}: {title}\nService: {service}\nImpact: {impact}\n"
        "Next update: {next_update}."
    ),
    (Kind.UPDATE, Audience.INTERNAL): (
        "{severity}, {service}: {title}\nWhat we know: \nWhat we do next: \n"
        "Next update: {next_update}."
    ),
    (Kind.RESOLUTION, Audience.INTERNAL): (
        "{title} is resolved; it began {since}.\nCause: \nWhat follows: "
    ),
    (Kind.INITIAL, Audience.PUBLIC): (
        "We are investigating a problem with {service} since {since}. {impact}\n"
        "We will tell more by {next_update}."
    ),
    (Kind.UPDATE, Audience.PUBLIC): (
        "We are still working on the problem with {service}. {impact}\n"
        "We will tell more by {next_update}."
    ),
    (Kind.RESOLUTION, Audience.PUBLIC): (
        "The problem with {service} that began {since} is resolved. We are sorry for the trouble."
    ),
}


def mistakes_in(text: str) -> list[str]:
    """Return what stands in braces and is no placeholder, and each brace without its other one."""
    unknown = [f"{{{name}}}" for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS]
    return [*dict.fromkeys(unknown), *dict.fromkeys(_BRACE.findall(_PLACEHOLDER.sub("", text)))]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its placeholders replaced once; a value is never read as a template.

    Args:
        text: The template.
        values: What placeholders stand for, by their names; the others stay as they are.
    """
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
