"""A portal with rows of every kind that a page lists, and the addresses of all its pages."""

import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.db import transaction
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.regex_helper import normalize
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
)

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import token_of
from capacity.models import CapacityReport
from catalog.models import Dependency, Service, Team
from core import audit
from core.models import JobSlot, ProcessHeartbeat
from incidents.domain.formats import generic
from incidents.domain.formats.context import Context
from incidents.models import (
    ActionItem,
    Alert,
    InboundEvent,
    Incident,
    Integration,
    Maintenance,
    Postmortem,
)
from incidents.services.heartbeats import named
from incidents.services.integrations import save_integration
from incidents.services.receiving import RawRequest, take
from slo.models import (
    Annotation,
    BackfillJob,
    BudgetPolicy,
    Correction,
    FreezeOverride,
    PullState,
    Sli,
    Source,
    ThresholdRule,
)
from slo.tests.world import LAG, MINUTE, NOON, World
from sreportal.api_urls import router
from telemetry.models import CircuitBreakerState, ImportedLog, TelemetryDelta
from tests.populated_oncall import add_on_call
from tests.populated_status import add_status_page, status_parameters
from users_api.models import Person

# Signing out ends the session that all other pages are read with.
LEFT_OUT = ("accounts/logout/", "admin/logout/")
_WORD = re.compile(r"%\(\w+\)s")


class PopulatedPortal:
    """Rows of every kind; `grow` adds more of each, the clock stays at the world's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World()
        self.world.run(3, good=95, errors=5)
        monkeypatch.setattr("django.utils.timezone.now", lambda: self.now)
        self.admin = User.objects.create_superuser("root", "root@example.com", role=Role.ADMIN)
        self._number = itertools.count()

    @property
    def now(self) -> datetime:
        """The wall clock: the world's last minute has just been counted."""
        return self.world.minute + LAG - MINUTE

    @transaction.atomic
    def grow(self, count: int) -> None:
        """Add `count` of each, each belonging to another."""
        self.world.add_services(count)
        for number in itertools.islice(self._number, count):
            person = self._add_person(number)
            self._add_owned_service(number, person)
            self._add_traces(number, person)
            _add_schedules(number)

    def _add_person(self, number: int) -> User:
        name = f"person-{number}"
        person = User.objects.create_user(name, f"{name}@example.com", role=Role.RESPONDER)
        for owner in (person, self.admin):
            token_of(owner)
            EmailAddress.objects.create(user=owner, email=f"{owner}-{number}@example.com")
        Authenticator.objects.create(
            user=person, type=Authenticator.Type.WEBAUTHN, data={"name": "Key"}
        )
        SocialAccount.objects.create(user=person, provider="openid_connect", uid=name)
        Person.objects.create(name=f"Ada {number}", email=f"ada{number}@example.com")
        return person

    def _add_owned_service(self, number: int, person: User) -> None:
        service = Service.objects.filter(owner=None).exclude(pk=self.world.service.pk).latest("pk")
        service.owner = Team.objects.create(slug=f"team-{number}", name=f"Team {number}")
        service.owner.members.add(person)
        service.save()
        Dependency.objects.create(service=service, target=self.world.service)
        ThresholdRule.objects.create(
            slug=f"rule-{number}",
            name=f"Rule {number}",
            metric=ThresholdRule.METRICS[0][0],
            threshold="0.5",
            service=service,
        )
        _add_decisions(number, service, person)
        _add_pull(self.world, number, service)
        _add_readings(number, service)
        _add_senders(number, service, self.now)
        add_on_call(number, service, person, self.now)
        add_status_page(number, service, self.now)
        CircuitBreakerState.objects.create(
            service=service.slug,
            name="database",
            instance="host:1:1",
            state="open",
            calls=9,
            reported_at=self.now,
        )

    def _add_traces(self, number: int, person: User) -> None:
        slot = NOON - timedelta(minutes=number + 1)
        JobSlot.objects.create(job="portal.sheep", slot=slot, started_at=slot)
        ProcessHeartbeat.objects.create(
            process="web", instance=f"host:{number}:1", started_at=NOON, at=self.now, monotonic=1
        )
        TelemetryDelta.objects.create(
            received_at=NOON, size=1, payload=b"", quarantined_at=self.now, error="no such version"
        )
        audit.record(act="user.changed", subject=person, actor=person, now=self.now)


def _add_decisions(number: int, service: Service, person: User) -> None:
    until = NOON + timedelta(hours=1)
    Correction.objects.create(service=service, starts_at=NOON, ends_at=until, reason="Maintenance")
    Annotation.objects.create(service=service, title=f"Release {number}", starts_at=NOON)
    BudgetPolicy.objects.create(slug=f"policy-{number}", name=f"Policy {number}")
    FreezeOverride.objects.create(
        service=service,
        frozen=True,
        reason="Release",
        owner=person,
        created_at=NOON,
        expires_at=until,
    )


