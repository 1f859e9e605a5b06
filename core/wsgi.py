"""What stands between the web server and Django.

Bodies that arrive in chunks, or not to their end, are made such that Django reads them as they are.

Django takes a body without a Content-Length for none, and one that ends before its Content-Length
for all of it: a change would be lost, or half of it made, without a word.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections

__all__ = ["WholeBodies", "WholePosts"]

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
_CHUNK = 256 * 1024


class WholeBodies:
    """Gives chunked bodies their length, and fails where a body ends before it should.

    Args:
        application: Whom to ask.
        limit: Most bytes of a chunked body that are read; of a longer one, one more is passed on.
        posts: Answers those for which that is not needed.
    """

    def __init__(
        self, application: Application, *, limit: int, posts: "WholePosts | None" = None
    ) -> None:
        self._application = application
        self._limit = limit
        self.posts = posts

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = _Announced(environ["wsgi.input"])
        elif environ.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" in environ:
            body, missing = self._read(environ["wsgi.input"])
            environ["CONTENT_LENGTH"] = str(len(body) + missing)
            environ["wsgi.input"] = _Announced(io.BytesIO(body))
        return self._application(environ, start_response)

    def _read(self, stream: Any) -> tuple[bytes, int]:
        """Return what came, and how many bytes are missing at least."""
        parts = []
        left = self._limit + 1
        try:
            while left and (part := stream.read(min(left, _CHUNK))):
                parts.append(part)
                left -= len(part)
        except OSError:
            return b"".join(parts), 1
        return b"".join(parts), 0


class _Announced:
    """A body that has to be as long as was said; Django asks for no more than that."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._there(self._stream.read(size), size)

    def readline(self, size: int = -1) -> bytes:
        return self._there(self._stream.readline(size), min(size, 1))

    def _there(self, part: bytes, least: int) -> bytes:
        if len(part) < least:
            raise ConnectionResetError("The body ended before it was complete.")
        return part


class WholePosts:
    """Answers posts that are there to their end in one piece, without what WSGI asks for (ADR 0024).

    They take the way of all requests through middleware and views. Django's signals of a beginning and
    an end are not sent: of what listens to them, only connections that broke or are too old need it.

    Args:
        handler: Django's.
        starts: What paths of posts begin with that come by the thousand.
    """

    def __init__(self, handler: WSGIHandler, *, starts: tuple[str, ...]) -> None:
        self._handler = handler
        self.starts = starts

    def __call__(self, environ: Environ, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the answer.

        Args:
            environ: Without a body. It is changed.
            body: As long as `CONTENT_LENGTH` says.
        """
        close_old_connections()
        environ["wsgi.input"] = io.BytesIO(body)
        request = WSGIRequest(environ)
        response = self._handler.get_response(request)
        try:
            answered = b"".join(response)
        finally:
            if response.streaming:
                response.close()
            request.close()
        cookies = response.cookies.values()
        headers = [*response.items(), *(("Set-Cookie", each.output(header="")) for each in cookies)]
        return f"{response.status_code} {response.reason_phrase}", headers, answered
