"""Count every request of a WSGI, ASGI, Django or Flask application.

    MIDDLEWARE = ["sre.http.SliMiddleware", ...]              # Django, sync or async
    app.wsgi_app = WsgiMiddleware(app.wsgi_app)               # any WSGI application
    app = AsgiMiddleware(app)                                 # any ASGI application
    instrument_flask(app)                                     # Flask

Requests are counted under the pattern of their route, never under their path,
so that `/api/users/1` and `/api/users/2` are one endpoint; what no route matched
is `(unmatched)`. A frameworkless application names its route in
`environ["sre.endpoint"]` or `scope["sre.endpoint"]`. The time runs until the last
byte is handed over. A request that ends in an exception, also in the middle of
its body, counts as 500. No failure in here ever reaches the request.

No framework is imported.
"""

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from importlib import import_module
from time import perf_counter
from types import TracebackType
from typing import Any, Protocol

from sre.slo_sli import SliCalculator, sli_calculator
from sre.validation import MAX_NAME_LENGTH

__all__ = [
    "UNMATCHED",
    "AsgiMiddleware",
    "SliMiddleware",
    "SliMiddlewareFactory",
    "WsgiMiddleware",
    "instrument_flask",
]

logger = logging.getLogger(__name__)

UNMATCHED = "(unmatched)"
"""Endpoint of requests that no route matched."""

ENDPOINT_KEY = "sre.endpoint"
PATHS_VARIABLE = "SRE_HTTP_PATHS"

CLIENT_GONE = 499
"""Counted when the client leaves before an answer exists: nobody's 5xx."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class ResolverMatch(Protocol):
    """The part of Django's class of that name that is needed."""

    route: str


class DjangoRequest(Protocol):
    """The part of Django's HttpRequest that is needed."""

    method: str
    path_info: str
    resolver_match: ResolverMatch | None


def record(
    calculator: SliCalculator, endpoint: str, method: str, status: int, started: float
) -> None:
    """Count a request that began at `started` (perf_counter) and ends now; never raise."""
    try:
        milliseconds = (perf_counter() - started) * 1000
        calculator.record_request(endpoint[:MAX_NAME_LENGTH], status, milliseconds, None, method)
    except Exception:
        logger.exception("a request to %s could not be counted", endpoint)


def paths_from_env() -> tuple[str, ...]:
    """Return the path prefixes listed in `SRE_HTTP_PATHS`, separated by commas."""
    listed = os.environ.get(PATHS_VARIABLE, "").split(",")
    return tuple(prefix.strip() for prefix in listed if prefix.strip())


class SliMiddleware:
    """Django middleware that counts requests by their URL pattern, sync or async.

    Put it first in `MIDDLEWARE`, so that the time of the others is included.

    Args:
        get_response: The rest of Django, as Django passes it.
        calculator: Where to count.
        paths: Path prefixes to count, such as `("/api/",)`; all when empty. Taken
            from the environment variable `SRE_HTTP_PATHS` unless given.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[Any], Any],
        *,
        calculator: SliCalculator = sli_calculator,
        paths: Iterable[str] | None = None,
    ) -> None:
        self._get_response = get_response
        self._calculator = calculator
        self._paths = paths_from_env() if paths is None else tuple(paths)
        self._is_async = inspect.iscoroutinefunction(get_response)
        if self._is_async:
            _mark_as_coroutine(self)

    def __call__(self, request: DjangoRequest) -> Any:
        """Answer the request, and count it if it is one of ours."""
        if self._paths and not request.path_info.startswith(self._paths):
            return self._get_response(request)
        if self._is_async:
            return self._answer_async(request)
        started = perf_counter()
        try:
            response = self._get_response(request)
        except BaseException:
            self._count(request, 500, started)
            raise
        self._finish(request, response, started)
        return response

    async def _answer_async(self, request: DjangoRequest) -> Any:
        started = perf_counter()
        try:
            response = await self._get_response(request)
        except BaseException as error:
            self._count(request, _status_of(error), started)
            raise
        self._finish(request, response, started)
        return response

    def _finish(self, request: DjangoRequest, response: Any, started: float) -> None:
        # A FileResponse leaves its bytes to the server's own sendfile, which a
        # wrapper around its content would switch off: it counts as handed over now.
        if not response.streaming or getattr(response, "file_to_stream", None) is not None:
            self._count(request, response.status_code, started)
            return

        def end(error: BaseException | None) -> None:
            status = response.status_code if error is None else _status_of(error)
            self._count(request, status, started)

        wrapper = AsyncBody if getattr(response, "is_async", False) else Body
        response.streaming_content = wrapper(response.streaming_content, end)

    def _count(self, request: DjangoRequest, status: int, started: float) -> None:
        match = request.resolver_match
        endpoint = UNMATCHED if match is None else "/" + match.route
        record(self._calculator, endpoint, request.method, status, started)


class SliMiddlewareFactory:
    """Builds `SliMiddleware` with settings of its own, to be named in `MIDDLEWARE`.

    In `project/metrics.py`: `api_only = SliMiddlewareFactory(paths=["/api/"])`; in the
    settings: `MIDDLEWARE = ["project.metrics.api_only", ...]`.

    Args:
        calculator: Where to count.
        paths: Path prefixes to count; all when empty, `SRE_HTTP_PATHS` unless given.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self, *, calculator: SliCalculator = sli_calculator, paths: Iterable[str] | None = None
    ) -> None:
        self._calculator = calculator
        self._paths = None if paths is None else tuple(paths)

    def __call__(self, get_response: Callable[[Any], Any]) -> SliMiddleware:
        """Wrap the rest of Django."""
        return SliMiddleware(get_response, calculator=self._calculator, paths=self._paths)


