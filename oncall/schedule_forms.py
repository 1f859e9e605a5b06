"""Forms of the schedule editor. They check and collect; `oncall.services` writes."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms.formsets import formset_factory

from accounts.models import User
from core.forms import InstantField
from oncall.domain.hours import read_hours, written
from oncall.editor_forms import EditorForm, RowFormSet
from oncall.models import Layer, Schedule
from oncall.models.schedules import HOLIDAY_RULES, UNITS

__all__ = ["LayerFormSet", "ScheduleForm", "layers_of"]


class ScheduleForm(EditorForm):
    """What holds for a schedule as a whole."""

    part = "layers"

    class Meta:
        model = Schedule
        fields = ("slug", "name", "team", "timezone", "holidays", "description")
        widgets = {"description": forms.Textarea({"rows": 2})}

    def values(self) -> dict[str, Any]:
        """Return what was entered, by field of the model."""
        return dict(self.cleaned_data)


class LayerForm(forms.Form):
    """One rotation: who takes turns, when they hand over, and when it holds."""

    name = forms.CharField(max_length=120, required=False)
    people = forms.CharField(
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text="Usernames in turn, one a line.",
    )
    first_on = forms.DateField(
        required=False,
        label="First handover on",
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )
    handover_at = forms.TimeField(
        initial="09:00", label="Handover at", widget=forms.TimeInput({"type": "time"})
    )
    every = forms.IntegerField(min_value=1, max_value=366, initial=1, label="A turn is")
    unit = forms.ChoiceField(choices=UNITS, initial="weeks")
    restrictions = forms.CharField(
        required=False,
        label="Only at",
        widget=forms.Textarea({"rows": 2, "placeholder": "Mon-Fri 09:00-17:00"}),
        help_text="Hours at which it holds, one range a line; empty: always.",
    )
    on_holidays = forms.ChoiceField(choices=HOLIDAY_RULES, initial="as_usual")
    until = InstantField(required=False, label="Ends", help_text="UTC; empty: never.")

    @property
    def is_given(self) -> bool:
        """Whether it is a layer at all; what is left empty is none."""
        said = self.cleaned_data
        return not said.get("DELETE") and bool(said.get("name") or said.get("people"))

    def clean_people(self) -> list[User]:
        """Return who takes turns; somebody who was deactivated stays until they are taken out.

        Raises:
            ValidationError: Names whom nobody knows, or who is no longer active and is new here.
        """
        names = self.cleaned_data["people"].replace(",", " ").split()
        known = {user.username: user for user in User.objects.filter(username__in=names)}
        unknown = [name for name in names if name not in known]
        held = self.initial.get("people", "").split()
        gone = [name for name in names if name in known and not known[name].is_active]
        gone = [name for name in gone if name not in held]
        if unknown:
            raise ValidationError(f"Nobody is called {', '.join(dict.fromkeys(unknown))}.")
        if gone:
            raise ValidationError(f"No longer active: {', '.join(dict.fromkeys(gone))}.")
        return [known[name] for name in names]

    def clean_restrictions(self) -> list[dict[str, Any]]:
        """Return when it holds.

        Raises:
            ValidationError: A line says no hours.
        """
        lines = filter(str.strip, self.cleaned_data["restrictions"].splitlines())
        try:
            found = [read_hours(line) for line in lines]
        except ValueError as error:
            raise ValidationError(f"{error}.".capitalize()) from error
        return [
            {"begins": hours.begins, "ends": hours.ends, "weekdays": sorted(hours.weekdays)}
            for hours in found
        ]

    def clean(self) -> dict[str, Any]:
        """Refuse layers that are half said."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("DELETE") or not (said.get("name") or self["people"].data):
            return said
        for name, missing in {
            "name": "Name it, e.g. Weekly.",
            "first_on": "Say when the first turn begins.",
            "people": "Name who takes turns.",
        }.items():
            if name not in self.errors and not said.get(name):
                self.add_error(name, missing)
        return said


class _Layers(RowFormSet[LayerForm]):
    """All layers of a schedule, the lowest first."""

    def given(self) -> list[LayerForm]:
        """Return those that are layers, the lowest first."""
        found = [form for form in self.forms if form.is_given]
        return sorted(found, key=lambda form: form.cleaned_data.get("ORDER") or len(self.forms))

    def layers(self) -> list[dict[str, Any]]:
        """Return what `save_schedule` takes."""
        return [
            {
                name: value
                for name, value in form.cleaned_data.items()
                if name not in {"DELETE", "ORDER"}
            }
            for form in self.given()
        ]


LayerFormSet = cast(
    "type[_Layers]",
    formset_factory(
        LayerForm,
        formset=_Layers,
        extra=1,
        max_num=20,
        absolute_max=60,
        can_delete=True,
        can_order=True,
    ),
)


def layers_of(schedule: Schedule) -> list[dict[str, Any]]:
    """Return what the forms of a schedule's layers begin with; of a new one there are none."""
    if not schedule.pk:
        return []
    return [_layer(layer) for layer in schedule.layers.all()]


def _layer(layer: Layer) -> dict[str, Any]:
    members = sorted(layer.members.all(), key=lambda member: member.position)
    return {
        "name": layer.name,
        "people": "\n".join(member.person.username for member in members),
        "first_on": layer.first_on,
        "handover_at": f"{layer.handover_at:%H:%M}",
        "every": layer.every,
        "unit": layer.unit,
        "restrictions": "\n".join(written(rule.hours) for rule in layer.restrictions.all()),
        "on_holidays": layer.on_holidays,
        "until": layer.until,
    }
