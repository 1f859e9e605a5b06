"""What the editors of policies and schedules have in common."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.formsets import (
    INITIAL_FORM_COUNT,
    TOTAL_FORM_COUNT,
    BaseFormSet,
    ManagementForm,
)
from django.utils.functional import cached_property

from core.errors import DomainError
from core.forms import RefusalMixin, UnseenChangeMixin

__all__ = ["EditorForm", "RowFormSet"]

F = TypeVar("F", bound=forms.Form)


class EditorForm(UnseenChangeMixin, RefusalMixin, forms.ModelForm):
    """A form of the row that the others of the page belong to.

    It notices when somebody else changed any of them after they were shown.

    Args:
        rows: What the others begin with.

    Attributes:
        part: Before the names of the others' fields.
    """

    part: ClassVar[str]

    def __init__(self, *args: Any, rows: Sequence[Mapping[str, Any]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows = rows
        if self.instance.pk:
            del self.fields["slug"]

    def shown(self) -> Any:
        """Return what the page began with; the rows in their order, which counts."""
        return [super().shown(), *self._rows]

    def is_told_elsewhere(self) -> bool:
        """Whether the rows are not as many as before: their formset says that this page is of no use."""
        return not _Counts(self.data, prefix=self.part, stored=len(self._rows)).is_valid()

    def _post_clean(self) -> None:
        """Leave checking the whole to the service, which knows more than the model."""

    def refuse_with(self, rows: Sequence[forms.Form], error: DomainError) -> None:
        """Show a refusal at its fields: a path as `layers[1].every` is a field of the second row.

        What no field is there for is said above all, with the number of the row.
        """
        above: dict[str, list[str]] = {}
        for path, said in error.fields.items():
            row, number, name = _row_of(path, rows)
            if row is not None and name in row.fields:
                row.add_error(name, said)
            else:
                above[path] = [f"Row {number}: {each}" for each in said] if number else said
        if above or not error.fields:
            self.refuse(type(error)(error.message, fields=above))


class _Counts(ManagementForm):
    """How many rows a page has: not fewer than are stored, since a box removes rows."""

    def __init__(self, *args: Any, stored: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = stored

    def clean(self) -> dict[str, Any]:
        """Refuse counts that the page as it is now does not send."""
        cleaned: dict[str, Any] = super().clean()
        began, total = cleaned[INITIAL_FORM_COUNT], cleaned[TOTAL_FORM_COUNT]
        if not self.errors and not began == self._stored <= total:
            raise ValidationError("These are not as many rows as there are.")
        return cleaned


class RowFormSet(BaseFormSet[F]):
    """The rows of an editor: what is stored is removed by its box, never by being left out."""

    default_error_messages: ClassVar = {
        "missing_management_form": (
            "Rows were added or removed after you opened this page. Nothing was saved: open it"
            " again, and enter there what you changed here."
        )
    }

    @cached_property
    def management_form(self) -> ManagementForm:
        """Return how many rows there are, and how many of them are stored."""
        if not self.is_bound:
            return super().management_form
        form = _Counts(
            self.data,
            auto_id=self.auto_id,
            prefix=self.prefix,
            stored=len(self.initial or ()),
        )
        form.full_clean()
        return form


def _row_of(path: str, rows: Sequence[forms.Form]) -> tuple[forms.Form | None, int, str]:
    """Return the row that a path leads to, its number from one on, and the field's name."""
    found = re.match(r"\w+\[(\d+)\](?:\.(\w+))?", path)
    if not found:
        return None, 0, ""
    at = int(found[1])
    return rows[at] if at < len(rows) else None, at + 1, found[2] or ""
