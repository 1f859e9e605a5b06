"""A copy of the whole page that stays up without the portal: in a folder, or in a bucket of S3."""

import hashlib
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.exceptions
from django.conf import settings
from django.contrib.staticfiles import finders

from core.errors import DomainError
from statuspage import rendering
from statuspage.addresses import CSS, of_copy
from statuspage.models.public_ids import is_public_id
from statuspage.queries import snapshots

__all__ = ["ExportFailed", "export", "files"]

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".rss": "application/rss+xml; charset=utf-8",
}
# As long as a minute passes between two copies, nobody is told anything older than two.
_CACHED = "public, max-age=30, stale-if-error=86400"
_CACHED_LONG = "public, max-age=3600, stale-if-error=604800"
_WAIT_S = 10
# What a copy writes beside a file before it replaces it.
_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}")
# What is younger another copy may be writing in this moment.
_LEFT_AFTER = timedelta(minutes=10)
# A page each for an incident or a component; most of them are as they were a minute ago.
_OF_EACH = ("incidents/", "components/")


_OF_S3 = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


class ExportFailed(DomainError):
    """The copy could not be written; what was there before is still whole."""


class File(NamedTuple):
    """One file of the copy.

    Args:
        path: Below its root.
        content: All of it.
    """

    path: str
    content: bytes

    @property
    def content_type(self) -> str:
        """What a web server says it is."""
        return _TYPES[Path(self.path).suffix]

    @property
    def cache_control(self) -> str:
        """How long others may keep it."""
        return _CACHED_LONG if self.path.endswith(".css") else _CACHED


class Target(Protocol):
    """Where a copy is written to."""

    def write(self, file: File) -> None:
        """Replace one file, whole."""

    def keep_only(self, paths: set[str]) -> None:
        """Remove pages of incidents and components that an earlier copy wrote and this one did not."""


def export(target: str, *, now: datetime) -> int:
    """Write the copy; returns of how many files.

    Each file is replaced at once, and the front page last, so that nothing it leads to is missing.

    Args:
        target: A folder, or `s3://bucket/prefix`.
        now: The present.

    Raises:
        ExportFailed: It could not be written.
    """
    written: set[str] = set()
    try:
        place = _target(target, now)
        for file in files(now=now):
            place.write(file)
            written.add(file.path)
        place.keep_only(written)
    except OSError as error:
        raise ExportFailed(f"{target} cannot be written: {error.strerror or error}.") from error
    except _OF_S3 as error:
        said = " ".join(str(error).split())
        raise ExportFailed(f"{target} cannot be written: {said}") from error
    return len(written)


def files(*, now: datetime) -> Iterator[File]:
    """Yield the files of a copy, the front page last.

    Raises:
        ExportFailed: A style sheet is not there.
    """
    for name in CSS:
        found = finders.find(name)
        if not found:
            raise ExportFailed(f"The style sheet {name} is not there.")
        yield File(name, Path(found).read_bytes())
    past = snapshots.take(now=now, with_bars=True, is_history=True)
    snapshot = past.of_late()
    for told in past.incidents:
        page = rendering.incident(snapshot, told, of_copy(2))
        yield File(f"incidents/{told.public_id}/index.html", page.encode())
    for shown in snapshot.shown:
        page = rendering.component(snapshot, shown, of_copy(2))
        yield File(f"components/{shown.component.public_id}/index.html", page.encode())
    for path in rendering.paths_of_documents():
        own = past if rendering.reaches_back(path) else snapshot
        yield File(path, rendering.document(own, path).encode())
    yield File("history/index.html", rendering.history(past, of_copy(1)).encode())
    yield File("index.html", rendering.front(snapshot, of_copy(0)).encode())


def _target(target: str, now: datetime) -> Target:
    if not target.startswith("s3://"):
        return _Folder(Path(target), left_before=now - _LEFT_AFTER)
    parts = urlsplit(target)
    if not parts.netloc:
        raise ExportFailed(f"{target} names no bucket: it looks like s3://bucket/prefix.")
    return _Bucket(parts.netloc, parts.path.strip("/"))


class _Folder:
    """A folder of this machine."""

    def __init__(self, root: Path, *, left_before: datetime) -> None:
        self.root, self.left_before = root, left_before.timestamp()

    def write(self, file: File) -> None:
        path = self.root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside it: a rename is at once only within one file system.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            draft.write_bytes(file.content)
            draft.chmod(0o644)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def keep_only(self, paths: set[str]) -> None:
        for folder in _OF_EACH:
            for path in (self.root / folder).glob("*/index.html"):
                if _is_gone(path.relative_to(self.root).as_posix(), paths):
                    path.unlink(missing_ok=True)
                    self._remove_halves(path.parent, {path.name})
                    _remove_empty(path.parent)
        names: dict[Path, set[str]] = defaultdict(set)
        for written in paths:
            names[(self.root / written).parent].add(Path(written).name)
        for parent, own in names.items():
            self._remove_halves(parent, own)

    def _remove_halves(self, folder: Path, names: Collection[str]) -> None:
        """Remove what a copy that was killed has left beside files of these names."""
        for entry in list(os.scandir(folder)):
            found = _DRAFT.fullmatch(entry.name)
            if found and found[1] in names:
                # Another copy may replace or remove it meanwhile.
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < self.left_before:
                        Path(entry.path).unlink()


def _is_gone(path: str, paths: set[str]) -> bool:
    """Return whether it is a page of an earlier copy; what others put beside those is left alone."""
    _folder, name, *rest = path.split("/")
    return rest == ["index.html"] and is_public_id(name) and path not in paths


def _remove_empty(folder: Path) -> None:
    if not any(os.scandir(folder)):
        folder.rmdir()


class _Bucket:
    """A bucket of S3, or of what speaks its protocol; an object is replaced at once."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self.client: Any = boto3.client(
            "s3",
            region_name=settings.AWS_REGION or None,
            endpoint_url=settings.AWS_ENDPOINT_URL or None,
            config=botocore.config.Config(
                connect_timeout=_WAIT_S, read_timeout=_WAIT_S, retries={"total_max_attempts": 2}
            ),
        )

        self.known = {key: tag for folder in _OF_EACH for key, tag in self._listed(folder)}

    def _listed(self, folder: str) -> Iterator[tuple[str, str]]:
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}{folder}"):
            for one in page.get("Contents", ()):
                yield one["Key"], one["ETag"].strip('"')

    def write(self, file: File) -> None:
        key = f"{self.prefix}{file.path}"
        if self.known.get(key) == hashlib.md5(file.content, usedforsecurity=False).hexdigest():
            return
        self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=file.content,
            ContentType=file.content_type,
            CacheControl=file.cache_control,
        )

    def keep_only(self, paths: set[str]) -> None:
        for key in self.known:
            path = key.removeprefix(self.prefix)
            if _is_gone(path, paths):
                self.client.delete_object(Bucket=self.bucket, Key=key)
