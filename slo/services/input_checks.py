"""Alerts on the input of SLIs: what a source says that cannot be, or that nobody measured."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse

from core.clock import floor_minute
from incidents.models import Alert, Severity
from incidents.services import intake
from incidents.services.intake import AlertSignal
from slo.domain import sanity
from slo.domain.blocks import Block
from slo.domain.sanity import Doubt, Finding, Input
from slo.domain.windows import Window
from slo.models import PullState, Round, Sli
from slo.queries import SliceReader

SOURCE = "slo-input"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TITLES = {
    Doubt.DOES_NOT_FIT: "counts that do not fit together",
    Doubt.STALE: "its source is silent",
    Doubt.NEVER_MOVES: "counts nothing",
    Doubt.CONSTANT: "the same error ratio every minute",
}


def check(*, now: datetime) -> int:
    """Open, refresh and resolve the alerts on what SLIs are fed with.

    Returns:
        Number of doubts there are.
    """
    newest = Round.objects.order_by("-watermark").values_list("watermark", flat=True).first()
    if newest is None:
        return 0
    counted = Sli.objects.exclude(kind=Sli.Kind.COMPOSITE).select_related("service", "pull")
    slis = {sli.slot: sli for sli in counted}
    found = read(newest, asked=frozenset(slot for slot, sli in slis.items() if sli.source_id))
    doubts = {
        (sli.slug, finding.doubt): signal_of(sli, finding)
        for finding in (*sanity.findings(found), *_misfits(slis, newest))
        if (sli := slis.get(finding.slot))
    }
    intake.receive_all([*doubts.values(), *_settled(found, slis, set(doubts))], now=now)
    return len(doubts)


def read(end: datetime, *, asked: frozenset[int]) -> Input:
    """Return what was counted up to `end`, in two reads."""
    end = floor_minute(end)
    reader = SliceReader()
    before = [Window(end - DAY * days - HOUR, end - DAY * days) for days in (1, 2)]
    day, yesterday, earlier = reader.sums([Window(end - DAY, end), *before])
    minutes = reader.minutes(Window(end - HOUR, end))
    step = int(HOUR / MINUTE)
    hour = [minutes.get(end - MINUTE * (step - n), Block.empty(0)) for n in range(step)]
    ever = reader.prefixes([end])[end]
    return Input(hour, day, (yesterday, earlier), ever, asked)


def _misfits(slis: dict[int, Sli], end: datetime) -> Iterator[Finding]:
    """Yield the SLIs whose source said within the last hour what cannot be."""
    states = PullState.objects.filter(insane_at__gte=end - HOUR).select_related("sli")
    for state in states:
        facts = {"minutes_ago": int((end - state.insane_at) / MINUTE)} if state.insane_at else {}
        yield Finding(state.sli.slot, Doubt.DOES_NOT_FIT, state.insane_reason, facts)


def signal_of(sli: Sli, finding: Finding) -> AlertSignal:
    """Return the alert of one doubt."""
    pull: PullState | None = getattr(sli, "pull", None)
    why = f" {pull.reason}" if finding.doubt is Doubt.STALE and pull and pull.reason else ""
    return AlertSignal(
        source=SOURCE,
        dedup_key=f"{sli.slug}:{finding.doubt}",
        firing=True,
        severity=Severity.P3,
        title=f"SLI {sli.slug}: {TITLES[finding.doubt]}",
        service=sli.service,
        detail=f"{finding.detail}{why} Its figures are worth only what its source says.",
        url=reverse("slo:sources") if sli.source_id else "",
        facts=finding.facts,
    )


def _settled(
    found: Input, slis: dict[int, Sli], doubts: set[tuple[str, Doubt]]
) -> Iterator[AlertSignal]:
    """Yield the ends of doubts that no longer hold; a silent source settles none."""
    seen = sanity.known(found)
    speaking = {sli.slug for slot, sli in slis.items() if slot < len(seen) and seen[slot]}
    known = {sli.slug for sli in slis.values()}
    for alert in Alert.objects.firing().filter(source=SOURCE):
        slug, _, doubt = alert.dedup_key.rpartition(":")
        is_gone = slug not in known
        if is_gone or (slug in speaking and (slug, Doubt(doubt)) not in doubts):
            yield AlertSignal(SOURCE, alert.dedup_key, firing=False)