def _add_senders(number: int, service: Service, now: datetime) -> None:
    integration = Integration()
    fields = {"kind": "generic", "name": f"Sender {number}", "service": service}
    save_integration(integration, fields=fields, actor="test", now=now)
    raw = RawRequest("/integrations/v1/generic/…", b"{}", "application/json")
    said = {"title": f"Broken {number}"}
    take(integration, raw, lambda: generic.read(said, Context("generic")), now=now)
    take(integration, raw, lambda: generic.read({}, Context("generic")), now=now)
    named(integration, f"nightly-{number}")


def _add_pull(world: World, number: int, service: Service) -> None:
    source = Source.objects.create(
        slug=f"prom-{number}", kind=Source.Kind.PROMETHEUS, url="https://prom.example.org"
    )
    sli = world.custom(
        f"pulled-{number}",
        "0.99",
        service=service,
        kind=Sli.Kind.RATIO,
        source=source,
        good_query="good_total",
        total_query="all_total",
    ).sli
    until = NOON + timedelta(hours=1)
    PullState.objects.create(sli=sli, complete_until=NOON, gap_since=NOON, reason="no such counter")
    BackfillJob.objects.create(sli=sli, start_at=NOON, end_at=until, done_until=NOON, next_at=until)


def _add_readings(number: int, service: Service) -> None:
    began = NOON - timedelta(hours=3)
    CapacityReport.objects.create(
        service=service, read_at=NOON, window_start=began, window_end=NOON, status="healthy"
    )
    ImportedLog.objects.create(
        service=service,
        name=f"access-{number}.log",
        size=1,
        digest=f"{number:064x}",
        lines=1,
        imported_at=NOON,
    )


def _add_schedules(number: int) -> None:
    every = IntervalSchedule.objects.create(every=1000 + number, period="seconds")
    PeriodicTask.objects.create(name=f"Tick {number}", task="portal.sheep", interval=every)
    CrontabSchedule.objects.create(minute=str(number))
    ClockedSchedule.objects.create(clocked_time=NOON + timedelta(days=number))


@pytest.fixture
def populated_portal(db: None, monkeypatch: pytest.MonkeyPatch) -> PopulatedPortal:
    """Return a portal with a few rows of every kind."""
    portal = PopulatedPortal(monkeypatch)
    portal.grow(2)
    # Corrections take effect with the minute after them.
    portal.world.tick()
    return portal


def addresses() -> list[str]:
    """Return every address of the portal that rows of the populated portal answer for."""
    parameters = list(_parameters())
    found = {f"/{address}" for address in _below(get_resolver(), "", parameters)}
    return sorted(found - {f"/{address}" for address in LEFT_OUT})


def _below(
    resolver: URLResolver | Any, prefix: str, parameters: Sequence[tuple[str, str]]
) -> Iterator[str]:
    for entry in resolver.url_patterns:
        form, _ = normalize(entry.pattern.regex.pattern.removesuffix(r"\Z"))[0]
        address = prefix + form
        if isinstance(entry, URLResolver):
            yield from _below(entry, address, parameters)
        elif isinstance(entry, URLPattern) and (filled := _filled(address, parameters)) is not None:
            yield filled


def _filled(address: str, parameters: Sequence[tuple[str, str]]) -> str | None:
    """Return the address with its parameter, or None when no row answers for it."""
    if not _WORD.search(address):
        return address
    for start, value in parameters:
        if address.startswith(start):
            return _WORD.sub(value, address)
    return None


def _parameters() -> Iterator[tuple[str, str]]:
    """Yield the beginning of an address and the parameter that belongs there; the first counts."""
    for model in admin.site._registry:
        meta = model._meta
        yield f"admin/{meta.app_label}/{meta.model_name}/", str(_newest(model).pk)
    for prefix, viewset, _ in router.registry:
        view: Any = viewset
        row = _newest(view.queryset.model)
        yield f"api/v1/{prefix}/", str(getattr(row, view.lookup_field))
    yield from status_parameters()
    yield "services/teams/", "team-0"
    yield "services/", "users-api"
    yield "contact/teams/", "team-0"
    yield "slo/panels/service/", "users-api"
    yield "incidents/panels/service/", "users-api"
    yield "slo/", "users-api-availability"
    yield "integrations/events/", str(_newest(InboundEvent).pk)
    # Not those of senders, which begin alike.
    yield "integrations/%(pk)s", str(_newest(Integration).pk)
    yield "action-items/new/", str(_newest(Incident).pk)
    yield "action-items/", str(_newest(ActionItem).pk)
    yield "postmortems/", str(_newest(Postmortem).pk)
    yield "i/", str(_newest(Incident).pk)
    yield "alerts/%(pk)s/receipt/", str(_newest(Alert).pk)
    yield "alerts/maintenance/%(pk)s/public/", str(_newest(Maintenance).pk)
    yield "oncall/policies/", "ladder-0"
    yield "oncall/", "schedule-0"
    yield "api/users/", str(_newest(Person).pk)


def _newest(model: type[Model]) -> Model:
    return model._default_manager.latest("pk")
