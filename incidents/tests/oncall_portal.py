"""A portal with people on call, a clock that the test moves, and messages that are only collected."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Min

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from core import append_only, encryption
from incidents.models import Deadline, EscalationRun, Incident, Page, Silence
from incidents.services import intake, lifecycle, pager
from incidents.services.auditor import audit_paging
from incidents.services.intake import AlertSignal
from incidents.services.lifecycle import Opening
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.models import ContactMethod, NotificationRule
from notifications.transports import Recipient, Transport, TransportFailed
from oncall.models import EscalationPolicy, LevelTarget, PolicyLevel, ServicePolicy

MONDAY = datetime(2026, 3, 2, 3, tzinfo=UTC)
LEVELS = ("alice", "bob", "carol", "dave")


@dataclass
class Sent:
    """One message that left the portal."""

    at: datetime
    to: str
    message: Message


@dataclass
class Post:
    """Stands where the transports are: collects what is sent, and fails where it is told to."""

    sent: list[Sent] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)
    is_final: bool = True
    # Numbers of messages that arrive, and whose answer gets lost.
    losing: set[int] = field(default_factory=set)

    def deliver(self, at: datetime, message: Message, to: Recipient) -> str:
        """Take a message, or refuse it."""
        if to.address in self.refusing:
            raise TransportFailed("The receiver refuses.", is_final=self.is_final)
        self.sent.append(Sent(at, to.address, message))
        if len(self.sent) in self.losing:
            raise TransportFailed("The answer was lost.", is_uncertain=True)
        return f"id-{len(self.sent)}"


class Portal:
    """What a scenario speaks of: `open_incident`, `fast_forward`, `paged`."""

    names: ClassVar[tuple[str, ...]] = LEVELS

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = MONDAY
        self.post = Post()
        monkeypatch.setattr("django.utils.timezone.now", lambda: self.now)
        monkeypatch.setattr("incidents.services.sending.transport_for", self._transport)
        monkeypatch.setattr(settings, "PAGE_EVERY_S", 0)
        self.service = Service.objects.create(slug="checkout", name="Checkout", tier=1)
        self.people = {name: self.add_person(name) for name in self.names}
        self.policy = EscalationPolicy.objects.create(slug="standard", name="Standard")
        for number, name in enumerate(self.names, 1):
            level = PolicyLevel.objects.create(policy=self.policy, number=number, name=f"L{number}")
            LevelTarget.objects.create(level=level, person=self.people[name])
        ServicePolicy.objects.create(service_id=self.service.pk, policy=self.policy)

    def add_person(self, name: str) -> User:
        """Make somebody who can be reached by one verified method."""
        person = User.objects.create_user(name, f"{name}@example.com", role=Role.RESPONDER)
        self.add_method(person)
        return person

    def add_method(self, person: User, kind: Kind = Kind.EMAIL, **values: Any) -> ContactMethod:
        """Give somebody a verified contact method."""
        address = f"{person.username}-{kind}@example.com" if kind is Kind.EMAIL else "+441234567890"
        return ContactMethod.objects.create(
            **{
                "person": person,
                "kind": kind,
                "label": str(kind),
                "sealed_address": encryption.encrypt(address),
                "verified_at": self.now,
                **values,
            }
        )

    def add_low_rule(self, name: str) -> None:
        """Let somebody be told what can wait, at once."""
        person = self.people[name]
        method = ContactMethod.objects.filter(person=person).earliest("pk")
        NotificationRule.objects.create(person=person, urgency="low", method=method)

    def open_incident(self, title: str = "5xx spike", severity: str = "P0") -> Incident:
        """Declare an incident, and let the pager look."""
        incident = lifecycle.declare(
            Opening(severity, title, service_id=self.service.pk), now=self.now, actor="test"
        )
        self.settle()
        return incident

    def alert(self, key: str = "disk", *, firing: bool = True, **values: Any) -> Incident | None:
        """Report a condition, and let the pager look; returns its incident."""
        signal = AlertSignal(
            **{
                "source": "test",
                "dedup_key": key,
                "firing": firing,
                "severity": "P1",
                "title": f"{key} is wrong",
                "service": self.service,
                **values,
            }
        )
        found = intake.receive(signal, now=self.now)
        self.settle()
        return found.incident if found else None

    def settle(self) -> int:
        """Let the pager do all that is due now."""
        return pager.settle(clock=lambda: self.now, owner="pager-1")

    def fast_forward(self, **span: float) -> None:
        """Let time pass; the pager looks whenever something becomes due."""
        until = self.now + timedelta(**span)
        while self.now < until:
            self.now = min([until, *self._due_times()])
            self.settle()

    def _due_times(self) -> list[datetime]:
        """Return when the next rows of each kind become due, later than now."""
        rows = (
            EscalationRun.objects.filter(state="running"),
            Deadline.objects.filter(is_open=True),
            Page.objects.filter(state__in=Page.OPEN),
        )
        soonest = [
            of.filter(look_at__gt=self.now).aggregate(at=Min("look_at"))["at"] for of in rows
        ]
        ends = Silence.objects.filter(is_ended=False, ends_at__gt=self.now)
        soonest.append(ends.aggregate(at=Min("ends_at"))["at"])
        return [at for at in soonest if at is not None]

    def paged(self) -> list[tuple[int, str]]:
        """Return whom messages called so far: minutes since the start, and name."""
        return self._sent(is_news=False)

    def told(self) -> list[tuple[int, str]]:
        """Return who was told that somebody else had answered, as `paged` does."""
        return self._sent(is_news=True)

    def _sent(self, *, is_news: bool) -> list[tuple[int, str]]:
        return [
            (round((sent.at - MONDAY) / timedelta(minutes=1)), sent.to.split("-")[0].split("@")[0])
            for sent in self.post.sent
            if (sent.message.facts.get("reason") == "taken") is is_news
        ]

    def pages(self, **values: Any) -> list[Page]:
        """Return pages in the order in which they were made."""
        return list(Page.objects.filter(**values).order_by("pk"))

    def _transport(self, kind: Kind) -> "Transport":
        post, clock = self.post, lambda: self.now

        class Collecting(Transport):
            def send(self, message: Message, to: Recipient) -> str:
                return post.deliver(clock(), message, to)

        return Collecting()


def watched(portal: Portal, minutes: int, *, every: int = 1) -> list[str]:
    """Let time pass and the auditor look every so many minutes; returns what it found."""
    found = []
    for _ in range(0, minutes, every):
        portal.fast_forward(minutes=every)
        found += [finding.what for finding in audit_paging(now=portal.now)]
        portal.settle()
    return found


@contextmanager
def forged(table: str) -> Iterator[None]:
    """Let a test write what the database refuses: rows as a crash, or an earlier version, left them."""
    options = append_only.guarded()[table]
    with connection.cursor() as cursor:
        for statement in append_only.lift(connection.vendor, table):
            cursor.execute(statement)
        yield
        for statement in append_only.guard(connection.vendor, table, **options):
            cursor.execute(statement)


def forged_attempts() -> AbstractContextManager[None]:
    """Let a test write attempts as a crash would have left them."""
    return forged("incidents_attempt")


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Portal:
    """A portal in which alice is L1, bob L2, carol L3 and dave L4."""
    return Portal(monkeypatch)
