"""The portal reads by itself how full services are, from a simulated AWS and recorded answers."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber
from django.conf import LazySettings
from moto import mock_aws

from capacity.models import CapacityReport
from capacity.queries import services_on_aws
from capacity.services.reading import JOB, read_capacity
from capacity.tasks import read
from capacity.tests.cast import NOW, REGION, SLOT, on_ecs, reading, run_on_ecs
from catalog.models import Service
from core.models import JobSlot
from sre.capacity_planning import CapacityPlanner

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def cloud() -> Iterator[None]:
    """Let boto3 talk to a simulated AWS."""
    with mock_aws():
        yield


class Refusing:
    """Clients whose every call is refused, and how often they were asked."""

    def __init__(self, code: str, message: str = "", error: Exception | None = None) -> None:
        self.code, self.message, self.error = code, message, error
        self.asked: list[str] = []

    def planner(self, region: str, *, now: datetime) -> CapacityPlanner:
        """Return a planner that asks them."""
        clients = {name: self._client(name, region) for name in ("cloudwatch", "ecs", "rds")}
        return CapacityPlanner(**clients, clock=lambda: now)

    def _client(self, name: str, region: str) -> Any:
        make: Any = boto3.client
        client = make(name, region_name=region or REGION)
        stubber = Stubber(client)
        for method in ("get_metric_data", "describe_services", "describe_db_instances"):
            if hasattr(client, method) and not self.error:
                for _ in range(20):
                    stubber.add_client_error(method, self.code, self.message)
        if not self.error:
            stubber.activate()
        client.meta.events.register_first("before-call.*.*", self._count)
        return client

    def _count(self, model: Any, **_: Any) -> None:
        self.asked.append(model.name)
        if self.error:
            raise self.error


def test_figures_are_what_aws_says(cloud: None) -> None:
    """Three hours at 60 % CPU and 40 % memory are 0.6 and 0.4, for the slot of the tick."""
    service = on_ecs("web")
    run_on_ecs("web", cpu=[60.0] * 180, memory=[40.0] * 180)
    assert read_capacity(now=NOW) == 1
    row = CapacityReport.objects.get()
    assert (row.service, row.read_at, row.status) == (service, SLOT, "healthy")
    assert (row.cpu, row.memory) == (pytest.approx(0.6), pytest.approx(0.4))
    assert row.window_end - row.window_start == timedelta(hours=3)
    assert (row.connections, row.p95_ms) == (None, None)
    assert row.errors == {}


def test_a_full_service_is_advised(cloud: None) -> None:
    """90 % CPU is degraded, and memory of 90 % asks for more; what has no name gets no advice."""
    on_ecs("web")
    run_on_ecs("web", cpu=[90.0] * 180, memory=[90.0] * 180)
    read_capacity(now=NOW)
    row = CapacityReport.objects.get()
    assert row.status == "degraded"
    actions = {advice["action"] for advice in row.recommendations}
    assert "raise_memory" in actions
    assert all("database" not in advice["resource"] for advice in row.recommendations)


def test_a_second_tick_for_the_same_slot_does_nothing(cloud: None) -> None:
    """Twice within five minutes is once; five minutes later is another reading."""
    on_ecs("web")
    run_on_ecs("web", cpu=[60.0], memory=[40.0])
    assert read_capacity(now=NOW) == 1
    assert read_capacity(now=NOW + timedelta(minutes=2)) == 0
    assert read_capacity(now=NOW + timedelta(minutes=5)) == 1
    assert CapacityReport.objects.count() == 2
    assert JobSlot.objects.filter(job=JOB, finished_at__isnull=False).count() == 2


def test_two_ticks_at_once_write_one_reading(cloud: None) -> None:
    """A tick that was asking AWS while another finished the slot writes nothing."""
    on_ecs("web")
    run_on_ecs("web", cpu=[60.0], memory=[40.0])

    def overtaken(region: str, *, now: datetime) -> CapacityPlanner:
        read_capacity(now=now)
        return CapacityPlanner(clock=lambda: now, region=region)

    assert read_capacity(now=NOW, planners=overtaken) == 0
    assert CapacityReport.objects.count() == 1


def test_services_without_identifiers_are_not_read() -> None:
    """A service on no cloud has no row, and a cluster without a service names nothing."""
    Service.objects.create(slug="plain", name="plain")
    on_ecs("half", ecs_service="")
    wanted = [on_ecs("web"), on_ecs("db", ecs_cluster="", ecs_service="", rds_instance="users")]
    assert set(services_on_aws()) == set(wanted)


def test_without_such_services_aws_is_not_asked() -> None:
    """The tick marks its slot as done and makes no client."""

    def none(region: str, *, now: datetime) -> CapacityPlanner:
        raise AssertionError(region)

    assert read_capacity(now=NOW, planners=none) == 0
    assert JobSlot.objects.filter(job=JOB).exists()


def test_one_call_for_all_services_of_a_region() -> None:
    """Forty services are 160 metrics: one GetMetricData for their region, one for the other's."""
    refusing = Refusing("ThrottlingException", "Rate exceeded")
    for number in range(40):
        on_ecs(f"web-{number}")
    on_ecs("far", aws_region="us-east-1")
    read_capacity(now=NOW, planners=refusing.planner)
    assert refusing.asked.count("GetMetricData") == 2
    assert CapacityReport.objects.count() == 41


