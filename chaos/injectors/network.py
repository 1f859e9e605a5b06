"""Latency and resets by a TCP proxy of the run's own in front of the target.

Only what goes through the proxy is hurt: the run's probes, and callers that are pointed to it.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos.domain.steady_state import Sample, median_ms
from chaos.injectors.base import Context
from chaos.injectors.processes import ProcessFault, start, wait_until
from chaos.ledger import UndoEntry
from chaos.probe import Address

__all__ = ["ConnectionReset", "NetworkLatency"]

LOOPBACK = "127.0.0.1"
# Less than half of what was asked for may be the machine, not the fault.
LEAST_EFFECT = 0.5


class ProxyFault(ProcessFault):
    """A fault that a proxy makes."""

    def refusal(self, context: Context) -> str:
        """Refuse without a target to put the proxy in front of."""
        return "" if context.target else "No target_url is named to put the proxy in front of."

    def params(self, context: Context) -> dict[str, Any]:
        """Return the upstream address besides the experiment's own parameters."""
        assert context.target is not None
        upstream = {"host": context.target.host, "port": context.target.port}
        return {**context.parameters, **upstream}

    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Start the proxy and wait until it listens."""
        start(
            entry,
            "proxy",
            f"--host={entry.params['host']}",
            f"--port={entry.params['port']}",
            f"--port-file={self._port_file(entry, folder)}",
            *self.toxics(entry),
        )
        port_file = self._port_file(entry, folder)
        wait_until(port_file.exists, what="the proxy")

    @abstractmethod
    def toxics(self, entry: UndoEntry) -> list[str]:
        """Return what the proxy is told to do, as arguments."""

    def address(self, entry: UndoEntry, folder: Path) -> Address:
        """Return where the proxy listens."""
        return (LOOPBACK, int(self._port_file(entry, folder).read_text()))

    @staticmethod
    def _port_file(entry: UndoEntry, folder: Path) -> Path:
        return folder / f"{entry.run_id}.{entry.seq}.port"


class NetworkLatency(ProxyFault):
    """Answers come late."""

    def toxics(self, entry: UndoEntry) -> list[str]:
        """Delay answers."""
        params = entry.params
        return [f"--latency-ms={params['latency_ms']}", f"--jitter-ms={params['jitter_ms']}"]

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Compare response times through the proxy with those before."""
        usual, late = median_ms(before), median_ms(during)
        added = None if usual is None or late is None else round(late - usual, 3)
        wanted = entry.params["latency_ms"]
        return {
            "observed": added is not None and added >= LEAST_EFFECT * wanted,
            "added_latency_ms": added,
            "asked_latency_ms": wanted,
            "samples": len(during),
        }


class ConnectionReset(ProxyFault):
    """A share of the connections is reset."""

    def toxics(self, entry: UndoEntry) -> list[str]:
        """Reset connections."""
        return [f"--reset-share={entry.params['share']}"]

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Count the resets that the probes met."""
        resets = sum(sample.resets for sample in during)
        return {"observed": resets > 0, "resets": resets, "samples": len(during)}
