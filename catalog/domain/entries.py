"""What a document says of teams and services, whichever format it is written in."""

from dataclasses import dataclass, field
from typing import Any

from core.yaml_documents import Document, Path

__all__ = ["Entry", "Fields", "Reference", "Remark", "ServiceEntry", "TeamEntry"]

MAX_TEXT = 100_000


@dataclass(frozen=True)
class Remark:
    """Something wrong with, or worth saying about, the field at `path`."""

    path: Path
    message: str


@dataclass(frozen=True)
class Reference:
    """A field that names another entity: its slug, its kind and whether failure spreads."""

    path: Path
    kind: str
    slug: str
    is_hard: bool = True


@dataclass
class TeamEntry:
    """A team; None means: not said."""

    slug: str
    values: dict[str, Any]
    members: list[Reference] | None = None


@dataclass
class ServiceEntry:
    """A service; what is not in `values`, or None, was not said."""

    slug: str
    values: dict[str, Any]
    owner: Reference | None = None
    dependencies: list[Reference] | None = None
    dependents: list[Reference] = field(default_factory=list)
    consumes: list[Reference] | None = None
    provides: list[Reference] = field(default_factory=list)


@dataclass
class Entry:
    """One document, read: what it is, what it brings and what was wrong with it."""

    kind: str = ""
    format: str = ""
    team: TeamEntry | None = None
    service: ServiceEntry | None = None
    person: Reference | None = None
    person_email: str = ""
    person_teams: list[Reference] = field(default_factory=list)
    targets: list[Reference] = field(default_factory=list)
    errors: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    lost: list[Path] = field(default_factory=list)


class Fields:
    """Reads a document field by field and remembers which it was asked for.

    What nobody asked for is what the import would lose.
    """

    def __init__(self, document: Document, entry: Entry) -> None:
        self._data = document.data
        self._paths = [path for path in document.lines if path]
        self._used: set[Path] = set()
        self.entry = entry

    def wrong(self, path: Path, message: str) -> None:
        """Note an error at `path`."""
        self.entry.errors.append(Remark(path, message))

    def remark(self, path: Path, message: str) -> None:
        """Note a warning at `path`."""
        self.entry.warnings.append(Remark(path, message))

    def give_up(self, path: Path, why: str = "") -> None:
        """Note that the field at `path` is not carried, and why."""
        self._used.discard(path)
        if why:
            self.remark(path, why)

    def use(self, path: Path) -> None:
        """Note that the field at `path`, with all below it, is carried."""
        self._used.add(path)

    def raw(self, *path: str | int) -> Any:
        """Return the value at `path`, or None."""
        value = self._data
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def text(self, *path: str | int, required: bool = False) -> str | None:
        """Return the text at `path`, trimmed; None when it is not there or is no text."""
        value = self.raw(*path)
        self.use(path)
        if isinstance(value, str) and (value.strip() or not required):
            if len(value) > MAX_TEXT or "\x00" in value:
                self.wrong(path, "This text is too long or holds a NUL character.")
                return None
            return value.strip()
        if value is None or isinstance(value, str):
            if required:
                self.wrong(path, "This field is required.")
            return None
        self.wrong(path, f"Expected text, not {_noun(value)}; put it in quotes.")
        return None

    def mapping(self, *path: str | int) -> dict[str, Any]:
        """Return the mapping at `path` with text keys; empty when it is not there."""
        value = self.raw(*path)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(path, f"Expected a mapping, not {_noun(value)}.")
            return {}
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def items(self, *path: str | int) -> list[Any] | None:
        """Return the list at `path`, or None when it is not there."""
        value = self.raw(*path)
        if value is None:
            return None
        if not isinstance(value, list):
            self.wrong(path, f"Expected a list, not {_noun(value)}.")
            return None
        return value

    def texts(self, *path: str | int) -> list[tuple[Path, str]] | None:
        """Return the list of texts at `path` with the path of each, or None."""
        items = self.items(*path)
        if items is None:
            return None
        if not items:
            self.use(path)
        read = [
            ((*path, index), self.text(*path, index, required=True)) for index in range(len(items))
        ]
        return [(where, value) for where, value in read if value]

    def lost(self) -> list[Path]:
        """Return the highest paths of which nothing was used."""
        needed = {path[:length] for path in self._used for length in range(len(path) + 1)}
        lost: list[Path] = []
        for path in self._paths:
            above = (path[:length] for length in range(1, len(path)))
            if path in needed or any(up in self._used or up not in needed for up in above):
                continue
            lost.append(path)
        return lost


def _noun(value: Any) -> str:
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "a number"
    nouns = {"dict": "a mapping", "list": "a list", "str": "text"}
    return nouns.get(type(value).__name__, "this value")
