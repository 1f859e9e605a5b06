"""Rules of counting requests in WSGI, ASGI, Django and Flask applications."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import flask
import pytest

from sre.http import (
    AsgiMiddleware,
    WsgiMiddleware,
    instrument_flask,
)
from sre.slo_sli import SliCalculator
from sre.tests.counting import counted, sli

__all__ = ["sli"]


def serve_wsgi(app: Any, **environ: str) -> list[bytes]:
    """Serve one request as a server does, and close the body."""
    body = app({"REQUEST_METHOD": "GET", **environ}, lambda *_: lambda _data: None)
    try:
        return list(body)
    finally:
        body.close()


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Greet, and name the route."""
    environ["sre.endpoint"] = "/hello"
    start_response("200 OK", [])
    return [b"hello"]


def test_wsgi_counts_route_method_and_status_once(sli: SliCalculator) -> None:
    """The application names its route; exhausting and closing count one request."""
    assert serve_wsgi(WsgiMiddleware(hello, calculator=sli), REQUEST_METHOD="POST") == [b"hello"]
    assert counted(sli) == [("/hello", "POST", 200)]


def test_wsgi_without_a_route_is_unmatched(sli: SliCalculator) -> None:
    """A raw path is never used as an endpoint."""

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return []

    serve_wsgi(WsgiMiddleware(app, calculator=sli), PATH_INFO="/secret/1")
    assert counted(sli) == [("(unmatched)", "GET", 404)]


def test_wsgi_endpoint_may_be_named_from_outside_and_may_fail(
    sli: SliCalculator, caplog: pytest.LogCaptureFixture
) -> None:
    """A naming function that raises is logged; the request is served and counted."""
    serve_wsgi(WsgiMiddleware(hello, calculator=sli, endpoint=lambda _: "all"))
    serve_wsgi(WsgiMiddleware(hello, calculator=sli, endpoint=lambda environ: environ["missing"]))
    assert counted(sli) == [("all", "GET", 200), ("(unmatched)", "GET", 200)]
    assert "could not be named" in caplog.text


def test_wsgi_exception_is_counted_as_500_and_passed_on(sli: SliCalculator) -> None:
    """The server sees the application's own error."""

    def app(environ: dict[str, Any], _start: Any) -> list[bytes]:
        raise LookupError(environ["REQUEST_METHOD"])

    with pytest.raises(LookupError):
        serve_wsgi(WsgiMiddleware(app, calculator=sli))
    assert counted(sli) == [("(unmatched)", "GET", 500)]


def test_wsgi_body_that_breaks_off_is_counted_as_500(sli: SliCalculator) -> None:
    """The status line said 200, the client got half an answer."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"half"
        raise OSError

    with pytest.raises(OSError):
        serve_wsgi(WsgiMiddleware(app, calculator=sli))
    assert counted(sli) == [("(unmatched)", "GET", 500)]


def test_wsgi_time_runs_to_the_last_byte_and_content_is_closed(
    sli: SliCalculator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two chunks of 150 ms each make 300 ms, and the application's body is closed."""
    now = 0.0
    monkeypatch.setattr("sre.http.perf_counter", lambda: now)
    closed = []

    class Content:
        def __iter__(self) -> Iterator[bytes]:
            nonlocal now
            for _ in range(2):
                now += 0.15
                yield b"chunk"

        def close(self) -> None:
            closed.append(True)

    def app(_environ: dict[str, Any], start_response: Any) -> Content:
        start_response("200 OK", [])
        return Content()

    serve_wsgi(WsgiMiddleware(app, calculator=sli))
    (row,) = sli.drain().requests
    assert row.total == pytest.approx(300)
    assert closed == [True]


def test_wsgi_client_that_leaves_early_is_counted_when_the_body_is_closed(
    sli: SliCalculator,
) -> None:
    """A server closes a body it did not exhaust."""
    app: Any = WsgiMiddleware(hello, calculator=sli)
    body = app({"REQUEST_METHOD": "GET"}, lambda *_: None)
    body.close()
    body.close()
    assert counted(sli) == [("/hello", "GET", 200)]


def test_wsgi_close_that_fails_is_counted_as_500(sli: SliCalculator) -> None:
    """Releasing resources is part of the request."""

    class Content(list[bytes]):
        def close(self) -> None:
            raise OSError

    def app(_environ: dict[str, Any], start_response: Any) -> Content:
        start_response("200 OK", [])
        return Content()

    middleware: Any = WsgiMiddleware(app, calculator=sli)
    body = middleware({"REQUEST_METHOD": "GET"}, lambda *_: None)
    with pytest.raises(OSError):
        body.close()
    assert counted(sli) == [("(unmatched)", "GET", 500)]


