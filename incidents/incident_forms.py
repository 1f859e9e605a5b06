"""Forms of incidents: each collects what one action needs; `incidents.services` acts."""

from django import forms

from accounts.models import User
from catalog.models import Service
from catalog.service_fields import offer_services
from core.forms import OnceMixin
from incidents.models import Alert, Incident, Severity
from incidents.queries.told import known_alerts

__all__ = [
    "AssignForm",
    "DeclareForm",
    "EscalateForm",
    "MergeForm",
    "NoteForm",
    "RelateForm",
    "SeverityForm",
    "SnoozeForm",
    "SplitForm",
]

_LARGEST_ID = 2**63 - 1
_OFFERED = 200


class DeclareForm(OnceMixin, forms.Form):
    """What somebody says who sees that something is wrong."""

    title = forms.CharField(max_length=200, help_text="One sentence: what do users notice?")
    service = forms.ModelChoiceField(Service.objects.none(), required=False)
    severity = forms.ChoiceField(choices=Severity.choices, initial=Severity.P1)
    summary = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 4})
    )

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        offer_services(self, user)


class EscalateForm(forms.Form):
    """Which level the button named: another one may have been called meanwhile."""

    step = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)


class SnoozeForm(forms.Form):
    """For how long nobody is to be called."""

    minutes = forms.TypedChoiceField(
        label="Call nobody for",
        coerce=int,
        choices=[(15, "15 minutes"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day")],
    )


class NoteForm(OnceMixin, forms.Form):
    """What the others should know."""

    text = forms.CharField(
        label="Note", max_length=10_000, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: object, incident: Incident, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].widget.attrs["data-draft"] = f"note {incident.pk}"


class SeverityForm(forms.Form):
    """How bad it is."""

    severity = forms.ChoiceField(choices=Severity.choices)


class AssignForm(forms.Form):
    """Whose it is."""

    to = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        label="Give it to",
        to_field_name="username",
    )


class MergeForm(forms.Form):
    """Which incident goes on: by its number, as a storm leaves thousands to choose from."""

    into = forms.IntegerField(
        min_value=1,
        max_value=_LARGEST_ID,
        label="Merge into",
        help_text="The number of the open incident that goes on.",
    )

    def __init__(self, *args: object, user: User, incident: Incident, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._others = Incident.objects.visible_to(user).open().exclude(pk=incident.pk)

    def clean_into(self) -> Incident:
        """Return the incident of that number, if the person may see it and it is open."""
        found = self._others.filter(pk=self.cleaned_data["into"]).first()
        if found is None:
            raise forms.ValidationError("There is no other open incident with this number.")
        return found


class RelateForm(forms.Form):
    """Which incident has to do with it, or no longer has."""

    other = forms.IntegerField(
        min_value=1,
        max_value=_LARGEST_ID,
        label="Has to do with",
        help_text="The number of another incident.",
    )

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._user = user

    def clean_other(self) -> Incident:
        """Return the incident of that number, if the person may see it."""
        found = Incident.objects.visible_to(self._user).filter(pk=self.cleaned_data["other"])
        if (incident := found.first()) is None:
            raise forms.ValidationError("There is no incident with this number.")
        return incident


class SplitForm(forms.Form):
    """Which of its alerts become an incident of their own."""

    alerts = forms.ModelMultipleChoiceField(
        Alert.objects.none(),
        label="Make these alerts an incident of their own",
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: object, user: User, incident: Incident, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        own = self.fields["alerts"]
        assert isinstance(own, forms.ModelMultipleChoiceField)
        newest = known_alerts(incident, user).order_by("-opened_at", "-pk").values("pk")[:_OFFERED]
        own.queryset = Alert.objects.filter(pk__in=newest)
