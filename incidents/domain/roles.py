"""The roles in which people work on one incident together, and when nobody really has one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DUTIES", "Holder", "RoleName"]


class RoleName(StrEnum):
    """One role of an incident; each has one holder at most."""

    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    OPERATIONS = "operations"
    SCRIBE = "scribe"

    @property
    def label(self) -> str:
        """The role as pages say it."""
        return self.value.capitalize()


DUTIES: Mapping[RoleName, str] = {
    RoleName.COMMANDER: "Decides, and says who does what.",
    RoleName.COMMUNICATIONS: "Tells those who wait, inside and outside.",
    RoleName.OPERATIONS: "Changes the systems; nobody else does.",
    RoleName.SCRIBE: "Writes down what happens, and when.",
}


@dataclass(frozen=True)
class Holder:
    """Whoever took a role, as they are now.

    Args:
        name: As pages and messages name them.
        has_account: Whether their account is still there.
        is_active: Whether they may sign in.
        may_act: Whether they respond, or more; a viewer only looks.
        may_know: Whether they may still know of the incident's service.
    """

    name: str
    has_account: bool = True
    is_active: bool = True
    may_act: bool = True
    may_know: bool = True

    @property
    def absence(self) -> str:
        """Why anybody may claim what they hold, as a sentence; "" where they hold it."""
        if not self.has_account:
            return f"The account of {self.name} was deleted."
        if not self.is_active:
            return f"{self.name} is no longer active."
        if not self.may_act:
            return f"{self.name} is a viewer now, and can only look."
        if not self.may_know:
            return f"{self.name} may no longer know of this service."
        return ""
