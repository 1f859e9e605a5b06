"""CPU per row of a latency histogram: OTLP or reports into the portal, remote write into Prometheus.

    python benchmarks/otlp_ingest.py [--minutes 60]

A row is one series of a histogram of 14 buckets in one minute. 1,000 rows a request (ten services,
20 routes, 5 statuses), cumulative, a minute apart, go in turns to the portal as OTLP protobuf with
gzip, and to a real Prometheus by remote write, where a row is 16 samples. Counted is the CPU of all
processes behind it: gunicorn, PostgreSQL as durable as in production, and the merging that makes
minute counts, after every request; on the other side Prometheus. Snappy blocks are sent as
literals, which cost Prometheus the least to unpack. The first minutes, in which series are new, are
not counted. Then come as many minutes of reports, as the SDK sends them: counts by endpoint, method and
status that were added up before, 1,000 rows of one service a request, of 22 counts each, as the portal's
own bounds ask for. At the end both are asked for their totals, which must agree with what was sent.
Goal: at most a quarter of Prometheus, for the dearer of the two.
"""

import argparse
import gzip
import http.client
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import ingest  # noqa: E402
from sre.slo_sli import DEFAULT_BOUNDS_MS  # noqa: E402
from tests import servers  # noqa: E402

GOAL = 0.25
WARM_UP = 5
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0)
SERVICES = [f"service-{number}" for number in range(10)]
ROWS = [
    (service, f"/things-{route}/{{id}}", status)
    for service in SERVICES
    for route in range(20)
    for status in (200, 201, 404, 422, 500)
]
PER_MINUTE = [3, 9, 20, 31, 17, 8, 5, 3, 2, 1, 1, 0, 1, 0]
# The same by the portal's bounds, which are closer.
REPORTED = [3, 4, 5, 20, 31, 17, 8, 3, 2, 3, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0]
REPORTER = "reporting-service"
METRIC = "http_server_request_duration_seconds"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")

SETUP = f"""
from accounts.models import User
from catalog.models import Service
from accounts.services.tokens import create_token
from core import clock
for slug in {[*SERVICES, REPORTER]!r}:
    Service.objects.create(slug=slug, name=slug)
owner = User.objects.get(username="alice")
"""
MERGER = """
import sys
from core import clock
from telemetry.services.compaction import compact_all
for line in sys.stdin:
    compact_all(now=clock.now)
    print("merged", flush=True)
"""
TOTALS = f"""
from django.db.models import Sum
from telemetry.models import MinuteCount
reported = MinuteCount.objects.filter(service__slug={REPORTER!r})
others = MinuteCount.objects.exclude(service__slug={REPORTER!r})
print(*(rows.aggregate(total=Sum("count"))["total"] for rows in (others, reported)))
"""


def otlp_body(at_s: int, minutes: int, began_s: int) -> bytes:
    """Return an export of every row as it stands after some minutes, gzipped."""
    request = ExportMetricsServiceRequest()
    counts = [each * minutes for each in PER_MINUTE]
    for service in SERVICES:
        one = request.resource_metrics.add()
        one.resource.attributes.append(_attribute("service.name", service))
        metric = one.scope_metrics.add().metrics.add(name="http.server.request.duration", unit="s")
        metric.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
        for owner, route, status in ROWS:
            if owner != service:
                continue
            point = metric.histogram.data_points.add(
                start_time_unix_nano=began_s * 10**9,
                time_unix_nano=at_s * 10**9,
                count=sum(counts),
                sum=sum(counts) * 0.06,
                bucket_counts=counts,
                explicit_bounds=BOUNDS_S,
            )
            point.attributes.append(_attribute("http.request.method", "GET"))
            point.attributes.append(_attribute("http.route", route))
            point.attributes.append(_attribute("http.response.status_code", status))
    return gzip.compress(request.SerializeToString(), 6)


