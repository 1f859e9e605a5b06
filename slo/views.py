"""Pages of SLOs."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import condition, require_safe

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.models import Service
from core.clock import floor_minute, now
from core.htmx import render_page
from incidents.models import Alert
from slo import charts, wording
from slo.domain.burn_alerts import Tier, tiers_for
from slo.domain.figures import Figures
from slo.domain.figures import Round as RoundFigures
from slo.domain.judging import NAMES
from slo.domain.plans import Method
from slo.domain.state import State
from slo.domain.windows import BURN_WINDOWS, Window
from slo.exports import objectives_csv
from slo.models import CompositeMember, Round, Slo
from slo.queries import SliceReader, figures, history, ledgers, plans
from slo.services import input_checks
from slo.services.alerting import SOURCE, in_words, unit_of
from slo.services.evaluation import slo_window

PAGE_SIZE = 25
# What a row of the list shows of an SLO: wide rows of many SLOs would cost more than their figures.
ROW = (
    "slug",
    "name",
    "method",
    "window_kind",
    "window_days",
    "calendar_period",
    "timezone",
    "sli__slot",
    "sli__service__slug",
    "sli__service__name",
)
SORTS = {
    "slug": ("slug",),
    "service": ("sli__service__slug", "slug"),
}
NOTHING = dict.fromkeys(("good", "total", "measured", "expected", "rate"))
RANGES = {"3h": timedelta(hours=3), "1d": timedelta(days=1), "7d": timedelta(days=7)}


def list_tag(request: HttpRequest) -> str | None:
    """Return what a poll's rows depend on: the round, who asks, and the question.

    One indexed read. A page that is opened is always rendered: what was just edited shows at once.
    """
    htmx = getattr(request, "htmx", None)
    if not htmx or htmx.boosted:
        return None
    newest = Round.objects.order_by("-watermark").values_list("watermark", "evaluated_at").first()
    user = signed_in(request)
    asked = (newest, user.pk, user.role, request.get_full_path())
    return f'"{hashlib.sha256(repr(asked).encode()).hexdigest()[:32]}"'


@require_safe
@requires(Role.VIEWER)
@condition(etag_func=list_tag)
def slo_list(request: HttpRequest) -> HttpResponseBase:
    """Show all SLOs with state, budget and burn; filter, search, sort, export (`format=csv`)."""
    found = filtered(Slo.objects.visible_to(signed_in(request)), request)
    round_ = figures.newest()
    pks = ordered(found, request, round_)
    if request.GET.get("format") == "csv":
        rows = Slo.objects.select_related("sli__service").prefetch_related("versions").in_bulk(pks)
        return objectives_csv(figures.attach([rows[pk] for pk in pks if pk in rows], round_))
    page = Paginator(pks, PAGE_SIZE).get_page(request.GET.get("page"))
    slos = figures.attach(in_order(list(page.object_list)), round_)
    recent = last_day(slos)
    context = {
        "page": page,
        "rows": [{"slo": slo, "recent": recent[slo.pk]} for slo in slos],
        "q": request.GET.get("q", ""),
        "state": request.GET.get("state", ""),
        "sort": request.GET.get("sort", "state"),
        "can_import": signed_in(request).has_role(Role.MANAGER),
        "states": [(state.value, state.value.replace("_", " ").capitalize()) for state in State],
    }
    return render_page(request, "slo/list.html", context, partial="rows")


def last_day(slos: list[Slo]) -> dict[int, list[float | None]]:
    """Return each SLO's share of good events by clock hour over the last 24 hours, by its id."""
    end = floor_minute(now())
    first = end.replace(minute=0) - timedelta(hours=23)
    return charts.recent_errors(slos, SliceReader(), Window(first, end), timedelta(hours=1))


def filtered(slos: QuerySet[Slo], request: HttpRequest) -> "QuerySet[Slo]":
    """Apply the list's query parameters: q, state."""
    if words := request.GET.get("q", "").strip():
        slos = slos.filter(
            Q(slug__icontains=words)
            | Q(name__icontains=words)
            | Q(sli__service__name__icontains=words)
        )
    state = request.GET.get("state", "")
    if state == "no_data":
        return slos.filter(Q(standing=None) | Q(standing__state="no_data"))
    return slos.filter(standing__state=state) if state else slos


