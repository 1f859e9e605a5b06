"""Model validation as errors that name the field."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db.models import Model

from core.errors import InvalidInput

__all__ = ["clean"]


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
