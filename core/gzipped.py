"""Unpacking what senders compress, without ever holding more than is accepted."""

import zlib

_GZIP = 31


class NotGzip(ValueError):
    """The bytes are not gzip, or end before the stream does."""


class TooManyBytes(ValueError):
    """The unpacked bytes exceed the limit."""


def gunzip(packed: bytes, *, limit: int) -> bytes:
    """Return the unpacked bytes of one or several gzip members.

    Args:
        packed: The whole compressed body.
        limit: Most unpacked bytes accepted; unpacking stops there, so a bomb costs no memory.

    Raises:
        NotGzip: Broken, cut short, or followed by something else.
        TooManyBytes: More than `limit` unpacked.
    """
    parts: list[bytes] = []
    size = 0
    rest = packed
    while rest:
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(rest, limit - size + 1)
        except zlib.error as error:
            raise NotGzip("Is not valid gzip.") from error
        size += len(part)
        if size > limit:
            raise TooManyBytes(f"Unpacks to more than {limit} bytes.")
        if not member.eof:
            raise NotGzip("Ends before the gzip stream does.")
        parts.append(part)
        rest = member.unused_data
    if not parts:
        raise NotGzip("Is empty, not gzip.")
    return b"".join(parts)


def beginning(packed: bytes, *, limit: int) -> bytes:
    """Return the first unpacked bytes of what is cut short or unpacks to too much; b"" for none.

    Args:
        packed: The compressed body, or the beginning of it.
        limit: Most unpacked bytes that are returned.
    """
    try:
        return zlib.decompressobj(_GZIP).decompress(packed, limit)
    except zlib.error:
        return b""
