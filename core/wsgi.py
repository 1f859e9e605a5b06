"""Bodies that arrive in chunks, or not to their end, made such that Django reads them as they are.

Django takes a body without a Content-Length for none, and one that ends before its Content-Length
for all of it: a change would be lost, or half of it made, without a word.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["WholeBodies"]

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
_CHUNK = 256 * 1024


class WholeBodies:
    """Gives chunked bodies their length, and fails where a body ends before it should.

    Args:
        application: Whom to ask.
        limit: Most bytes of a chunked body that are read; of a longer one, one more is passed on.
        answers_whole: Beginnings of paths whose posts are answered in one piece.
    """

    def __init__(
        self, application: Application, *, limit: int, answers_whole: tuple[str, ...] = ()
    ) -> None:
        self._application = application
        self._limit = limit
        self.answers_whole = answers_whole

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