def test_wsgi_status_that_is_no_number_is_counted_as_500(sli: SliCalculator) -> None:
    """An application that breaks the protocol has failed."""

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("fine", [])
        return []

    serve_wsgi(WsgiMiddleware(app, calculator=sli))
    assert counted(sli) == [("(unmatched)", "GET", 500)]


def test_a_calculator_that_fails_never_reaches_the_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Measuring is not worth an outage."""

    class Broken(SliCalculator):
        def record_request(self, *_: object) -> None:
            raise ZeroDivisionError

    assert serve_wsgi(WsgiMiddleware(hello, calculator=Broken())) == [b"hello"]
    assert "could not be counted" in caplog.text


def serve_asgi(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one ASGI connection and return what was sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def http_scope(**more: Any) -> dict[str, Any]:
    """Return the scope of a GET request."""
    return {"type": "http", "method": "GET", "path": "/secret/1", **more}


async def answer(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answer in two pieces and go on working afterwards."""
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})
    if scope.get("breaks_afterwards"):
        raise LookupError


@pytest.mark.parametrize(
    ("more", "endpoint"),
    [
        ({}, "(unmatched)"),
        ({"sre.endpoint": "/named"}, "/named"),
        ({"route": SimpleNamespace(path="/users/{id}")}, "/users/{id}"),
        ({"route": SimpleNamespace(path=7)}, "(unmatched)"),
    ],
)
def test_asgi_counts_the_route_of_its_framework(
    sli: SliCalculator, more: dict[str, Any], endpoint: str
) -> None:
    """Starlette and FastAPI put the route into the scope; others name it."""
    sent = serve_asgi(AsgiMiddleware(answer, calculator=sli), http_scope(**more))
    assert len(sent) == 3
    assert counted(sli) == [(endpoint, "GET", 201)]


def test_asgi_error_after_the_last_byte_does_not_change_the_answer(sli: SliCalculator) -> None:
    """The client got its 201; what the task does afterwards is another matter."""
    app = AsgiMiddleware(answer, calculator=sli)
    with pytest.raises(LookupError):
        serve_asgi(app, http_scope(breaks_afterwards=True))
    assert counted(sli) == [("(unmatched)", "GET", 201)]


def test_asgi_error_in_the_middle_of_the_body_is_500(sli: SliCalculator) -> None:
    """Half an answer is a failed one."""

    async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError

    with pytest.raises(LookupError):
        serve_asgi(AsgiMiddleware(app, calculator=sli), http_scope())
    assert counted(sli) == [("(unmatched)", "GET", 500)]


def test_asgi_client_that_leaves_before_an_answer_is_499(sli: SliCalculator) -> None:
    """A cancelled request is the client's choice and no 5xx."""

    async def app(*_: object) -> None:
        await asyncio.sleep(3600)

    async def scenario() -> None:
        middleware: Any = AsgiMiddleware(app, calculator=sli)
        task = asyncio.create_task(middleware(http_scope(), None, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert counted(sli) == [("(unmatched)", "GET", 499)]


def test_asgi_application_that_ends_without_finishing_its_answer_is_counted(
    sli: SliCalculator,
) -> None:
    """No answer at all is a 500; a body never declared complete keeps its status."""

    async def silent(*_: object) -> None:
        """Answer nothing."""

    async def unfinished(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def headless(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send({"type": "http.response.body"})

    for app in (silent, unfinished, headless):
        serve_asgi(AsgiMiddleware(app, calculator=sli), http_scope())
    assert sorted(status for _, _, status in counted(sli)) == [204, 500, 500]


def test_asgi_connections_that_are_not_http_pass_through(sli: SliCalculator) -> None:
    """Lifespan and websockets are no requests."""
    sent = serve_asgi(AsgiMiddleware(answer, calculator=sli), {"type": "lifespan"})
    assert len(sent) == 3
    assert counted(sli) == []


def test_flask_counts_the_url_rule(sli: SliCalculator) -> None:
    """Matched, unmatched, failed, and ended early by a `before_request` of its own."""
    app = flask.Flask("users")
    instrument_flask(app, calculator=sli)

    @app.before_request
    def guard() -> Any:
        return ("", 401) if flask.request.headers.get("X-Stranger") else None

    @app.get("/api/users/<int:number>")
    def user(number: int) -> str:
        return str(1 // number)

    client = app.test_client()
    client.get("/api/users/7", buffered=True)
    client.get("/api/users/8", headers={"X-Stranger": "charlie"}, buffered=True)
    client.get("/api/users/0", buffered=True)
    client.post("/api/nowhere", buffered=True)
    rule = "/api/users/<int:number>"
    assert sorted(counted(sli)) == [
        ("(unmatched)", "POST", 404),
        (rule, "GET", 200),
        (rule, "GET", 401),
        (rule, "GET", 500),
    ]
