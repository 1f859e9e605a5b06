"""JSON and YAML bodies: UTF-8, of bounded size, and never an error of ours."""

import codecs
import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.settings import api_settings
from rest_framework.utils import json as strict_json

from core.errors import TooLarge

MAX_BODY_BYTES = 1024 * 1024


def body_limit(view: Any) -> int:
    """Return how many bytes a view reads: its `max_body_bytes`, or 1 MiB where it has none."""
    return getattr(view, "max_body_bytes", MAX_BODY_BYTES)


class BoundedJSONParser(JSONParser):
    """Reads JSON up to the view's limit.

    The charset parameter is ignored: JSON is UTF-8 (RFC 8259), and some of Python's codecs are
    no text encodings at all.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """REST framework's hook.

        Raises:
            TooLarge: The body is announced to be larger than is read here.
            ParseError: The body is not JSON.
        """
        limit = body_limit((parser_context or {}).get("view"))
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"Send at most {limit} bytes.", field="body")
        try:
            return _load(codecs.decode(body, "utf-8"))
        except RecursionError as error:
            raise ParseError("JSON parse error: nested too deeply") from error
        except ValueError as error:
            raise ParseError(f"JSON parse error: {error}") from error


def _load(text: str) -> Any:
    return strict_json.loads(text) if api_settings.STRICT_JSON else json.loads(text)


class YamlParser(BaseParser):
    """YAML as it is, up to the view's limit: who imports it reads it, errors included."""

    media_type = "application/yaml"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Return the text under the name that the JSON form gives it.

        Raises:
            TooLarge: There is more of it than is read here.
            ParseError: It is not UTF-8.
        """
        limit = body_limit((parser_context or {}).get("view"))
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(f"Larger than {limit // 1024} KiB; split it.", field="yaml")
        try:
            return {"yaml": raw.decode("utf-8-sig")}
        except UnicodeDecodeError as error:
            raise ParseError(f"Not UTF-8: byte {error.start} cannot be read.") from error
