"""Twilio's signatures, by the example that it publishes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.domain.twilio import is_signed, signature_of

TOKEN, ADDRESS = "12345", "https://mycompany.com/myapp.php?foo=1&bar=2"
FIELDS = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_the_published_example() -> None:
    assert signature_of(TOKEN, ADDRESS, FIELDS) == SIGNATURE
    assert is_signed(SIGNATURE, TOKEN, ADDRESS, FIELDS)


def test_a_port_may_be_left_out_or_added() -> None:
    for signed, known in (
        ("https://sre.example.org:443/x", "https://sre.example.org/x"),
        ("https://sre.example.org/x", "https://sre.example.org:8443/x"),
        ("https://sre.example.org:8443/x", "https://sre.example.org:8443/x"),
    ):
        assert is_signed(signature_of(TOKEN, signed, FIELDS), TOKEN, known, FIELDS)


@pytest.mark.parametrize("signature", ["", "x", "é", "\udcff", SIGNATURE[:-1], SIGNATURE.lower()])
def test_what_is_not_signed_is_refused(signature: str) -> None:
    assert not is_signed(signature, TOKEN, ADDRESS, FIELDS)


@pytest.mark.parametrize(
    ("token", "address", "fields"),
    [
        ("12346", ADDRESS, FIELDS),
        (TOKEN, ADDRESS.replace("foo=1", "foo=2"), FIELDS),
        (TOKEN, ADDRESS, [*FIELDS, ("Extra", "1")]),
        (TOKEN, ADDRESS, FIELDS[1:]),
    ],
)
def test_what_was_changed_is_refused(
    token: str, address: str, fields: list[tuple[str, str]]
) -> None:
    assert not is_signed(SIGNATURE, token, address, fields)


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=8))
def test_the_order_of_fields_does_not_matter(fields: list[tuple[str, str]]) -> None:
    signature = signature_of(TOKEN, ADDRESS, fields)
    assert is_signed(signature, TOKEN, ADDRESS, reversed(fields))
