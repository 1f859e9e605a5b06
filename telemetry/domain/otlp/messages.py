"""OTLP's bodies: decoding what senders post, and encoding what they are answered.

Protobuf and JSON say the same; JSON is turned into protobuf first, so that one reader does.
Source: OTLP specification 1.5, "OTLP/HTTP"; google/rpc/status.proto for errors.
"""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from telemetry.domain.batches import MalformedBody
from telemetry.domain.otlp.wire import FIXED, LENGTH_DELIMITED, VARINT, read_varint, varint

__all__ = ["canonical", "from_json", "parse_error", "response", "status"]

# google.rpc.Code by HTTP status.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 8, 415: 3, 429: 8, 503: 14}
_INTERNAL = 13


def canonical(body: bytes) -> bytes:
    """Return the same request in the plainest encoding: arrays packed and in one piece.

    Raises:
        MalformedBody: If it is not a request; names the innermost element that cannot be read.
    """
    try:
        return ExportMetricsServiceRequest.FromString(body).SerializeToString()
    except DecodeError as error:
        raise parse_error(body) from error


def from_json(body: bytes) -> bytes:
    """Return a request in JSON as protobuf; fields that are not known are passed over.

    Raises:
        MalformedBody: If it is not JSON, or a field does not hold what it should.
    """
    request = ExportMetricsServiceRequest()
    try:
        text = body.decode()
        if not text.lstrip().startswith("{"):
            raise MalformedBody("Is not an OTLP request: Expected a JSON object.")
        json_format.Parse(text, request, ignore_unknown_fields=True, max_recursion_depth=30)
        return request.SerializeToString()
    except UnicodeDecodeError as error:
        raise MalformedBody("Is not valid JSON: unreadable characters.") from error
    except json_format.ParseError as error:
        raise MalformedBody(f"Is not an OTLP request: {_first_line(error)}") from error
    except (RecursionError, ValueError, TypeError, AttributeError) as error:
        raise MalformedBody("Is not an OTLP request: an element has a wrong type.") from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:500]


def parse_error(body: bytes) -> MalformedBody:
    """Return what is wrong with a body that does not decode, by the path of its element."""
    path = _broken(body, ExportMetricsServiceRequest.DESCRIPTOR)
    where = f" at {path}" if path else ""
    return MalformedBody(f"Is not a protobuf ExportMetricsServiceRequest{where}.")


def _broken(data: bytes, kind: Descriptor) -> str:
    """Return the path of the innermost element of `data` that is no protobuf of its kind."""
    seen: dict[int, int] = {}
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire != LENGTH_DELIMITED:
            at = _skipped(data, at, wire)
            if at < 0:
                return ""
            continue
        size, at = read_varint(data, at)
        inside, at = data[at : at + size], at + size
        position = seen.get(number, 0)
        seen[number] = position + 1
        field = kind.fields_by_number.get(number)
        if field is not None and (found := _broken_field(field, inside, position)):
            return found
    return ""


def _broken_field(field: FieldDescriptor, inside: bytes, position: int) -> str:
    name = f"{field.name}[{position}]" if field.is_repeated else str(field.name)
    if field.message_type is None:
        return name if field.type == field.TYPE_STRING and not _is_text(inside) else ""
    try:
        GetMessageClass(field.message_type).FromString(inside)
    except DecodeError:
        deeper = _broken(inside, field.message_type)
        return f"{name}.{deeper}" if deeper else name
    return ""


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _skipped(data: bytes, at: int, wire: int) -> int:
    if wire == VARINT:
        return read_varint(data, at)[1]
    return at + FIXED[wire] if wire in FIXED else -1


def response(rejected: int, message: str, *, as_json: bool) -> bytes:
    """Return the answer to a request that was taken, wholly or in part."""
    answer = ExportMetricsServiceResponse()
    if rejected or message:
        answer.partial_success.rejected_data_points = rejected
        answer.partial_success.error_message = message
    return _encoded(answer, as_json=as_json)


def _encoded(answer: Message, *, as_json: bool) -> bytes:
    if not as_json:
        return answer.SerializeToString()
    return json_format.MessageToJson(answer, indent=None).encode()


def status(http_status: int, message: str, *, as_json: bool) -> bytes:
    """Return a google.rpc.Status: what a refused request is answered."""
    code = _CODES.get(http_status, _INTERNAL)
    fields: dict[str, Any] = {"code": code, "message": message}
    if as_json:
        return json.dumps(fields).encode()
    text = message.encode()
    return b"\x08" + varint(code) + b"\x12" + varint(len(text)) + text
