"""Why a page is made, beside the calling of an escalation, as its `reason` says it."""

__all__ = [
    "FALLBACK",
    "OFFERED",
    "SET_ASIDE",
    "STILL_ON_IT",
    "TAKEN",
    "TO_FALLBACK",
    "is_news",
    "offered_role",
]

FALLBACK = "fallback"
# To the fallback contact as well, whether or not somebody has answered: what would have called people
# later will not.
SET_ASIDE = "set aside"
TO_FALLBACK = (FALLBACK, SET_ASIDE)
# Asks whoever has answered; the time of day follows.
STILL_ON_IT = "still on it?"
# Tells those who were called that somebody else has answered, or mitigated or resolved it.
TAKEN = "taken"
# Asks somebody whether they take a role; which one follows, and a number that tells offers apart.
OFFERED = "role offered:"


def is_news(reason: str) -> bool:
    """Return whether a page of that reason calls nobody to an incident, and only tells of it."""
    return reason == TAKEN or reason.startswith(OFFERED)


def offered_role(reason: str) -> str:
    """Return the role that a page asks somebody to take, "" where it does not."""
    return reason.removeprefix(OFFERED).split()[0] if reason.startswith(OFFERED) else ""
