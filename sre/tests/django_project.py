"""A Django project in one file, served sync and async by `test_http`.

Run as a program it serves a few requests each way and prints what was counted.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path

from sre.http import SliMiddlewareFactory
from sre.slo_sli import sli_calculator

api_only = SliMiddlewareFactory(paths=["/api/"])


def user(_request: HttpRequest, pk: int) -> HttpResponse:
    """Answer one user; number 0 is broken."""
    return HttpResponse(str(1 // pk))


def stream(_request: HttpRequest) -> StreamingHttpResponse:
    """Answer in pieces."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingHttpResponse(pieces())


async def async_stream(_request: HttpRequest) -> StreamingHttpResponse:
    """Answer in pieces, asynchronously."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    return StreamingHttpResponse(pieces())


urlpatterns = [
    path("api/", include([path("users/<int:pk>", user), path("stream", stream)])),
    path("api/async-stream", async_stream),
    path("admin", lambda _request: HttpResponse()),
]

SYNC_PATHS = ["/api/users/7", "/api/users/8", "/api/users/0", "/api/stream", "/api/no", "/admin"]
ASYNC_PATHS = ["/api/users/7", "/api/async-stream", "/api/no", "/admin"]


def counted() -> list[list[object]]:
    """Return endpoint, status and count of what was recorded since the last call."""
    rows = sli_calculator.drain().requests
    return sorted([row.key[0], row.key[2], row.count] for row in rows)


def serve_sync() -> None:
    """Serve by WSGI."""
    client = Client(raise_request_exception=False)
    for address in SYNC_PATHS:
        b"".join(client.get(address))


async def serve_async() -> None:
    """Serve by ASGI."""
    client = AsyncClient(raise_request_exception=False)
    for address in ASYNC_PATHS:
        response: Any = await client.get(address)
        if response.streaming:
            assert [piece async for piece in response] == [b"a"]


def main() -> None:
    """Serve both ways and print what was counted."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=["sre.tests.django_project.api_only"],
        ROOT_URLCONF="sre.tests.django_project",
        SECRET_KEY="not secret",
    )
    django.setup()
    WSGIHandler()
    serve_sync()
    sync = counted()
    ASGIHandler()
    asyncio.run(serve_async())
    print(json.dumps({"sync": sync, "async": counted()}))


if __name__ == "__main__":
    main()
