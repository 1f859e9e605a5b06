"""YAML text as documents, each read on its own, with the line of every field.

A broken document does not spoil its neighbours: the text is cut at the `---` lines first, which
YAML forbids inside any scalar. Nothing is constructed but plain data (the safe loader), and what
is constructed is bounded before it is: an alias that stands for a million nodes is refused.

Raises nothing: what is wrong with a document is in its `problem`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

__all__ = ["MAX_BYTES", "MAX_DOCUMENTS", "Document", "Path", "read_documents", "spell"]

MAX_BYTES = 1024 * 1024
MAX_DOCUMENTS = 2000
MAX_DEPTH = 40
MAX_NODES = 20_000

Path = tuple[str | int, ...]
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_SIMPLE_KEY = re.compile(r"[A-Za-z_][\w-]*")
# What the safe constructors raise on scalars whose tag does not fit them, e.g. `!!int ""`.
_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


@dataclass(frozen=True)
class Document:
    """One YAML document.

    Attributes:
        number: From 1, within its file.
        line: Where it begins, from 1.
        data: Plain data; None when there is a `problem`.
        problem: What is wrong and on which line, for people.
        lines: The line of each field, by path.
    """

    number: int
    line: int
    data: Any = None
    problem: str = ""
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Return the line of the field at `path`, or of the nearest field above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


class _Refused(Exception):
    """A document that is well formed but not read."""


def read_documents(text: str | bytes) -> list[Document]:
    """Return the documents of a YAML stream; empty ones are left out but counted.

    Args:
        text: The stream; bytes are UTF-8, with or without a byte order mark.
    """
    if len(text) > MAX_BYTES:
        return [_broken(f"Larger than {MAX_BYTES // 1024} KiB; split it.")]
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return [_broken(f"Not UTF-8: byte {error.start} cannot be read.")]
    documents: list[Document] = []
    for number, (line, chunk) in enumerate(_chunks(text.removeprefix("\ufeff")), 1):
        if number > MAX_DOCUMENTS:
            documents.append(_broken(f"More than {MAX_DOCUMENTS} documents; split it.", number))
            break
        document = _read(chunk, number, line)
        if document.data is not None or document.problem:
            documents.append(document)
    return documents


def spell(path: Path) -> str:
    """Return a path as people write it: `spec.dependsOn[0]`, `metadata.labels[a.b/c]`."""
    spelt = ""
    for step in path:
        if isinstance(step, int) or not _SIMPLE_KEY.fullmatch(step):
            spelt += f"[{step}]"
        else:
            spelt += f".{step}" if spelt else step
    return spelt


def _broken(problem: str, number: int = 1) -> Document:
    return Document(number=number, line=1, problem=problem)


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in _MARKER.finditer(text)]
    if not _is_nothing(text[: starts[0]] if starts else text):
        starts.insert(0, 0)
    line, at = 1, 0
    for start, end in pairwise([*starts, len(text)]):
        line += text.count("\n", at, start)
        at = start
        yield line, text[start:end]


def _is_nothing(text: str) -> bool:
    """Return whether there are only blank lines, comments and directives."""
    return all(line.strip()[:1] in {"", "#", "%"} for line in text.split("\n"))


def _read(chunk: str, number: int, line: int) -> Document:
    try:
        _refuse_depth(chunk, line)
        return _construct(chunk, number, line)
    except _Refused as error:
        return Document(number, line, problem=str(error))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {line + mark.line}: " if mark else ""
        said = error.problem or error.context or "not YAML"
        return Document(number, line, problem=f"{where}{said}.")
    except _UNREADABLE as error:
        return Document(number, line, problem=f"A value does not fit its tag: {error}.")


def _refuse_depth(chunk: str, line: int) -> None:
    """Refuse deep nesting while it is still a flat stream of events: composing recurses."""
    depth = 0
    for event in yaml.parse(chunk, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Refused(f"line {_line(event, line)}: nested deeper than {MAX_DEPTH} levels.")


def _construct(chunk: str, number: int, line: int) -> Document:
    loader = Loader(chunk)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(number, line)
        lines: dict[Path, int] = {}
        _walk(node, (), line, lines, set())
        return Document(number, line, data=loader.construct_document(node), lines=lines)
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: Path, line: int, lines: dict[Path, int], above: set[int]) -> None:
    """Note the line of every field, aliases written out; refuse what would not end."""
    at = _line(node, line)
    if len(lines) >= MAX_NODES:
        raise _Refused(f"line {at}: more than {MAX_NODES} values, aliases included.")
    if id(node) in above:
        raise _Refused(f"line {at}: an alias stands for what it is inside of.")
    if path in lines:
        raise _Refused(f"line {at}: {spell(path)} is there twice.")
    lines[path] = at
    within = above | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*path, index), line, lines, within)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            step = (*path, _key(key, line))
            _walk(child, step, line, lines, within)
            lines[step] = _line(key, line)


def _key(node: yaml.Node, line: int) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Refused(f"line {_line(node, line)}: a key must be plain text.")
    if node.value == "<<":
        raise _Refused(f"line {_line(node, line)}: merge keys are not read; write it out.")
    return str(node.value)


def _line(at: yaml.Node | yaml.Event, first: int) -> int:
    return first + int(at.start_mark.line) if at.start_mark else first
