"""Which services a list shows: the same parameters for the page, the API and the CSV."""

import django_filters
from django.db.models import QuerySet

from catalog.models import Service, Team

__all__ = ["ServiceFilter", "TeamFilter"]


class ServiceFilter(django_filters.FilterSet):
    """`?tier=0&tier=1&owner=payments&lifecycle=production&search=words`."""

    tier = django_filters.MultipleChoiceFilter(choices=Service.Tier.choices)
    owner = django_filters.ModelChoiceFilter(
        queryset=Team.objects.all(), to_field_name="slug", help_text="Slug of the owning team."
    )
    lifecycle = django_filters.CharFilter(lookup_expr="iexact")
    kind = django_filters.CharFilter(lookup_expr="iexact")
    system = django_filters.CharFilter(lookup_expr="iexact")
    search = django_filters.CharFilter(
        method="filter_search", help_text="Words in slug, name, description or owner."
    )

    class Meta:
        model = Service
        fields = ["tier", "owner", "lifecycle", "kind", "system", "search"]

    def filter_search(
        self, queryset: QuerySet[Service], _name: str, value: str
    ) -> QuerySet[Service]:
        """Keep the rows that hold every word of `value`."""
        return queryset.search(value)  # type: ignore[attr-defined, no-any-return]


class TeamFilter(django_filters.FilterSet):
    """`?member=alice&search=words`."""

    member = django_filters.CharFilter(
        field_name="members__username", help_text="User name of one of its people."
    )

    class Meta:
        model = Team
        fields = ["member"]