class WsgiMiddleware:
    """WSGI middleware that counts requests from the call to the last byte.

    Args:
        app: The application to serve.
        calculator: Where to count.
        endpoint: Names the route of a finished request's environ, or None. By
            default the application's own `environ["sre.endpoint"]`.
    """

    def __init__(
        self,
        app: WsgiApp,
        *,
        calculator: SliCalculator = sli_calculator,
        endpoint: Callable[[Environ], str | None] | None = None,
    ) -> None:
        self._app = app
        self._calculator = calculator
        self._endpoint = endpoint or (lambda environ: environ.get(ENDPOINT_KEY))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the request and count it when its body is closed."""
        started = perf_counter()
        status = 500

        def start(line: str, headers: list[Any], *exc_info: Any) -> Callable[[bytes], object]:
            nonlocal status
            status = _status_in(line)
            return start_response(line, headers, *exc_info)

        def end(error: BaseException | None) -> None:
            self._count(environ, status if error is None else 500, started)

        try:
            return Body(self._app(environ, start), end)
        except BaseException:
            self._count(environ, 500, started)
            raise

    def _count(self, environ: Environ, status: int, started: float) -> None:
        endpoint = _named(self._endpoint, environ)
        record(self._calculator, endpoint, environ.get("REQUEST_METHOD", "GET"), status, started)


class AsgiMiddleware:
    """ASGI middleware that counts HTTP requests until their last byte is sent.

    Knows the route of Starlette and FastAPI applications; others name it in
    `scope["sre.endpoint"]`.

    Args:
        app: The application to serve.
        calculator: Where to count.
        endpoint: Names the route of a finished request's scope, or None.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        calculator: SliCalculator = sli_calculator,
        endpoint: Callable[[Scope], str | None] | None = None,
    ) -> None:
        self._app = app
        self._calculator = calculator
        self._endpoint = endpoint or _endpoint_in_scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and count it; other kinds of connection pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status: int | None = None
        counted = False

        def count(final: int) -> None:
            nonlocal counted
            if not counted:
                counted = True
                self._count(scope, final, started)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                count(500 if status is None else status)

        try:
            await self._app(scope, receive, watch)
        except BaseException as error:
            count(_status_of(error))
            raise
        count(500 if status is None else status)

    def _count(self, scope: Scope, status: int, started: float) -> None:
        endpoint = _named(self._endpoint, scope)
        record(self._calculator, endpoint, scope.get("method", "GET"), status, started)


def instrument_flask(app: Any, *, calculator: SliCalculator = sli_calculator) -> None:
    """Count the requests of a Flask application by their URL rule."""
    flask = import_module("flask")

    def note_rule(*_: object, **__: object) -> None:
        rule = flask.request.url_rule
        flask.request.environ[ENDPOINT_KEY] = None if rule is None else rule.rule

    # The signal comes before every `before_request`, one of which may end the request.
    flask.request_started.connect(note_rule, app, weak=False)
    app.wsgi_app = WsgiMiddleware(app.wsgi_app, calculator=calculator)


class Body:
    """An iterable body that tells once when, and how, it ended."""

    def __init__(
        self, content: Iterable[bytes], end: Callable[[BaseException | None], None]
    ) -> None:
        self._content = content
        self._iterator: Iterator[bytes] | None = None
        self._end: Callable[[BaseException | None], None] | None = end

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = iter(self._content)
            return next(self._iterator)
        except StopIteration:
            self._finish(None)
            raise
        except BaseException as error:
            self._finish(error)
            raise

    def close(self) -> None:
        """Close the content, as a server does also when the client has gone."""
        try:
            close = getattr(self._content, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._finish(error)
            raise
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        end, self._end = self._end, None
        if end is not None:
            end(error)


class AsyncBody:
    """The same for content that is iterated asynchronously."""

    def __init__(self, content: Any, end: Callable[[BaseException | None], None]) -> None:
        self._iterator = aiter(content)
        self._end: Callable[[BaseException | None], None] | None = end

    def __aiter__(self) -> "AsyncBody":
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await anext(self._iterator)
        except StopAsyncIteration:
            self._finish(None)
            raise
        except BaseException as error:
            self._finish(error)
            raise
        return chunk

    def close(self) -> None:
        """End it, as Django does also when the client has gone."""
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        end, self._end = self._end, None
        if end is not None:
            end(error)


def _status_of(error: BaseException) -> int:
    return CLIENT_GONE if isinstance(error, asyncio.CancelledError) else 500


def _status_in(line: str) -> int:
    try:
        return int(line[:3])
    except ValueError:
        return 500


def _named(name: Callable[[dict[str, Any]], str | None], request: dict[str, Any]) -> str:
    try:
        return name(request) or UNMATCHED
    except Exception:
        logger.exception("the endpoint of a request could not be named")
        return UNMATCHED


def _endpoint_in_scope(scope: Scope) -> str | None:
    named = scope.get(ENDPOINT_KEY) or getattr(scope.get("route"), "path", None)
    return named if isinstance(named, str) else None


def _mark_as_coroutine(middleware: SliMiddleware) -> None:
    # Python 3.12 has a public way to say that calling an object gives a coroutine;
    # before, asgiref and asyncio agree on this attribute.
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(middleware)
    else:
        marker = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
        middleware._is_coroutine = marker  # type: ignore[attr-defined]
