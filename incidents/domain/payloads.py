"""From the bytes of a webhook to plain values that every database can keep."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from core.storable import storable

__all__ = ["Unreadable", "clean", "decode", "instant", "mapping", "sequence", "text", "web_address"]

_MOST_FIELDS = 1000
_LONGEST_HEAD = 4000
# A field that clients of GoAlert repeat.
_SEVERAL = "meta"
_BOUNDARY = re.compile(
    r';\s*boundary=(?:"(?P<quoted>[^"]{1,200})"|(?P<plain>[^\s;"]{1,200}))', re.IGNORECASE
)
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(
    rb'^content-disposition:[^\r\n]*?[;\s]name=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s;"]+))',
    re.IGNORECASE | re.MULTILINE,
)
_ESCAPED = re.compile(rb'\\(["\\])')
# Senders that say "not yet" with an instant: Go's zero time.
_NEVER = datetime(1971, 1, 1, tzinfo=UTC)


class Unreadable(ValueError):
    """A body, or a part of it, that says nothing we can act on; the message names the field."""


def decode(body: bytes, content_type: str = "") -> Any:
    """Return what a body says: JSON whatever it claims to be, else a form, else its text.

    Strings come without NUL and without halves of surrogate pairs, numbers are finite: what
    PostgreSQL refuses to store never gets past here.

    Args:
        body: The raw bytes.
        content_type: The header, with its parameters.

    Raises:
        Unreadable: Claims to be JSON or a form and is not, or is nested too deeply.
    """
    kind = content_type.partition(";")[0].strip().lower()
    # What `curl -d` sends claims to be a form, whatever it is.
    if kind == "application/x-www-form-urlencoded" and not body.lstrip().startswith((b"{", b"[")):
        return clean(_form(body))
    if kind == "multipart/form-data":
        return clean(_multipart(body, content_type))
    try:
        said = json.loads(body, parse_constant=str)
    except RecursionError as error:
        raise Unreadable("body: nested too deeply") from error
    except ValueError as error:
        if kind == "text/plain" and (words := _words(body)):
            return clean(words)
        raise Unreadable(f"body: not JSON ({_reason(error)})") from error
    return clean(said)


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not {error.encoding.upper()}"
    return str(error)


def _words(body: bytes) -> str:
    try:
        words = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise Unreadable(f"body: byte {error.start} is not UTF-8") from error
    # What begins like JSON was meant to be: a truncated document is no message.
    return "" if words.startswith(("{", "[")) else words


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Unreadable(f"body: not a form ({_reason(error)})") from error
    return _unfolded(_fields(pairs))


def _fields(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return a form's fields; of names that come again the last, but all of `_SEVERAL`."""
    several = [value for name, value in pairs if name == _SEVERAL]
    return {**dict(pairs), **({_SEVERAL: several} if len(several) > 1 else {})}


def _multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the fields of a form in parts: what RFC 7578 leaves of MIME, in time that grows with it.

    Python's parser of mail takes quadratic time for some headers, and breaks on others.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Unreadable("body: not multipart/form-data")
    boundary = (found["quoted"] or found["plain"]).encode("latin-1", "replace")
    _, *parts = (b"\n" + body).split(b"\n--" + boundary, _MOST_FIELDS + 1)
    if not parts:
        raise Unreadable("body: not multipart/form-data")
    fields: list[tuple[str, str]] = []
    for part in parts[:_MOST_FIELDS]:
        if part.startswith(b"--"):
            break
        head, content = _split_part(part)
        if name := _NAME.search(head):
            fields.append((_field_name(name), content.decode("utf-8", "replace")))
    return _unfolded(_fields(fields))


def _split_part(part: bytes) -> tuple[bytes, bytes]:
    """Return the headers of one part of a form, and what follows their empty line."""
    found = _EMPTY_LINE.search(part)
    if found is None:
        return part[:_LONGEST_HEAD], b""
    # The end of the last line belongs to what separates it from the next part.
    return part[: found.start()][:_LONGEST_HEAD], part[found.end() :].removesuffix(b"\r")


def _field_name(found: re.Match[bytes]) -> str:
    name = found["plain"] or _ESCAPED.sub(rb"\1", found["quoted"] or b"")
    return name.decode("utf-8", "replace")


def _unfolded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON document that some senders put into one field of a form."""
    for name in ("data", "payload"):
        if set(fields) == {name}:
            try:
                return (
                    {"body": value}
                    if not isinstance(value := json.loads(fields[name]), dict)
                    else value
                )
            except (ValueError, RecursionError):
                return fields
    return fields


def clean(value: Any) -> Any:
    """Return the same value without what databases refuse."""
    try:
        return storable(value)
    except RecursionError as error:
        raise Unreadable("body: nested too deeply") from error


def text(value: Any, limit: int = 0) -> str:
    """Return a value as one text: "" for none, true and false as JSON says them.

    Args:
        value: Anything that `decode` returns.
        limit: Cut longer texts to so many characters, the last of them an ellipsis.
    """
    if value is None:
        said = ""
    elif isinstance(value, bool):
        said = "true" if value else "false"
    elif isinstance(value, str):
        said = value.strip()
    elif isinstance(value, dict | list):
        said = json.dumps(value, ensure_ascii=False)
    else:
        said = str(value)
    return said if not limit or len(said) <= limit else f"{said[: limit - 1]}…"


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return an array, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def web_address(value: Any) -> str:
    """Return an address that a browser may be sent to, or ""; javascript: is an address too."""
    address = text(value)
    return (
        address
        if address.lower().startswith(("https://", "http://")) and len(address) <= 2000
        else ""
    )


def instant(value: Any) -> datetime | None:
    """Return an instant in UTC: ISO 8601 (without an offset: UTC), or seconds or milliseconds.

    None for what is no instant, and for the year 1 that Go's senders write for "never".
    """
    try:
        at = _from_number(float(value)) if _is_number(value) else _from_text(text(value))
    except (ValueError, OverflowError, OSError):
        return None
    return at if at >= _NEVER else None


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit())


def _from_number(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)


# Alerts that came together mostly began together.
@lru_cache(maxsize=512)
def _from_text(said: str) -> datetime:
    # CloudWatch writes +0000, which Python 3.11 reads; nanoseconds it does not.
    at = datetime.fromisoformat(_shortened(said))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _shortened(said: str) -> str:
    head, dot, rest = said.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return (
        f"{head}.{rest[: min(digits, 6)]:<06}".replace(" ", "0") + rest[digits:]
        if dot and digits
        else said
    )