def report_body(at_s: int) -> bytes:
    """Return what an SDK counted in a minute, in as many rows, gzipped."""
    rows = [
        {
            "endpoint": f"/{service}{route}",
            "method": "GET",
            "status": status,
            "minute": at_s // 60 * 60,
            "count": sum(REPORTED),
            "sum_ms": sum(REPORTED) * 60.0,
            "buckets": REPORTED,
        }
        for service, route, status in ROWS
    ]
    report = {
        "service": REPORTER,
        "reporter": "benchmark",
        "bounds_ms": DEFAULT_BOUNDS_MS,
        "requests": rows,
        "covers": [{"minute": at_s // 60 * 60}],
    }
    return gzip.compress(json.dumps(report).encode(), 6)


def _attribute(key: str, value: str | int) -> KeyValue:
    text = AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    return KeyValue(key=key, value=text)


def remote_write_body(at_s: int, minutes: int) -> bytes:
    """Return the same rows as a Prometheus WriteRequest in a snappy block."""
    counts = [each * minutes for each in PER_MINUTE]
    series = []
    for service, route, status in ROWS:
        labels = {
            "http_request_method": "GET",
            "http_response_status_code": str(status),
            "http_route": route,
            "instance": f"{service}:8080",
            "job": service,
        }
        running = 0
        for bound, count in zip((*BOUNDS_S, None), counts, strict=True):
            running += count
            le = "+Inf" if bound is None else f"{bound:g}"
            named = {"__name__": f"{METRIC}_bucket", **labels, "le": le}
            series.append(_series(named, running, at_s))
        series.append(_series({"__name__": f"{METRIC}_sum", **labels}, running * 0.06, at_s))
        series.append(_series({"__name__": f"{METRIC}_count", **labels}, running, at_s))
    return _snappy(b"".join(series))


def _series(labels: dict[str, str], value: float, at_s: int) -> bytes:
    encoded = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, text.encode()))
        for name, text in sorted(labels.items())
    )
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at_s * 1000)
    return _field(1, encoded + _field(2, sample))


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _snappy(data: bytes) -> bytes:
    """Return a snappy block of literals of up to 64 KiB."""
    parts = [_varint(len(data))]
    for start in range(0, len(data), 65_536):
        part = data[start : start + 65_536]
        parts += [b"\xf4", struct.pack("<H", len(part) - 1), part]
    return b"".join(parts)


