"""What the editors of policies and schedules have in common."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from core.errors import DomainError
from core.forms import RefusalMixin
from oncall.models import EscalationPolicy, Schedule

__all__ = ["EditorForm"]


class EditorForm(RefusalMixin, forms.ModelForm):
    """A form of the row that the others of the page belong to.

    It notices when somebody else changed the row after it was shown.
    """

    as_of = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["as_of"] = _stamp(self.instance)
            del self.fields["slug"]

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

    def clean(self) -> dict[str, Any]:
        """Refuse to write over what the reader has not seen; sent again it is meant."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk and cleaned.get("as_of") != _stamp(self.instance):
            assert isinstance(self.data, QueryDict)
            self.data = self.data.copy()
            self.data["as_of"] = _stamp(self.instance)
            raise ValidationError(
                "Somebody changed it after you opened this page. Nothing was saved: look at it in"
                " another tab; saving again replaces it by what stands here."
            )
        return cleaned


def _row_of(path: str, rows: Sequence[forms.Form]) -> tuple[forms.Form | None, int, str]:
    """Return the row that a path leads to, its number from one on, and the field's name."""
    found = re.match(r"\w+\[(\d+)\](?:\.(\w+))?", path)
    if not found:
        return None, 0, ""
    at = int(found[1])
    return rows[at] if at < len(rows) else None, at + 1, found[2] or ""


def _stamp(row: EscalationPolicy | Schedule) -> str:
    return row.updated_at.isoformat()