def ordered(slos: QuerySet[Slo], request: HttpRequest, found: RoundFigures | None) -> list[int]:
    """Return the ids of the list in the order that its `sort` asks for.

    Else the least budget comes first: what needs somebody is on top; what has no figures is last.
    """
    sort = request.GET.get("sort", "")
    pks = list(slos.order_by(*SORTS.get(sort, ("slug",))).values_list("pk", flat=True))
    return pks if sort in SORTS else figures.by_budget_spent(pks, found)


def in_order(pks: list[int]) -> list[Slo]:
    """Return the SLOs of a page with what their rows show, in the order of `pks`."""
    slos = Slo.objects.select_related("sli__service").only(*ROW).prefetch_related("versions")
    found = slos.in_bulk(pks)
    return [found[pk] for pk in pks if pk in found]


@require_safe
@requires(Role.VIEWER)
def service_panel(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the objectives of one service, for its page."""
    service = get_object_or_404(Service.objects.visible_to(signed_in(request)), slug=slug)
    slos = figures.attach(
        list(
            Slo.objects.filter(sli__service=service)
            .select_related("sli__service")
            .prefetch_related("versions")
        )
    )
    recent = last_day(slos)
    rows = [{"slo": slo, "recent": recent[slo.pk]} for slo in slos]
    return render(request, "slo/service_panel.html", {"rows": rows, "service": service})


@require_safe
@requires(Role.VIEWER)
def slo_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one SLO: budget, burn rates, charts, versions, alerts, and where each figure is from."""
    slos = Slo.objects.visible_to(signed_in(request)).select_related(
        "sli__service__owner", "sli__source"
    )
    slo = get_object_or_404(slos.prefetch_related("versions__created_by"), slug=slug)
    status = slo.status = figures.of(slo)
    end = status.watermark if status else floor_minute(now())
    context: dict[str, Any] = {
        "slo": slo,
        "status": status,
        "stale_since": end if status and now() - end > timedelta(minutes=3) else None,
        "burn": burn_rows(slo, status),
        "versions": list(slo.versions.all())[::-1],
        **alerts_of(slo),
        "rule": wording.rule(slo.sli),
        "excluded": wording.excluded(slo.sli),
        "methods": method_rows(slo, status),
        **drawn(slo, request.GET.get("range", "3h"), end=end),
        **then(slo, request.GET.get("at", "")),
        **figure_notes(slo, status),
    }
    return render_page(request, "slo/detail.html", context)


def alerts_of(slo: Slo) -> dict[str, Any]:
    """Return the newest alerts on an SLO and its SLI's input, and what is doubted of that now."""
    of_slo = Q(source=SOURCE, dedup_key__startswith=f"{slo.slug}:")
    of_input = Q(source=input_checks.SOURCE, dedup_key__startswith=f"{slo.sli.slug}:")
    newest = list(Alert.objects.filter(of_slo | of_input).order_by("state", "-opened_at")[:20])
    firing = [alert for alert in newest if alert.state == Alert.State.FIRING]
    doubts = [alert for alert in firing if alert.source == input_checks.SOURCE]
    return {"alerts": newest, "doubts": doubts}


def drawn(slo: Slo, shown: str, *, end: datetime) -> dict[str, Any]:
    """Return the charts and the ledger: all that is read from slices."""
    plan, reader = plans.of(slo), SliceReader()
    window = slo_window(slo, end=end)
    recent = Window(end - RANGES.get(shown, RANGES["3h"]), end)
    widest = Window(min(window.start, recent.start), end)
    found = ledgers.happenings(slo, widest)
    happened = charts.marks(slo, found, widest)
    spent = None
    if not plan.is_composite:
        spent = ledgers.of(slo, end + plan.rule.delay, plan, happened=found)
    return {
        "range": shown if shown in RANGES else "3h",
        "ranges": [(name, name) for name in RANGES],
        "budget_chart": charts.budget_chart(plan, reader, since_data(slo, window), happened),
        "sli_chart": charts.sli_chart(plan, reader, since_data(slo, recent), happened),
        "burn_chart": charts.burn_chart(plan, reader, since_data(slo, recent), happened),
        "ledger": spent,
        "members": CompositeMember.objects.filter(sli=slo.sli).select_related("slo")
        if plan.is_composite
        else [],
    }


def then(slo: Slo, text: str) -> dict[str, Any]:
    """Return what was known of the SLO at an instant and what is counted for it now."""
    if not text:
        return {"at": None, "at_text": ""}
    try:
        at = parse_datetime(text)
        # In UTC: databases refuse offsets that Python takes.
        at = at.astimezone(UTC) if at and at.tzinfo else at
    except (ValueError, OverflowError):
        at = None
    if at is None or at.year < history.FIRST_YEAR:
        return {"at": None, "at_text": text, "at_error": "Give a time such as 2026-05-03T12:00."}
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now():
        return {"at": None, "at_text": text, "at_error": "Nothing is known of the future."}
    known, counted = history.known_at(at), history.counted_at(at)
    return {
        "at": at,
        "at_text": text,
        "known": known.get(slo.pk) if known else None,
        "counted": counted.get(slo.pk),
    }


def method_rows(slo: Slo, status: Figures | None) -> list[dict[str, Any]]:
    """Return the share of good events by each method, the chosen one marked."""
    shares = status.by_method if status else dict.fromkeys(Method)
    return [
        {
            "name": Slo.Method(method.value).label.split(":")[0],
            "share": share,
            "is_chosen": method.value == slo.method,
        }
        for method, share in shares.items()
    ]


def since_data(slo: Slo, window: Window) -> Window:
    """Return the window from the first data on: what was never watched is not drawn."""
    since = slo.sli.data_since
    return Window(max(window.start, since), window.end) if since and since < window.end else window


def burn_rows(slo: Slo, status: Figures | None) -> list[dict[str, Any]]:
    """Return a row per burn window: rate, counts and the tier that watches it."""
    tiers = tiers_for(slo.objective, slo.period)
    rows = []
    for name in BURN_WINDOWS:
        counted = (status.burn if status else {}).get(name, NOTHING)
        bad = None if counted["total"] is None else counted["total"] - counted["good"]
        rows.append({"window": name, **counted, "bad": bad, "tier": tier_text(name, tiers)})
    return rows


def tier_text(window: str, tiers: tuple[Tier, ...]) -> str:
    """Say at which rate this window takes part in an alert."""
    for tier in tiers:
        role = {NAMES[tier.share.long]: "long", NAMES[tier.short]: "short"}.get(window)
        if role and tier.enabled:
            return f"{tier.share.urgency} at {float(tier.threshold):.3g} × ({role} window)"
        if role:
            return tier.note
    return ""


def figure_notes(slo: Slo, status: Figures | None) -> dict[str, str]:
    """Return the words under the figures on top."""
    notes = {
        "sli_label": f"{slo.sli.get_kind_display().split(':')[0]} ({slo.window_name})",
        "version_note": f"{slo.versions.count()} target(s); each minute by the one in force",
        "counts_note": "",
        "budget_note": "",
        "state_note": "",
        "pace_note": "1 × spends exactly the budget",
        "state_label": (status.state if status else "no_data").replace("_", " "),
    }
    if status is None:
        return notes | {"state_note": "not evaluated yet"}
    notes["state_note"] = f"since {status.state_since:%-d %b, %H:%M} UTC"
    if status.lasts is not None and status.lasts:
        notes["pace_note"] = f"the budget lasts {in_words(status.lasts)} more at this pace"
    elif status.never_exhausts:
        notes["pace_note"] = "at this pace the budget lasts"
    notes["counts_note"] = f"{status.good:,} of {status.total:,} {unit_of(status)} good"
    notes["budget_note"] = f"{status.bad:,} bad of {status.allowed:,.1f} allowed"
    return notes
