"""Receipts of incidents: all that is stored of who was called, read in a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts.models import User
from core.pagination import newest
from incidents.domain import incident_origins
from incidents.domain import incident_receipts as domain
from incidents.domain.level_receipts import Walk
from incidents.domain.page_receipts import Entry, Message, Try
from incidents.domain.receipts import Receipt
from incidents.models import Attempt, Incident, Page, Silence, TimelineEntry
from incidents.queries.decisions import with_decisions
from incidents.queries.told import timeline_for

__all__ = ["kept_facts", "name_of", "receipt_of_incident"]

# What decides who is called; what alerts do, what is noted and what was sent is left out.
_ACTS = (
    "open", "call", "fallback", "acknowledge", "unacknowledge", "snooze", "mitigate", "resolve", "reopen",
    "merge", "unmerge", "severity", "urgent_alert", "escalate", "assign", "still_on_it", "released",
    *incident_origins.ACTS,
)  # fmt: skip
_MOST = 500
# No page waits longer for others that go out with it.
_WAITS = timedelta(days=2)
Bundles = Mapping[tuple[Any, ...], set[int]]


def receipt_of_incident(incident: Incident, user: User, *, now: datetime) -> Receipt:
    """Return why people were called for an incident, and others were not.

    Args:
        incident: As it is stored.
        user: Who asks: what came from services of which they may not know is not told.
        now: The present.
    """
    entries = newest(
        timeline_for(incident, user).filter(act__in=_ACTS).order_by("-at", "-pk"), _MOST
    )
    told = with_decisions([*reversed(entries.rows)])
    pages = incident.pages.select_related("person", "method").order_by("-created_at", "-pk")
    if entries.older:
        # Of what is older it would seem that nothing was recorded.
        pages = pages.filter(created_at__gte=told[0].at)
    found = newest(pages, _MOST)
    rows = [*reversed(found.rows)]
    return domain.receipt_of(
        domain.Incident(
            number=incident.pk,
            status=incident.status,
            is_open=incident.is_open,
            opened_at=incident.opened_at,
            severity=incident.severity,
            unreached=incident.unreached,
            merged_into=incident.merged_into_id,
            is_flapping=incident.is_flapping,
            entries=tuple(_entry(row) for row in told if row.act != "released"),
            messages=_messages(rows),
            walks=_walks(incident, since=told[0].at if entries.older else None),
            answers=tuple(
                domain.Answer(row.cycle, row.actor, row.at)
                for row in incident.acknowledgements.all()
            ),
            dues=tuple(
                domain.Due(row.kind, row.due_at)
                for row in incident.deadlines.filter(is_open=True).order_by("due_at")
            ),
            released=_released(told, user),
            is_whole=not (entries.older or found.older),
        ),
        now=now,
    )


def _entry(row: Any) -> Entry:
    return Entry(row.at, row.act, row.actor, row.told, kept_facts(row))


def kept_facts(row: TimelineEntry) -> Mapping[str, Any]:
    """Return the facts of an entry; none where anything else is stored, e.g. null."""
    return row.facts if isinstance(row.facts, dict) else {}


def _walks(incident: Incident, *, since: datetime | None) -> tuple[Walk, ...]:
    runs = incident.runs.select_related("snapshot").order_by("cycle", "pk")
    if since is not None:
        runs = runs.filter(Q(ended_at=None) | Q(ended_at__gte=since))
    return tuple(
        Walk(
            cycle=run.cycle,
            phase=run.phase,
            policy=run.policy_name,
            ladder=run.ladder,
            loop=run.loop,
            position=run.position,
            state=run.state,
            started_at=run.started_at,
            due_at=run.due_at,
            ended_at=run.ended_at,
        )
        for run in runs
    )


def _released(entries: Iterable[TimelineEntry], user: User) -> tuple[domain.Released, ...]:
    """Return the silences that held back what an incident is about, each once."""
    let_go = {(kept_facts(row).get("silence"), row.at) for row in entries if row.act == "released"}
    numbers = {number for number, _ in let_go}
    known = Silence.objects.visible_to(user).in_bulk(numbers)
    comments = {number: silence.comment for number, silence in known.items()}
    return tuple(
        domain.Released(number, comments.get(number, ""), at)
        for number, at in sorted(let_go, key=lambda each: (each[1], each[0] or 0))
        if number is not None
    )


def _messages(pages: Sequence[Page]) -> tuple[Message, ...]:
    tries: dict[int, list[Try]] = {}
    attempts = Attempt.objects.filter(page__in=[page.pk for page in pages])
    for row in attempts.order_by("page", "number"):
        each = Try(row.number, row.ended_at or row.started_at, row.outcome, row.problem)
        tries.setdefault(row.page_id, []).append(each)
    together = _sent_together(pages)
    return tuple(
        Message(
            key=page.key,
            cycle=page.cycle,
            loop=page.loop,
            step=page.step,
            level=page.level,
            name=name_of(page),
            target=page.target,
            channel=page.channel,
            reason=page.reason,
            urgency=page.urgency,
            state=page.state,
            created_at=page.created_at,
            due_at=page.due_at,
            look_at=page.look_at,
            method=page.method_id,
            sent_at=page.sent_at,
            is_repeat=page.is_repeat,
            problem=page.problem,
            with_others=tuple(sorted(together.get(_message_of(page), set()))),
            tries=tuple(tries.get(page.pk, ())),
        )
        for page in pages
    )


def name_of(page: Page) -> str:
    """Return whom a page calls, as it is called now; where they were removed, as it was then."""
    if page.person is not None:
        return str(page.person)
    return str(page.method) if page.method is not None else page.target


def _message_of(page: Page) -> tuple[Any, ...]:
    """Return what pages of one message have in common, once it went out."""
    return page.person_id, page.method_id, page.channel, page.sent_at, page.provider_id


def _sent_together(pages: Sequence[Page]) -> Bundles:
    """Return which other incidents were in the messages of pages."""
    sent = [page for page in pages if page.sent_at is not None]
    if not sent:
        return {}
    moments = {page.sent_at for page in sent if page.sent_at is not None}
    people = {page.person_id for page in sent if page.person_id is not None}
    channels = {page.method_id for page in sent if page.person_id is None}
    others = Page.objects.filter(
        Q(person__in=people) | Q(person=None, method__in=channels),
        created_at__gte=min(page.created_at for page in sent) - _WAITS,
        created_at__lte=max(moments),
        sent_at__in=moments,
    ).exclude(incident=sent[0].incident_id)
    found: dict[tuple[Any, ...], set[int]] = {}
    for page in others.only(
        "person_id", "method_id", "channel", "sent_at", "provider_id", "incident_id"
    ):
        found.setdefault(_message_of(page), set()).add(page.incident_id)
    return found
