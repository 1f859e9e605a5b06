"""`requests` as Apprise's services get it: what they ask goes the portal's own way out.

They limit each wait, so that a server which drips holds its sender for ever, and they look a name up
themselves, after it was judged. They call `requests.post` and the like, and take no session: hence the
name `requests` in their modules is exchanged for one that sends by `core.http_client`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partialmethod
from io import BytesIO
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from core import http_client
from core.http_client import Deadline, OutboundError
from notifications.transports.base import TransportFailed, retry_after

__all__ = ["FEATURE", "Errand", "exchange", "on_errand"]

FEATURE = "notifications"
# Asking again cannot help, as for webhooks.
_FINAL = {400, 401, 403, 404, 405, 410, 413, 422}
_TOO_MANY, _UNAVAILABLE = 429, 503
# Of what nobody waits for, the goodbye of a service that is thrown away.
_GOODBYE_S = 2.0


@dataclass
class Errand:
    """One message on its way: its time, and what became of each of its requests.

    Args:
        deadline: For all of them together.
        statuses: Answered, in order.
        errors: Of those without a usable answer.
        asked_to_wait: For how long the last that said so wants no more.
    """

    deadline: Deadline
    statuses: list[int] = field(default_factory=list)
    errors: list[OutboundError] = field(default_factory=list)
    asked_to_wait: timedelta = timedelta()

    def ask(self, request: requests.PreparedRequest, *, verify: bool) -> http_client.Response:
        """Send one request, and note what became of it.

        Raises:
            OutboundError: As of any request.
        """
        # What is said of the connection and the encoding is ours to say.
        ours = {"accept-encoding", "connection", "content-length"}
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ours}
        body = request.body.encode() if isinstance(request.body, str) else request.body
        try:
            answer = http_client.request(
                str(request.url),
                feature=FEATURE,
                deadline=self.deadline,
                method=str(request.method),
                headers=headers,
                content=body if isinstance(body, bytes) else None,
                truncate=True,
                verify=verify,
            )
        except OutboundError as error:
            self.errors.append(error)
            raise
        self.statuses.append(answer.status)
        self.asked_to_wait = retry_after(answer.headers)
        return answer

    def failure(self) -> TransportFailed:
        """Return what it means that the service says no.

        Some services ask several times, so what one of them took may be all of it.
        """
        took_some = any(status < 300 or _is_broken(status) for status in self.statuses)
        return TransportFailed(
            self._reason(),
            is_final=bool(self.statuses) and not self.errors and _FINAL.issuperset(self.statuses),
            is_uncertain=took_some or any(error.sent for error in self.errors),
            retry_after=self.asked_to_wait,
        )

    def _reason(self) -> str:
        if self.errors:
            return str(self.errors[0])
        if self.statuses:
            return f"The service answered {self.statuses[-1]}."
        return "The service did not take it."


def _is_broken(status: int) -> bool:
    return status >= 500 and status != _UNAVAILABLE


_ERRAND: ContextVar[Errand | None] = ContextVar("errand", default=None)


@contextmanager
def on_errand(errand: Errand) -> Iterator[None]:
    """Let what Apprise's services ask within be part of an errand."""
    token = _ERRAND.set(errand)
    try:
        yield
    finally:
        _ERRAND.reset(token)


def exchange(service: type) -> None:
    """Give the modules that a kind of service is made of our `requests`."""
    for kind in service.__mro__:
        module = vars(sys.modules[kind.__module__])
        if module.get("requests") is requests:
            module["requests"] = _OURS


def pause(last_io: object = None, wait: float | None = None) -> None:
    """Stand where a service would sleep: one message needs no distance, and a sender no sleep.

    Raises:
        requests.exceptions.RetryError: The service was told to wait; that is the portal's to do.
    """
    del last_io
    if wait:
        raise requests.exceptions.RetryError("To be sent again later.")


class _Adapter(BaseAdapter):
    """Sends one prepared request within the errand's time."""

    def send(
        self, request: requests.PreparedRequest, *_options: Any, **asked: Any
    ) -> requests.Response:
        """Send it; of the options the certificate's counts, time and redirects are ours."""
        errand = _ERRAND.get() or Errand(Deadline(_GOODBYE_S))
        try:
            answer = errand.ask(request, verify=bool(asked.get("verify", True)))
        except OutboundError as error:
            raise requests.ConnectionError(str(error), request=request) from error
        return _as_theirs(answer, request)

    def close(self) -> None:
        """Nothing is kept open."""


def _as_theirs(
    answer: http_client.Response, request: requests.PreparedRequest
) -> requests.Response:
    found = requests.Response()
    found.status_code, found.headers = answer.status, CaseInsensitiveDict(answer.headers)
    found.raw, found.url, found.request = BytesIO(answer.body), str(request.url), request
    found.encoding = requests.utils.get_encoding_from_headers(found.headers)
    found.elapsed = timedelta(milliseconds=answer.elapsed_ms)
    return found


class _Session(requests.Session):
    """A session that only goes our way, and takes nothing from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        self.mount("", _Adapter())


class _Requests:
    """The module's names; its functions and sessions are ours."""

    Session = _Session

    def request(self, method: str, url: str, **asked: Any) -> requests.Response:
        """Ask once, as `requests.request` does."""
        with _Session() as session:
            return session.request(method, url, **asked)

    get = partialmethod(request, "GET")
    post = partialmethod(request, "POST")
    put = partialmethod(request, "PUT")
    patch = partialmethod(request, "PATCH")
    delete = partialmethod(request, "DELETE")
    head = partialmethod(request, "HEAD")

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)


_OURS = _Requests()
