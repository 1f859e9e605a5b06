"""A real Prometheus with Sloth's rules, as the peer of one round of judging.

Its rules are those that Sloth writes for each SLO; 31 days of scraped and recorded samples lie in
its storage before it begins.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import ingest, otlp_ingest  # noqa: E402
from slo.domain.exchange import prometheus_rules as rules  # noqa: E402
from slo.domain.exchange.exported import Exported  # noqa: E402
from slo.domain.exchange.windows import WindowDraft  # noqa: E402
from slo.domain.plans import Method  # noqa: E402
from tests import servers  # noqa: E402

__all__ = ["measure"]

SCRAPE_S, RECORD_S, EVALUATE_S = 15, 60, 5
HISTORY_DAYS = 31
INSTANCES = 5
EVALUATIONS = 4


def _rules_of(number: int) -> list[dict[str, Any]]:
    """Return Sloth's rule groups for one SLO."""
    slo = Exported(
        slug=f"shop-{number}",
        name=f"Shop {number}",
        description="",
        service="shop",
        objective=Decimal("0.999"),
        window=WindowDraft(30),
        method=Method.OCCURRENCES,
        minimum_events=0,
        is_enabled=True,
        sli=f"shop-{number}",
        measured={
            "bad_query": f'sum(r{{s="{number}",c="5"}})',
            "total_query": f'sum(r{{s="{number}"}})',
        },
        source="prometheus",
        source_kind="prometheus",
    )
    groups: list[dict[str, Any]] = rules.rules_of([slo])["groups"]
    # Our own export adds up the whole period; Sloth takes the mean of its five minutes' ratios.
    five = _recorded(number)
    groups[0]["rules"][-1]["expr"] = (
        f"sum_over_time({five}[30d]) / ignoring (sloth_window) count_over_time({five}[30d])"
    )
    return groups


def _recorded(number: int) -> str:
    return (
        f'slo:sli_error:ratio_rate5m{{sloth_id="shop-{number}", sloth_service="shop",'
        f' sloth_slo="{number}"}}'
    )


def _write_samples(path: Path, slos: int, until: int) -> None:
    """Write what Prometheus scraped and recorded until some instant, as OpenMetrics text."""
    begun = until - HISTORY_DAYS * 86_400
    with path.open("w") as file:
        file.write("# TYPE r unknown\n")
        for number in range(slos):
            for instance in range(INSTANCES):
                for code, growth in (("2", 25), ("5", 0.02)):
                    labels = f'{{s="{number}",i="{instance}",c="{code}"}}'
                    for step in range((until - begun) // SCRAPE_S):
                        at = begun + step * SCRAPE_S
                        file.write(f"r{labels} {int(step * growth)} {at}\n")
        file.write("# TYPE slo:sli_error:ratio_rate5m unknown\n")
        for number in range(slos):
            name = _recorded(number).replace(", ", ",")[:-1] + ',sloth_window="5m"}'
            for at in range(begun, until, RECORD_S):
                file.write(f"{name} 0.0008 {at}\n")
        file.write("# EOF\n")


@contextmanager
def _serving(slos: int, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a Prometheus with a past and rules; yield its port and process id."""
    samples, data = folder / "samples.txt", folder / "data"
    # Its rules cannot write before the newest sample, so it starts when that is over.
    until = int(time.time()) + 20 + 20 * slos
    _write_samples(samples, slos, until)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics"]
    options = ["--max-block-duration=1000h", "--quiet", str(samples), str(data)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    samples.unlink()
    time.sleep(max(0.0, until + 1 - time.time()))
    groups = [group for number in range(slos) for group in _rules_of(number)]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1h, evaluation_interval: {EVALUATE_S}s}}\n"
        f"rule_files: [{folder / 'rules.yml'}]\n"
    )
    port = servers.free_port()
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=60d",
            "--log.level=error",
        ]
    )
    try:
        ingest.await_port(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def measure(slos: int) -> float:
    """Return the CPU seconds that one evaluation of one SLO's rules takes."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        raise SystemExit("Install prometheus (Debian package `prometheus`) to compare with it.")
    print(f"filling: Prometheus with {slos} SLOs", file=sys.stderr, flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prometheus-")))
        port, pid = stack.enter_context(_serving(slos, folder))
        before = _evaluated(port, 2)
        begins = otlp_ingest.cpu_s(pid)
        after = _evaluated(port, before + EVALUATIONS)
        cost = otlp_ingest.cpu_s(pid) - begins
        _check(port, slos)
    return cost / (after - before) / slos


def _evaluated(port: int, wanted: float) -> float:
    """Wait until every group was evaluated so often; return how often the slowest one was."""
    ends = time.monotonic() + 600
    while time.monotonic() < ends:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        name = "prometheus_rule_group_iterations_total{"
        counts = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]
        if counts and min(counts) >= wanted:
            return min(counts)
        time.sleep(1)
    raise SystemExit("Prometheus does not keep up with its rules.")


def _check(port: int, slos: int) -> None:
    """Stop unless Prometheus computed the ratio of 30 days of every SLO."""
    query = "count(slo:period_error_budget_remaining:ratio)"
    url = f"http://127.0.0.1:{port}/api/v1/query?query={query}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found = json.loads(answer.read())["data"]["result"]
    if not found or int(found[0]["value"][1]) != slos:
        raise SystemExit(f"Prometheus judged {found}, not {slos} SLOs.")
