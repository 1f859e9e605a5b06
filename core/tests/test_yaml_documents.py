"""Reading YAML that may be anything."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.domain import backstage, plain_format
from catalog.domain.entries import Entry, Fields
from core.yaml_documents import MAX_BYTES, read_documents, spell, write_documents

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        *("metadata", "spec", "name", "annotations", "labels", "links", "tier", "owner", "profile"),
        *("dependsOn", "consumesApis", "members", "memberOf", "targets", "target", "slug", "url"),
        *("sreportal.io/tier", "amazonaws.com/arn", "backstage.io/source-location", "dependencies"),
    ]
)
ENTITY_PARTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=150)
@given(st.text() | st.binary())
def test_any_bytes_give_documents(text: str | bytes) -> None:
    """Whatever comes, each document has data or says its problem."""
    for document in read_documents(text):
        assert (document.data is None) == bool(document.problem)


@settings(max_examples=100)
@given(st.lists(st.text(st.sampled_from("-{}[]:,&*!|>'\"%@#? \nab~<"), max_size=30), max_size=4))
def test_random_syntax_never_crashes(parts: list[str]) -> None:
    """YAML's own punctuation in any order is at worst a problem."""
    read_documents("\n---\n".join(parts))


@settings(max_examples=150)
@given(TREES.filter(lambda tree: tree is not None))
def test_what_is_dumped_is_read_back(tree: object) -> None:
    """A document that PyYAML writes is one document here, with a line for each value."""
    documents = read_documents(yaml.safe_dump(tree, allow_unicode=False))
    assert len(documents) == 1
    assert documents[0].problem or repr(documents[0].data) == repr(
        yaml.safe_load(yaml.safe_dump(tree, allow_unicode=False))
    )


@settings(max_examples=200)
@given(st.sampled_from([*backstage.KINDS, *plain_format.KINDS]), ENTITY_PARTS, ENTITY_PARTS)
def test_readers_never_crash(kind: str, metadata: object, spec: object) -> None:
    """Any shape below metadata and spec is read or refused."""
    data = {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    for document in read_documents(yaml.safe_dump(data)):
        if not document.problem:
            entry = Entry(kind=kind)
            reader = (
                backstage.read_backstage if kind in backstage.KINDS else plain_format.read_plain
            )
            reader(Fields(document, entry))
            assert all(isinstance(spell(path), str) for path in entry.lost)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [1]\nb: &b [*a,*a,*a]\n" + "c: [*b]\n", ""),
        (
            "- &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"- &{x} [{','.join(['*' + y] * 9)}]\n"
                for x, y in zip("bcdefg", "abcdef", strict=True)
            ),
            "values",
        ),
        ("&a [*a]", "inside"),
        ("[" * 100_000, "deeper"),
        ("a: 1\na: 2", "twice"),
        ("? [a]\n: 1", "plain text"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("x" * (MAX_BYTES + 1), "KiB"),
        ("!!int ''", "tag"),
        ("!!python/object/apply:os.system [ls]", "constructor"),
        ("2020-99-99", "month"),
    ],
)
def test_traps_are_refused(text: str, problem: str) -> None:
    """Bombs, loops, depth, duplicates and foreign tags are refused with a reason."""
    (document,) = read_documents(text)
    assert problem in document.problem
    assert bool(document.problem) == bool(problem)


def test_broken_document_stands_alone() -> None:
    """A syntax error spoils one document; numbers and lines go on counting."""
    documents = read_documents("# head\n---\na: 1\n---\nb: [\n---\n\n---\nc: 3\n")
    assert [(row.number, row.line, bool(row.problem)) for row in documents] == [
        (1, 2, False),
        (2, 4, True),
        (4, 8, False),
    ]
    assert documents[2].line_of(("c",)) == 9


def test_not_utf8_is_said() -> None:
    """Another encoding is a problem of the file."""
    assert "UTF-8" in read_documents(b"\xff\xfea")[0].problem
    assert read_documents("\ufeffa: 1".encode())[0].data == {"a": 1}


@pytest.mark.parametrize("hidden", ["\x85", "\u2028", "\u2029"])
def test_hidden_line_breaks_are_written_so_that_they_are_read_back(hidden: str) -> None:
    """YAML 1.1 folds them into spaces unless they are escaped."""
    data = {"text": f"0{hidden}", "Ä": f"a{hidden}b: c"}
    (document,) = read_documents(write_documents([data]))
    assert document.data == data
