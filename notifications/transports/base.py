"""What every transport is: one way of handing a message to a provider within a time limit."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from core.http_client import OutboundError, Response
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message

__all__ = ["Recipient", "Transport", "TransportFailed", "retry_after", "transport_for"]

_UNAVAILABLE = 503


class TransportFailed(Exception):
    """The provider did not take the message.

    Args:
        message: Why, without secrets.
        is_final: Whether trying again cannot help.
        is_uncertain: Whether it may have arrived all the same: the answer was lost.
        is_gone: Whether the address has ended: nothing will ever arrive there.
        retry_after: How long the provider asks to be left alone, zero where it does not.
    """

    def __init__(
        self,
        message: str,
        *,
        is_final: bool = False,
        is_uncertain: bool = False,
        is_gone: bool = False,
        retry_after: timedelta = timedelta(),
    ) -> None:
        super().__init__(message)
        self.is_final, self.is_uncertain, self.is_gone = is_final, is_uncertain, is_gone
        self.retry_after = retry_after

    @classmethod
    def of(cls, error: OutboundError) -> "TransportFailed":
        """Return what a request that got no answer means for the message it carried."""
        return cls(str(error), is_uncertain=error.sent)

    @classmethod
    def refused(
        cls, message: str, answer: Response, *, is_final: bool = False
    ) -> "TransportFailed":
        """Return what an answer other than yes means for the message.

        A server that broke, or a gateway that lost its answer, may have taken the message; one that is
        unavailable (503) has not.
        """
        return cls(
            message,
            is_final=is_final,
            is_uncertain=answer.status >= 500 and answer.status != _UNAVAILABLE,
            retry_after=retry_after(answer.headers),
        )


def retry_after(headers: Mapping[str, str]) -> timedelta:
    """Return how long an answer asks to be left alone, by lower-case names; zero without seconds."""
    asked = headers.get("retry-after", "").strip().partition(".")[0]
    # Digits of other scripts, and more of them than a day has seconds, are none.
    is_count = asked.isascii() and asked.isdecimal() and len(asked) < 6
    return timedelta(seconds=int(asked)) if is_count else timedelta()


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
