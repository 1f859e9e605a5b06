"""What every transport is: one way of handing a message to a provider within a time limit."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from core.http_client import NotResolved, OutboundError, Refused
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message

__all__ = ["Recipient", "Transport", "TransportFailed", "transport_for"]


class TransportFailed(Exception):
    """The provider did not take the message.

    Args:
        message: Why, without secrets.
        is_final: Whether trying again cannot help.
        is_uncertain: Whether it may have arrived all the same: the answer was lost.
    """

    def __init__(self, message: str, *, is_final: bool = False, is_uncertain: bool = False) -> None:
        super().__init__(message)
        self.is_final, self.is_uncertain = is_final, is_uncertain

    @classmethod
    def of(cls, error: OutboundError) -> "TransportFailed":
        """Return what a request that got no answer means for the message it carried."""
        never_left = isinstance(error, Refused | NotResolved) or error.ours
        return cls(str(error), is_uncertain=not never_left)


@dataclass(frozen=True)
class Recipient:
    """Where a message goes.

    Args:
        address: Of the transport's kind.
        secret: With which it is signed, where it is; two, apart by a blank, while one replaces another.
    """

    address: str
    secret: str = ""


class Transport(ABC):
    """One way out; a subclass with a `kind` is found by it."""

    kind: ClassVar[Kind]
    deadline: ClassVar[timedelta] = timedelta(seconds=10)
    _by_kind: ClassVar[dict[Kind, type["Transport"]]] = {}

    def __init_subclass__(cls) -> None:
        """Be found by `kind`."""
        if "kind" in cls.__dict__:
            Transport._by_kind[cls.kind] = cls

    @abstractmethod
    def send(self, message: Message, to: Recipient) -> str:
        """Hand over a message; returns the provider's id for it, "" where there is none.

        Raises:
            TransportFailed: It was not taken.
        """

    @property
    def is_configured(self) -> bool:
        """Whether the portal has what it needs to send this way."""
        return True


def transport_for(kind: Kind) -> Transport:
    """Return the transport of a kind."""
    return Transport._by_kind[kind]()
