"""Forms of action items and postmortems. They check and collect; `incidents.services` writes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from accounts.people_fields import offer_people
from core.forms import InstantField, LinesField, OnceMixin, RefusalMixin, UnseenChangeMixin
from incidents.domain.postmortems import LONGEST_SECTION, NEEDED, SECTIONS, Section, digest, merged
from incidents.models import ActionItem, Postmortem

__all__ = ["ActionItemForm", "CommentForm", "DropForm", "NewActionItemForm", "PostmortemForm"]

_NAMES = (*(section.name for section in SECTIONS), "due_at")
_LEAST_ROWS, _MOST_ROWS = 4, 20
CROSSED = (
    "Somebody else changed this after you opened the page. Theirs is shown above; saving again"
    " replaces it by yours."
)


class ActionItemForm(UnseenChangeMixin, RefusalMixin, forms.ModelForm[ActionItem]):
    """What is to be done, by whom and until when."""

    class Meta:
        model = ActionItem
        fields = ("title", "kind", "owner", "due_on", "url")
        widgets: ClassVar = {"due_on": forms.DateInput({"type": "date"}, format="%Y-%m-%d")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_people(self, field="owner", kept=[self.instance.owner_id])

    def _post_clean(self) -> None:
        """Leave it to the service to check the row: it names all that is wrong."""


class NewActionItemForm(OnceMixin, ActionItemForm):
    """One more of them, however often its button is pressed."""


class DropForm(RefusalMixin, forms.Form):
    """Why something is not done."""

    reason = forms.CharField(max_length=500, label="Why it is not done")


class CommentForm(RefusalMixin, forms.Form):
    """What somebody says of a postmortem."""

    comment = LinesField(
        required=False,
        max_length=10_000,
        help_text="Sending it back needs one: what is still to be written?",
        widget=forms.Textarea({"rows": 3}),
    )
    # Version of the texts on the page with the buttons: what nobody read is not approved.
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def show(self, version: int) -> None:
        """Send along which texts the reader sees now."""
        self.initial["seen"] = version
        if self.is_bound:
            assert isinstance(self.data, QueryDict)
            self.data = self.data.copy()
            self.data["seen"] = str(version)


class PostmortemForm(RefusalMixin, forms.Form):
    """The sections of a postmortem, put together with what others wrote meanwhile.

    It sends along what tells each section as it was shown: what only one of two people changed is
    kept of both, and what both changed is shown to the one who saves last.
    """

    due_at = InstantField(
        required=False, label="Due", help_text="UTC; empty: as the policy of its severity says."
    )
    seen = forms.CharField(required=False, max_length=1000, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, postmortem: Postmortem) -> None:
        self.stored = _as_texts(postmortem)
        texts = {**postmortem.texts, "due_at": postmortem.due_at}
        super().__init__(data, initial={**texts, "seen": _stamps(self.stored)})
        for section in SECTIONS:
            self.fields[section.name] = _text_field(section, self.stored[section.name])
        self.order_fields([*(section.name for section in SECTIONS), "due_at", "seen"])
        self.changes: dict[str, Any] = {}
        self.theirs: list[tuple[str, str]] = []

    def clean(self) -> dict[str, Any]:
        """Work out what this writer changed; refuse what somebody else changed as well."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: _as_text(said[name]) for name in _NAMES if name in said}
        stamps = said.get("seen", "").split(",")
        seen = dict(zip(_NAMES, stamps, strict=False))
        found = merged(self.stored, seen, given)
        self.changes = {name: said[name] for name in found.changes}
        for name in found.crossed:
            self.add_error(name, CROSSED)
            self.theirs.append((str(self.fields[name].label), self.stored[name]))
        self._show_what_is_stored(given, {*found.changes, *found.crossed})
        return said

    def _show_what_is_stored(self, given: Mapping[str, str], own: set[str]) -> None:
        """Have the form, if it is shown again, begin with what others wrote where this one did not."""
        assert isinstance(self.data, QueryDict)
        self.data = self.data.copy()
        self.data["seen"] = _stamps(self.stored)
        for name in given.keys() - own:
            self.data[name] = self.stored[name]


def _text_field(section: Section, text: str) -> forms.CharField:
    needed = " Needed before a review." if section.name in NEEDED else ""
    rows = min(max(_LEAST_ROWS, text.count("\n") + 2), _MOST_ROWS)
    # The service counts as well: a browser sends two characters for a new line.
    return forms.CharField(
        required=False,
        label=section.heading,
        help_text=f"{section.hint}{needed}",
        max_length=2 * LONGEST_SECTION,
        widget=forms.Textarea({"rows": rows}),
    )


def _as_texts(postmortem: Postmortem) -> dict[str, str]:
    return {**postmortem.texts, "due_at": _as_text(postmortem.due_at)}


def _as_text(value: Any) -> str:
    """Return what was entered or is stored as both are compared."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    return f"{value:%Y-%m-%dT%H:%M}"


def _stamps(texts: Mapping[str, str]) -> str:
    return ",".join(digest(texts[name]) for name in _NAMES)
