"""A small world with a clock: a service that answers, a portal that ticks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from catalog.models import Service
from incidents.services.intake import AlertSignal, receive
from slo.domain.figures import Figures
from slo.models import Sli, Slo
from slo.queries import figures
from slo.services import defaults, evaluation, objectives
from slo.services.evaluation import TickResult
from telemetry.domain.buckets import FRESHNESS_BOUNDS_S, full_bounds
from telemetry.services.ingest import store_report

NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOUNDS = full_bounds(())
# Long enough after a minute's end for it to be closed.
LAG = MINUTE + evaluation.CLOSE_AFTER + timedelta(seconds=5)


class World:
    """The Users API with its four SLOs, and a clock that only the test moves."""

    def __init__(self) -> None:
        self.minute = NOON
        defaults.ensure_defaults(now=NOON)
        self.service = Service.objects.get(slug=defaults.SERVICE)

    def serve(
        self,
        good: int = 0,
        *,
        errors: int = 0,
        missing: int = 0,
        slow: int = 0,
        age_s: float | None = 1,
        at: datetime | None = None,
        service: Service | None = None,
    ) -> None:
        """Answer requests in one minute: fast 200s, 503s, 404s and 200s of a second."""
        minute = at or self.minute
        rows = [
            self._row(minute, status, count, ms)
            for status, count, ms in (
                (200, good, 20),
                (503, errors, 20),
                (404, missing, 20),
                (201, slow, 1000),
            )
            if count
        ]
        report = {
            "service": (service or self.service).slug,
            "reporter": "test",
            "covers": [{"minute": minute.isoformat()}],
            "bounds_ms": list(BOUNDS),
            "requests": rows,
            "freshness": [] if age_s is None else [self._freshness(minute, age_s)],
        }
        answer = store_report(report, now=minute + MINUTE)
        assert not answer.rejected, answer.rejected

    def _row(self, minute: datetime, status: int, count: int, ms: float) -> dict[str, object]:
        buckets = [0] * (len(BOUNDS) + 1)
        buckets[next(i for i, bound in enumerate(BOUNDS) if ms <= bound)] = count
        return {
            "endpoint": "/api/users",
            "method": "GET",
            "status": status,
            "minute": minute.isoformat(),
            "count": count,
            "sum_ms": count * ms,
            "buckets": buckets,
        }

    def _freshness(self, minute: datetime, age_s: float) -> dict[str, object]:
        buckets = [0] * (len(FRESHNESS_BOUNDS_S) + 1)
        buckets[next(i for i, bound in enumerate(FRESHNESS_BOUNDS_S) if age_s <= bound)] = 1
        return {
            "source": "users",
            "minute": minute.isoformat(),
            "count": 1,
            "bounds_s": list(FRESHNESS_BOUNDS_S),
            "buckets": buckets,
        }

    def pass_minutes(self, count: int = 1) -> None:
        """Let time go by without anything."""
        self.minute += MINUTE * count

    def tick(self) -> TickResult:
        """Run the tick that finds the current minute just closed, and go to the next minute."""
        result = evaluation.tick(now=self.minute + LAG)
        self.minute += MINUTE
        return result

    def run(
        self, minutes: int, good: int = 0, *, errors: int = 0, missing: int = 0, slow: int = 0
    ) -> None:
        """Serve the same in each of `minutes` minutes, with a tick after each."""
        for _ in range(minutes):
            self.serve(good, errors=errors, missing=missing, slow=slow)
            self.tick()

    def add_services(self, count: int) -> None:
        """Add services with an availability SLO, an alert and requests in the current minute."""
        for _ in range(count):
            number = Service.objects.count()
            service = Service.objects.create(slug=f"service-{number}", name=f"Service {number}")
            self.custom(f"slo-{number}", "0.99", service=service)
            self.serve(90, errors=10, service=service)
            signal = AlertSignal("test", f"a-{number}", True, title="Disk full", service=service)
            receive(signal, now=self.minute)
        self.tick()

    def slo(self, kind: str) -> Slo:
        """Return one of the four SLOs: availability, latency, success, freshness."""
        return Slo.objects.select_related("sli__service").get(slug=f"users-api-{kind}")

    def status(self, kind: str = "availability") -> Figures:
        """Return the newest figures of one of the four SLOs."""
        found = figures.of(self.slo(kind))
        assert found is not None
        return found

    def custom(self, slug: str, objective: str, **sli: object) -> Slo:
        """Make one more SLO on the service."""
        defaults = {"kind": Sli.Kind.SUCCESS, "service": self.service}
        made = objectives.create_sli(slug=slug, actor="test", now=NOON, **defaults | sli)
        return objectives.create_slo(
            sli=made, slug=slug, name=slug, objective=Decimal(objective), actor="test", now=NOON
        )
