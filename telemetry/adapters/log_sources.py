"""Where access logs lie: files on disk, and objects of S3 or of what speaks its protocol.

Each is opened as a stream and never held whole; what is packed with gzip is unpacked on the way,
whatever its name says.
"""

import gzip
import io
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from sre import aws

S3 = "s3://"
_GZIP = b"\x1f\x8b"
_PIECE = 256 * 1024
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class NoSource(Exception):
    """What was named is not there, is no file, or may not be read: the caller's mistake."""


class Unreadable(Exception):
    """What was named could not be read to its end."""


class _Counted(io.RawIOBase):
    """A raw stream that says how far it was read."""

    def __init__(self, read: Callable[[int], bytes], note: Callable[[int], None]) -> None:
        self._read = read
        self._note = note

    def readable(self) -> bool:
        """Return True, as it can do nothing else."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one read goes."""
        piece = self._read(len(buffer))
        buffer[: len(piece)] = piece
        self._note(len(piece))
        return len(piece)


@dataclass
class LogSource:
    """One log.

    Attributes:
        name: How it was named, or its `s3://` address.
        size: Bytes as stored, packed or not.
        position: How many of them were read since it was last opened.
    """

    name: str
    size: int
    connect: Callable[[], AbstractContextManager[Callable[[int], bytes]]]
    position: int = field(default=0)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open it from its beginning, unpacked.

        Raises:
            Unreadable: Also while reading inside the `with`: damaged gzip, a broken connection.
        """
        self.position = 0
        try:
            with self.connect() as read:
                raw = io.BufferedReader(_Counted(read, self._advance), _PIECE)
                if raw.peek(2)[:2] != _GZIP:
                    yield cast("BinaryIO", raw)
                    return
                unpacked = gzip.GzipFile(fileobj=cast("BinaryIO", raw))
                yield cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", unpacked), _PIECE))
        except _DAMAGED as error:
            raise Unreadable("is damaged or cut short (gzip); copy it again") from error
        except (BotoCoreError, ClientError, HTTPClientError) as error:
            raise Unreadable(f"could not be read: {_one_line(error)}") from error
        except OSError as error:
            raise Unreadable(f"could not be read: {error.strerror or error}") from error

    def _advance(self, read: int) -> None:
        self.position += read


def sources(name: str) -> list[LogSource]:
    """Return the log of a path or `s3://bucket/key`, or all of `s3://bucket/prefix`.

    Raises:
        NoSource: Nothing is there that could be read.
    """
    if name.startswith(S3):
        return _objects(name)
    return [_file(name)]


def _file(name: str) -> LogSource:
    path = Path(name)
    try:
        known = path.stat()
        if stat.S_ISDIR(known.st_mode):
            raise NoSource("is a directory; name the files in it")
        if not stat.S_ISREG(known.st_mode):
            raise NoSource("is no regular file; it is read more than once")
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise NoSource(_reason(error)) from error

    @contextmanager
    def connect() -> Iterator[Callable[[int], bytes]]:
        with path.open("rb", buffering=0) as stream:
            yield lambda size: stream.read(size) or b""

    return LogSource(name, known.st_size, connect)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read by this user (permission denied)"
    return f"cannot be opened: {getattr(error, 'strerror', None) or error}"


def _objects(name: str) -> list[LogSource]:
    bucket, _, key = name.removeprefix(S3).partition("/")
    if not bucket:
        raise NoSource("names no bucket; give s3://bucket/key or s3://bucket/prefix")
    try:
        client = aws.client("s3")
        found = list(_listed(client, bucket, key))
    except (BotoCoreError, ClientError) as error:
        raise NoSource(f"cannot be listed: {_one_line(error)}") from error
    if not found:
        raise NoSource("matches no object that holds anything")
    return [_object(client, bucket, each) for each in found]


def _listed(client: Any, bucket: str, key: str) -> Iterator[dict[str, Any]]:
    """Yield the object of that very key alone, or all that begin with it, in order of their keys.

    A key sorts before the longer ones that begin with it, so the first answer decides.
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        for each in page.get("Contents", []):
            if each["Key"] == key and not key.endswith("/"):
                yield each
                return
            if each["Size"] > 0:
                yield each


def _object(client: Any, bucket: str, listed: dict[str, Any]) -> LogSource:
    @contextmanager
    def connect() -> Iterator[Callable[[int], bytes]]:
        answer = client.get_object(Bucket=bucket, Key=listed["Key"], IfMatch=listed["ETag"])
        with answer["Body"] as body:
            yield body.read

    return LogSource(f"{S3}{bucket}/{listed['Key']}", listed["Size"], connect)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
