"""What the editors of policies and schedules have in common."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

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


def _stamp(row: EscalationPolicy | Schedule) -> str:
    return row.updated_at.isoformat()