def test_throttling_is_said_in_the_row() -> None:
    """Figures are unknown with the reason; nothing is raised."""
    on_ecs("web")
    read_capacity(now=NOW, planners=Refusing("ThrottlingException", "Rate exceeded").planner)
    row = CapacityReport.objects.get()
    assert (row.cpu, row.memory, row.tasks_running, row.status) == (None, None, None, "unknown")
    assert "ThrottlingException: Rate exceeded" in row.errors["cpu"]
    assert set(row.errors) == {"cpu", "memory", "tasks"}


def test_no_credentials_are_said_in_the_row() -> None:
    """Without credentials each AWS service is tried once, however many services there are."""
    refusing = Refusing("", error=NoCredentialsError())
    for number in range(5):
        on_ecs(f"web-{number}", rds_instance="users")
    read_capacity(now=NOW, planners=refusing.planner)
    assert sorted(refusing.asked) == ["DescribeDBInstances", "DescribeServices", "GetMetricData"]
    for row in CapacityReport.objects.all():
        assert "Unable to locate credentials" in row.errors["cpu"]
        assert "Unable to locate credentials" in row.errors["connection_limit"]
        assert row.status == "unknown"


def test_secrets_in_answers_are_kept_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """AWS quotes the signed request in some refusals, and addresses may hold passwords."""
    on_ecs("web")
    quoted = "The canonical string is x-amz-security-token:FwoGZXIvYXdzEXAMPLE"
    address = EndpointConnectionError(endpoint_url="https://user:hunter2secret@aws.example")
    for slot, refusing in enumerate(
        [Refusing("SignatureDoesNotMatch", quoted), Refusing("", error=address)]
    ):
        read_capacity(now=NOW + timedelta(minutes=5 * slot), planners=refusing.planner)
    kept = "".join(
        str(row.errors) + str(row.recommendations) for row in CapacityReport.objects.all()
    )
    assert "SignatureDoesNotMatch" in kept
    for secret in ("FwoGZX", "hunter2secret"):
        assert secret not in kept
        assert secret not in caplog.text


def test_old_readings_are_forgotten(cloud: None, settings: LazySettings) -> None:
    """Readings last as long as minute counts."""
    service = on_ecs("web")
    reading(service, SLOT - settings.TELEMETRY_RETENTION - timedelta(minutes=5))
    kept = reading(service, SLOT - settings.TELEMETRY_RETENTION + timedelta(hours=1))
    read_capacity(now=NOW)
    assert CapacityReport.objects.order_by("read_at").first() == kept
    assert CapacityReport.objects.count() == 2


def test_the_task_reads(cloud: None) -> None:
    """What beat calls does it, with boto3's own credentials."""
    on_ecs("web")
    read()
    assert CapacityReport.objects.count() == 1
