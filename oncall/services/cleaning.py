"""Model validation as errors that name the field."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from core.errors import InvalidInput
from oncall.models.schedules import weekday_list

__all__ = ["clean", "each_day_once"]


def each_day_once(days: Any) -> Any:
    """Return weekdays once each, from Monday on; what is no list of them stays for the model to refuse."""
    try:
        weekday_list(days)
    except ValidationError:
        return days
    return sorted(set(days))


def clean(row: Model, *, within: str = "", without: Sequence[str] = ()) -> None:
    """Let a model say what is wrong with a row.

    Args:
        row: Not saved yet.
        within: Path of a row that is part of another one, e.g. `layers[0]`.
        without: Fields that are not looked at.

    Raises:
        InvalidInput: The first wrong field, or of a row in a list all of them.
    """
    try:
        row.full_clean(exclude=[*without])
    except ValidationError as error:
        found = {name: " ".join(said) for name, said in error.message_dict.items()}
        if within:
            paths = {
                within if name == "__all__" else f"{within}.{name}": [said]
                for name, said in found.items()
            }
            text = " ".join(f"{path}: {said}" for path, (said,) in paths.items())
            raise InvalidInput(text, fields=paths) from error
        name, said = next(iter(found.items()))
        raise InvalidInput(said, field=None if name == "__all__" else name) from error
