"""People on call, incidents and silences for the populated portal."""

from datetime import date, datetime, timedelta

from accounts.models import User
from catalog.models import Service
from core import encryption
from incidents.models import Acknowledgement, Maintenance, ResponseTarget, Severity, Silence
from incidents.services import lifecycle
from incidents.services.lifecycle import Opening
from incidents.services.pager import settle
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
    opening = Opening("P2", f"Incident {number}", service_id=service.pk, summary="Users wait.")
    incident = lifecycle.declare(opening, now=now, actor=person)
    lifecycle.assign(incident.pk, to=person, now=now, actor=person)
    settle(clock=lambda: now)
    Acknowledgement.objects.create(
        incident=incident, cycle=incident.cycle, actor=person.username, person=person, at=now
    )


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
