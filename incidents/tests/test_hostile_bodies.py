"""No body makes a reader break, or take longer than its size accounts for: all alerts would wait."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.domain.formats.context import Context
from incidents.domain.formats.registry import WEBHOOKS
from incidents.domain.payloads import Unreadable, decode
from incidents.models import Alert
from incidents.tests.senders import integration_of, post

MOST = 500_000
FORM = "multipart/form-data; boundary=B"


def part(head: bytes, content: bytes = b"hello") -> bytes:
    return b"--B\r\n" + head + b"\r\n\r\n" + content + b"\r\n--B--\r\n"


def seconds_to_read(kind: str, body: Any) -> float:
    began = time.process_time()
    with suppress(Unreadable):
        WEBHOOKS[kind](body, Context(kind))
    return time.process_time() - began


@pytest.mark.parametrize(
    "title",
    [
        "[" + "a" * MOST,
        "[P1]" + " " * MOST,
        "[a{" + "b" * MOST,
        "[a" + "{b}" * (MOST // 3),
        "[a]" + " " * MOST,
        "[" * MOST,
    ],
)
@pytest.mark.parametrize("kind", ["datadog", "uptimekuma", "generic"])
def test_a_long_title_is_read_at_once(kind: str, title: str) -> None:
    assert seconds_to_read(kind, {"title": title, "msg": title, "id": "1"}) < 0.5


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'Content-Disposition: form-data; name="title"; filename*\n=x', {"title": "hello"}),
        (b"Content-Disposition: form-data; name=title; filename*=utf-8\0''a", {"title": "hello"}),
        (b'content-type: text/plain\r\nCONTENT-DISPOSITION:form-data;name="a\\"b"', {"a\"b": "hello"}),
        ('Content-Disposition: form-data; name="título"'.encode(), {"título": "hello"}),
        (b'Content-Disposition: form-data; filename="x"', {}),
        (b"Content-Type: " + b"(" * MOST, {}),
        (b"Content-Disposition: form-data" + b';"' * (MOST // 2), {}),
        (b'Content-Disposition: form-data; name="' + b'\\"' * (MOST // 2), {}),
    ],
)  # fmt: skip
def test_a_form_in_parts_is_read_whatever_its_headers_are(
    head: bytes, expected: dict[str, str]
) -> None:
    began = time.process_time()
    assert decode(part(head), FORM) == expected
    assert time.process_time() - began < 0.5


def test_a_form_of_many_parts_is_read_at_once() -> None:
    """The first thousand fields count."""
    many = b"".join(
        b'--B\nContent-Disposition: form-data; name="%d"\n\nx\n' % number for number in range(9000)
    )
    began = time.process_time()
    assert len(decode(many, FORM)) == 1000
    decode(b"--B\r\n" * 100_000, FORM)
    assert time.process_time() - began < 0.5


HEADS = st.sampled_from([b"Content-Disposition: form-data; ", b"name=", b"filename*", b"=utf-8''", b'"',
                         b"\\", b"\0", b"\r\n", b"\n", b";", b"(", b"\xff", b"a", b" ", b"--B"])  # fmt: skip


@given(pieces=st.lists(HEADS, max_size=20), boundary=st.text(max_size=4))
def test_no_form_in_parts_breaks_its_reader(pieces: list[bytes], boundary: str) -> None:
    for kind in (FORM, f"multipart/form-data; boundary={boundary}", f'{FORM}; x="{boundary}'):
        try:
            assert isinstance(decode(part(b"".join(pieces)), kind), dict)
        except Unreadable:
            continue


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_form_with_an_odd_header_is_an_alert() -> None:
    _integration, key = integration_of("generic")
    body = part(b'Content-Disposition: form-data; name="title"; filename*\n=x', b"Disk full")
    assert post(f"/integrations/v1/generic/{key}/", body, FORM).status_code == 200
    assert Alert.objects.get().title == "Disk full"


@pytest.mark.parametrize("depth", [600, 5_000, 100_000])
@pytest.mark.parametrize("opens", ["[", '{"a":'])
def test_what_is_nested_too_deeply_is_named_so(depth: int, opens: str) -> None:
    """It is JSON; whoever sent it looks for what is wrong with it."""
    closes = "]" if opens == "[" else "}"
    with pytest.raises(Unreadable, match=r"^body: nested too deeply$"):
        decode(f"{opens * depth}1{closes * depth}".encode(), "text/plain")
