"""SLOs in the form that exports are written from."""

from collections.abc import Sequence

from slo.domain.exchange.exported import Exported
from slo.domain.exchange.planning import MEASURED
from slo.domain.exchange.windows import WindowDraft
from slo.domain.windows import Period
from slo.models import CompositeMember, Sli, Slo


def exported(slugs: Sequence[str] = ()) -> list[Exported]:
    """Return all SLOs, or those named with the members that they need; composites last."""
    rows = Slo.objects.select_related("sli__service", "sli__source", "policy").prefetch_related(
        "versions"
    )
    slos = {slo.pk: slo for slo in rows}
    members: dict[int, list[tuple[int, int]]] = {}
    for sli, slo, weight in CompositeMember.objects.order_by("pk").values_list(
        "sli_id", "slo_id", "weight"
    ):
        members.setdefault(sli, []).append((slo, weight))
    wanted = {pk for pk, slo in slos.items() if not slugs or slo.slug in slugs}
    for pk in list(wanted):
        wanted |= {member for member, _ in members.get(slos[pk].sli_id, [])}
    chosen = sorted(
        (slos[pk] for pk in wanted),
        key=lambda slo: (slo.sli.kind == Sli.Kind.COMPOSITE, slo.slug),
    )
    return [
        _exported(slo, [(slos[pk].slug, weight) for pk, weight in members.get(slo.sli_id, [])])
        for slo in chosen
    ]


def _exported(slo: Slo, members: list[tuple[str, int]]) -> Exported:
    sli = slo.sli
    rolls = slo.window_kind == Slo.WindowKind.ROLLING
    window = WindowDraft(
        days=slo.window_days,
        period=None if rolls else Period(slo.calendar_period),
        timezone=slo.timezone,
    )
    return Exported(
        slug=slo.slug,
        name=slo.name,
        description=slo.description,
        service=sli.service.slug,
        objective=slo.objective,
        window=window,
        method=slo.method,
        minimum_events=slo.minimum_events,
        is_enabled=slo.is_enabled,
        sli=sli.slug,
        measured={name: getattr(sli, name) for name in ("kind", "description", *MEASURED)},
        source=sli.source.slug if sli.source else "",
        source_kind=sli.source.kind if sli.source else "",
        members=tuple(members) if sli.kind == Sli.Kind.COMPOSITE else (),
        policy=slo.policy.name if slo.policy else "",
        versions=len(slo.versions.all()),
    )
