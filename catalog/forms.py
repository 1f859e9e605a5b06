"""Forms of the catalog. They check and collect; `catalog.services` writes."""

from typing import Any, ClassVar

from django import forms

from accounts.models import User
from accounts.people_fields import offer_people
from catalog.models import Service, Team
from core.forms import RefusalMixin, UnseenChangeMixin

__all__ = ["ServiceForm", "TeamForm"]


class _CatalogForm(UnseenChangeMixin, RefusalMixin, forms.ModelForm):
    """A form whose slug is asked for once: it is an address, and stays what it was."""

    shown_at: ClassVar = {"dependencies": "hard"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False
        self.fields["name"].help_text = "The slug, unless you say otherwise."
        if self.instance.pk:
            del self.fields["slug"]

    def values(self, *without: str) -> dict[str, Any]:
        """Return what was entered, by field of the model; an empty name is left out."""
        entered = {name: value for name, value in self.cleaned_data.items() if name not in without}
        if not entered.get("name"):
            entered.pop("name", None)
        return entered


class ServiceForm(_CatalogForm):
    """A service and what it depends on."""

    hard = forms.ModelMultipleChoiceField(
        Service.objects.none(),
        required=False,
        to_field_name="slug",
        label="Stops with",
        help_text="Hard dependencies: this service is down when one of them is.",
    )
    soft = forms.ModelMultipleChoiceField(
        Service.objects.none(),
        required=False,
        to_field_name="slug",
        label="Uses",
        help_text="Soft dependencies: without them it does less, but goes on.",
    )

    class Meta:
        model = Service
        fields = (
            "slug",
            "name",
            "description",
            "tier",
            "owner",
            "is_private",
            "lifecycle",
            "kind",
            "system",
            "runbook_url",
            "repository_url",
            "hard",
            "soft",
            "aws_region",
            "ecs_cluster",
            "ecs_service",
            "rds_instance",
            "load_balancer",
        )
        labels = {
            "is_private": "Private",
            "aws_region": "AWS region",
            "ecs_cluster": "ECS cluster",
            "ecs_service": "ECS service",
            "rds_instance": "RDS instance",
        }
        widgets = {
            "description": forms.Textarea({"rows": 3}),
            "runbook_url": forms.URLInput(),
            "repository_url": forms.URLInput(),
        }

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Service.objects.visible_to(user).exclude(pk=self.instance.pk)
        for name in ("hard", "soft"):
            field = self.fields[name]
            field.queryset = known  # type: ignore[attr-defined]
            field.label_from_instance = _slug_and_name  # type: ignore[attr-defined]
        if self.instance.pk:
            links = list(self.instance.dependencies.select_related("target"))
            self.initial["hard"] = [link.target.slug for link in links if link.is_hard]
            self.initial["soft"] = [link.target.slug for link in links if not link.is_hard]

    def dependencies(self) -> dict[Service, bool]:
        """Return what the service needs; named in both lists, it is hard."""
        soft = dict.fromkeys(self.cleaned_data["soft"], False)
        return soft | dict.fromkeys(self.cleaned_data["hard"], True)


class TeamForm(_CatalogForm):
    """A team and its people."""

    class Meta:
        model = Team
        fields = ("slug", "name", "description", "contact", "members")
        widgets = {"description": forms.Textarea({"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_stored = self.instance.pk is not None
        kept = self.instance.members.values_list("pk", flat=True) if is_stored else ()
        offer_people(self, field="members", kept=kept)


def _slug_and_name(service: Service) -> str:
    return service.slug if service.name == service.slug else f"{service.slug}: {service.name}"
