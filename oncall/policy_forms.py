"""Forms of the policy editor. They check and collect; `oncall.services` writes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.forms.formsets import formset_factory

from accounts.models import User
from catalog.models import Service, Team
from catalog.service_fields import offer_services
from core.durations import DurationField
from notifications.models import ContactMethod
from oncall.domain.escalations import DEFAULT_TIMINGS, Phase, Timing, Urgency
from oncall.editor_forms import EditorForm, RowFormSet
from oncall.models import EscalationPolicy, LevelTarget, PolicyLevel, Schedule
from oncall.models.policies import PHASE_TITLES, SEVERITIES, TARGET_ROLES
from oncall.queries.policies import timings_of

__all__ = ["LevelFormSet", "PolicyForm", "levels_of", "target_choices"]

WEEKDAYS = [(0, "Mon"), (1, "Tue"), (2, "Wed"), (3, "Thu"), (4, "Fri"), (5, "Sat"), (6, "Sun")]


def _how(urgency: Urgency, in_working_hours: bool) -> str:
    return f"{urgency} working" if in_working_hours else f"{urgency}"


HOW = [
    (_how(Urgency.HIGH, False), "wake people"),
    (_how(Urgency.HIGH, True), "wake people, counting working time"),
    (_how(Urgency.LOW, False), "low urgency"),
    (_how(Urgency.LOW, True), "low urgency, counting working time"),
]
_CELLS = [(phase, severity) for phase in Phase for severity, _ in SEVERITIES]


class PolicyForm(EditorForm):
    """What holds for a policy as a whole."""

    part = "levels"

    repeat_after = DurationField(
        help_text="From the last level to the first one again, e.g. 15 min."
    )
    ack_timeout = DurationField(
        label="Ask again after",
        required=False,
        help_text="Without activity for so long, whoever acknowledged is asked: still on it?",
    )
    work_days = forms.TypedMultipleChoiceField(
        choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    called_for = forms.ModelMultipleChoiceField(
        Service.objects.none(),
        required=False,
        to_field_name="slug",
        label="Services called by it",
        help_text="A service has one policy: chosen here, it leaves the one it had.",
    )

    class Meta:
        model = EscalationPolicy
        fields = (
            "slug", "name", "team", "description", "is_default", "loops", "repeat_after",
            "ack_timeout", "timezone", "work_begins", "work_ends", "work_days", "holidays",
        )  # fmt: skip
        widgets = {
            "description": forms.Textarea({"rows": 2}),
            "work_begins": forms.TimeInput({"type": "time"}),
            "work_ends": forms.TimeInput({"type": "time"}),
        }

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_services(self, user, field="called_for")
        self._unseen: list[Service] = []
        if self.instance.pk:
            held = Service.objects.filter(escalation__policy=self.instance)
            known = set(Service.objects.visible_to(user).values_list("pk", flat=True))
            self._unseen = [service for service in held if service.pk not in known]
            self.initial["called_for"] = [each.slug for each in held if each.pk in known]

    def values(self) -> dict[str, Any]:
        """Return what was entered, by field of the model."""
        return {name: value for name, value in self.cleaned_data.items() if name != "called_for"}

    def services(self) -> list[Service]:
        """Return which services it is for; those that the reader may not know of stay."""
        return [*self.cleaned_data["called_for"], *self._unseen]


def levels_of(policy: EscalationPolicy) -> list[dict[str, Any]]:
    """Return what the forms of a policy's levels begin with; a new policy follows the guide."""
    cells: dict[tuple[int, Phase, str], Timing] = {
        (timing.level, phase, severity): timing
        for phase, severity in _CELLS
        for timing in timings_of(policy if policy.pk else None, severity, phase)
    }
    if not policy.pk:
        return [{"number": number, **_cells(cells, number)} for number in range(1, 5)]
    return [{**_level(level), **_cells(cells, level.number)} for level in policy.levels.all()]


