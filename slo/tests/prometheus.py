"""A real Prometheus server on loopback, filled with history that a test writes down."""

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

START_TIMEOUT_S = 30
STEP = timedelta(seconds=15)
# Counters by series, e.g. `http_requests_total{code="200"}`, and what each grows by in a minute.
Growth = Mapping[str, int]

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed (Debian package prometheus)",
)


def counters(start: datetime, minutes: int, growth: Growth) -> dict[str, list[tuple[float, int]]]:
    """Return the samples of counters that were scraped four times a minute and grow evenly."""
    return {
        series: [
            ((start + STEP * number).timestamp(), number * each // 4)
            for number in range(minutes * 4 + 1)
        ]
        for series, each in growth.items()
    }


class Prometheus:
    """A server that can be stopped and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.scrape("")

    def scrape(self, config: str) -> None:
        """Write what it scrapes, as YAML; before it starts."""
        (self.folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 15s}}\n{config}")

    @property
    def url(self) -> str:
        """Address before /api/v1."""
        return f"http://127.0.0.1:{self.port}"

    def fill(self, samples: Mapping[str, list[tuple[float, int]]]) -> None:
        """Write history into its storage; before it starts."""
        text = self.folder / "history.txt"
        by_name: dict[str, list[str]] = {}
        for series, points in samples.items():
            lines = by_name.setdefault(series.partition("{")[0], [])
            lines += [f"{series} {value} {at}" for at, value in points]
        parts = [f"# TYPE {name} unknown\n" + "\n".join(lines) for name, lines in by_name.items()]
        text.write_text("\n".join(parts) + "\n# EOF\n")
        data = str(self.folder / "data")
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), data]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--storage.tsdb.retention.time=60d",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ends = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            assert self.process.poll() is None, "Prometheus ended"
            assert time.monotonic() < ends, "Prometheus did not start"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_TIMEOUT_S)
            self.process = None


@contextmanager
def prometheus() -> Iterator[Prometheus]:
    """Yield a server that is not started yet."""
    with tempfile.TemporaryDirectory() as folder:
        server = Prometheus(Path(folder))
        try:
            yield server
        finally:
            server.stop()
