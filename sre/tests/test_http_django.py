"""Rules of counting requests in Django applications, sync and async."""

import asyncio
import inspect
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sre.http import (
    SliMiddleware,
    SliMiddlewareFactory,
)
from sre.slo_sli import SliCalculator
from sre.tests.counting import counted, sli

__all__ = ["sli"]


class Response:
    """The part of Django's HttpResponse that the middleware sees."""

    streaming = False

    def __init__(self, status_code: int = 200) -> None:
        self.status_code = status_code


class StreamingResponse:
    """The part of Django's StreamingHttpResponse that the middleware sees."""

    streaming = True

    def __init__(self, content: Any, *, is_async: bool = False) -> None:
        self.status_code = 200
        self.streaming_content = content
        self.is_async = is_async


def django_request(route: str | None = "api/users/<int:pk>", path: str = "/api/users/7") -> Any:
    """Return a request after Django has resolved it."""
    match = None if route is None else SimpleNamespace(route=route)
    return SimpleNamespace(method="GET", path_info=path, resolver_match=match)


def test_django_counts_the_url_pattern(sli: SliCalculator) -> None:
    """Every user is one endpoint, and an unmatched path is not an endpoint at all."""
    middleware = SliMiddleware(lambda _: Response(), calculator=sli)
    middleware(django_request())
    middleware(django_request(path="/api/users/8"))
    middleware(django_request(route=None))
    assert counted(sli) == [("/api/users/<int:pk>", "GET", 200)] * 2 + [("(unmatched)", "GET", 200)]


def test_django_exception_is_counted_as_500_and_passed_on(sli: SliCalculator) -> None:
    """Also when something outside Django's own handling fails."""

    def broken(_request: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        SliMiddleware(broken, calculator=sli)(django_request())
    assert counted(sli) == [("/api/users/<int:pk>", "GET", 500)]


def test_django_streams_are_counted_when_they_end(sli: SliCalculator) -> None:
    """Exhausted, broken off or closed by the server: one request each."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError

    contents: list[Any] = [iter([b"a", b"b"]), broken(), iter([b"never read"])]
    middleware = SliMiddleware(lambda _: StreamingResponse(contents.pop(0)), calculator=sli)
    whole = middleware(django_request()).streaming_content
    assert counted(sli) == []
    assert list(whole) == [b"a", b"b"]
    with pytest.raises(OSError):
        list(middleware(django_request()).streaming_content)
    middleware(django_request()).streaming_content.close()
    assert [status for _, _, status in counted(sli)] == [200, 200, 500]


def test_django_file_responses_keep_the_servers_own_file_wrapper(sli: SliCalculator) -> None:
    """Their content is left alone, so they count when the response is ready."""
    response: Any = StreamingResponse(iter([b"file"]))
    response.file_to_stream = object()
    content = response.streaming_content
    SliMiddleware(lambda _: response, calculator=sli)(django_request())
    assert response.streaming_content is content
    assert len(counted(sli)) == 1


def test_django_async_is_awaited_counted_and_marked(sli: SliCalculator) -> None:
    """An async chain gets an async middleware; cancellation is the client's choice."""
    answers: list[Any] = [Response(204), asyncio.CancelledError(), LookupError()]

    async def get_response(_request: object) -> Any:
        outcome = answers.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    middleware = SliMiddleware(get_response, calculator=sli)
    assert asyncio.iscoroutinefunction(middleware) or inspect.iscoroutinefunction(middleware)

    async def scenario() -> None:
        assert (await middleware(django_request())).status_code == 204
        with pytest.raises(asyncio.CancelledError):
            await middleware(django_request())
        with pytest.raises(LookupError):
            await middleware(django_request())

    asyncio.run(scenario())
    assert sorted(status for _, _, status in counted(sli)) == [204, 499, 500]


def test_django_async_streams_are_counted_when_they_end(sli: SliCalculator) -> None:
    """As sync ones: exhausted, broken off, or closed."""

    async def whole() -> AsyncIterator[bytes]:
        yield b"a"

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError

    contents: list[Any] = [whole(), broken(), whole()]

    async def get_response(_request: object) -> StreamingResponse:
        return StreamingResponse(contents.pop(0), is_async=True)

    middleware = SliMiddleware(get_response, calculator=sli)

    async def stream() -> Any:
        return (await middleware(django_request())).streaming_content

    async def scenario() -> None:
        assert [chunk async for chunk in await stream()] == [b"a"]
        with pytest.raises(OSError):
            async for _ in await stream():
                pass
        body = await stream()
        body.close()
        body.close()

    asyncio.run(scenario())
    assert sorted(status for _, _, status in counted(sli)) == [200, 200, 500]


def test_django_counts_only_the_wanted_paths(
    sli: SliCalculator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefixes come from the environment or from a factory in the project."""
    monkeypatch.setenv("SRE_HTTP_PATHS", "/api/, /health")
    from_environment = SliMiddleware(lambda _: Response(), calculator=sli)
    from_environment(django_request())
    from_environment(django_request(path="/admin/"))
    assert len(counted(sli)) == 1
    build = SliMiddlewareFactory(calculator=sli, paths=["/admin/"])
    assert (build.sync_capable, build.async_capable) == (True, True)
    build(lambda _: Response())(django_request())
    build(lambda _: Response())(django_request(path="/admin/"))
    assert len(counted(sli)) == 1


def test_endless_route_patterns_are_cut_not_lost(
    sli: SliCalculator, caplog: pytest.LogCaptureFixture
) -> None:
    """A pattern longer than a name may be is counted under its beginning."""
    with caplog.at_level(logging.ERROR):
        SliMiddleware(lambda _: Response(), calculator=sli)(django_request(route="x" * 500))
    assert [len(endpoint) for endpoint, _, _ in counted(sli)] == [200]
    assert caplog.text == ""


def test_a_real_django_project_is_counted_sync_and_async() -> None:
    """Nested patterns, streams, errors and unmatched paths through Django's own handlers."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "sre.tests.django_project"],
        cwd=Path(__file__).parents[2],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "sync": [
            ["(unmatched)", 404, 1],
            ["/api/stream", 200, 1],
            ["/api/users/<int:pk>", 200, 2],
            ["/api/users/<int:pk>", 500, 1],
        ],
        "async": [
            ["(unmatched)", 404, 1],
            ["/api/async-stream", 200, 1],
            ["/api/users/<int:pk>", 200, 1],
        ],
    }
