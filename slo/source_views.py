"""The page of sources: whether each answers, how far it was fetched, and what is back-filled."""

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.models import Service
from core.htmx import render_page
from slo.models import BackfillJob, PullState, Sli, Source

NEWEST = 20


@require_safe
@requires(Role.VIEWER)
def source_list(request: HttpRequest) -> HttpResponse:
    """Show every source with the gaps of its SLIs, and the newest backfills."""
    visible = Service.objects.visible_to(signed_in(request)).values("pk")
    pulls = PullState.objects.filter(sli__service__in=visible).exclude(gap_since=None)
    by_source: dict[int, list[PullState]] = {}
    for pull in pulls.select_related("sli__service").order_by("sli__slug"):
        by_source.setdefault(pull.sli.source_id or 0, []).append(pull)
    rows = [
        {"source": source, "gaps": by_source.get(source.pk, []), "slis": source.slis.all()}
        for source in Source.objects.prefetch_related(
            Prefetch("slis", Sli.objects.filter(service__in=visible))
        )
    ]
    backfills = BackfillJob.objects.filter(sli__service__in=visible).select_related("sli")
    return render_page(request, "slo/sources.html", {"rows": rows, "backfills": backfills[:NEWEST]})
