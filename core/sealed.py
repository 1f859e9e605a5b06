"""Which columns hold encrypted values; `manage.py rotate_secrets` walks them all.

An app names its columns when it is ready. A column is one field of one model; what is encrypted
within its value, the whole text or members of a JSON object, says `replace`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["SealedColumn", "register", "registered", "whole"]

Change = Callable[[str], str]


def whole(value: Any, change: Change) -> Any:
    """Replace a value that is one encrypted text; empty is empty."""
    return change(value) if value else value


@dataclass(frozen=True)
class SealedColumn:
    """A field that holds encrypted text.

    Attributes:
        model: `app.Model`.
        field: Name of the field.
        replace: Returns the value with each encrypted text in it passed through a function; must
            not alter the value it is given.
    """

    model: str
    field: str
    replace: Callable[[Any, Change], Any] = whole

    @property
    def name(self) -> str:
        """How reports and the audit name it."""
        return f"{self.model.lower()}.{self.field}"


_columns: dict[str, SealedColumn] = {}


def register(column: SealedColumn) -> None:
    """Have a column rotated; naming it again changes nothing."""
    _columns[column.name] = column


def registered() -> list[SealedColumn]:
    """Return every column that holds encrypted values, by name."""
    return [_columns[name] for name in sorted(_columns)]
