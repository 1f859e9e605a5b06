"""Importing teams and services from YAML.

A document is carried whole or not at all, and each on its own: a wrong one does not keep its
neighbours out. What a document does not say is left as it is, so a second import changes nothing.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from catalog.domain import backstage, plain_format
from catalog.domain.entries import Entry, Fields, Remark
from catalog.services.import_writing import Item, Writer
from catalog.services.records import Actor
from core.yaml_documents import Document, read_documents, spell
from core.yaml_files import SourceFile, neighbour

__all__ = ["Verdict", "import_sources"]


@dataclass(frozen=True)
class Verdict:
    """What became of one document.

    Attributes:
        file: Name of the file.
        document: From 1, within the file.
        line: Where the document begins.
        kind: As the document says, e.g. Component.
        format: `backstage` or `sreportal`; "" when it is neither.
        slug: Of the team or service it became; "" when it became none.
        accepted: Whether it was carried.
        action: `created`, `updated`, `unchanged` or `refused`.
        errors: Why not: `{"path", "line", "message"}`.
        warnings: What to know, in the same shape.
        lost: Paths of fields that the portal has no place for.
    """

    file: str
    document: int
    line: int
    kind: str
    format: str
    slug: str
    accepted: bool
    action: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return asdict(self)


def import_sources(
    sources: Iterable[SourceFile],
    *,
    now: datetime,
    actor: Actor = None,
    dry_run: bool = False,
) -> list[Verdict]:
    """Import every document of `sources` and return a verdict on each, in their order.

    Args:
        sources: Files, and text without a file. Locations in files are followed below the folder
            they were named with, never over the network.
        now: When, for the audit trail.
        actor: Who; None for the portal itself. What they may not know of is not touched.
        dry_run: Do it all, then roll it back.
    """
    items = _read_all(sources)
    with transaction.atomic():
        while _write(items, now=now, actor=actor):
            pass
        if dry_run:
            transaction.set_rollback(True)
    return [_verdict(item) for item in items]


def _write(items: list[Item], *, now: datetime, actor: Actor) -> bool:
    """Write what is not refused; when that refuses more, undo it and return True: once again.

    A document whose dependencies close a circle is found only after its neighbours exist.
    """
    good = [item for item in items if not item.entry.errors]
    point = transaction.savepoint()
    Writer(good, now=now, actor=actor).write()
    refused = any(item.entry.errors for item in good)
    if refused:
        transaction.savepoint_rollback(point)
        for item in good:
            item.forget()
    else:
        transaction.savepoint_commit(point)
    return refused


def _read_all(sources: Iterable[SourceFile]) -> list[Item]:
    items: list[Item] = []
    queue = list(sources)
    seen = {source.at for source in queue if source.at is not None}
    for source in queue:
        if source.text is None:
            unread = Document(number=1, line=1, problem=source.problem)
            items.append(_item(source, unread))
            continue
        for document in read_documents(source.text):
            item = _item(source, document)
            items.append(item)
            for found in _followed(source, item):
                if found.at is not None and found.at not in seen:
                    seen.add(found.at)
                    queue.append(found)
    return items


def _item(source: SourceFile, document: Document) -> Item:
    entry = Entry()
    if document.problem:
        entry.errors.append(Remark((), document.problem))
        return Item(source.name, document, entry)
    data = document.data
    if not isinstance(data, dict):
        entry.errors.append(Remark((), "A document is a mapping with a kind."))
        return Item(source.name, document, entry)
    kind = data.get("kind")
    entry.kind = kind if isinstance(kind, str) else ""
    fields = Fields(document, entry)
    if backstage.is_backstage(data):
        backstage.read_backstage(fields)
    elif entry.kind in plain_format.KINDS and data.get("apiVersion") in {None, "sreportal/v1"}:
        plain_format.read_plain(fields)
    else:
        known = "apiVersion backstage.io/v1alpha1, or kind Team or Service without apiVersion"
        entry.errors.append(Remark(("kind",), f"Not a catalog document; expected {known}."))
    return Item(source.name, document, entry)


def _followed(source: SourceFile, item: Item) -> list[SourceFile]:
    found = [(target, neighbour(source, target.slug)) for target in item.entry.targets]
    for target, file in found:
        if isinstance(file, str):
            item.entry.errors.append(Remark(target.path, file))
    if item.entry.errors:
        return []
    return [file for _, file in found if isinstance(file, SourceFile)]


def _verdict(item: Item) -> Verdict:
    entry, document = item.entry, item.document

    def spelt(remarks: list[Remark]) -> list[dict[str, Any]]:
        return [
            {
                "path": spell(remark.path),
                "line": document.line_of(remark.path),
                "message": remark.message,
            }
            for remark in remarks
        ]

    refused = bool(entry.errors)
    return Verdict(
        file=item.file,
        document=document.number,
        line=document.line,
        kind=entry.kind,
        format=entry.format,
        slug=item.slug,
        accepted=not refused,
        action="refused" if refused else item.action,
        errors=spelt(entry.errors),
        warnings=spelt(entry.warnings + item.warnings),
        lost=[spell(path) for path in entry.lost + item.lost],
    )