def _level(level: PolicyLevel) -> dict[str, Any]:
    return {
        "number": level.number,
        "name": level.name,
        "mode": level.mode,
        "acknowledgements": level.acknowledgements,
        "targets": [_reference(target) for target in level.targets.all()],
    }


def _reference(target: LevelTarget) -> str:
    keys = {
        "schedule": lambda: target.schedule.slug,  # type: ignore[union-attr]
        "person": lambda: target.person.username,  # type: ignore[union-attr]
        "team": lambda: target.team.slug,  # type: ignore[union-attr]
    }
    key = keys[target.kind]() if target.kind in keys else target.target_id
    return f"{target.kind}:{key}"


def _cells(cells: Mapping[tuple[int, Phase, str], Timing], number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for phase, severity in _CELLS:
        if timing := cells.get((number, phase, severity)):
            found[f"{phase}_{severity}_after"] = timing.after
            found[f"{phase}_{severity}_how"] = _how(timing.urgency, timing.in_working_hours)
    return found


def target_choices(policy: EscalationPolicy) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return whom levels may call, in groups, for all levels of a page at once.

    Somebody who was deactivated, and is still named by the policy, stays until they are removed.
    """
    held = Q(targets__level__policy=policy) if policy.pk else Q()
    people = User.objects.filter(Q(is_active=True) | held).order_by("username").distinct()
    channels = ContactMethod.objects.filter(person=None)
    groups = [
        ("Schedules", [(f"schedule:{row.slug}", row.name) for row in Schedule.objects.all()]),
        ("People", [(f"person:{row.username}", row.named) for row in people]),
        ("Teams", [(f"team:{row.slug}", row.name) for row in Team.objects.all()]),
        ("Channels", [(f"channel:{row.pk}", str(row)) for row in channels]),
        ("Everybody who is", [(f"role:{role}", str(label)) for role, label in TARGET_ROLES]),
    ]
    return [(name, rows) for name, rows in groups if rows]


class LevelForm(forms.Form):
    """One level: whom it calls, and when for each severity."""

    number = forms.IntegerField(min_value=1, max_value=9, label="Level")
    name = forms.CharField(max_length=120, required=False)
    targets = forms.MultipleChoiceField(required=False, label="Calls")
    mode = forms.ChoiceField(choices=PolicyLevel.Mode.choices, initial=PolicyLevel.Mode.ALL)
    acknowledgements = forms.IntegerField(
        min_value=1,
        max_value=9,
        initial=1,
        label="Acknowledgements",
        help_text="So many of them must answer before calling stops.",
    )

    def __init__(self, *args: Any, choices: Sequence[Any] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["targets"].choices = choices  # type: ignore[attr-defined]
        for phase, severity in _CELLS:
            after = DurationField(required=False, label=f"{severity} after")
            after.widget.attrs |= {"placeholder": "not called", "size": 9}
            self.fields[f"{phase}_{severity}_after"] = after
            self.fields[f"{phase}_{severity}_how"] = forms.ChoiceField(
                choices=HOW,
                label=f"{severity} how",
                required=False,
                # What a browser sends of a level that nobody filled in.
                initial=HOW[0][0],
            )

    @property
    def is_given(self) -> bool:
        """Whether it is a level at all; what is left empty is none."""
        said = self.cleaned_data
        return not said.get("DELETE") and bool(said.get("name") or said.get("targets"))

    def clean(self) -> dict[str, Any]:
        """Refuse levels that say when, but not whom."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("DELETE"):
            return said
        if said.get("name") and not said.get("targets"):
            self.add_error("targets", "Choose whom it calls, or remove the level.")
        if said.get("targets") and not said.get("name"):
            self.add_error("name", "Name it, e.g. On-call engineer.")
        return said

    def main_fields(self) -> Iterable[forms.BoundField]:
        """Return what stands above the matrix."""
        names = ("number", "name", "targets", "mode", "acknowledgements", "DELETE")
        return [self[name] for name in names if name in self.fields]

    def rows(self) -> list[tuple[str, list[tuple[str, forms.BoundField, forms.BoundField]]]]:
        """Return the matrix: of each phase the cells of all severities."""
        return [
            (
                label,
                [
                    (severity, self[f"{phase}_{severity}_after"], self[f"{phase}_{severity}_how"])
                    for severity, _ in SEVERITIES
                ],
            )
            for phase, label in PHASE_TITLES.items()
        ]

    def timing(self, phase: Phase, severity: str) -> Timing | None:
        """Return when it is called; None where it is not."""
        after = self.cleaned_data[f"{phase}_{severity}_after"]
        urgency, *working = (self.cleaned_data[f"{phase}_{severity}_how"] or "high").split()
        if after is None:
            return None
        return Timing(self.cleaned_data["number"], after, Urgency(urgency), bool(working))


class _Levels(RowFormSet[LevelForm]):
    """All levels of a policy."""

    def clean(self) -> None:
        """Refuse two levels of one number, and a policy without any."""
        if any(self.errors):
            return
        numbers = [form.cleaned_data["number"] for form in self.given()]
        if len(set(numbers)) != len(numbers):
            raise ValidationError("Each level has a number of its own.")
        if not numbers:
            raise ValidationError("Name at least one level and whom it calls.")

    def given(self) -> list[LevelForm]:
        """Return those that are levels, lowest first."""
        found = [form for form in self.forms if form.is_given]
        return sorted(found, key=lambda form: form.cleaned_data["number"])

    def levels(self) -> list[dict[str, Any]]:
        """Return what `save_policy` takes."""
        return [
            {
                "number": form.cleaned_data["number"],
                "name": form.cleaned_data["name"],
                "mode": form.cleaned_data["mode"],
                "acknowledgements": form.cleaned_data["acknowledgements"],
                "targets": _targets(form.cleaned_data["targets"], form.initial.get("targets", ())),
            }
            for form in self.given()
        ]

    def timings(self) -> list[dict[str, Any]]:
        """Return what `save_policy` takes: of what differs from the guide's matrix only.

        So a policy that follows the guide goes on following it.
        """
        found: list[dict[str, Any]] = []
        given = self.given()
        numbers = {form.cleaned_data["number"] for form in given}
        for phase, severity in _CELLS:
            own = [timing for form in given if (timing := form.timing(phase, severity))]
            guide = [t for t in DEFAULT_TIMINGS.get((phase, severity), ()) if t.level in numbers]
            if own == guide:
                continue
            found += [
                {
                    "phase": phase,
                    "severity": severity,
                    "level": timing.level,
                    "after": timing.after,
                    "urgency": timing.urgency,
                    "in_working_hours": timing.in_working_hours,
                }
                for timing in own
            ]
        return found


LevelFormSet = cast(
    "type[_Levels]",
    formset_factory(
        LevelForm,
        formset=_Levels,
        extra=1,
        max_num=9,
        absolute_max=30,
        validate_max=True,
        can_delete=True,
    ),
)


def _targets(chosen: Iterable[str], before: Iterable[str]) -> list[dict[str, Any]]:
    """Return targets by reference; those that stay keep their turn."""
    wanted = set(chosen)
    order = [*(each for each in before if each in wanted)]
    order += [each for each in chosen if each not in order]
    return [_target(*each.split(":", 1)) for each in order]


def _target(kind: str, key: str) -> dict[str, Any]:
    sources: Mapping[str, Any] = {
        "schedule": lambda: Schedule.objects.get(slug=key),
        "person": lambda: User.objects.get(username=key),
        "team": lambda: Team.objects.get(slug=key),
        "channel": lambda: ContactMethod.objects.get(pk=int(key)),
        "role": lambda: key,
    }
    return {kind: sources[kind]()}