@contextmanager
def prometheus() -> Iterator[tuple[int, int]]:
    """Run a Prometheus that takes remote write and scrapes nothing; yield its port and pid."""
    binary = shutil.which("prometheus")
    if binary is None:
        raise SystemExit("Install prometheus (Debian package `prometheus`) to compare with it.")
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        config = Path(folder) / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1h}\n")
        port = servers.free_port()
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver",
                "--log.level=error",
            ]
        )
        try:
            ingest.await_port(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(timeout=40)


def cpu_s(*roots: int) -> float:
    """Return the CPU seconds of processes and all below them, those that ended included."""
    found: dict[int, tuple[int, int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    below = set(roots)
    while more := {pid for pid, (parent, _) in found.items() if parent in below} - below:
        below |= more
    return sum(found[pid][1] for pid in below if pid in found) * TICK_S


def children() -> set[int]:
    """Return the direct children of this process."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in listed.split()}


class Sender:
    """Connects anew for each request, as whoever sends once a minute does."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._port = port
        self._path = path
        self._headers = headers

    def send(self, body: bytes) -> None:
        """Post a body; it must be taken whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        is_taken = not answer or b'"rejected_count":0' in answer
        if response.status not in (200, 204) or not is_taken:
            raise SystemExit(f"{self._path}: {response.status} {answer[:500]!r}")


@contextmanager
def merger(env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that merges whenever it is told to."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", MERGER]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        if process.stdin:
            process.stdin.close()


def merge(process: "subprocess.Popen[str]") -> None:
    """Have all that waits merged, and wait for it."""
    if process.stdin is None or process.stdout is None:
        raise SystemExit("The merging process has no pipes.")
    process.stdin.write("\n")
    process.stdin.flush()
    if process.stdout.readline().strip() != "merged":
        raise SystemExit("Merging failed.")


def measure(minutes: int) -> dict[str, float]:
    """Return the CPU microseconds a row of both sides."""
    servers.POSTGRESQL_FLAGS.update(ingest.DURABLE)
    with ExitStack() as stack:
        # Of our own in any case: its CPU is counted.
        server = stack.enter_context(servers._throw_away_postgresql())
        url = stack.enter_context(servers.own_database(server))
        port, token, env = stack.enter_context(ingest.portal(url, 2))
        ingest.manage(env, "shell", "--no-imports", "-c", SETUP)
        merging = stack.enter_context(merger(env))
        ours = children()
        peer_port, peer = stack.enter_context(prometheus())
        otlp = Sender(
            port,
            "/v1/metrics",
            {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "gzip",
            },
        )
        remote_write = Sender(
            peer_port,
            "/api/v1/write",
            {
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "snappy",
                "X-Prometheus-Remote-Write-Version": "0.1.0",
            },
        )
        began = int(time.time()) // 60 * 60 - (minutes + WARM_UP + 1) * 60
        reports = Sender(
            port,
            "/api/v1/telemetry/requests",
            {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Content-Encoding": "gzip",
            },
        )
        before = (0.0, 0.0)
        for number in range(1, minutes + WARM_UP + 1):
            if number == WARM_UP + 1:
                before = cpu_s(*ours), cpu_s(peer)
            at = began + number * 60
            print(f"minute {number}", file=sys.stderr, flush=True)
            otlp.send(otlp_body(at, number, began))
            merge(merging)
            remote_write.send(remote_write_body(at, number))
        after = cpu_s(*ours), cpu_s(peer)
        for number in range(1, minutes + WARM_UP + 1):
            if number == WARM_UP + 1:
                before_reports = cpu_s(*ours)
            reports.send(report_body(began + number * 60))
            merge(merging)
        after_reports = cpu_s(*ours)
        _check(env, peer_port, at=began + (minutes + WARM_UP) * 60, minutes=minutes + WARM_UP)
    rows = minutes * len(ROWS)
    return {
        "otlp": (after[0] - before[0]) / rows * 1e6,
        "reports": (after_reports - before_reports) / rows * 1e6,
        "peer": (after[1] - before[1]) / rows * 1e6,
    }


def _check(env: dict[str, str], peer_port: int, *, at: int, minutes: int) -> None:
    """Stop unless both counted every request."""
    sent = sum(PER_MINUTE) * minutes * len(ROWS)
    reported = sum(REPORTED) * minutes * len(ROWS)
    totals = ingest.manage(env, "shell", "--no-imports", "-c", TOTALS).split()[-2:]
    ours, counted = map(int, totals)
    if counted != reported:
        raise SystemExit(f"Reported {reported}, counted {counted}.")
    connection = http.client.HTTPConnection("127.0.0.1", peer_port, timeout=30)
    connection.request("GET", f"/api/v1/query?query=sum({METRIC}_count)&time={at}")
    answer = json.loads(connection.getresponse().read())
    theirs = int(answer["data"]["result"][0]["value"][1])
    if not ours == theirs == sent:
        raise SystemExit(f"Sent {sent}, counted {ours} here and {theirs} there.")


def main() -> int:
    """Measure; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="requests of 1,000 rows each")
    found = measure(parser.parse_args().minutes)
    ratios = {name: found[name] / found["peer"] for name in ("otlp", "reports")}
    dearer = max(ratios, key=lambda name: ratios[name])
    print("CPU per row of 14 buckets (22 in reports), microseconds; goal: a ratio of 0.25\n")
    print(f"{'Prometheus: remote write':<36}{found['peer']:>10.1f}")
    for name, ratio in ratios.items():
        print(f"{f'portal: {name}, durable, merged':<36}{found[name]:>10.1f}{ratio:>10.3f}")
    print()
    print(
        json.dumps({
            "name": "otlp_ingest",
            "ours": round(found[dearer], 2),
            "peer": round(found["peer"], 2),
            "peer_name": "Prometheus, remote write of the same rows",
            "ratio": round(ratios[dearer], 3),
            "unit": "CPU µs/row",
            "lower_is_better": True,
            "goal": GOAL,
            "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        })
    )  # fmt: skip
    return 0 if ratios[dearer] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
