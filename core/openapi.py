"""What the description of the API says everywhere: how it refuses, and what may be empty."""

from collections.abc import Iterator
from typing import Any

__all__ = ["describe_blanks", "describe_refusals"]

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; for programs."},
        "detail": {"type": "string", "description": "What is wrong and what to do; for people."},
        "id": {"type": "string", "description": "Request id; the log carries it too."},
        "errors": {
            "type": "object",
            "description": "Messages by the path of the field, such as `requests[3].status`.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
REFUSALS = {
    "4XX": {"description": "Refused: the request cannot be done as it is.", "content": _CONTENT},
    "503": {"description": "Nothing was stored; try again shortly.", "content": _CONTENT},
}


def describe_refusals(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Add the problem document to every operation (a postprocessing hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"] = _with_refusals(operation["responses"])
    return result


def _with_refusals(responses: dict[str, Any]) -> dict[str, Any]:
    """Return responses in which every refusal, named or not, can be a problem document."""
    described = {**REFUSALS, **responses}
    for status, response in described.items():
        if status[0] in "45":
            described[status] = {**response, "content": {**_CONTENT, **response.get("content", {})}}
    return described


BLANK = {"type": "string", "maxLength": 0}


def describe_blanks(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Let what is empty be what it is, an address or an email too (a hook of drf-spectacular).

    A format only informs (JSON Schema 2020-12): to who validates, an empty text is one of each kind,
    and would be refused where it may be of exactly one.
    """
    for each in _objects(result):
        if BLANK in each.get("oneOf", ()):
            each["anyOf"] = each.pop("oneOf")
    return result


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    """Yield each object of a document that is made of objects and lists."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    if isinstance(part, dict):
        yield part
    for one in list(inner):
        yield from _objects(one)
