"""A set of documents read together: one may name another, in the same file or the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.yaml_documents import Document, Path, read_documents
from slo.domain.exchange import planning
from slo.domain.exchange.checks import Report
from slo.domain.exchange.drafts import Entry, Indicator, PlannedSlo, Reference, SourceRef
from slo.domain.exchange.openslo import is_openslo, read_openslo
from slo.domain.exchange.own_slis import OWN_TYPE
from slo.domain.exchange.planning import Plan, kind_of_type
from slo.domain.exchange.sloth import is_sloth, read_sloth

__all__ = ["Known", "Read", "read_set"]

MAX_LIST = 500


@dataclass(frozen=True)
class Known:
    """What the portal has already.

    Args:
        sources: Kind of each source by its slug.
        sli_of_slo: Slug of the SLI of each SLO by the SLO's slug.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    sli_of_slo: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Read:
    """One document and what was found in it.

    Args:
        file: Name it goes by.
        document: Its text as data, with the lines of its fields.
        entries: What it says, an entry an object: a document may be a list of them.
        report: What is wrong, what to know, what is not carried.
        planned: The SLOs that it becomes.
    """

    file: str
    document: Document
    entries: list[Entry] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    planned: list[PlannedSlo] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.report.errors


def read_set(texts: Iterable[tuple[str, str | bytes | None, str]], known: Known) -> list[Read]:
    """Return every document of these texts, read and planned.

    Args:
        texts: Name, text and, where there is no text, why.
        known: What the portal has already.
    """
    found = [
        Read(name, document)
        for name, text, problem in texts
        for document in _documents(text, problem)
    ]
    for read in found:
        _read_one(read)
    _refuse_duplicates(found)
    index = _refuse_missing(found, known)
    for read in found:
        if read.accepted:
            planned = [
                slo
                for entry in read.entries
                for promise in entry.promises
                for slo in planning.plan(promise, index.plan, read.report)
            ]
            # Planning may find what is wrong as well.
            read.planned = planned if read.accepted else []
    _refuse_twins(found)
    _keep_apart(found)
    _lose_unused(found)
    return found


def _documents(text: str | bytes | None, problem: str) -> list[Document]:
    if text is None:
        return [Document(number=1, line=1, problem=problem)]
    nothing = Document(number=1, line=1, problem="There is no document in it.")
    return read_documents(text) or [nothing]


def _read_one(read: Read) -> None:
    document = read.document
    if document.problem:
        read.report.wrong((), document.problem)
        return
    data = _plain(document.data, (), read.report)
    if not read.accepted:
        return
    if isinstance(data, list):
        if len(data) > MAX_LIST:
            read.report.wrong((), f"More than {MAX_LIST} objects in one list; split it.")
            return
        for number, one in enumerate(data):
            _read_object(one, (number,), read)
    else:
        _read_object(data, (), read)


def _plain(data: Any, path: Path, report: Report) -> Any:
    """Return data with keys that are text, as they are written; a NUL in text is an error."""
    if isinstance(data, dict):
        return {
            _plain(_spelt(key), (*path, _spelt(key)), report): _plain(
                value, (*path, _spelt(key)), report
            )
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_plain(value, (*path, index), report) for index, value in enumerate(data)]
    if isinstance(data, str) and "\x00" in data:
        report.wrong(path, "There is a NUL character in this text; take it out.")
    return data


