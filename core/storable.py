"""Text that any database keeps, of what others sent."""

import math
from typing import Any

__all__ = ["storable"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(value: Any) -> Any:
    """Return the same JSON value without what databases refuse.

    NUL becomes the replacement character, half a surrogate pair a question mark, a number that is
    not finite text.

    Raises:
        RecursionError: It is nested too deeply.
    """
    # Nearly all text is; whoever reads webhooks asks it of each word, so no call more than that.
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", _REPLACEMENT)
    if isinstance(value, dict):
        return {
            storable(str(key)): (
                item
                if type(item) is str and item.isascii() and "\0" not in item
                else storable(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
