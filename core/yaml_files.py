"""YAML files on disk; nothing outside the folder being imported is opened."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.yaml_documents import MAX_BYTES

__all__ = ["SourceFile", "files_at", "neighbour"]

ENDINGS = {".yaml", ".yml"}
MAX_FILES = 2000


@dataclass(frozen=True)
class SourceFile:
    """YAML with the name it goes by.

    Attributes:
        name: As shown in verdicts.
        text: Its content; None when it cannot be read, with `problem`.
        at: Where it is; None for text that came without a file.
        root: The folder that its locations may not leave.
    """

    name: str
    text: str | bytes | None
    at: Path | None = None
    root: Path | None = None
    problem: str = ""


def files_at(paths: Iterable[Path], *, max_bytes: int = MAX_BYTES) -> Iterator[SourceFile]:
    """Yield the files named by `paths`; of a folder its YAML files, by name, hidden ones left out.

    At most one byte more than `max_bytes` is read of each, so that the reader can refuse it.

    Raises:
        FileNotFoundError: A path does not exist.
    """
    for path in paths:
        if path.is_dir():
            root = path.resolve()
            for found in _yaml_below(path):
                yield _read(found, root, max_bytes)
        elif path.is_file():
            yield _read(path, path.resolve().parent, max_bytes)
        else:
            raise FileNotFoundError(path)


def neighbour(source: SourceFile, target: str) -> SourceFile | str:
    """Return the file that a location in `source` points at, or why it is not read."""
    if source.at is None or source.root is None:
        return "This text came without a folder; import the file itself."
    if "\x00" in target:
        return "This is no path."
    wanted = source.at.parent / target
    try:
        found = wanted.resolve()
        if not found.is_relative_to(source.root):
            return f"{target} is outside of the folder being imported."
        if not found.is_file():
            return f"There is no file {target}."
    except (OSError, ValueError, RuntimeError):
        return f"{target[:200]} cannot be read."
    return _read(Path(os.path.normpath(wanted)), source.root)


def _yaml_below(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
        found += [path for path in here if path.suffix.lower() in ENDINGS]
        if len(found) >= MAX_FILES:
            break
    return found[:MAX_FILES]


def _read(path: Path, root: Path, max_bytes: int = MAX_BYTES) -> SourceFile:
    at = path.resolve()
    if not at.is_relative_to(root):
        return SourceFile(str(path), None, problem="A link that leads out of the folder.")
    try:
        with at.open("rb") as file:
            return SourceFile(str(path), file.read(max_bytes + 1), at, root)
    except OSError as error:
        return SourceFile(str(path), None, problem=f"Cannot be read: {error.strerror}.")
