"""Forms of silences and maintenance. They check and collect; `incidents.services` writes."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from catalog.models import Service
from catalog.service_fields import offer_services
from core.durations import DurationField
from core.forms import AsOfMixin, InstantField, LinesField, OnceMixin, RefusalMixin
from incidents.domain.silencing import matcher_problem, read_matcher
from incidents.public_pages import LONGEST_TEXT, NEUTRAL, PublicWords
from oncall.models.schedules import known_zone

__all__ = ["MaintenanceForm", "PublicWordsForm", "SilenceForm"]


class _SpanForm(OnceMixin, RefusalMixin, forms.Form):
    """What both ask: of which service, from when, and for how long."""

    shown_at: ClassVar = {"ends_at": "length"}

    service = forms.ModelChoiceField(Service.objects.none(), to_field_name="slug", required=False)
    starts_at = InstantField(label="From", required=False, help_text="UTC; empty: now.")
    length = DurationField(label="For", initial="1 h", help_text="E.g. 45 min, 2 h or 3 d.")
    comment = forms.CharField(
        max_length=500,
        label="Why",
        help_text="For whoever wonders at 3 a.m. why nobody was called.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_services(self, user)

    def span(self, now: datetime) -> dict[str, datetime]:
        """Return when it begins and ends."""
        begins: datetime = self.cleaned_data["starts_at"] or now
        length: timedelta = self.cleaned_data["length"]
        return {"starts_at": begins, "ends_at": begins + length}


class SilenceForm(_SpanForm):
    """For what nobody is to be called."""

    matchers = forms.CharField(
        required=False,
        widget=forms.Textarea({"rows": 3, "placeholder": 'alertname="DiskFull"'}),
        help_text="Labels of the alerts, one a line: = and != compare, =~ and !~ take a pattern."
        " Also title, severity and source. Without any: all of the service.",
    )

    field_order = ("service", "matchers", "starts_at", "length", "comment")

    def clean_matchers(self) -> list[dict[str, str]]:
        """Return them as they are stored.

        Raises:
            ValidationError: A line says none.
        """
        lines = filter(str.strip, self.cleaned_data["matchers"].splitlines())
        found = []
        for line in lines:
            try:
                matcher = read_matcher(line)
            except ValueError as error:
                raise ValidationError(f"{error}.".capitalize()) from error
            if problem := matcher_problem(matcher):
                raise ValidationError(problem)
            found.append(matcher)
        return found

    def values(self, now: datetime) -> dict[str, Any]:
        """Return what was entered, by field of the model."""
        said = self.cleaned_data
        names = ("service", "matchers", "comment")
        return {**{name: said[name] for name in names}, **self.span(now)}


class _WordsForm(RefusalMixin, forms.Form):
    """What the public reads of maintenance."""

    public_title = forms.CharField(
        max_length=200,
        required=False,
        label="Public title",
        help_text=f"As everybody reads it; empty: “{NEUTRAL}”. What is done is never shown.",
    )
    public_text = LinesField(
        max_length=LONGEST_TEXT,
        required=False,
        widget=forms.Textarea({"rows": 4}),
        label="Public text",
        help_text="What users notice.",
    )
    is_public = forms.BooleanField(
        required=False,
        initial=True,
        label="Show it on the status page",
        help_text="Where the page has a component of the service; you see it before it is public.",
    )

    def words(self) -> PublicWords:
        """Return what was entered for the public."""
        said = self.cleaned_data
        return PublicWords(said["public_title"], said["public_text"], said["is_public"])

    def refuse_words(self, error: ValidationError) -> None:
        """Show what the page refuses at the fields of this form."""
        shown_at = {"title": "public_title", "text": "public_text", "is_shown": "is_public"}
        for name, said in error.message_dict.items():
            self.add_error(shown_at.get(name), said)


class PublicWordsForm(AsOfMixin, _WordsForm):
    """What the public reads of maintenance that is planned."""

    def __init__(self, *args: Any, words: PublicWords, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {
            "public_title": words.title,
            "public_text": words.text,
            "is_public": words.is_shown,
        }


class MaintenanceForm(_WordsForm, _SpanForm):
    """Planned work, once or repeating."""

    rule = forms.CharField(
        max_length=300,
        required=False,
        label="Repeats",
        help_text="RRULE, e.g. FREQ=WEEKLY;BYDAY=SU; empty: once.",
    )
    timezone = forms.CharField(
        max_length=64,
        initial="UTC",
        validators=[known_zone],
        help_text="Whose wall clock the repetition follows.",
    )
    excludes_budget = forms.BooleanField(
        required=False,
        label="Leave error budgets alone",
        help_text="Its minutes count in no error budget of the service.",
    )

    field_order = (
        "service", "comment", "starts_at", "length", "rule", "timezone", "excludes_budget",
        "public_title", "public_text", "is_public",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service"].required = True
        self.fields["comment"].label = "What is done"

    def values(self, now: datetime) -> dict[str, Any]:
        """Return what was entered, by field of the model."""
        said = self.cleaned_data
        names = ("service", "rule", "timezone", "comment", "excludes_budget")
        return {**{name: said[name] for name in names}, **self.span(now)}
