"""What a change really changes: who reads the audit wants to know what is other than before."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

__all__ = ["differing"]


def differing(row: Model, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `fields` by which a stored row would be another; of a new one all.

    Args:
        row: As it is stored.
        fields: What to set, by field of the model.
    """
    if row.pk is None:
        return dict(fields)
    return {name: value for name, value in fields.items() if getattr(row, name) != value}
