"""What counting one request costs, beside prometheus_client and django-prometheus.

Run: `python benchmarks/record_request.py [--rounds N]`. Prints a table and, as its
last line, one JSON object; exits 1 when a goal is missed. Each round measures both
sides right after each other, so that a change of the machine's speed hits both,
and the figure of a comparison is the median of its rounds' ratios. Both sides keep
the same histogram bounds and see the same stream of endpoints, statuses and times.
"""

# ruff: noqa: E402 - Django wants to be configured before its parts are imported.

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="benchmark",
    PROMETHEUS_LATENCY_BUCKETS=(0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
django.setup()

from django.test import RequestFactory
from django.urls import resolve
from django_prometheus.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware
from prometheus_client import CollectorRegistry, Counter, Histogram

from sre.http import SliMiddleware
from sre.slo_sli import DEFAULT_BOUNDS_MS, SliCalculator

RECORD_GOAL = 0.10
MIDDLEWARE_GOAL = 0.08

ENDPOINTS = [f"/api/resource-{number}/<int:pk>" for number in range(10)]
STATUSES = [200] * 17 + [404, 404, 500]
TIMES_MS = [3.0, 7.5, 12.0, 18.0, 32.0, 48.0, 61.0, 90.5, 120.0, 150.5, 180.0, 230.0, 700.0]
REQUESTS = [
    (ENDPOINTS[n % len(ENDPOINTS)], STATUSES[n % len(STATUSES)], TIMES_MS[n % len(TIMES_MS)])
    for n in range(2600)
]

urlpatterns = [path("api/users/<int:pk>", lambda _request, pk: HttpResponse(str(pk)), name="user")]


@dataclass
class Comparison:
    """One measured pair: nanoseconds per request on either side, and the goal."""

    name: str
    ours_ns: float
    peer_ns: float
    ratio: float
    goal: float


def record_with_sre(calculator: SliCalculator) -> Callable[[int], None]:
    """Return a loop over the stream with our calculator."""

    def loop(repetitions: int) -> None:
        record = calculator.record_request
        for _ in range(repetitions):
            for endpoint, status, milliseconds in REQUESTS:
                record(endpoint, status, milliseconds)

    return loop


def record_with_prometheus() -> Callable[[int], None]:
    """Return the same loop with a labelled counter and a labelled histogram."""
    registry = CollectorRegistry()
    labels = ["endpoint", "method", "status"]
    bounds = [bound / 1000 for bound in DEFAULT_BOUNDS_MS]
    total = Counter("requests", "requests", labels, registry=registry)
    seconds = Histogram("seconds", "seconds", labels, registry=registry, buckets=bounds)

    def loop(repetitions: int) -> None:
        for _ in range(repetitions):
            for endpoint, status, milliseconds in REQUESTS:
                total.labels(endpoint, "GET", status).inc()
                seconds.labels(endpoint, "GET", status).observe(milliseconds / 1000)

    return loop


def nothing(repetitions: int) -> None:
    """Loop over the stream without recording: what the loop itself costs."""
    for _ in range(repetitions):
        for _endpoint, _status, _milliseconds in REQUESTS:
            pass


def on_threads(loop: Callable[[int], None], threads: int, repetitions: int) -> float:
    """Return the wall time (ns) per request with `threads` threads recording at once."""
    gate = threading.Barrier(threads + 1)

    def work() -> None:
        gate.wait()
        loop(repetitions)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    gate.wait()
    started = time.perf_counter_ns()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter_ns() - started
    return elapsed / (threads * repetitions * len(REQUESTS))


def compare_recording(threads: int, rounds: int) -> Comparison:
    """Compare both recorders on some threads; the empty loop is taken off both."""
    ours, peer = record_with_sre(SliCalculator()), record_with_prometheus()
    on_threads(ours, threads, 1)
    on_threads(peer, threads, 1)
    pairs = []
    for _ in range(rounds):
        empty = on_threads(nothing, threads, 8)
        mine = on_threads(ours, threads, max(16 // threads, 1)) - empty
        theirs = on_threads(peer, threads, max(8 // threads, 1)) - empty
        pairs.append((mine, theirs))
    return summary(f"record_request, {threads} thread(s)", pairs, RECORD_GOAL)


def compare_middleware(rounds: int) -> Comparison:
    """Compare what either middleware adds to a request that does nothing."""
    request = RequestFactory().get("/api/users/7")
    request.resolver_match = resolve("/api/users/7")
    response = HttpResponse("7")

    def view(_request: object) -> HttpResponse:
        return response

    ours = SliMiddleware(view, calculator=SliCalculator(), paths=())
    peer = PrometheusBeforeMiddleware(PrometheusAfterMiddleware(view))

    def per_request(get_response: Callable[..., object], count: int) -> float:
        started = time.perf_counter_ns()
        for _ in range(count):
            get_response(request)
        return (time.perf_counter_ns() - started) / count

    per_request(ours, 100)
    per_request(peer, 100)
    pairs = []
    for _ in range(rounds):
        empty = per_request(view, 10_000)
        mine = per_request(ours, 10_000) - empty
        theirs = per_request(peer, 1_000) - empty
        pairs.append((mine, theirs))
    return summary("Django middleware", pairs, MIDDLEWARE_GOAL)


def summary(name: str, pairs: list[tuple[float, float]], goal: float) -> Comparison:
    """Return medians of both sides and of their ratio."""
    return Comparison(
        name=name,
        ours_ns=round(statistics.median(mine for mine, _ in pairs), 1),
        peer_ns=round(statistics.median(theirs for _, theirs in pairs), 1),
        ratio=round(statistics.median(mine / theirs for mine, theirs in pairs), 4),
        goal=goal,
    )


def main() -> int:
    """Measure, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="pairs of measurements (default 9)")
    rounds = parser.parse_args().rounds
    recording = [compare_recording(threads, rounds) for threads in (1, 4)]
    comparisons = [*recording, compare_middleware(rounds)]
    print(f"{'':28}{'ours ns':>10}{'peer ns':>12}{'ratio':>9}{'goal':>7}")
    for each in comparisons:
        print(
            f"{each.name:28}{each.ours_ns:>10.0f}{each.peer_ns:>12.0f}"
            f"{each.ratio:>9.4f}{each.goal:>7.2f}"
        )
    worst = max(recording, key=lambda each: each.ratio)
    result = {
        "name": "record_request",
        "ours": worst.ours_ns,
        "peer": worst.peer_ns,
        "peer_name": "prometheus_client labels().inc + labels().observe",
        "ratio": worst.ratio,
        "unit": "ns per request",
        "lower_is_better": True,
        "details": [vars(each) for each in comparisons],
    }
    print(json.dumps(result))
    return int(any(each.ratio > each.goal for each in comparisons))


if __name__ == "__main__":
    sys.exit(main())