def _spelt(key: Any) -> str:
    """Return a key as text: YAML reads `true` and `1` as a truth and a number."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _read_object(data: Any, path: tuple[str | int, ...], read: Read) -> None:
    if not isinstance(data, dict):
        read.report.wrong(path, "Expected a mapping with apiVersion, or with version.")
        return
    entry, own = Entry(), Report()
    kind = data.get("kind")
    entry.kind = kind if isinstance(kind, str) else ""
    if is_openslo(data):
        read_openslo(data, path, entry, own)
    elif is_sloth(data):
        read_sloth(data, path, entry, own)
    else:
        own.wrong(
            path,
            "Neither OpenSLO (apiVersion: openslo/v1) nor Sloth (version: prometheus/v1).",
        )
    # An indicator keeps the report it was read with: remarks must reach the document's.
    read.report.errors += own.errors
    read.report.warnings += own.warnings
    read.report.lost += own.lost
    own.errors, own.warnings, own.lost = (
        read.report.errors,
        read.report.warnings,
        read.report.lost,
    )
    read.entries.append(entry)


def _refuse_duplicates(found: list[Read]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for read in found:
        for entry in read.entries:
            for kind, name, path in _names(entry):
                if (kind, name) in taken:
                    read.report.wrong(
                        path,
                        f"{taken[kind, name]} has a {kind} {name} already; choose another name.",
                    )
                else:
                    where = f"{read.file} document {read.document.number}"
                    taken[kind, name] = where


def _names(entry: Entry) -> list[tuple[str, str, Path]]:
    if entry.promises:
        return [
            ("SLO", promise.slug, promise.path or entry.name_path) for promise in entry.promises
        ]
    return [(entry.kind, entry.name, entry.name_path)] if entry.name else []


def _refuse_missing(found: list[Read], known: Known) -> "_Index":
    """Refuse what needs a document that is not there, then what needs that one, and so on."""
    while True:
        index = _Index(found, known)
        good = [read for read in found if read.accepted]
        for read in good:
            index.refuse_missing(read)
        if all(read.accepted for read in good):
            return index


def _lose_unused(found: list[Read]) -> None:
    """Note SLIs that no SLO of the set names: nothing is made of them."""
    entries = [entry for read in found if read.accepted for entry in read.entries]
    used = {ref.name for entry in entries for ref in entry.references if ref.kind == "SLI"}
    for read in found:
        for entry in read.entries:
            if entry.indicator is not None and read.accepted and entry.name not in used:
                read.report.lose(
                    entry.name_path, "No SLO of this set uses it; nothing is made of it."
                )


def _refuse_twins(found: list[Read]) -> None:
    """Refuse a document that would make an SLO which another makes already."""
    taken: dict[str, Read] = {}
    for read in found:
        slugs = [slo.slug for slo in read.planned]
        for slo in read.planned:
            first = taken.get(slo.slug)
            if first is not None or slugs.count(slo.slug) > 1:
                other = first or read
                where = f"{other.file} document {other.document.number}"
                read.report.wrong(
                    slo.path, f"{where} makes an SLO {slo.slug} already; choose another name."
                )
                break
        if read.accepted:
            taken |= dict.fromkeys(slugs, read)
        else:
            read.planned = []


def _keep_apart(found: list[Read]) -> None:
    """Name SLIs after their SLO where several of one name are not the same.

    An SLI inside an SLO is named for that document only, and thresholds make several of one.
    """
    variants: dict[str, list[object]] = {}
    for read in found:
        for slo in read.planned:
            known = variants.setdefault(slo.sli.slug, [])
            if (what := _measured(slo)) not in known:
                known.append(what)
    for read in found:
        read.planned = [
            replace(slo, sli=replace(slo.sli, slug=_free(slo.slug, slo.sli.slug, variants)))
            if len(variants[slo.sli.slug]) > 1
            else slo
            for slo in read.planned
        ]


def _measured(slo: PlannedSlo) -> object:
    source = slo.sli.source
    return slo.service, slo.sli.fields, source and (source.name, source.type), slo.members


def _free(slug: str, shared: str, variants: Mapping[str, list[object]]) -> str:
    """Return a name that no other SLI of the set has: the SLO's own, if it may be."""
    return slug if slug == shared or slug not in variants else f"{slug[:59].rstrip('-')}-sli"


class _Index:
    """Looks up what documents name."""

    def __init__(self, found: list[Read], known: Known) -> None:
        whole = [(entry, read) for read in found if read.accepted for entry in read.entries]
        self.names = {(entry.kind, entry.name) for entry, _ in whole if entry.name}
        self.indicators = {e.name: e.indicator for e, _ in whole if e.indicator is not None}
        self.sources = {
            planning.slugify(e.source.slug): kind_of_type(e.source.type)
            for e, _ in whole
            if e.source is not None
        }
        self.known = known
        of_slos = {
            promise.slug: promise.indicator.name
            for entry, _ in whole
            for promise in entry.promises
            if promise.indicator is not None
        }
        self.plan = Plan(self.indicator_of, self.kind_of, {**known.sli_of_slo, **of_slos})

    def indicator_of(self, reference: Reference) -> Indicator | None:
        """Return the SLI that a reference names."""
        return self.indicators.get(reference.name)

    def kind_of(self, source: SourceRef) -> str:
        """Return what kind of source is asked, "" of one that the portal cannot ask."""
        if source.type:
            return kind_of_type(source.type)
        slug = planning.slugify(source.name)
        named = self.sources.get(slug) or self.known.sources.get(slug, "")
        return named or (OWN_TYPE if slug == OWN_TYPE else "")

    def refuse_missing(self, read: Read) -> None:
        """Refuse a document that needs another which is not there."""
        for entry in read.entries:
            for reference in entry.references:
                if reference.is_needed and not self._has(reference):
                    read.report.wrong(
                        reference.path,
                        f"There is no {reference.kind} {reference.name} in this set"
                        + (" or in the portal." if reference.kind == "DataSource" else "."),
                    )

    def _has(self, reference: Reference) -> bool:
        if (reference.kind, reference.name) in self.names:
            return True
        slug = planning.slugify(reference.name)
        return reference.kind == "DataSource" and (slug in self.known.sources or slug == OWN_TYPE)
