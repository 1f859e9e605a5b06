"""AWS clients made when first needed, and calls whose refusal is an answer.

boto3 is no dependency of this package: programs that only count requests must not carry it, and
portals on no cloud need none. It is therefore looked up by name at the first call, and whoever
has clients of their own passes them in.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

__all__ = ["Boto3MissingError", "UnreadableError", "client", "pages", "read"]

DENIED = frozenset({
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
})  # fmt: skip
# Their messages may quote the signed request, session token included.
BAD_CREDENTIALS = frozenset({
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
MAX_PAGES = 200


class Boto3MissingError(ImportError):
    """AWS was to be called, no client was passed in, and boto3 is not installed."""


class UnreadableError(Exception):
    """A figure that AWS did not give.

    Attributes:
        action: The IAM action of the call, e.g. `cloudwatch:GetMetricData`.
        reason: A sentence for people.
        answered: Whether AWS itself said no to this action; False when the way to it or the
            credentials fail, as they will for every other action.
    """

    def __init__(self, action: str, reason: str, *, answered: bool = True) -> None:
        super().__init__(reason)
        self.action = action
        self.reason = reason
        self.answered = answered


def client(name: str, *, region: str | None = None, endpoint_url: str | None = None) -> Any:
    """Return a boto3 client with time-outs, so that a dead endpoint costs seconds.

    Args:
        name: boto3's name of the service, e.g. `application-autoscaling`.
        region: Empty or None leaves it to boto3 (environment, profile).
        endpoint_url: Another endpoint, e.g. a simulator.

    Raises:
        Boto3MissingError: If boto3 is not installed.
    """
    try:
        boto3 = import_module("boto3")
        config = import_module("botocore.config")
    except ImportError as error:
        raise Boto3MissingError(
            "Reading AWS needs boto3, which is not installed: run 'pip install boto3', or pass"
            " clients of your own."
        ) from error
    return boto3.client(
        name,
        region_name=region or None,
        endpoint_url=endpoint_url or None,
        config=config.Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )


def read(action: str, call: Callable[[], Any]) -> Any:
    """Return what `call` answers.

    Args:
        action: The IAM action that the call needs.
        call: Makes the client where needed and calls it.

    Raises:
        UnreadableError: If AWS or the way to it refuses; other errors are bugs and pass.
    """
    try:
        return call()
    except Exception as error:
        if not _is_from_botocore(error):
            raise
        code = _code(error)
        answered = code not in BAD_CREDENTIALS if code else _is_argument(error)
        raise UnreadableError(action, _sentence(action, code, error), answered=answered) from error


def pages(ask: Callable[..., dict[str, Any]], request: dict[str, Any], token: str) -> Iterable[Any]:
    """Yield every page of a paginated call.

    Args:
        ask: Method of a client.
        request: Its arguments.
        token: Name of the field that continues, in the answer and in the request.
    """
    following: dict[str, Any] = {}
    for _ in range(MAX_PAGES):
        page = ask(**request, **following)
        yield page
        if not page.get(token):
            return
        following = {token: page[token]}


def _is_from_botocore(error: Exception) -> bool:
    # botocore may be absent when clients are passed in, so its classes are known by their home.
    return any(kind.__module__.split(".")[0] == "botocore" for kind in type(error).__mro__)


def _is_argument(error: Exception) -> bool:
    # Refused before it was sent: it says nothing of the next call.
    return type(error).__name__ == "ParamValidationError"


def _code(error: Exception) -> str:
    answer = getattr(error, "response", None)
    details = answer.get("Error", {}) if isinstance(answer, dict) else {}
    return str(details.get("Code", ""))


def _sentence(action: str, code: str, error: Exception) -> str:
    if code in DENIED:
        return f"{action} was denied; allow this action to the role that reads."
    if code in BAD_CREDENTIALS:
        return f"{action} was refused with {code}; check the credentials of whoever reads."
    if code:
        message = error.response["Error"].get("Message", "")  # type: ignore[attr-defined]
        return f"{action} failed with {code}: {message}".rstrip(": ")
    return f"{action} could not be asked: {error}"
