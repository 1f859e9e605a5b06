"""People on call, incidents and silences for the populated portal."""

from datetime import date, datetime, timedelta

from accounts.models import User
from catalog.models import Service
from core import encryption
from incidents.domain.communication import Audience, PublicState
from incidents.domain.roles import RoleName
from incidents.models import (
    Acknowledgement,
    CommunicationTemplate,
    Incident,
    Maintenance,
    PostmortemPolicy,
    ResponseTarget,
    Severity,
    Silence,
)
from incidents.queries.status_updates import Draft
from incidents.services import action_items, lifecycle, postmortems, roles
from incidents.services.lifecycle import Opening
from incidents.services.pager import settle
from incidents.services.status_updates import publish
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule, QuietHours
from oncall.models import (
    CalendarFeed,
    EscalationPolicy,
    FallbackContact,
    Handoff,
    HolidayCalendar,
    Layer,
    LayerMember,
    LevelTarget,
    Override,
    PolicyLevel,
    Schedule,
    ServicePolicy,
    ShiftSwap,
    Timing,
)

__all__ = ["add_on_call"]


def add_on_call(number: int, service: Service, person: User, now: datetime) -> None:
    """Add a person on call, whom a policy calls, and an incident for which they were."""
    _add_ways(person, now)
    holidays = HolidayCalendar.objects.create(
        slug=f"holidays-{number}", name=f"Holidays {number}", country="DE"
    )
    holidays.days.create(on=date(2026, 12, 24), name="Closed")
    schedule = Schedule.objects.create(
        slug=f"schedule-{number}", name=f"Schedule {number}", holidays=holidays
    )
    layer = Layer.objects.create(schedule=schedule, name="Weekly", first_on=date(2026, 3, 2))
    LayerMember.objects.create(layer=layer, position=0, person=person)
    Override.objects.create(
        schedule=schedule, person=person, starts_at=now, ends_at=now + timedelta(hours=8)
    )
    ShiftSwap.objects.create(
        schedule=schedule,
        asked_by=person,
        starts_at=now + timedelta(days=1),
        ends_at=now + timedelta(days=2),
    )
    Handoff.objects.create(
        schedule=schedule, at=now, outgoing=person, incoming=person, notes="All is quiet."
    )
    CalendarFeed.objects.create(person=person, digest=f"digest-{number}", created_at=now)
    policy = EscalationPolicy.objects.create(
        slug=f"ladder-{number}", name=f"Ladder {number}", holidays=holidays
    )
    level = PolicyLevel.objects.create(policy=policy, number=1, name="On call")
    LevelTarget.objects.create(level=level, schedule=schedule)
    Timing.objects.create(policy=policy, severity="P2", level=1)
    ServicePolicy.objects.create(service=service, policy=policy)
    FallbackContact.objects.create(person=person)
    ResponseTarget.objects.get_or_create(
        severity=Severity.values[number % 4],
        defaults={
            "respond_within": timedelta(hours=4),
            "resolve_within": timedelta(days=3),
            "update_every": timedelta(hours=8),
        },
    )
    PostmortemPolicy.objects.get_or_create(
        severity=Severity.values[number % 4], defaults={"within": timedelta(days=7)}
    )
    Silence.objects.create(
        service=service, starts_at=now, ends_at=now + timedelta(hours=1), comment=f"Work {number}"
    )
    Maintenance.objects.create(
        service=service,
        starts_at=now + timedelta(days=1),
        ends_at=now + timedelta(days=1, hours=1),
        rule="FREQ=WEEKLY",
        comment=f"Patches {number}",
        created_by="test",
    )
    _add_postmortem(number, service, person, now)
    opening = Opening("P2", f"Incident {number}", service_id=service.pk, summary="Users wait.")
    incident = lifecycle.declare(opening, now=now, actor=person)
    lifecycle.assign(incident.pk, to=person, now=now, actor=person)
    _coordinate(incident, number, person, now)
    settle(clock=lambda: now)
    Acknowledgement.objects.create(
        incident=incident, cycle=incident.cycle, actor=person.username, person=person, at=now
    )


def _coordinate(incident: Incident, number: int, person: User, now: datetime) -> None:
    """Have a person command an incident, offer another role to the admin, and tell of it."""
    for role in (RoleName.COMMANDER, RoleName.SCRIBE):
        roles.claim(incident.pk, role=role, person=person, now=now, actor=person)
    admin = User.objects.get(username="root")
    roles.offer(incident.pk, role=RoleName.SCRIBE, to=admin, person=person, now=now, actor=person)
    for told in (
        Draft(Audience.INTERNAL, "A disk is full."),
        Draft(Audience.PUBLIC, "Some of you wait.", PublicState.INVESTIGATING),
    ):
        publish(incident.pk, told, now=now, actor=person)
    CommunicationTemplate.objects.create(
        kind="update", audience="public", name=f"Ours {number}", text="{service} is slow."
    )


def _add_postmortem(number: int, service: Service, person: User, now: datetime) -> None:
    """Add an incident that is over, with what is to be done about it and a postmortem."""
    opening = Opening("P1", f"Outage {number}", service_id=service.pk)
    incident = lifecycle.declare(opening, now=now, actor=person)
    item = {"title": f"Watch disks {number}", "owner": person, "due_on": date(2026, 3, 2)}
    action_items.create(incident, fields=item, now=now, actor=person)
    lifecycle.resolve(incident.pk, now=now, actor=person)
    postmortems.begin(incident.pk, now=now, actor=person, person=person)


def _add_ways(person: User, now: datetime) -> None:
    method = ContactMethod.objects.create(
        person=person,
        kind=Kind.EMAIL,
        label="work",
        sealed_address=encryption.encrypt(person.email),
        verified_at=now,
    )
    NotificationRule.objects.create(person=person, urgency="high", method=method)
    QuietHours.objects.create(person=person)
