"""Attributes: decoding them, and what those of HTTP servers say by OpenTelemetry's conventions.

Source: OpenTelemetry semantic conventions, "HTTP metrics" 1.20 (old names) and 1.23 on.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from sre.slo_sli import OTHER_ENDPOINT
from telemetry.domain.fields import WrongField, known_method

__all__ = ["Attributes", "HttpRequest", "attributes_of", "http_request", "resource_of", "slug_of"]

Attributes = tuple[tuple[str, str], ...]
MAX_KEYS = 64
MAX_VALUE = 300
_METHOD = ("http.request.method", "http.method")
_STATUS = ("http.response.status_code", "http.status_code")
_ROUTE = ("http.route", "http.target")
_NOT_A_SLUG = re.compile(r"[^a-z0-9]+")


class HttpRequest(NamedTuple):
    """What a request is counted by."""

    endpoint: str
    method: str
    status: int


def attributes_of(encoded: Iterable[bytes]) -> Attributes:
    """Return attributes by name, values as text; the order in which they came does not matter.

    Raises:
        DecodeError: If they are not protobuf.
        WrongField: Too many, or one that is not printable.
    """
    return _canonical(KeyValue.FromString(one) for one in encoded)


def resource_of(encoded: bytes) -> Attributes:
    """Return the attributes of an encoded resource; raises like `attributes_of`."""
    return _canonical(Resource.FromString(encoded).attributes)


def _canonical(pairs: Iterable[KeyValue]) -> Attributes:
    found: dict[str, str] = {}
    for pair in pairs:
        text = _text(pair.value)
        if not pair.key or not f"{pair.key}{text}".isprintable():
            raise WrongField("attributes", "Names and values must be printable, names not empty.")
        found[pair.key[:MAX_VALUE]] = text[:MAX_VALUE]
    if len(found) > MAX_KEYS:
        raise WrongField("attributes", f"At most {MAX_KEYS}.")
    return tuple(sorted(found.items()))


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "array_value":
        return msgspec.json.encode([_text(one) for one in value.array_value.values]).decode()
    if kind == "kvlist_value":
        pairs = {pair.key: _text(pair.value) for pair in value.kvlist_value.values}
        return msgspec.json.encode(pairs, order="sorted").decode()
    raw = getattr(value, kind)
    return raw.hex() if isinstance(raw, bytes) else str(raw)


def http_request(attributes: Mapping[str, str]) -> HttpRequest:
    """Return what a measured request is counted by.

    A request without a route is counted under "(other)"; one that ended in an error before there
    was an answer (`error.type` without a status) as 500.

    Raises:
        WrongField: If it has neither a status nor an error.
    """
    endpoint = _first(attributes, _ROUTE).split("?")[0][:200] or OTHER_ENDPOINT
    status = _first(attributes, _STATUS)
    if not status:
        if not attributes.get("error.type"):
            raise WrongField(f"attributes.{_STATUS[0]}", "This attribute is required.")
        status = "500"
    if not (status.isascii() and status.isdigit() and 100 <= int(status[:9]) <= 599):
        raise WrongField(f"attributes.{_STATUS[0]}", "Must be a status from 100 to 599.")
    return HttpRequest(endpoint, known_method(_first(attributes, _METHOD)), int(status))


def _first(attributes: Mapping[str, str], names: Iterable[str]) -> str:
    return next((attributes[name] for name in names if attributes.get(name)), "")


def slug_of(name: str) -> str:
    """Return the slug that a service's name comes to: "Users API" is users-api."""
    return _NOT_A_SLUG.sub("-", name.lower()).strip("-")[:63]
