"""What the public reads of an incident, typed by somebody."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from core.forms import RefusalMixin
from statuspage.domain.statuses import Impact, Status
from statuspage.models import Component, PublicIncident
from statuspage.models.components import STATUSES
from statuspage.models.incidents import IMPACTS

__all__ = ["PublicIncidentForm"]


class PublicIncidentForm(RefusalMixin, forms.Form):
    """Title, impact, and how each component is while the incident lasts.

    `otherwise` is what is affected where nobody said anything yet.
    """

    title = forms.CharField(
        max_length=200,
        label="Public title",
        help_text="As everybody reads it. The incident's own title is never shown.",
    )
    impact = forms.ChoiceField(
        choices=[("", "As bad as the worst component"), *IMPACTS], required=False
    )

    def __init__(
        self,
        *args: Any,
        components: Iterable[Component],
        told: PublicIncident | None,
        otherwise: Mapping[Component, Status],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.components = {f"component-{each.public_id}": each for each in components}
        affected = {part.pk: str(status) for part, status in otherwise.items()}
        if told:
            affected = {one.component_id: one.status for one in told.affected.all()}
            self.initial = {**self.initial, "title": told.title, "impact": told.impact}
        for name, component in self.components.items():
            self.fields[name] = forms.ChoiceField(
                choices=[("", "Not affected"), *STATUSES],
                required=False,
                label=str(component),
                initial=affected.get(component.pk, ""),
            )

    @property
    def chosen_impact(self) -> Impact | None:
        """What was chosen; None: worked out."""
        chosen = self.cleaned_data["impact"]
        return Impact(chosen) if chosen else None

    @property
    def affected(self) -> dict[Component, Status]:
        """What was chosen of each component that is affected."""
        return {
            component: Status(self.cleaned_data[name])
            for name, component in self.components.items()
            if self.cleaned_data[name]
        }
