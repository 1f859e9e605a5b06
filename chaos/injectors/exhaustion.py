"""Busy processors and taken memory, on the machine that the target shares with us."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos.domain.steady_state import Sample
from chaos.injectors.base import Context
from chaos.injectors.processes import ProcessFault, start, wait_until
from chaos.ledger import UndoEntry
from chaos.processes import marked

__all__ = ["CpuExhaustion", "MemoryLeak"]

MEGABYTE = 1024 * 1024
ELSEWHERE = "The target is not on this machine; what is used up here is not used up there."
AVAILABLE_SHARE = 0.25
LEAST_MEGABYTES = 8
# The memory is taken over this share of the time, and held for the rest.
RAMP = 0.5


class CpuExhaustion(ProcessFault):
    """Spinning processes at a low priority; one core stays free."""

    def refusal(self, context: Context) -> str:
        """Refuse what would hurt another machine than the target's."""
        return "" if context.is_local else ELSEWHERE

    def params(self, context: Context) -> dict[str, Any]:
        """Return how many processes will spin: all cores but one, or fewer if asked."""
        most = max(1, len(_cores()) - 1)
        asked = int(context.parameters["workers"])
        return {"workers": min(asked, most) if asked else most}

    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Start them."""
        wanted = entry.params["workers"]
        for _ in range(wanted):
            start(entry, "cpu")
        wait_until(lambda: len(marked(entry.marker)) >= wanted, what="the load")

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Ask the kernel how much processor time they had."""
        used = [seconds for pid in marked(entry.marker) if (seconds := cpu_seconds(pid))]
        total = round(sum(used), 3)
        return {
            "observed": len(used) == entry.params["workers"] and total >= 0.1,
            "processes": len(used),
            "cpu_seconds": total,
        }


class MemoryLeak(ProcessFault):
    """A process that takes memory step by step, up to a cap."""

    def refusal(self, context: Context) -> str:
        """Refuse elsewhere, and where memory is short already."""
        if not context.is_local:
            return ELSEWHERE
        available = available_megabytes()
        if available is None:
            return "How much memory is available cannot be read here."
        if available * AVAILABLE_SHARE < LEAST_MEGABYTES:
            return f"Only {available:.0f} MB of memory are available."
        return ""

    def params(self, context: Context) -> dict[str, Any]:
        """Return how much will be taken: never more than a quarter of what is available."""
        cap = (available_megabytes() or 0) * AVAILABLE_SHARE
        megabytes = min(context.parameters["megabytes"], cap)
        return {"megabytes": round(megabytes, 1), "over_s": context.duration_s * RAMP}

    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Start it."""
        params = entry.params
        start(entry, "memory", f"--megabytes={params['megabytes']}", f"--over={params['over_s']}")
        wait_until(lambda: marked(entry.marker), what="the leak")

    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Ask the kernel how much it holds."""
        held = sum(resident_megabytes(pid) or 0 for pid in marked(entry.marker))
        wanted = entry.params["megabytes"]
        return {
            "observed": held >= wanted * 0.5,
            "resident_megabytes": round(held, 1),
            "asked_megabytes": wanted,
        }


def available_megabytes() -> float | None:
    """Return the memory that can be had without swapping, in MB; None where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / MEGABYTE / 4
    return None


def resident_megabytes(pid: int) -> float | None:
    """Return the memory that a process really holds, in MB."""
    text = _ps(pid, "rss")
    return int(text) / 1024 if text.isdigit() else None


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time that a process has had, in seconds."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    parts = _ps(pid, "time").split(":")
    with contextlib.suppress(ValueError):
        return sum(float(part) * 60.0**power for power, part in enumerate(reversed(parts)))
    return None


def _cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _ps(pid: int, column: str) -> str:
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text() if column == "rss" else ""
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                return line.split()[1]
    done = subprocess.run(  # noqa: S603 a column and a number
        ["ps", "-o", f"{column}=", "-p", str(pid)],  # noqa: S607 where ps is differs by system
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
