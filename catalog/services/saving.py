"""Checking and saving a row of the catalog, the same for teams and services."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model

from core.errors import Conflict, InvalidInput

__all__ = ["assign", "check", "insert", "refuse_rename"]


def assign(row: Model, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Set `values` on `row` and return what changed as `{field: [before, after]}` in plain text."""
    changes: dict[str, list[Any]] = {}
    for name, value in values.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            changes[name] = [_plain(before), _plain(value)]
    return changes


def check(row: Model) -> None:
    """Validate every field of `row` but its uniqueness.

    Raises:
        InvalidInput: Names each wrong field.
    """
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        fields = {
            "body" if name == NON_FIELD_ERRORS else name: messages
            for name, messages in error.message_dict.items()
        }
        sentence = "; ".join(f"{name}: {' '.join(said)}" for name, said in fields.items())
        raise InvalidInput(sentence, fields=fields) from error


def insert(row: Model, *, slug: str, noun: str) -> None:
    """Insert `row`.

    Raises:
        Conflict: Its slug is taken, also when another request took it a moment ago.
    """
    taken = Conflict(f"There is a {noun} {slug} already.", field="slug")
    if type(row)._default_manager.filter(slug=slug).exists():
        raise taken
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise taken from error


def refuse_rename(slug: str, values: Mapping[str, Any]) -> None:
    """Keep a slug what it was.

    Raises:
        InvalidInput: `values` hold another slug.
    """
    if values.get("slug", slug) != slug:
        raise InvalidInput(
            "The slug is the address others link to; it cannot be changed.", field="slug"
        )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Model) else value
