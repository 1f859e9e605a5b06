"""YAML text as documents, each read on its own, with the line of every field.

A broken document does not spoil its neighbours: the text is cut at the `---` lines first, which
YAML forbids inside any scalar. Nothing is constructed but plain data (the safe loader), and what
is constructed is bounded before it is: an alias that stands for a million nodes is refused.

Raises nothing: what is wrong with a document is in its `problem`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

__all__ = [
    "MAX_BYTES",
    "MAX_DOCUMENTS",
    "Document",
    "Path",
    "read_documents",
    "spell",
    "write_documents",
]

MAX_BYTES = 1024 * 1024
MAX_DOCUMENTS = 2000
MAX_DEPTH = 40
MAX_NODES = 20_000

Path = tuple[str | int, ...]
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_NAMED_LINE = re.compile(r"line (\d+): ")
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


# Line breaks to YAML 1.1, wherever they stand unescaped.
_HIDDEN_BREAKS = re.compile("[\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    """Writes every text so that it is read back as it was."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _HIDDEN_BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


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

    @property
    def problem_line(self) -> int:
        """The line that the problem names, or where the document begins."""
        named = _NAMED_LINE.match(self.problem)
        return int(named[1]) if named else self.line

    def line_of(self, path: Path) -> int:
        """Return the line of the field at `path`, or of the nearest field above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


class _Refused(Exception):
    """A document that is well formed but not read."""


def read_documents(
    text: str | bytes, *, max_bytes: int = MAX_BYTES, max_nodes: int = MAX_NODES
) -> list[Document]:
    """Return the documents of a YAML stream; empty ones are left out but counted.

    Args:
        text: The stream; bytes are UTF-8, with or without a byte order mark.
        max_bytes: Longest stream that is read.
        max_nodes: Most values in one document, aliases written out.
    """
    if len(text) > max_bytes:
        return [_broken(f"Larger than {max_bytes // 1024} KiB; split it.")]
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
        document = _read(chunk, number, line, max_nodes)
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


def _read(chunk: str, number: int, line: int, max_nodes: int) -> Document:
    try:
        _refuse_nul(chunk, line)
        _refuse_depth(chunk, line, max_nodes)
        return _construct(chunk, number, line, max_nodes)
    except _Refused as error:
        return Document(number, line, problem=str(error))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {line + mark.line}: " if mark else ""
        said = error.problem or error.context or "not YAML"
        hint = "; indent with spaces" if "'\\t'" in said else ""
        return Document(number, line, problem=f"{where}{said}{hint}.")
    except yaml.reader.ReaderError as error:
        said = f"The character U+{_code(error.character):04X} cannot be in YAML; take it out."
        return Document(number, line, problem=said)
    except _UNREADABLE as error:
        return Document(number, line, problem=f"A value does not fit its tag: {error}.")


def _code(character: Any) -> int:
    """Return the code point that a reader complains of: libyaml gives it as a number."""
    return character if isinstance(character, int) else ord(str(character)[:1] or "\x00")


def _refuse_nul(chunk: str, line: int) -> None:
    at = chunk.find("\x00")
    if at >= 0:
        where = line + chunk.count("\n", 0, at)
        raise _Refused(f"line {where}: a NUL byte; this is no text.")


def _refuse_depth(chunk: str, line: int, max_nodes: int) -> None:
    """Refuse deep nesting while it is still a flat stream of events: composing recurses."""
    depth = nodes = 0
    for event in yaml.parse(chunk, Loader=Loader):
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > max_nodes * 2:
            raise _Refused(f"line {_line(event, line)}: more than {max_nodes} values; split it.")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Refused(f"line {_line(event, line)}: nested deeper than {MAX_DEPTH} levels.")


def _construct(chunk: str, number: int, line: int, max_nodes: int) -> Document:
    loader = Loader(chunk)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(number, line)
        lines = _Lines(line, max_nodes)
        lines.walk(node)
        return Document(number, line, data=loader.construct_document(node), lines=lines.found)
    finally:
        loader.dispose()


class _Lines:
    """Notes the line of every field, aliases written out; refuses what would not end."""

    def __init__(self, first: int, max_nodes: int) -> None:
        self.found: dict[Path, int] = {}
        self._first = first
        self._max_nodes = max_nodes

    def walk(self, node: yaml.Node, path: Path = (), above: frozenset[int] = frozenset()) -> None:
        """Note `node` and what is below it."""
        at = _line(node, self._first)
        if len(self.found) >= self._max_nodes:
            raise _Refused(f"line {at}: more than {self._max_nodes} values, aliases included.")
        if id(node) in above:
            raise _Refused(f"line {at}: an alias stands for what it is inside of.")
        if path in self.found:
            raise _Refused(f"line {at}: {spell(path)} is there twice.")
        self.found[path] = at
        within = above | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self.walk(child, (*path, index), within)
        elif isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                step = (*path, _key(key, self._first))
                self.walk(child, step, within)
                self.found[step] = _line(key, self._first)


def _key(node: yaml.Node, line: int) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Refused(f"line {_line(node, line)}: a key must be plain text.")
    if node.value == "<<":
        raise _Refused(f"line {_line(node, line)}: merge keys are not read; write it out.")
    return str(node.value)


def _line(at: yaml.Node | yaml.Event, first: int) -> int:
    return first + int(at.start_mark.line) if at.start_mark else first


def write_documents(documents: Iterable[Any]) -> str:
    """Return plain data as YAML documents, one after the other, members in their own order."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
